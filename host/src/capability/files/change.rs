//! Changing what lies beneath a folder: files written, cut, moved, removed; folders made and removed.
//!
//! In -> out: a [`Workspace`] and paths -> [`Change`]s that were made, with the digests before and after.
//! Limits: files of 256 MiB, before and after, because each is read whole.
//! Invariant: as for reading, every path is resolved by the kernel beneath the folder, links refused; a file is replaced whole
//! or not at all, and by a rename never; nothing happens once the call is over.
//! Not here: what is granted and what is protected (`files.rs`), how often and how much in one call (`files.rs`).

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;

use orch_journal::event::FileChange;
use rustix::fs::{
    AtFlags, Mode, OFlags, RenameFlags, fchmod, fsync, mkdirat, openat2, renameat, renameat_with, unlinkat,
};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use super::beneath::{FOLDER, FileError, INSIDE, Workspace, WorkspacePath};

/// Of a file that is changed.
pub(crate) const FILE_BYTES_MAX: u64 = 256 << 20;

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChangeError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("something is there already")]
    Exists,
    #[error("the folder is not empty")]
    NotEmpty,
    #[error("it has {found} bytes")]
    Shorter { found: u64 },
    #[error("it is or would be over {FILE_BYTES_MAX} bytes")]
    TooLarge,
}

impl From<io::Error> for ChangeError {
    fn from(error: io::Error) -> Self {
        Self::File(error.into())
    }
}

impl From<Errno> for ChangeError {
    fn from(error: Errno) -> Self {
        Self::File(error.into())
    }
}

/// Something that was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) path: String,
    pub(crate) change: FileChange,
    /// SHA-256 of the file; none: there was none, or it is no file.
    pub(crate) before: Option<[u8; 32]>,
    pub(crate) after: Option<[u8; 32]>,
    /// Bytes of the file afterwards.
    pub(crate) size: Option<u64>,
}

impl Change {
    fn of(path: &WorkspacePath, change: FileChange) -> Self {
        Self { path: path.as_str().to_owned(), change, before: None, after: None, size: None }
    }
}

/// Digests of the old file and of the new one, and the new one's bytes.
type Filled = (Option<[u8; 32]>, [u8; 32], u64);

/// Changes what lies in one workspace, while a call goes on.
pub(crate) struct Changer<'a> {
    pub(crate) workspace: &'a Workspace,
    /// What was changed is on the disk afterwards.
    pub(crate) is_synced: bool,
    /// Asked as a file is read and right before a change is there.
    pub(crate) goes_on: &'a dyn Fn() -> bool,
}

impl Changer<'_> {
    /// Replaces a file, or makes it and its folders.
    pub(crate) fn replace(&self, path: &WorkspacePath, content: &[u8]) -> Result<Change, ChangeError> {
        self.rewrite(path, 0, content)
    }

    /// Adds to a file, or makes it and its folders.
    pub(crate) fn append(&self, path: &WorkspacePath, content: &[u8]) -> Result<Change, ChangeError> {
        self.rewrite(path, u64::MAX, content)
    }

    /// Cuts a file to its first `size` bytes.
    pub(crate) fn truncate(&self, path: &WorkspacePath, size: u64) -> Result<Change, ChangeError> {
        let found = self.workspace.open_file(path)?.metadata()?.len();
        match found < size {
            true => Err(ChangeError::Shorter { found }),
            false => self.rewrite(path, size, &[]),
        }
    }

    /// Makes a folder and those above it; nothing if it is there.
    pub(crate) fn make_folder(&self, path: &WorkspacePath) -> Result<Option<Change>, ChangeError> {
        let (above, name) = self.parent(path)?;
        self.check()?;
        let (_, is_made) = self.folder(above, &name)?;
        Ok(is_made.then(|| Change::of(path, FileChange::FolderMade)))
    }

    /// Moves a file to where nothing is; folders are made.
    pub(crate) fn rename(
        &self,
        from: &WorkspacePath,
        to: &WorkspacePath,
    ) -> Result<[Change; 2], ChangeError> {
        let mut file = self.workspace.open_file(from)?;
        let size = file.metadata()?.len();
        let digest = self.read_through(&mut file, |_| Ok(()))?;
        let (source, old) = self.parent(from)?;
        let (target, new) = self.parent(to)?;
        self.check()?;
        match renameat_with(&source, old, &target, new, RenameFlags::NOREPLACE) {
            Err(Errno::EXIST) => return Err(ChangeError::Exists),
            other => other?,
        }
        self.sync(&target)?;
        self.sync(&source)?;
        let gone = Change { before: Some(digest), ..Change::of(from, FileChange::Removed) };
        let there = Change { after: Some(digest), size: Some(size), ..Change::of(to, FileChange::Written) };
        Ok([gone, there])
    }

    /// Removes a file, or a folder in which nothing is.
    pub(crate) fn remove(&self, path: &WorkspacePath) -> Result<Change, ChangeError> {
        let (before, change, flags) = match self.workspace.open_file(path) {
            Ok(mut file) => {
                let before = self.read_through(&mut file, |_| Ok(()))?;
                (Some(before), FileChange::Removed, AtFlags::empty())
            }
            Err(FileError::NotRegular) => {
                self.workspace.check_folder(path).map_err(|_| FileError::NotRegular)?;
                (None, FileChange::FolderRemoved, AtFlags::REMOVEDIR)
            }
            Err(error) => return Err(error.into()),
        };
        let (folder, name) = self.parent(path)?;
        self.check()?;
        match unlinkat(&folder, name, flags) {
            Err(Errno::NOTEMPTY | Errno::EXIST) => return Err(ChangeError::NotEmpty),
            other => other?,
        }
        self.sync(&folder)?;
        Ok(Change { before, ..Change::of(path, change) })
    }

    /// Puts the first bytes of what is there, at most `kept`, and then `content` into its place.
    fn rewrite(&self, path: &WorkspacePath, kept: u64, content: &[u8]) -> Result<Change, ChangeError> {
        let (folder, name) = self.parent(path)?;
        let old = match self.workspace.open_file(path) {
            Ok(file) => Some(file),
            Err(FileError::NotFound) => None,
            Err(error) => return Err(error.into()),
        };
        let mode = old.as_ref().map(File::metadata).transpose()?.map(|found| found.mode() & 0o777);
        let unique = getrandom::u64().map_err(io::Error::other)?;
        let fresh = format!(".{unique:016x}.orch-new");
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let mut file =
            File::from(openat2(&folder, fresh.as_str(), flags, Mode::from_raw_mode(0o644), INSIDE)?);
        let written = self.fill(&mut file, old, kept, content).and_then(|change| {
            if let Some(mode) = mode {
                fchmod(&file, Mode::from_raw_mode(mode))?;
            }
            if self.is_synced {
                file.sync_all()?;
            }
            self.check()?;
            renameat(&folder, fresh.as_str(), &folder, name.as_str())?;
            Ok(change)
        });
        let (before, after, size) = written.inspect_err(|_| {
            unlinkat(&folder, fresh.as_str(), AtFlags::empty()).unwrap_or_default();
        })?;
        self.sync(&folder)?;
        Ok(Change { before, after: Some(after), size: Some(size), ..Change::of(path, FileChange::Written) })
    }

    /// Writes the new file.
    fn fill(
        &self,
        fresh: &mut File,
        old: Option<File>,
        kept: u64,
        content: &[u8],
    ) -> Result<Filled, ChangeError> {
        let (mut hasher, mut size) = (Sha256::new(), 0);
        let mut put = |bytes: &[u8]| {
            size += bytes.len() as u64;
            if size > FILE_BYTES_MAX {
                return Err(ChangeError::TooLarge);
            }
            hasher.update(bytes);
            Ok(fresh.write_all(bytes)?)
        };
        let mut left = kept;
        let before = match old {
            None => None,
            Some(mut old) => Some(self.read_through(&mut old, |bytes| {
                let count = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                left -= count as u64;
                put(bytes.get(..count).unwrap_or_default())
            })?),
        };
        put(content)?;
        Ok((before, hasher.finalize().into(), size))
    }

    /// Reads a whole file; gives its digest.
    fn read_through(
        &self,
        file: &mut File,
        mut part: impl FnMut(&[u8]) -> Result<(), ChangeError>,
    ) -> Result<[u8; 32], ChangeError> {
        if file.metadata()?.len() > FILE_BYTES_MAX {
            return Err(ChangeError::TooLarge);
        }
        let (mut hasher, mut count) = (Sha256::new(), 0);
        let mut buffer = vec![0; 64 * 1024];
        loop {
            self.check()?;
            match file.read(&mut buffer) {
                Ok(0) => return Ok(hasher.finalize().into()),
                Ok(read) => {
                    // One that grows as it is read has an end all the same.
                    count += read as u64;
                    if count > FILE_BYTES_MAX {
                        return Err(ChangeError::TooLarge);
                    }
                    let bytes = buffer.get(..read).unwrap_or_default();
                    hasher.update(bytes);
                    part(bytes)?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The folder that a path lies in, made if it is not there, and the last name.
    fn parent(&self, path: &WorkspacePath) -> Result<(OwnedFd, String), ChangeError> {
        let (above, name) = path.as_str().rsplit_once('/').unwrap_or(("", path.as_str()));
        let mut folder = self.workspace.folder()?;
        for part in above.split('/').filter(|part| !part.is_empty()) {
            (folder, _) = self.folder(folder, part)?;
        }
        Ok((folder, name.to_owned()))
    }

    /// A folder in another one, and whether it was made.
    fn folder(&self, above: OwnedFd, name: &str) -> Result<(OwnedFd, bool), ChangeError> {
        let mut is_made = false;
        let opened = match openat2(&above, name, FOLDER, Mode::empty(), INSIDE) {
            Err(Errno::NOENT) => {
                match mkdirat(&above, name, Mode::from_raw_mode(0o755)) {
                    Ok(()) => is_made = true,
                    Err(Errno::EXIST) => {}
                    Err(error) => return Err(error.into()),
                }
                self.sync(&above)?;
                openat2(&above, name, FOLDER, Mode::empty(), INSIDE)
            }
            opened => opened,
        };
        match opened {
            Ok(folder) => Ok((folder, is_made)),
            // A file or a link stands where a folder should be.
            Err(Errno::NOTDIR | Errno::LOOP) => Err(FileError::NotRegular.into()),
            Err(error) => Err(error.into()),
        }
    }

    fn sync(&self, folder: &OwnedFd) -> io::Result<()> {
        match self.is_synced {
            true => Ok(fsync(folder)?),
            false => Ok(()),
        }
    }

    /// An effect ends with its call.
    fn check(&self) -> io::Result<()> {
        match (self.goes_on)() {
            true => Ok(()),
            false => Err(io::Error::other("the call is over")),
        }
    }
}

#[cfg(test)]
mod tests;
