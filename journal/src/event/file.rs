//! What becomes of a file or a folder.

use serde::{Deserialize, Serialize};

/// What was done to a path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileChange {
    /// A file is there, or has other contents.
    #[default]
    Written,
    /// A file is gone; one that was moved is written elsewhere.
    Removed,
    FolderMade,
    FolderRemoved,
}

impl FileChange {
    pub fn is_written(&self) -> bool {
        *self == Self::Written
    }
}
