//! When the task file was looked at last, what it was then, and whether somebody may still be writing at it.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

const LOOK: Duration = Duration::from_millis(250);
/// A file that was the same for so long is written.
pub(super) const QUIET: Duration = Duration::from_millis(200);

pub(super) const CHECKPOINT: Duration = Duration::from_secs(5);

/// When the file was looked at and what it was then.
#[derive(Clone, Copy, Debug)]
pub struct FileWatch {
    /// Inode, size, time of its last change; none if it is not there.
    seen: Option<(u64, u64, i64, i64)>,
    /// Since when it is as it was seen.
    since: Instant,
    pub next: Instant,
    /// What was seen is what the host knows, or was found unusable.
    pub is_taken: bool,
}

impl FileWatch {
    /// A file that was just read or written.
    pub fn of(path: &Path) -> Self {
        let now = Instant::now();
        Self { seen: identity(path), since: now, next: now + LOOK, is_taken: true }
    }

    /// Looks again.
    pub fn look(&mut self, path: &Path) {
        let now = Instant::now();
        let seen = identity(path);
        if seen != self.seen {
            (self.seen, self.since, self.is_taken) = (seen, now, false);
        }
        self.next = now + if self.is_taken { LOOK } else { QUIET };
    }

    /// True when a change is over that was not taken in.
    pub fn is_quiet(&self) -> bool {
        !self.is_taken && self.since.elapsed() >= QUIET
    }

    pub fn is_there(&self) -> bool {
        self.seen.is_some()
    }
}

fn identity(path: &Path) -> Option<(u64, u64, i64, i64)> {
    let found = std::fs::symlink_metadata(path).ok()?;
    Some((found.ino(), found.size(), found.mtime(), found.mtime_nsec()))
}
