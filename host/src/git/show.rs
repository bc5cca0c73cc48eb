//! Differences, for people.
//!
//! In -> out: two commits -> a patch that `git apply` takes, or how much of each file changed.
//! Invariant: no program and no conversion of the repository's takes part.
//! Not here: printing (`commands/diff.rs`).

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::{GitError, Oid, Repository};

/// How a difference is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// What `git apply` takes, with what is no text.
    Patch,
    /// A patch for whoever reads it: of what is no text it says only that it differs.
    Text,
    Stat,
}

/// How much of a file differs; none: one side is no text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileStat {
    pub path: PathBuf,
    pub added: Option<u64>,
    pub removed: Option<u64>,
}

const PLAIN: [&str; 6] = ["diff-tree", "-r", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-color"];

impl Repository {
    /// How much of each file differs between two commits, in git's order.
    ///
    /// # Errors
    /// `Failed`, `Io`.
    pub fn stats(&self, from: &Oid, to: &Oid) -> Result<Vec<FileStat>, GitError> {
        let args = [&PLAIN[..], &["-z", "--numstat", from.as_str(), to.as_str()]].concat();
        let out = self.call(&args).run()?.out;
        let stat = |line: &[u8]| {
            let mut parts = line.splitn(3, |byte| *byte == b'\t');
            let mut count = || {
                let text = std::str::from_utf8(parts.next()?).ok()?;
                Some(text.parse().ok())
            };
            let (added, removed) = (count()?, count()?);
            Some(FileStat { path: OsStr::from_bytes(parts.next()?).into(), added, removed })
        };
        let lines = out.split(|byte| *byte == 0).filter(|line| !line.is_empty());
        let unread = || GitError::Failed {
            verb: "diff-tree".to_owned(),
            said: "an answer that is not understood".to_owned(),
        };
        lines.map(|line| stat(line).ok_or_else(unread)).collect()
    }

    /// The difference between two commits as people read it, at most so many bytes, and whether that is all of it.
    ///
    /// # Errors
    /// `Failed`, `Io`.
    pub fn patch(&self, from: &Oid, to: &Oid, bytes_max: usize) -> Result<(Vec<u8>, bool), GitError> {
        let args = [&PLAIN[..], &["--patch", from.as_str(), to.as_str()]].concat();
        self.call(&args).run_cut(bytes_max)
    }

    /// The difference between two commits, in git's own bytes.
    ///
    /// # Errors
    /// `Failed`, `Io`.
    pub fn difference(&self, from: &Oid, to: &Oid, how: Show) -> Result<Vec<u8>, GitError> {
        let how: &[&str] = match how {
            Show::Patch => &["--patch", "--binary", "--full-index"],
            Show::Text => &["--patch"],
            Show::Stat => &["--stat=100", "--summary"],
        };
        let args = [&PLAIN[..], how, &[from.as_str(), to.as_str()]].concat();
        Ok(self.call(&args).run()?.out)
    }
}
