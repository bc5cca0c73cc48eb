//! The files that a host stands on: its store, under the handle that the journal is written through, and its own program.
//!
//! In -> out: two paths -> are the files still there that were there at the start?
//! Invariant: a run whose journal nobody will find starts nothing more and is no success; nor does one whose program is gone: it
//! would start supervisors of another one.
//! Not here: the store itself (`orch-journal`), starting supervisors (`processes.rs`).

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::error::DriveError;

/// Where both were when the host began, and which files these are.
#[derive(Clone, Debug)]
pub struct OwnFiles {
    store: Seen,
    /// What was written last is there alone until it is taken over into the store.
    wal: Seen,
    program: Seen,
}

impl OwnFiles {
    /// The files that are there now.
    ///
    /// # Errors
    /// That one of them cannot be looked at, and why.
    pub fn of(store: PathBuf, program: PathBuf) -> Result<Self, (PathBuf, io::Error)> {
        let wal = Seen::of(with_suffix(&store, "-wal"))?;
        Ok(Self { store: Seen::of(store)?, wal, program: Seen::of(program)? })
    }

    /// # Errors
    /// `StoreGone`, `ProgramGone` if it is not there any more, or another file is.
    pub fn check(&self) -> Result<(), DriveError> {
        let gone = |how, path| DriveError::StoreGone { path, how };
        for file in [&self.store, &self.wal] {
            file.check().map_err(|how| gone(how, file.path.display().to_string()))?;
        }
        let gone = |how, path| DriveError::ProgramGone { path, how };
        self.program.check().map_err(|how| gone(how, self.program.path.display().to_string()))
    }
}

#[derive(Clone, Debug)]
struct Seen {
    path: PathBuf,
    device_and_inode: (u64, u64),
}

impl Seen {
    fn of(path: PathBuf) -> Result<Self, (PathBuf, io::Error)> {
        match device_and_inode(&path) {
            Ok(device_and_inode) => Ok(Self { device_and_inode, path }),
            Err(error) => Err((path, error)),
        }
    }

    /// What became of it, if it is gone.
    fn check(&self) -> Result<(), &'static str> {
        match device_and_inode(&self.path) {
            Ok(found) if found == self.device_and_inode => Ok(()),
            Ok(_) => Err("is another file now"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err("is not there any more"),
            // A look that fails says nothing of the file.
            Err(_) => Ok(()),
        }
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn device_and_inode(path: &Path) -> io::Result<(u64, u64)> {
    let found = path.symlink_metadata()?;
    Ok((found.dev(), found.ino()))
}
