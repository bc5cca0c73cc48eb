//! A package's archive, read from a disk.
//!
//! In -> out: path -> [`PackageBytes`].
//! Limits: `ARCHIVE_BYTES_MAX`.
//! Not here: the archive's form (`orch-trust`'s `archive.rs`).

use std::path::Path;

use orch_trust::archive::{ARCHIVE_BYTES_MAX, ArchiveError, decode};
use orch_trust::package::PackageBytes;
use orch_trust::refusal::Refusal;

use super::PackageError;
use crate::regular_file::{self, Links, ReadError};

/// The package in a file.
///
/// # Errors
/// `package-io`, `file-not-regular`, `file-too-large`, and those of [`decode`].
pub fn read(path: &Path) -> Result<PackageBytes, PackageError> {
    let bytes = match regular_file::read_public(path, Links::Followed, ARCHIVE_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(ReadError::Io(source)) => return Err(PackageError::Io { path: path.to_owned(), source }),
        Err(ReadError::NotRegular) => return Err(PackageError::NotRegular { path: path.to_owned() }),
        Err(ReadError::TooLarge { found_bytes, limit_bytes }) => {
            let file = path.display().to_string();
            return Err(Refusal::FileTooLarge { file, found_bytes, limit_bytes }.into());
        }
    };
    decode(&bytes).map_err(|source| match source {
        ArchiveError::Refused(refusal) => refusal.into(),
        source => PackageError::Archive { path: path.to_owned(), source },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_larger_than_any_package_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large.orchpkg");
        std::fs::File::create(&path).unwrap().set_len(ARCHIVE_BYTES_MAX + 1).unwrap();
        assert_eq!(read(&path).err().unwrap().code(), "file-too-large");
        std::os::unix::fs::symlink("/dev/zero", folder.path().join("endless.orchpkg")).unwrap();
        assert_eq!(read(&folder.path().join("endless.orchpkg")).err().unwrap().code(), "file-not-regular");
    }
}
