//! The store's file, under the handle that the journal is written through.
//!
//! In -> out: a path -> is the file still there that was opened?
//! Invariant: a run whose journal nobody will find starts nothing more and is no success.
//! Not here: the store itself (`orch-journal`).

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::error::DriveError;

/// Where the store was when it was opened, and which file that is.
#[derive(Clone, Debug)]
pub struct StoreFile {
    path: PathBuf,
    device_and_inode: (u64, u64),
}

impl StoreFile {
    /// The file that is there now.
    pub fn of(path: PathBuf) -> io::Result<Self> {
        Ok(Self { device_and_inode: device_and_inode(&path)?, path })
    }

    /// # Errors
    /// `StoreGone` if it is not there any more, or another file is.
    pub fn check(&self) -> Result<(), DriveError> {
        match device_and_inode(&self.path) {
            Ok(found) if found == self.device_and_inode => Ok(()),
            Ok(_) => Err(self.gone("is another file now")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(self.gone("is not there any more")),
            // A look that fails says nothing of the file.
            Err(_) => Ok(()),
        }
    }

    fn gone(&self, how: &'static str) -> DriveError {
        DriveError::StoreGone { path: self.path.display().to_string(), how }
    }
}

fn device_and_inode(path: &Path) -> io::Result<(u64, u64)> {
    let found = path.symlink_metadata()?;
    Ok((found.dev(), found.ino()))
}
