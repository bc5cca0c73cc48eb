//! Differences, for people.
//!
//! In -> out: two commits -> a patch that `git apply` takes, or how much of each file changed.
//! Invariant: no program and no conversion of the repository's takes part.
//! Not here: printing (`commands/diff.rs`).

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

impl Repository {
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
        let plain = ["diff-tree", "-r", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-color"];
        let args = [&plain[..], how, &[from.as_str(), to.as_str()]].concat();
        Ok(self.call(&args).run()?.out)
    }
}
