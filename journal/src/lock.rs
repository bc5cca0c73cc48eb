//! One host a store.
//!
//! In -> out: state folder -> [`Lock`], held until it is dropped or the process is gone.
//! Invariant: the lock is the operating system's, so it cannot outlive its process; the pid inside only names it.
//! Not here: readers, which need no lock (`reader.rs`).

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

use crate::error::StoreError;

const LOCK_FILE: &str = "lock";
/// A holder writes its pid right after it got the lock; so long a reader waits for it.
const PID_TRIES: u32 = 20;
const PID_WAIT: Duration = Duration::from_millis(5);
const PID_BYTES_MAX: u64 = 32;

/// The only right to write to the store in one folder.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// The lock of that folder.
    ///
    /// # Errors
    /// `Held` with the holder's pid, `OddFile` for one that has another name or is none, `Io`.
    pub(crate) fn take(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(LOCK_FILE);
        let io = |source: std::io::Error| StoreError::Io { what: "open", path: path.clone(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits() as i32)
            .open(&path)
            .map_err(io)?;
        let found = file.metadata().map_err(io)?;
        if !found.is_file() || found.nlink() != 1 {
            // A pid written into it would be one in somebody else's file.
            return Err(StoreError::OddFile { path });
        }
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(StoreError::Held { pid: holder(&mut file) }),
            Err(error) => return Err(StoreError::Io { what: "lock", path, source: error.into() }),
        }
        let written = file
            .set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| writeln!(file, "{}", std::process::id()));
        written.map_err(|source| StoreError::Io { what: "write", path: path.clone(), source })?;
        Ok(Self { _file: file })
    }
}

/// The pid in a lock file that somebody else holds.
fn holder(file: &mut File) -> Option<u32> {
    for _ in 0..PID_TRIES {
        let mut text = String::new();
        let read = file
            .seek(SeekFrom::Start(0))
            .and_then(|_| std::io::Read::by_ref(file).take(PID_BYTES_MAX).read_to_string(&mut text));
        if read.is_ok()
            && text.ends_with('\n')
            && let Ok(pid) = text.trim().parse()
        {
            return Some(pid);
        }
        std::thread::sleep(PID_WAIT);
    }
    None
}
