//! Files beneath one folder, as far as they are granted.
//!
//! In -> out: a path, bytes -> bytes, or why not.
//! Limits: [`FILE_BYTES_MAX`] a file.
//! Invariant: a path is opened beneath the folder by the kernel, and no link is followed; a file is there whole or as it was.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use rustix::fs::{
    AtFlags, Mode, OFlags, ResolveFlags, fchmod, fsync, open, openat2, renameat, statat, unlinkat,
};
use rustix::io::Errno;

/// What a message may have beside its head.
pub(crate) const FILE_BYTES_MAX: usize = 4 << 20;

const INSIDE: ResolveFlags =
    ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("`{path}` is no path beneath the folder: names divided by `/`, none of them `.` or `..`")]
    Path { path: String },
    #[error("`{path}` may not be {verb}: no glob of {grant} has it")]
    Denied { path: String, verb: &'static str, grant: &'static str },
    #[error("`{path}` is not there")]
    Missing { path: String },
    #[error("`{path}` is no file, or leads out of the folder or through a link")]
    NoFile { path: String },
    #[error("`{path}` has more than {FILE_BYTES_MAX} bytes")]
    TooLarge { path: String },
    #[error("`{path}`")]
    Io { path: String, source: io::Error },
}

/// Which globs do not compile.
#[derive(Debug, thiserror::Error)]
#[error("`{glob}` is no glob: {source}")]
pub(crate) struct GlobError {
    glob: String,
    source: globset::Error,
}

/// A folder, and which files of it may be read and written.
pub(crate) struct Files {
    folder: OwnedFd,
    read: GlobSet,
    write: GlobSet,
}

impl Files {
    pub(crate) fn new(folder: &Path, read: &[String], write: &[String]) -> anyhow::Result<Self> {
        let flags = OFlags::DIRECTORY | OFlags::PATH | OFlags::CLOEXEC;
        let opened = open(folder, flags, Mode::empty()).map_err(|error| {
            anyhow::anyhow!("cannot open the folder `{}`: {}", folder.display(), io::Error::from(error))
        })?;
        Ok(Self { folder: opened, read: globs(read)?, write: globs(write)? })
    }

    /// The whole of a file.
    pub(crate) fn read(&self, path: &str) -> Result<Vec<u8>, FileError> {
        check(path)?;
        granted(&self.read, path, "read", "`--read`")?;
        let failed = |error: Errno| why(path, error);
        // A pipe in its place would be waited for.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = File::from(openat2(&self.folder, path, flags, Mode::empty(), INSIDE).map_err(failed)?);
        let io = |source| FileError::Io { path: path.to_owned(), source };
        if !file.metadata().map_err(io)?.is_file() {
            return Err(FileError::NoFile { path: path.to_owned() });
        }
        let mut content = Vec::new();
        file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut content).map_err(io)?;
        match content.len() > FILE_BYTES_MAX {
            true => Err(FileError::TooLarge { path: path.to_owned() }),
            false => Ok(content),
        }
    }

    /// Puts a whole file in the place of what was there. Its rights stay.
    pub(crate) fn write(&self, path: &str, content: &[u8]) -> Result<(), FileError> {
        check(path)?;
        granted(&self.write, path, "written", "`--write`")?;
        if content.len() > FILE_BYTES_MAX {
            return Err(FileError::TooLarge { path: path.to_owned() });
        }
        let failed = |error: Errno| why(path, error);
        let (above, name) = path.rsplit_once('/').unwrap_or((".", path));
        let flags = OFlags::DIRECTORY | OFlags::PATH | OFlags::CLOEXEC;
        let above = openat2(&self.folder, above, flags, Mode::empty(), INSIDE).map_err(failed)?;
        let rights = match statat(&above, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) if rustix::fs::FileType::from_raw_mode(found.st_mode).is_file() => {
                Some(Mode::from_raw_mode(found.st_mode & 0o777))
            }
            Ok(_) => return Err(FileError::NoFile { path: path.to_owned() }),
            Err(Errno::NOENT) => None,
            Err(error) => return Err(failed(error)),
        };
        let fresh = fresh(name).map_err(|source| FileError::Io { path: path.to_owned(), source })?;
        let put = put(&above, &fresh, name, rights, content);
        if put.is_err() {
            // What cannot be removed is named so that nobody takes it for the file.
            let _ = unlinkat(&above, &fresh, AtFlags::empty());
        }
        put.map_err(|source| FileError::Io { path: path.to_owned(), source })
    }
}

fn put(above: impl AsFd, fresh: &str, name: &str, rights: Option<Mode>, content: &[u8]) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(openat2(&above, fresh, flags, Mode::from_raw_mode(0o644), INSIDE)?);
    file.write_all(content)?;
    if let Some(rights) = rights {
        fchmod(&file, rights)?;
    }
    fsync(&file)?;
    Ok(renameat(&above, fresh, &above, name)?)
}

/// A name that nobody has.
fn fresh(name: &str) -> io::Result<String> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let name: String = name.chars().take(32).collect();
    Ok(format!(".{name}.{}", hex::encode(random)))
}

fn check(path: &str) -> Result<(), FileError> {
    let is_name = |part: &str| !part.is_empty() && part != "." && part != ".." && part.len() <= 255;
    match path.len() <= 4096 && !path.contains('\0') && path.split('/').all(is_name) {
        true => Ok(()),
        false => Err(FileError::Path { path: path.chars().take(200).collect() }),
    }
}

fn granted(globs: &GlobSet, path: &str, verb: &'static str, grant: &'static str) -> Result<(), FileError> {
    match globs.is_match(path) {
        true => Ok(()),
        false => Err(FileError::Denied { path: path.to_owned(), verb, grant }),
    }
}

fn why(path: &str, error: Errno) -> FileError {
    let path = path.to_owned();
    match error {
        Errno::NOENT | Errno::NOTDIR => FileError::Missing { path },
        Errno::LOOP | Errno::XDEV | Errno::NXIO | Errno::ISDIR => FileError::NoFile { path },
        error => FileError::Io { path, source: error.into() },
    }
}

fn globs(texts: &[String]) -> Result<GlobSet, GlobError> {
    let mut set = GlobSetBuilder::new();
    for text in texts {
        let glob = GlobBuilder::new(text).literal_separator(true).backslash_escape(false).build();
        set.add(glob.map_err(|source| GlobError { glob: text.clone(), source })?);
    }
    set.build().map_err(|source| GlobError { glob: texts.join(", "), source })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use rustix::fs::CWD;

    use super::*;

    fn files(folder: &Path) -> Files {
        Files::new(folder, &["in/**".to_owned()], &["in/*.txt".to_owned()]).unwrap()
    }

    #[test]
    fn what_is_granted_is_read_and_written_whole() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("in")).unwrap();
        let files = files(folder.path());
        files.write("in/a.txt", b"one").unwrap();
        fs::set_permissions(folder.path().join("in/a.txt"), fs::Permissions::from_mode(0o600)).unwrap();
        files.write("in/a.txt", b"two").unwrap();
        assert_eq!(files.read("in/a.txt").unwrap(), b"two");
        assert_eq!(fs::metadata(folder.path().join("in/a.txt")).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path().join("in")).unwrap().count(), 1);
    }

    #[test]
    fn what_is_not_granted_is_neither() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("in")).unwrap();
        fs::write(folder.path().join("other"), "x").unwrap();
        let files = files(folder.path());
        assert!(matches!(files.read("other"), Err(FileError::Denied { .. })));
        assert!(matches!(files.write("in/a.rs", b""), Err(FileError::Denied { .. })));
        assert!(matches!(files.write("in/deep/a.txt", b""), Err(FileError::Denied { .. })));
        assert!(matches!(files.read("in/none"), Err(FileError::Missing { .. })));
        for path in ["", "/etc/passwd", "in/../other", "in/./a", "in//a", "in/", "in/a\0"] {
            assert!(matches!(files.read(path), Err(FileError::Path { .. })), "{path:?}");
            assert!(matches!(files.write(path, b""), Err(FileError::Path { .. })), "{path:?}");
        }
    }

    #[test]
    fn no_link_is_followed_and_nothing_but_a_file_is_read_or_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret"), "secret").unwrap();
        fs::create_dir(folder.path().join("in")).unwrap();
        symlink(outside.path(), folder.path().join("in/out")).unwrap();
        symlink(outside.path().join("secret"), folder.path().join("in/link.txt")).unwrap();
        fs::create_dir(folder.path().join("in/folder.txt")).unwrap();
        rustix::fs::mknodat(
            CWD,
            folder.path().join("in/pipe.txt"),
            rustix::fs::FileType::Fifo,
            Mode::RUSR | Mode::WUSR,
            0,
        )
        .unwrap();
        let files = files(folder.path());
        for path in ["in/out/secret", "in/link.txt", "in/folder.txt", "in/pipe.txt"] {
            assert!(
                matches!(files.read(path), Err(FileError::NoFile { .. })),
                "{path}: {:?}",
                files.read(path)
            );
        }
        for path in ["in/link.txt", "in/folder.txt", "in/pipe.txt"] {
            assert!(matches!(files.write(path, b"x"), Err(FileError::NoFile { .. })), "{path}");
        }
        assert_eq!(fs::read_to_string(outside.path().join("secret")).unwrap(), "secret");
    }

    #[test]
    fn what_no_message_can_have_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("in")).unwrap();
        let files = files(folder.path());
        let large = vec![b'x'; FILE_BYTES_MAX + 1];
        assert!(matches!(files.write("in/a.txt", &large), Err(FileError::TooLarge { .. })));
        fs::write(folder.path().join("in/large"), &large).unwrap();
        assert!(matches!(files.read("in/large"), Err(FileError::TooLarge { .. })));
    }
}
