//! What the system refused a store, whose file is as it should be.
//!
//! In -> out: an error of SQLite or of a file -> [`Refused`], or nothing if what the file holds is the reason.
//! Not here: what helps (the host's), what is wrong with a file (`error.rs`).

use std::io::{self, ErrorKind};

use rusqlite::ErrorCode;
use rusqlite::ffi;

/// What the system did not give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The disk, or this user, may not write.
    ReadOnly,
    /// One of its files cannot be opened.
    Unopened,
    /// There is no room on the disk, or the store is as large as it may get.
    Full,
    /// A write, for another reason: a limit of this process, or a fault of the disk.
    Write,
    Memory,
    /// Somebody else with a SQLite tool holds the file.
    Busy,
}

impl Refused {
    pub(crate) fn of_sqlite(error: &rusqlite::Error) -> Option<Self> {
        let rusqlite::Error::SqliteFailure(found, _) = error else { return None };
        Some(match found.code {
            ErrorCode::ReadOnly | ErrorCode::PermissionDenied => Self::ReadOnly,
            ErrorCode::CannotOpen => Self::Unopened,
            ErrorCode::DiskFull => Self::Full,
            ErrorCode::OutOfMemory => Self::Memory,
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Busy,
            ErrorCode::SystemIoFailure => match found.extended_code {
                ffi::SQLITE_IOERR_NOMEM => Self::Memory,
                ffi::SQLITE_IOERR_WRITE
                | ffi::SQLITE_IOERR_TRUNCATE
                | ffi::SQLITE_IOERR_FSYNC
                | ffi::SQLITE_IOERR_DIR_FSYNC
                | ffi::SQLITE_IOERR_SHMOPEN
                | ffi::SQLITE_IOERR_SHMSIZE
                | ffi::SQLITE_IOERR_SHMMAP => Self::Write,
                _ => return None,
            },
            _ => return None,
        })
    }

    pub(crate) fn of_io(error: &io::Error) -> Option<Self> {
        Some(match error.kind() {
            ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => Self::ReadOnly,
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Full,
            ErrorKind::FileTooLarge => Self::Write,
            ErrorKind::OutOfMemory => Self::Memory,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_file_holds_is_nothing_that_was_refused() {
        let of = |code| Refused::of_sqlite(&rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
        for (code, expected) in [
            (ffi::SQLITE_READONLY, Some(Refused::ReadOnly)),
            (ffi::SQLITE_CANTOPEN, Some(Refused::Unopened)),
            (ffi::SQLITE_FULL, Some(Refused::Full)),
            (ffi::SQLITE_IOERR_WRITE, Some(Refused::Write)),
            (ffi::SQLITE_IOERR_SHMSIZE, Some(Refused::Write)),
            (ffi::SQLITE_IOERR_NOMEM, Some(Refused::Memory)),
            (ffi::SQLITE_BUSY, Some(Refused::Busy)),
            (ffi::SQLITE_CORRUPT, None),
            (ffi::SQLITE_NOTADB, None),
            (ffi::SQLITE_IOERR_READ, None),
            (ffi::SQLITE_IOERR_SHORT_READ, None),
        ] {
            assert_eq!(of(code), expected, "{code}");
        }
        assert_eq!(Refused::of_sqlite(&rusqlite::Error::InvalidQuery), None);
        assert_eq!(Refused::of_io(&ErrorKind::FileTooLarge.into()), Some(Refused::Write));
        assert_eq!(Refused::of_io(&ErrorKind::InvalidData.into()), None);
    }
}
