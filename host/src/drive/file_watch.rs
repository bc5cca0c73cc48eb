//! When the task file was looked at last, and what it was then.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

const LOOK: Duration = Duration::from_millis(500);

pub(super) const CHECKPOINT: Duration = Duration::from_secs(5);

/// When the file was looked at and what it was then: inode, size, time of its last change.
#[derive(Clone, Copy, Debug)]
pub struct FileWatch {
    pub(super) seen: Option<(u64, u64, i64, i64)>,
    pub(super) next: Instant,
}

impl FileWatch {
    pub(super) fn of(path: &Path) -> Self {
        let seen = std::fs::symlink_metadata(path).ok();
        let seen = seen.map(|found| (found.ino(), found.size(), found.mtime(), found.mtime_nsec()));
        Self { seen, next: Instant::now() + LOOK }
    }
}
