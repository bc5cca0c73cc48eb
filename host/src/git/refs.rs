//! Refs: where the person's checkout stands, and where a run's branch does.
//!
//! In -> out: names -> commits; names, old and new commits -> moved refs.
//! Invariant: a ref is moved from what it is known to be, or not at all.
//! Not here: which ref is moved when (`drive/keep.rs`, `commands/`).

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::Path;

use super::{GitError, Oid, Repository};
use crate::regular_file::{self, Links};

const HEAD_BYTES_MAX: u64 = 64 << 10;

/// Where a checkout stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Whole name of its branch; none if it is detached.
    pub branch: Option<String>,
    pub commit: Oid,
}

impl Repository {
    /// Where the person's checkout stands.
    ///
    /// # Errors
    /// `NoCommit`, `Unfit`, `Io`, `Failed`.
    pub fn head(&self) -> Result<Head, GitError> {
        let path = self.own.join("HEAD");
        let read = regular_file::read_text(&path, Links::Refused, HEAD_BYTES_MAX);
        let (text, _) = read.map_err(|error| GitError::Io { what: "read", path, source: error.into() })?;
        let text = text.trim();
        let Some(branch) = text.strip_prefix("ref:").map(str::trim) else {
            let commit = Oid::parse(text).ok_or_else(|| self.unfit("has a `HEAD` that names no commit"))?;
            return Ok(Head { branch: None, commit });
        };
        let commit = self.resolve(branch)?;
        let commit = commit.ok_or_else(|| GitError::NoCommit { repository: self.common.clone() })?;
        Ok(Head { branch: Some(branch.to_owned()), commit })
    }

    /// The commit that a name leads to; none if nothing has it.
    ///
    /// # Errors
    /// `Failed`, `Io`.
    pub fn resolve(&self, name: &str) -> Result<Option<Oid>, GitError> {
        let wanted = format!("{name}^{{commit}}");
        let answer = self
            .call(&["rev-parse", "--verify", "--quiet", "--end-of-options", &wanted])
            .answers(&[1])
            .run()?;
        match answer.code {
            0 => self.oid("rev-parse", &String::from_utf8_lossy(&answer.out)).map(Some),
            _ => Ok(None),
        }
    }

    /// Moves a ref from `old` to `new`; none: there is none of that name.
    ///
    /// # Errors
    /// `BranchMoved` if it is elsewhere, `Failed`, `Io`.
    pub fn move_ref(&self, name: &str, old: Option<&Oid>, new: Option<&Oid>) -> Result<(), GitError> {
        let Some(some) = old.or(new) else { return Ok(()) };
        let expected = old.map_or_else(|| some.zero(), Oid::to_string);
        let moved = match new {
            Some(new) => self.call(&["update-ref", "--no-deref", name, new.as_str(), &expected]).run(),
            None => self.call(&["update-ref", "--no-deref", "-d", name, &expected]).run(),
        };
        let Err(error) = moved else { return Ok(()) };
        let found = self.resolve(name)?;
        match found.as_ref() == old {
            true => Err(error),
            false => Err(moved_to(name, old, found.as_ref())),
        }
    }

    /// Refs whose names begin so, each with its commit.
    ///
    /// # Errors
    /// `Failed`, `Io`.
    pub fn refs_below(&self, prefix: &str) -> Result<Vec<(String, Oid)>, GitError> {
        let out = self.call(&["for-each-ref", "--format=%(objectname) %(refname)", prefix]).run()?.out;
        let text = String::from_utf8_lossy(&out).into_owned();
        let lines = text.lines().filter_map(|line| line.split_once(' '));
        lines.map(|(oid, name)| Ok((name.to_owned(), self.oid("for-each-ref", oid)?))).collect()
    }

    /// Moves the person's checkout, whose tree is by now that of `new`.
    ///
    /// # Errors
    /// `BranchMoved` if it stands elsewhere than `head` says; `Failed`, `Io`.
    pub fn move_head(&self, head: &Head, new: &Oid) -> Result<(), GitError> {
        if let Some(branch) = &head.branch {
            return self.move_ref(branch, Some(&head.commit), Some(new));
        }
        // Git's own way: whoever makes the lock may replace the file.
        let (path, lock) = (self.own.join("HEAD"), self.own.join("HEAD.lock"));
        let at = |source| GitError::Io { what: "write", path: path.clone(), source };
        let mut file = take_lock(&lock)?;
        let moved = self.head().and_then(|found| match found == *head {
            false => Err(moved_to("HEAD", Some(&head.commit), Some(&found.commit))),
            true => file.write_all(format!("{new}\n").as_bytes()).and_then(|()| file.sync_all()).map_err(at),
        });
        let moved = moved.and_then(|()| fs::rename(&lock, &path).map_err(at));
        moved.inspect_err(|_| match fs::remove_file(&lock) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                tracing::warn!(%error, "cannot remove `HEAD.lock`")
            }
            _ => {}
        })
    }
}

/// A lock as git takes it: a file that was not there.
///
/// # Errors
/// `Locked`, `Io`.
pub(super) fn take_lock(lock: &Path) -> Result<fs::File, GitError> {
    fs::File::create_new(lock).map_err(|source| match source.kind() {
        ErrorKind::AlreadyExists => GitError::Locked { lock: lock.to_owned() },
        _ => GitError::Io { what: "lock", path: lock.to_owned(), source },
    })
}

/// That a ref is elsewhere.
pub(super) fn moved_to(name: &str, expected: Option<&Oid>, found: Option<&Oid>) -> GitError {
    let said = |oid: Option<&Oid>| oid.map_or_else(|| "nothing".to_owned(), |oid| format!("`{oid}`"));
    let branch = name.strip_prefix("refs/heads/").unwrap_or(name).to_owned();
    let expected = expected.map_or_else(|| "nothing".to_owned(), Oid::to_string);
    GitError::BranchMoved { branch, expected, found: said(found) }
}

impl GitError {
    /// That a run's branch is elsewhere than the journal says.
    pub fn branch_moved(name: &str, expected: &Oid, found: Option<&Oid>) -> Self {
        moved_to(name, Some(expected), found)
    }
}
