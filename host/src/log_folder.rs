//! Files in a workspace's `logs/`: made, gone on with, and read.
//!
//! In -> out: folder, name -> an open file, or none any more.
//! Invariant: a file is this user's, regular, without another name and not behind a link; what the host makes nobody else
//! may read; nothing waits for the other side of a pipe.
//! Not here: what is written (`command_log.rs`, `run_log.rs`), names, following a log (`log_folder/tail.rs`).

pub mod tail;

use std::fs::{DirBuilder, File, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

/// Makes a file that is not there yet, to append to; the folder, too.
pub fn make(folder: &Path, name: &str) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::EXCL;
    open(&own_folder(folder)?, name, flags)
}

/// Opens a file to append to; makes it, and the folder, if it is not there.
pub fn append(folder: &Path, name: &str) -> io::Result<File> {
    let file = open(&own_folder(folder)?, name, OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE)?;
    // It may be of a time when it was made for all to read.
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}

/// The names of all files but the one that keeps git out; none if there is no folder.
pub fn names(folder: &Path) -> io::Result<Vec<String>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = match rustix::fs::open(folder, flags, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(Vec::new()),
        opened => opened.map_err(folder_error)?,
    };
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(opened)? {
        names.extend(
            entry?
                .file_name()
                .to_str()
                .ok()
                .filter(|name| ![".", "..", ".gitignore"].contains(name))
                .map(str::to_owned),
        );
    }
    names.sort();
    Ok(names)
}

/// Removes a file; gives its bytes.
pub fn remove(folder: &Path, name: &str) -> io::Result<u64> {
    check(name)?;
    let folder = open_folder(folder)?;
    let found = rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
    rustix::fs::unlinkat(&folder, name, AtFlags::empty())?;
    Ok(u64::try_from(found.st_size).unwrap_or(0))
}

/// Opens a file to read.
pub fn read(folder: &Path, name: &str) -> io::Result<File> {
    open(&open_folder(folder)?, name, OFlags::RDONLY)
}

fn own_folder(folder: &Path) -> io::Result<OwnedFd> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let opened = open_folder(folder)?;
    crate::whole_file::keep_out_of_git(folder)?;
    Ok(opened)
}

fn open_folder(folder: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(folder, flags, Mode::empty()).map_err(folder_error)
}

fn folder_error(errno: Errno) -> io::Error {
    match errno {
        Errno::LOOP | Errno::NOTDIR => refused("the folder of the logs is a link or no folder"),
        errno => errno.into(),
    }
}

fn check(name: &str) -> io::Result<()> {
    match name.is_empty() || name.contains('/') || name == ".." {
        true => Err(refused("it is not the name of a log")),
        false => Ok(()),
    }
}

fn open(folder: &OwnedFd, name: &str, flags: OFlags) -> io::Result<File> {
    check(name)?;
    let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = match rustix::fs::openat(folder, name, flags, Mode::RUSR | Mode::WUSR) {
        Ok(file) => File::from(file),
        // A link, a pipe that nobody reads, a folder.
        Err(Errno::LOOP | Errno::NXIO | Errno::ISDIR) => return Err(refused(IN_ITS_PLACE)),
        Err(errno) => return Err(errno.into()),
    };
    let found = file.metadata()?;
    match found.is_file() && found.nlink() == 1 && found.uid() == rustix::process::geteuid().as_raw() {
        true => Ok(file),
        false => Err(refused(IN_ITS_PLACE)),
    }
}

const IN_ITS_PLACE: &str =
    "in the place of the log is a link, a pipe, a file of another user or one with another name";

fn refused(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::Command;

    use super::*;

    type Way = fn(&Path, &str) -> io::Result<File>;
    const WAYS: [(&str, Way); 3] = [("make", make), ("append", append), ("read", read)];

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn nobody_else_reads_what_is_made() {
        let place = tempfile::tempdir().unwrap();
        let logs = place.path().join("logs");
        make(&logs, "a.log").unwrap().write_all(b"x").unwrap();
        append(&logs, "b.log").unwrap();
        assert_eq!(
            (mode(&logs), mode(&logs.join("a.log")), mode(&logs.join("b.log"))),
            (0o700, 0o600, 0o600)
        );
        std::fs::set_permissions(logs.join("a.log"), Permissions::from_mode(0o644)).unwrap();
        append(&logs, "a.log").unwrap().write_all(b"y").unwrap();
        assert_eq!(
            (mode(&logs.join("a.log")), std::fs::read(logs.join("a.log")).unwrap()),
            (0o600, b"xy".to_vec())
        );
        assert_eq!(make(&logs, "a.log").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        read(&logs, "a.log").unwrap();
        assert_eq!(read(&logs, "c.log").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(names(&logs).unwrap(), ["a.log", "b.log"]);
        assert_eq!(names(&place.path().join("none")).unwrap(), [""; 0]);
        assert_eq!((remove(&logs, "a.log").unwrap(), logs.join("a.log").exists()), (2, false));
        assert!(remove(&logs, "a.log").is_err() && remove(&logs, "../x").is_err());
        for name in ["", "..", ".", "../x", "a/b", "/etc/passwd"] {
            for (way, open) in WAYS {
                assert!(open(&logs, name).is_err(), "{way} {name}");
            }
        }
    }

    #[test]
    fn what_somebody_put_in_its_place_is_refused_without_waiting() {
        let place = tempfile::tempdir().unwrap();
        let (logs, other) = (place.path().join("logs"), place.path().join("other"));
        std::fs::create_dir(&logs).unwrap();
        std::fs::write(&other, "secret").unwrap();
        std::os::unix::fs::symlink(&other, logs.join("link")).unwrap();
        std::os::unix::fs::symlink("nowhere", logs.join("dangling")).unwrap();
        std::fs::hard_link(&other, logs.join("hard")).unwrap();
        std::fs::create_dir(logs.join("folder")).unwrap();
        for fifo in ["fifo", "read-fifo"] {
            assert!(Command::new("mkfifo").arg(logs.join(fifo)).status().unwrap().success());
        }
        // Somebody reads this one, so that opening it to write does not fail.
        let _reader = open(&open_folder(&logs).unwrap(), "read-fifo", OFlags::RDONLY);
        let _reader =
            rustix::fs::open(logs.join("read-fifo"), OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty());
        let _socket = std::os::unix::net::UnixListener::bind(logs.join("socket")).unwrap();
        for name in ["link", "dangling", "hard", "folder", "fifo", "read-fifo", "socket"] {
            for (way, open) in WAYS {
                assert!(open(&logs, name).is_err(), "{way} {name}");
            }
        }
        remove(&logs, "link").unwrap();
        assert_eq!(std::fs::read(&other).unwrap(), b"secret");
        let linked = place.path().join("linked");
        std::os::unix::fs::symlink(&logs, &linked).unwrap();
        for (way, open) in WAYS {
            let error = open(&linked, "new.log").unwrap_err().to_string();
            assert!(error.contains("the folder of the logs is a link"), "{way}: {error}");
        }
    }
}
