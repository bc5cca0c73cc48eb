//! Objects: contents as they are, commits, merges.
//!
//! In -> out: files and bytes -> [`Oid`]s; two commits -> [`Merged`].
//! Invariant: contents go in without any conversion; what is written is on the disk when a function is back (`core.fsync`).
//! Not here: trees (`tree.rs`), refs (`refs.rs`).

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::{GitError, Oid, Repository};

/// Who commits, and when, in seconds since 1970 UTC.
#[derive(Clone, Debug)]
pub struct Signed {
    pub name: String,
    pub email: String,
    pub at: u64,
}

impl Signed {
    /// The host itself.
    pub fn by_host(at_ms: u64) -> Self {
        Self { name: "orch".to_owned(), email: "orch@localhost".to_owned(), at: at_ms / 1000 }
    }
}

/// What a merge gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Merged {
    Tree(Oid),
    /// Both changed these.
    Conflict(Vec<PathBuf>),
}

impl Repository {
    /// The contents of files below a folder, in order.
    ///
    /// # Errors
    /// `Failed`, `Io`.
    pub fn write_files(&self, folder: &Path, paths: &[PathBuf]) -> Result<Vec<Oid>, GitError> {
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        let mut input = Vec::new();
        for path in paths {
            quote(path, &mut input);
            input.push(b'\n');
        }
        let call = self.call(&["hash-object", "-w", "--no-filters", "--stdin-paths"]);
        let out = call.folder(folder).input(&input).run()?.out;
        let text = String::from_utf8_lossy(&out).into_owned();
        let oids = text.lines().map(|line| self.oid("hash-object", line)).collect::<Result<Vec<_>, _>>()?;
        match oids.len() == paths.len() {
            true => Ok(oids),
            false => Err(GitError::Failed {
                verb: "hash-object".to_owned(),
                said: format!("{} answers for {} files", oids.len(), paths.len()),
            }),
        }
    }

    /// These bytes.
    ///
    /// # Errors
    /// `Failed`, `Io`.
    pub fn write_bytes(&self, bytes: &[u8]) -> Result<Oid, GitError> {
        let out = self.call(&["hash-object", "-w", "--no-filters", "--stdin"]).input(bytes).run()?.out;
        self.oid("hash-object", &String::from_utf8_lossy(&out))
    }

    /// The bytes of an object.
    ///
    /// # Errors
    /// `Failed`, `Io`.
    pub fn bytes_of(&self, oid: &Oid) -> Result<Vec<u8>, GitError> {
        Ok(self.call(&["cat-file", "blob", oid.as_str()]).run()?.out)
    }

    /// The tree of a commit.
    ///
    /// # Errors
    /// `Failed`, `Io`.
    pub fn tree_of(&self, commit: &Oid) -> Result<Oid, GitError> {
        let wanted = format!("{commit}^{{tree}}");
        let line = self.line(&["rev-parse", "--verify", "--end-of-options", &wanted])?;
        self.oid("rev-parse", &line)
    }

    /// A commit of a tree, with that message as it is.
    ///
    /// # Errors
    /// `Failed`, `Io`.
    pub fn commit(&self, tree: &Oid, parents: &[&Oid], message: &str, by: &Signed) -> Result<Oid, GitError> {
        let mut args = vec!["commit-tree", tree.as_str(), "-F", "-"];
        for parent in parents {
            args.extend(["-p", parent.as_str()]);
        }
        let at = format!("@{} +0000", by.at);
        let mut call = self.call(&args);
        for who in ["AUTHOR", "COMMITTER"] {
            call = call.env(&format!("GIT_{who}_NAME"), &by.name).env(&format!("GIT_{who}_EMAIL"), &by.email);
            call = call.env(&format!("GIT_{who}_DATE"), &at);
        }
        let out = call.input(message.as_bytes()).run()?.out;
        self.oid("commit-tree", &String::from_utf8_lossy(&out))
    }

    /// What comes of both, from where they parted. Nothing is checked out.
    ///
    /// # Errors
    /// `Failed`, also where they have no commit in common; `Io`.
    pub fn merge(&self, ours: &Oid, theirs: &Oid) -> Result<Merged, GitError> {
        let args = [
            "merge-tree",
            "--write-tree",
            "-z",
            "--name-only",
            "--no-messages",
            ours.as_str(),
            theirs.as_str(),
        ];
        let answer = self.call(&args).answers(&[1]).run()?;
        let mut parts = answer.out.split(|byte| *byte == 0).filter(|part| !part.is_empty());
        let tree = self.oid("merge-tree", &String::from_utf8_lossy(parts.next().unwrap_or_default()))?;
        match answer.code {
            0 => Ok(Merged::Tree(tree)),
            _ => Ok(Merged::Conflict(parts.map(|path| OsStr::from_bytes(path).into()).collect())),
        }
    }

    /// What comes of a commit with that which changed between two others; it and `new` begin at `old`.
    ///
    /// # Errors
    /// `Failed`, `Io`.
    pub fn applied(&self, onto: &Oid, (old, new): (&Oid, &Oid)) -> Result<Merged, GitError> {
        if onto == old {
            return self.tree_of(new).map(Merged::Tree);
        }
        // `merge-tree` takes no base before git 2.40: the same tree as a child of `old` parts from `new` there.
        let ours = self.commit(&self.tree_of(onto)?, &[old], "Beside\n", &Signed::by_host(0))?;
        self.merge(&ours, new)
    }

    /// True if `below` is `above` or leads to it.
    ///
    /// # Errors
    /// `Failed`, `Io`.
    pub fn is_within(&self, below: &Oid, above: &Oid) -> Result<bool, GitError> {
        let args = ["merge-base", "--is-ancestor", below.as_str(), above.as_str()];
        Ok(self.call(&args).answers(&[1]).run()?.code == 0)
    }
}

/// As git quotes names: whatever byte stands in one, it is one line.
fn quote(path: &Path, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'"' | b'\\' => out.extend([b'\\', *byte]),
            0x20..=0x7e => out.push(*byte),
            other => out.extend(format!("\\{other:03o}").into_bytes()),
        }
    }
    out.push(b'"');
}
