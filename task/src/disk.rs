//! The folder that holds `tasks.yml`: reading and writing entries of it without following links.
//!
//! In -> out: folder and name -> bytes, or what stands there instead.
//! Limits: files over `FILE_BYTES_MAX` are not read.
//! Invariant: after opening the folder, every access goes through its descriptor; no link at a name is followed.
//! Not here: in which order a file is replaced (`exchange.rs`).

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, RenameFlags, Stat, Uid};
use rustix::io::Errno;

use crate::file::FILE_BYTES_MAX;

/// Why an entry could not be read.
#[derive(Debug)]
pub(crate) enum Unread {
    Missing,
    /// What stands there instead of a regular file.
    NotAFile(&'static str),
    TooLarge(u64),
    Io(io::Error),
}

impl From<Errno> for Unread {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::NOENT => Self::Missing,
            // What `O_NOFOLLOW` says of a link.
            Errno::LOOP => Self::NotAFile("a link"),
            // What opening says of a socket or a device without driver.
            Errno::NXIO => Self::NotAFile("a socket or a device"),
            other => Self::Io(other.into()),
        }
    }
}

/// An opened folder.
pub(crate) struct Folder(OwnedFd);

/// A regular file that was read.
pub(crate) struct Found {
    pub(crate) bytes: Vec<u8>,
    pub(crate) stat: Stat,
}

impl Folder {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(rustix::fs::open(path, flags, Mode::empty())?))
    }

    /// The bytes of the regular file of that name.
    pub(crate) fn read(&self, name: &str) -> Result<Found, Unread> {
        // Non-blocking, so that a pipe put there cannot stop the host.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.0, name, flags, Mode::empty())?;
        let stat = rustix::fs::fstat(&file)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {}
            FileType::Directory => return Err(Unread::NotAFile("a folder")),
            FileType::Fifo => return Err(Unread::NotAFile("a pipe")),
            _ => return Err(Unread::NotAFile("a device")),
        }
        let mut bytes = Vec::new();
        File::from(file).take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(Unread::Io)?;
        match bytes.len() as u64 {
            len if len > FILE_BYTES_MAX => Err(Unread::TooLarge(len.max(stat.st_size as u64))),
            _ => Ok(Found { bytes, stat }),
        }
    }

    /// True if anything has that name.
    pub(crate) fn has(&self, name: &str) -> io::Result<bool> {
        match rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(other) => Err(other.into()),
        }
    }

    /// A new file, durable, with mode and if possible owner of `like`.
    pub(crate) fn create(&self, name: &str, bytes: &[u8], like: &Stat) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.0, name, flags, Mode::RUSR | Mode::WUSR)?;
        let mine = rustix::fs::fstat(&file)?;
        if (mine.st_uid, mine.st_gid) != (like.st_uid, like.st_gid) {
            // Only root may give files away; others go on with a file of their own.
            let owner = (Uid::from_raw(like.st_uid), Gid::from_raw(like.st_gid));
            let _given = rustix::fs::fchown(&file, Some(owner.0), Some(owner.1));
        }
        rustix::fs::fchmod(&file, Mode::from_raw_mode(like.st_mode & 0o777))?;
        let mut file = File::from(file);
        file.write_all(bytes)?;
        file.sync_all()
    }

    pub(crate) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.0, from, &self.0, to)?)
    }

    /// Swaps two names in one step; `Ok(false)` if this file system cannot.
    pub(crate) fn exchange(&self, one: &str, other: &str) -> io::Result<bool> {
        match rustix::fs::renameat_with(&self.0, one, &self.0, other, RenameFlags::EXCHANGE) {
            Ok(()) => Ok(true),
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.0, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Makes renames and removals durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.0)?)
    }

    /// Names of the entries, in the order of their bytes; names that are not UTF-8 are left out.
    pub(crate) fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.0)? {
            if let Ok(name) = entry?.file_name().to_str() {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }
}
