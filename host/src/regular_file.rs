//! Files of others, read without waiting for them.
//!
//! In -> out: path -> the bytes of a regular file, and what the system says of it.
//! Limits: those of the caller, in bytes.
//! Invariant: what is no regular file (a pipe, a device, a folder) is refused before anything is read of it, and
//! nothing waits for the other side of a pipe; size, owner and mode are those of the file that is read.
//! Not here: what the files say.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use zeroize::Zeroizing;

/// What a link at the end of the path means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// The file that it leads to.
    Followed,
    /// No regular file.
    Refused,
}

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("it cannot be read")]
    Io(#[source] io::Error),
    #[error("it is a link or no regular file")]
    NotRegular,
    #[error("it is {found_bytes} bytes, limit is {limit_bytes}")]
    TooLarge { found_bytes: u64, limit_bytes: u64 },
}

impl ReadError {
    /// True if there is no file of that name.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

impl From<ReadError> for io::Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Io(error) => error,
            other => Self::new(io::ErrorKind::InvalidData, other.to_string()),
        }
    }
}

/// The file, open for reading, and what the system says of it.
///
/// # Errors
/// `Io`, `NotRegular`.
pub fn open(path: &Path, links: Links) -> Result<(File, Metadata), ReadError> {
    let mut flags = libc::O_NONBLOCK | libc::O_CLOEXEC | libc::O_NOCTTY;
    if links == Links::Refused {
        flags |= libc::O_NOFOLLOW;
    }
    let file = File::options().read(true).custom_flags(flags).open(path);
    let file = file.map_err(|error| match error.raw_os_error() {
        Some(libc::ELOOP | libc::ENXIO) => ReadError::NotRegular,
        _ => ReadError::Io(error),
    })?;
    let metadata = file.metadata().map_err(ReadError::Io)?;
    match metadata.is_file() {
        true => Ok((file, metadata)),
        false => Err(ReadError::NotRegular),
    }
}

/// All bytes of the file, zeroed when they are dropped.
///
/// # Errors
/// `Io`, `NotRegular`, `TooLarge`.
pub fn read(path: &Path, links: Links, bytes_max: u64) -> Result<(Zeroizing<Vec<u8>>, Metadata), ReadError> {
    let (file, metadata) = open(path, links)?;
    let mut bytes = Zeroizing::new(Vec::new());
    fill(&mut bytes, file, &metadata, bytes_max)?;
    Ok((bytes, metadata))
}

/// All bytes of a file that holds no secret.
///
/// # Errors
/// Those of [`read`].
pub fn read_public(path: &Path, links: Links, bytes_max: u64) -> Result<Vec<u8>, ReadError> {
    let (file, metadata) = open(path, links)?;
    let mut bytes = Vec::new();
    fill(&mut bytes, file, &metadata, bytes_max)?;
    Ok(bytes)
}

fn fill(bytes: &mut Vec<u8>, file: File, metadata: &Metadata, bytes_max: u64) -> Result<(), ReadError> {
    let too_large = |found_bytes| ReadError::TooLarge { found_bytes, limit_bytes: bytes_max };
    if metadata.len() > bytes_max {
        return Err(too_large(metadata.len()));
    }
    // Enough from the start, so that no copy of a secret is left behind where the buffer was before it grew.
    bytes.reserve_exact(usize::try_from(metadata.len() + 1).unwrap_or(0));
    file.take(bytes_max.saturating_add(1)).read_to_end(bytes).map_err(ReadError::Io)?;
    match bytes.len() as u64 > bytes_max {
        true => Err(too_large(bytes.len() as u64)),
        false => Ok(()),
    }
}

/// The file's text.
///
/// # Errors
/// Those of [`read`]; `Io` also for what is no UTF-8.
pub fn read_text(path: &Path, links: Links, bytes_max: u64) -> Result<(String, Metadata), ReadError> {
    let (bytes, metadata) = read(path, links, bytes_max)?;
    let text = std::str::from_utf8(&bytes)
        .map_err(|error| ReadError::Io(io::Error::new(io::ErrorKind::InvalidData, error)))?;
    Ok((text.to_owned(), metadata))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_are_read_and_nobody_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("file"), "12345").unwrap();
        std::os::unix::fs::symlink("file", path("link")).unwrap();
        std::os::unix::fs::symlink("pipe", path("link-to-pipe")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, path("pipe"), rustix::fs::Mode::RUSR).unwrap();
        let text = |name: &str, links| match read_text(&path(name), links, 5) {
            Ok((text, _)) => text,
            Err(error) => error.to_string(),
        };
        let odd = "it is a link or no regular file";
        assert_eq!(text("file", Links::Refused), "12345");
        assert_eq!(text("link", Links::Followed), "12345");
        assert_eq!(text("link", Links::Refused), odd);
        for name in ["pipe", "link-to-pipe", "."] {
            assert_eq!(text(name, Links::Followed), odd, "{name}");
        }
        assert_eq!(read_text(Path::new("/dev/zero"), Links::Followed, 5).unwrap_err().to_string(), odd);
        assert!(read(&path("nothing"), Links::Followed, 5).unwrap_err().is_missing());
        let large = read(&path("file"), Links::Refused, 4).unwrap_err();
        assert_eq!(large.to_string(), "it is 5 bytes, limit is 4");
        std::fs::write(path("file"), b"\xff").unwrap();
        assert_eq!(text("file", Links::Refused), "it cannot be read");
    }
}
