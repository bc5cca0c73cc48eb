//! The lock of the operator's folder.
//!
//! In -> out: the folder -> a lock, held until it is dropped.
//! Limits: 10 s of waiting; a host that was stopped while it held the lock holds up nobody for longer.
//! Invariant: whoever changes a file that another host may change holds it alone; what only looks makes no file.
//! Not here: what is changed (`operator.rs`, `anchor.rs`).

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::io::Errno;

use super::OperatorError;

const WAIT: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_millis(5);
const NAME: &str = "lock";

/// Waits for other hosts that change this folder, and keeps them waiting as long as it is held.
pub(super) fn lock(home: &Path) -> Result<File, OperatorError> {
    let file = open(home, OFlags::CREATE | OFlags::RDWR)?;
    wait(home, file, FlockOperation::NonBlockingLockExclusive)
}

/// The same without waiting; none if another host has it.
pub(super) fn try_lock(home: &Path) -> Result<Option<File>, OperatorError> {
    let file = open(home, OFlags::CREATE | OFlags::RDWR)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(failed(home, error)),
    }
}

/// Waits for hosts that change this folder, and makes nothing; none if nobody ever locked it.
pub(super) fn lock_to_look(home: &Path) -> Result<Option<File>, OperatorError> {
    match rustix::fs::access(home.join(NAME), rustix::fs::Access::EXISTS) {
        Err(Errno::NOENT) => return Ok(None),
        Err(error) => return Err(failed(home, error)),
        Ok(()) => {}
    }
    let file = open(home, OFlags::RDONLY)?;
    wait(home, file, FlockOperation::NonBlockingLockShared).map(Some)
}

fn open(home: &Path, how: OFlags) -> Result<File, OperatorError> {
    let flags = how | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = rustix::fs::open(home.join(NAME), flags, Mode::RUSR | Mode::WUSR);
    opened.map(File::from).map_err(|error| failed(home, error))
}

fn wait(home: &Path, file: File, how: FlockOperation) -> Result<File, OperatorError> {
    let since = Instant::now();
    loop {
        match flock(&file, how) {
            Ok(()) => return Ok(file),
            Err(Errno::WOULDBLOCK) if since.elapsed() < WAIT => std::thread::sleep(AGAIN),
            Err(Errno::WOULDBLOCK) => return Err(OperatorError::Locked { path: home.join(NAME) }),
            Err(error) => return Err(failed(home, error)),
        }
    }
}

fn failed(home: &Path, error: Errno) -> OperatorError {
    OperatorError::Io { what: "lock", path: home.join(NAME), source: error.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_host_changes_and_nobody_waits_who_does_not_want_to() {
        let folder = tempfile::tempdir().unwrap();
        assert!(lock_to_look(folder.path()).unwrap().is_none());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "looking makes nothing");
        let held = lock(folder.path()).unwrap();
        assert!(try_lock(folder.path()).unwrap().is_none());
        drop(held);
        let (one, other) =
            (lock_to_look(folder.path()).unwrap().unwrap(), lock_to_look(folder.path()).unwrap().unwrap());
        assert!(try_lock(folder.path()).unwrap().is_none());
        drop((one, other));
        assert!(try_lock(folder.path()).unwrap().is_some());
    }
}
