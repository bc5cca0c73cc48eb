//! Files that are written whole or not at all.
//!
//! In -> out: path, bytes, mode -> a file that readers see as it was or as it is meant.
//! Invariant: the bytes are on the disk, beside the place under a name that nobody else takes, before they come into it;
//! a link in that place is replaced, not followed.
//! Not here: reading (`regular_file.rs`), `tasks.yml`, which others write too (`orch-task`).

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Modes of files that everybody may read, and of those that only their owner may.
pub const PUBLIC: u32 = 0o644;
pub const PRIVATE: u32 = 0o600;

/// Writes that file.
///
/// # Errors
/// The system's; what was there before is there still.
pub fn write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let fresh = fresh(path, bytes, mode)?;
    fs::rename(&fresh, path).inspect_err(|_| drop(fs::remove_file(&fresh)))
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
