//! Files that hold secrets: for their owner's eyes only.
//!
//! In -> out: path <-> bytes, zeroed when they are dropped. Limit: 16 KiB.
//! Invariant: a file that others can read, a link, or a file of another user is not read; nothing waits for the other
//! side of a pipe; a file that exists is never overwritten.
//! Not here: what the files say (`key_file.rs`, `passphrase.rs`), files without secrets (`orch-host`'s
//! `regular_file.rs`).

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::io::Errno;
use zeroize::Zeroizing;

/// More than any key file has.
pub(crate) const SECRET_BYTES_MAX: u64 = 16 * 1024;

/// Why a file with a secret is not used, or not made.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    #[error("{what} `{path}` cannot be opened")]
    Io {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{what} `{path}` cannot be written")]
    Write {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{what} `{path}` exists already")]
    Exists { what: &'static str, path: PathBuf },
    #[error("{what} `{path}` is a link or no regular file")]
    NotRegular { what: &'static str, path: PathBuf },
    #[error("{what} `{path}` is larger than {SECRET_BYTES_MAX} bytes")]
    TooLarge { what: &'static str, path: PathBuf },
    #[error("{what} `{path}` has mode {found:04o}, expected 0600")]
    Exposed { what: &'static str, path: PathBuf, found: u32 },
    #[error("{what} `{path}` belongs to user {found}, expected {expected}")]
    OtherOwner { what: &'static str, path: PathBuf, found: u32, expected: u32 },
}

impl SecretFileError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "key-file-io",
            Self::Write { .. } => "key-file-write",
            Self::Exists { .. } => "key-file-exists",
            Self::NotRegular { .. } => "key-file-not-regular",
            Self::TooLarge { .. } => "key-file-malformed",
            Self::Exposed { .. } => "key-file-exposed",
            Self::OtherOwner { .. } => "key-file-other-owner",
        }
    }

    /// What the owner can do about it, if anything.
    pub fn hint(&self) -> Option<String> {
        match self {
            // What is for everybody is not to be hidden.
            Self::Exposed { path, .. } if path.extension().is_some_and(|it| it == "toml") => Some(format!(
                "`{}` is a public file: the secret one is `{}`",
                path.display(),
                path.with_extension("json").display()
            )),
            Self::Exposed { path, .. } => Some(format!(
                "others may have read it: make a new key, or `chmod 600 {}` if nobody can have",
                path.display()
            )),
            Self::Exists { .. } => Some("choose another name with `--out`".to_owned()),
            _ => None,
        }
    }
}

/// All bytes of a file that only its owner can read. `what` it is, for the error.
///
/// # Errors
/// All but `Exists` and `Write`.
pub(crate) fn read(what: &'static str, path: &Path) -> Result<Zeroizing<Vec<u8>>, SecretFileError> {
    let path_of = || path.to_owned();
    let not_regular = || SecretFileError::NotRegular { what, path: path_of() };
    let io = |source: io::Error| match Errno::from_io_error(&source) {
        Some(Errno::LOOP | Errno::NXIO) => not_regular(),
        _ => SecretFileError::Io { what, path: path_of(), source },
    };
    let flags = OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NOFOLLOW;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let file = File::options().read(true).custom_flags(flags).open(path).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    if !metadata.is_file() {
        return Err(not_regular());
    }
    check_access(what, path, &metadata)?;
    // Enough from the start, so that no copy of a secret is left behind where the buffer was before it grew.
    let room = usize::try_from(SECRET_BYTES_MAX + 1).unwrap_or_default();
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    file.take(SECRET_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(io)?;
    match bytes.len() as u64 > SECRET_BYTES_MAX {
        true => Err(SecretFileError::TooLarge { what, path: path_of() }),
        false => Ok(bytes),
    }
}

/// A new file of mode 0600, durable when this returns. What could not be written whole is not left there.
///
/// # Errors
/// `Exists`, `Io`, `Write`.
pub(crate) fn write_new(what: &'static str, path: &Path, bytes: &[u8]) -> Result<(), SecretFileError> {
    let io = |source: io::Error| match source.kind() {
        io::ErrorKind::AlreadyExists => SecretFileError::Exists { what, path: path.to_owned() },
        _ => SecretFileError::Io { what, path: path.to_owned(), source },
    };
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path).map_err(io)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    written.inspect_err(|_| drop(fs::remove_file(path))).map_err(|source| {
        let path = path.to_owned();
        SecretFileError::Write { what, path, source }
    })
}

fn check_access(what: &'static str, path: &Path, metadata: &Metadata) -> Result<(), SecretFileError> {
    let path = || path.to_owned();
    let found = metadata.mode() & 0o7777;
    if found & 0o077 != 0 {
        return Err(SecretFileError::Exposed { what, path: path(), found });
    }
    let expected = rustix::process::geteuid().as_raw();
    match metadata.uid() == expected {
        true => Ok(()),
        false => Err(SecretFileError::OtherOwner { what, path: path(), found: metadata.uid(), expected }),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn code(path: &Path) -> Option<&'static str> {
        read("key file", path).err().map(|error| error.code())
    }

    #[test]
    fn only_its_owner_can_read_a_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.key");
        write_new("key file", &path, b"secret").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(read("key file", &path).unwrap().as_slice(), b"secret");
        for mode in [0o640, 0o604, 0o610, 0o644] {
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert_eq!(code(&path), Some("key-file-exposed"), "{mode:o}");
        }
    }

    #[test]
    fn a_secret_is_never_overwritten_and_has_a_largest_size() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.key");
        let most = vec![b'x'; SECRET_BYTES_MAX as usize];
        write_new("key file", &path, &most).unwrap();
        assert_eq!(write_new("key file", &path, b"other").unwrap_err().code(), "key-file-exists");
        assert_eq!(read("key file", &path).unwrap().as_slice(), most);
        std::fs::write(&path, [most, vec![b'x']].concat()).unwrap();
        assert_eq!(code(&path), Some("key-file-malformed"));
    }

    #[test]
    fn a_key_of_another_user_and_a_pipe_are_no_keys() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.key");
        write_new("key file", &path, b"secret").unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert_eq!(code(&link), Some("key-file-not-regular"));
        assert_eq!(code(folder.path()), Some("key-file-not-regular"));
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&path, Some(4242), None).unwrap();
            assert_eq!(code(&path), Some("key-file-other-owner"));
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!(code(&path), Some("key-file-io"));
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR).unwrap();
        assert_eq!(code(&path), Some("key-file-not-regular"));
    }
}
