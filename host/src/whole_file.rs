//! Files that are written whole or not at all.
//!
//! In -> out: path, bytes, mode -> a file that readers see as it was or as it is meant.
//! Invariant: the bytes are on the disk, beside the place under a name that nobody else takes, before they come into it;
//! a link in that place is replaced, not followed.
//! Not here: reading (`regular_file.rs`), `tasks.yml`, which others write too (`orch-task`).

use std::fs;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;

/// Modes of files that everybody may read, and of those that only their owner may.
pub const PUBLIC: u32 = 0o644;
pub const PRIVATE: u32 = 0o600;

/// Writes that file.
///
/// # Errors
/// The system's; what was there before is there still.
pub fn write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    write_from(path.parent().unwrap_or(Path::new("")), path, bytes, mode)
}

/// The same, where the fresh file lies in another folder of the same disk: a stop in the middle leaves nothing beside
/// the place.
///
/// # Errors
/// The system's.
pub(crate) fn write_from(folder: &Path, path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let fresh = fresh(&folder.join(path.file_name().unwrap_or_default()), bytes, mode)?;
    fs::rename(&fresh, path).inspect_err(|_| drop(fs::remove_file(&fresh)))
}

/// Writes to what somebody named: whole into a file, which a link may lead to; as it comes into a device or a pipe.
///
/// # Errors
/// The system's.
pub fn write_out(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => write(path, bytes, mode),
        Err(error) => Err(error),
        Ok(found) if found.is_file() => write(&path.canonicalize()?, bytes, mode),
        Ok(_) => fs::File::options().write(true).open(path)?.write_all(bytes),
    }
}

/// A new file beside that one, with a name that nobody else takes.
pub(crate) fn fresh(path: &Path, bytes: &[u8], mode: u32) -> io::Result<PathBuf> {
    let random = getrandom::u64().map_err(|_| io::Error::other("the machine gives no random numbers"))?;
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{random:016x}.new"));
    let fresh = path.with_file_name(name);
    let mut file = fs::File::create_new(&fresh)?;
    let written = file
        .set_permissions(fs::Permissions::from_mode(mode))
        .and_then(|()| file.write_all(bytes))
        .and_then(|()| file.sync_all());
    written.map(|()| fresh.clone()).inspect_err(|_| drop(fs::remove_file(&fresh)))
}

/// Copies an index of git's with the moment at which it was written: what was changed in that moment git looks at again, and a later
/// moment would have it believe the index.
///
/// # Errors
/// The system's.
pub(crate) fn copy_index(from: &Path, to: &Path) -> io::Result<()> {
    let written = fs::metadata(from)?.modified()?;
    fs::copy(from, to)?;
    fs::File::options().write(true).open(to)?.set_modified(written)
}

/// Makes a folder of the host's, for its owner alone, that git leaves out; one in which something lies stays as it is.
///
/// # Errors
/// The system's; a link is followed by nobody.
pub fn make_own_folder(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    keep_out_of_git(folder)
}

/// Has git leave out an empty folder of the host's, as caches of other tools do. Of an empty one git says nothing, so a stop in
/// the middle shows nobody anything; whoever comes next finds it empty still.
pub fn keep_out_of_git(folder: &Path) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = rustix::fs::open(folder, flags, Mode::empty())?;
    for entry in rustix::fs::Dir::read_from(&opened)? {
        if ![c".", c".."].contains(&entry?.file_name()) {
            return Ok(());
        }
    }
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let Ok(file) = rustix::fs::openat(&opened, ".", flags, Mode::from_raw_mode(PRIVATE)) else {
        // A file system whose files all have names.
        return write(&folder.join(".gitignore"), b"*\n", PRIVATE);
    };
    let mut file = fs::File::from(file);
    file.write_all(b"*\n")?;
    file.sync_all()?;
    let nameless = format!("/proc/self/fd/{}", file.as_raw_fd());
    match rustix::fs::linkat(CWD, nameless, &opened, ".gitignore", AtFlags::SYMLINK_FOLLOW) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_left_out_by_git_unless_something_lies_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let ignored = |name: &str| fs::read_to_string(folder.path().join(name).join(".gitignore")).ok();
        make_own_folder(&folder.path().join("deep/new")).unwrap();
        assert_eq!(ignored("deep/new").as_deref(), Some("*\n"));
        // As a stop between the two leaves it.
        fs::create_dir(folder.path().join("empty")).unwrap();
        make_own_folder(&folder.path().join("empty")).unwrap();
        assert_eq!(ignored("empty").as_deref(), Some("*\n"));
        fs::create_dir(folder.path().join("mine")).unwrap();
        fs::write(folder.path().join("mine/file"), "").unwrap();
        make_own_folder(&folder.path().join("mine")).unwrap();
        assert_eq!(ignored("mine"), None);
        make_own_folder(&folder.path().join("empty")).unwrap();
        assert_eq!(fs::read_dir(folder.path().join("empty")).unwrap().count(), 1);
        std::os::unix::fs::symlink("empty", folder.path().join("link")).unwrap();
        assert!(make_own_folder(&folder.path().join("link")).is_err());
    }

    #[test]
    fn a_copied_index_is_as_old_as_the_one_that_it_is_of() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::write(&from, "index").unwrap();
        let before = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
        fs::File::options().write(true).open(&from).unwrap().set_modified(before).unwrap();
        copy_index(&from, &to).unwrap();
        assert_eq!(
            (fs::read(&to).unwrap(), fs::metadata(&to).unwrap().modified().unwrap()),
            (b"index".to_vec(), before)
        );
        assert_eq!(copy_index(&folder.path().join("none"), &to).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_file_is_as_it_was_or_as_it_is_meant() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("aim"), "aim").unwrap();
        std::os::unix::fs::symlink("aim", path("file")).unwrap();
        write(&path("file"), b"new", 0o640).unwrap();
        assert_eq!(fs::read(path("file")).unwrap(), b"new");
        assert_eq!(fs::symlink_metadata(path("file")).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(fs::read(path("aim")).unwrap(), b"aim", "the link is not followed");
        // What cannot come into its place leaves nothing behind.
        fs::create_dir(path("folder")).unwrap();
        write(&path("folder"), b"new", 0o640).unwrap_err();
        write(&path("missing/file"), b"new", 0o640).unwrap_err();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    #[test]
    fn what_somebody_names_stays_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        write_out(&path("file"), b"1", PUBLIC).unwrap();
        std::os::unix::fs::symlink("file", path("link")).unwrap();
        write_out(&path("link"), b"2", PUBLIC).unwrap();
        assert!(path("link").is_symlink());
        assert_eq!(fs::read(path("file")).unwrap(), b"2");
        // Devices and pipes are written into, never replaced.
        std::os::unix::fs::symlink("/dev/null", path("null")).unwrap();
        write_out(&path("null"), b"3", PUBLIC).unwrap();
        assert!(path("null").is_symlink() && !fs::metadata("/dev/null").unwrap().is_file());
        rustix::fs::mkfifoat(rustix::fs::CWD, path("pipe"), rustix::fs::Mode::from_bits_truncate(0o600))
            .unwrap();
        let reader = std::thread::spawn({
            let pipe = path("pipe");
            move || fs::read(pipe).unwrap()
        });
        write_out(&path("pipe"), b"4", PUBLIC).unwrap();
        assert_eq!(reader.join().unwrap(), b"4");
        write_out(folder.path(), b"5", PUBLIC).unwrap_err();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4);
    }
}
