//! The host's own git: the installed program, on a folder and a configuration that the host wrote.
//!
//! In -> out: a workspace's repository -> objects, trees, commits, refs in it.
//! Invariant: git discovers nothing and reads no configuration, hook, filter or attribute but the host's own; nothing of a
//! repository is ever run. Work trees are read by the host (`worktrees/`); git hashes what the host names.
//! Not here: which of it is kept (`drive/keep.rs`), what a person is asked (`commands/`).

mod checkout;
mod error;
mod history;
mod objects;
mod program;
mod refs;
mod repository;
mod show;
mod tree;

use std::fmt;

pub use error::GitError;
pub use history::Commit;
pub use objects::{Merged, Signed};
pub use program::VERSION_MIN;
pub use refs::Head;
pub use repository::Repository;
pub use show::{FileStat, Show};
pub use tree::{Changed, Entry, Mode};

/// Name of an object: 40 or 64 hex digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Oid(String);

impl Oid {
    /// The name, if it is one.
    pub fn parse(text: &str) -> Option<Self> {
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (matches!(text.len(), 40 | 64) && text.bytes().all(is_hex)).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Of nothing, in the same length.
    fn zero(&self) -> String {
        "0".repeat(self.0.len())
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}
