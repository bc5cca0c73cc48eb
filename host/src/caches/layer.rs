//! A layer that a call wrote, put into what is kept.
//!
//! In -> out: two folders as overlayfs has them (a device 0/0 is what was removed, a folder with `user.overlay.opaque` hides
//! what is beneath) -> the lower one says what both said.
//! Limits: folders 64 deep.
//! Invariant: each name is replaced by one call of the kernel: whoever is killed leaves the old one or the new. No link is
//! followed. Of what is neither file, folder nor link nothing is kept.
//! Not here: whose layers they are (`caches.rs`).

use std::fs::{self, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{CWD, RenameFlags, lgetxattr, renameat_with};

use super::remove::remove_all;

const DEPTH_MAX: u32 = 64;
const OPAQUE: &str = "user.overlay.opaque";

/// Moves what lies in `upper` into `kept`. What they replace is left in `upper`, to be removed with it.
pub(super) fn keep(upper: &Path, kept: &Path) -> io::Result<()> {
    keep_beneath(upper, kept, DEPTH_MAX)
}

fn keep_beneath(upper: &Path, kept: &Path, depth: u32) -> io::Result<()> {
    if depth == 0 {
        return Err(io::Error::other(format!("`{}` lies too deep to be kept", upper.display())));
    }
    // Whoever made it may have taken every right from it.
    fs::set_permissions(upper, Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(upper)? {
        let (from, found) =
            (entry.as_ref().map(fs::DirEntry::path), entry.as_ref().map(fs::DirEntry::file_name));
        let (Ok(from), Ok(name)) = (from, found) else { return entry.map(drop) };
        let to = kept.join(name);
        let (new, old) = (from.symlink_metadata()?, existing(&to)?);
        let kind = new.file_type();
        if new.is_dir() && !is_opaque(&from)? && old.as_ref().is_some_and(Metadata::is_dir) {
            keep_beneath(&from, &to, depth - 1)?;
        } else if new.is_dir() {
            check_depth(&from, depth - 1)?;
            put(&from, &to, old.is_some())?;
        } else if kind.is_file() || kind.is_symlink() || is_whiteout(&new) {
            put(&from, &to, old.is_some_and(|old| old.is_dir()))?;
        }
    }
    Ok(())
}

/// A file goes over a file by itself; a folder changes its place with what is there.
fn put(from: &Path, to: &Path, exchanged: bool) -> io::Result<()> {
    match exchanged {
        true => Ok(renameat_with(CWD, from, CWD, to, RenameFlags::EXCHANGE)?),
        false => fs::rename(from, to),
    }
}

/// Of a folder that is moved whole: nothing in it is neither file, folder, link nor what was removed, and none is deeper.
fn check_depth(folder: &Path, depth: u32) -> io::Result<()> {
    if depth == 0 {
        return Err(io::Error::other(format!("`{}` lies too deep to be kept", folder.display())));
    }
    fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let found = path.symlink_metadata()?;
        match found.file_type() {
            kind if kind.is_dir() => check_depth(&path, depth - 1)?,
            kind if kind.is_file() || kind.is_symlink() || is_whiteout(&found) => {}
            _ => remove_all(&path)?,
        }
    }
    Ok(())
}

fn existing(path: &Path) -> io::Result<Option<Metadata>> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        found => found.map(Some),
    }
}

fn is_whiteout(found: &Metadata) -> bool {
    found.file_type().is_char_device() && found.rdev() == 0
}

fn is_opaque(folder: &Path) -> io::Result<bool> {
    let mut value = [0; 1];
    match lgetxattr(folder, OPAQUE, &mut value) {
        Ok(length) => Ok(length == 1 && value == *b"y"),
        Err(rustix::io::Errno::NODATA | rustix::io::Errno::OPNOTSUPP) => Ok(false),
        // More than a letter is another word.
        Err(rustix::io::Errno::RANGE) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
