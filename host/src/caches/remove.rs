//! Removing what strangers made: as deep, as wide and as unreadable as they liked.
//!
//! Invariant: no link is followed, no path grows with the depth, and the stack neither: each folder is taken out before it is looked
//! into.
//! Not here: what is removed when (`caches.rs`).

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Removes it with all that is in it; what is not there is removed already.
pub(super) fn remove_all(path: &Path) -> io::Result<()> {
    let found = match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if !found.is_dir() {
        return fs::remove_file(path);
    }
    // Beside it: on the same disk, and nobody else's.
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{:016x}", getrandom::u64().map_err(io::Error::other)?));
    let trash = path.with_file_name(name);
    fs::create_dir(&trash)?;
    let (first, mut folders, mut made) = (trash.join("0"), Vec::new(), 1_u64);
    open(path)?;
    fs::rename(path, &first)?;
    folders.push(first);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if !entry.file_type()?.is_dir() {
                fs::remove_file(entry.path())?;
                continue;
            }
            let taken_out = trash.join(made.to_string());
            made += 1;
            // To be moved it must be written: what is above it is written there.
            open(&entry.path())?;
            fs::rename(entry.path(), &taken_out)?;
            folders.push(taken_out);
        }
        fs::remove_dir(&folder)?;
    }
    fs::remove_dir(&trash)
}

fn open(folder: &Path) -> io::Result<()> {
    fs::set_permissions(folder, Permissions::from_mode(0o700))
}

/// Of all files beneath; of what cannot be read nothing.
pub(super) fn bytes_in(folder: &Path) -> io::Result<u64> {
    let (mut bytes, mut folders) = (0_u64, vec![PathBuf::from(folder)]);
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) =>
            {
                continue;
            }
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            match entry.metadata() {
                Ok(found) if found.is_dir() => folders.push(entry.path()),
                Ok(found) => bytes = bytes.saturating_add(found.len()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(bytes)
}
