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

    /// Digests of the old file and of the new one, and the new one's bytes.
    fn fill(
        &self,
        fresh: &mut File,
        old: Option<File>,
        kept: u64,
        content: &[u8],
    ) -> Result<(Option<[u8; 32]>, [u8; 32], u64), ChangeError> {
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
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn path(text: &str) -> WorkspacePath {
        WorkspacePath::parse(text).unwrap()
    }

    struct Bench {
        folder: tempfile::TempDir,
        workspace: Workspace,
    }

    impl Bench {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            Self { workspace: Workspace::open(folder.path()).unwrap(), folder }
        }

        fn changer(&self) -> Changer<'_> {
            self.while_it_goes_on(&|| true)
        }

        fn while_it_goes_on<'a>(&'a self, goes_on: &'a dyn Fn() -> bool) -> Changer<'a> {
            Changer { workspace: &self.workspace, is_synced: true, goes_on }
        }

        fn text(&self, name: &str) -> String {
            fs::read_to_string(self.folder.path().join(name)).unwrap()
        }

        fn has(&self, name: &str) -> bool {
            self.folder.path().join(name).symlink_metadata().is_ok()
        }

        /// What lies in the top folder.
        fn names(&self) -> Vec<String> {
            let names = fs::read_dir(self.folder.path()).unwrap();
            let mut names: Vec<_> =
                names.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
            names.sort();
            names
        }
    }

    fn digest(bytes: &[u8]) -> Option<[u8; 32]> {
        Some(Sha256::digest(bytes).into())
    }

    #[test]
    fn replacing_makes_folders_keeps_the_mode_and_tells_what_was_there() {
        let bench = Bench::new();
        let changer = bench.changer();
        let made = changer.replace(&path("a/b/c"), b"one").unwrap();
        assert_eq!((made.before, made.after, made.size), (None, digest(b"one"), Some(3)));
        let file = bench.folder.path().join("a/b/c");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o775)).unwrap();
        assert_eq!(changer.replace(&path("a/b/c"), b"two").unwrap().before, digest(b"one"));
        assert_eq!(bench.text("a/b/c"), "two");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o775);
        assert_eq!(
            fs::read_dir(bench.folder.path().join("a/b")).unwrap().count(),
            1,
            "no other file is left"
        );
        for wrong in ["a/b", "a/b/c/d"] {
            let refused = changer.replace(&path(wrong), b"x");
            assert!(matches!(refused, Err(ChangeError::File(FileError::NotRegular))), "{wrong}: {refused:?}");
        }
    }

    #[test]
    fn appending_and_cutting_tell_both_digests_and_make_only_what_can_be() {
        let bench = Bench::new();
        let changer = bench.changer();
        assert_eq!(changer.append(&path("log/a"), b"one").unwrap().before, None);
        let added = changer.append(&path("log/a"), b"two").unwrap();
        assert_eq!((added.before, added.after), (digest(b"one"), digest(b"onetwo")));
        assert_eq!((added.size, bench.text("log/a").as_str()), (Some(6), "onetwo"));
        let cut = changer.truncate(&path("log/a"), 4).unwrap();
        assert_eq!((cut.before, cut.after, cut.size), (digest(b"onetwo"), digest(b"onet"), Some(4)));
        assert!(matches!(changer.truncate(&path("log/a"), 5), Err(ChangeError::Shorter { found: 4 })));
        assert!(matches!(changer.truncate(&path("none"), 0), Err(ChangeError::File(FileError::NotFound))));
        assert_eq!(changer.truncate(&path("log/a"), 0).unwrap().after, digest(b""));
        // Over more than one part that is read.
        let long: Vec<u8> = (0..200_000_u32).map(|number| number as u8).collect();
        changer.replace(&path("long"), &long).unwrap();
        let cut = changer.truncate(&path("long"), 100_001).unwrap();
        assert_eq!((cut.before, cut.after), (digest(&long), digest(&long[..100_001])));
        assert_eq!(changer.append(&path("long"), b"x").unwrap().size, Some(100_002));
    }

    #[test]
    fn a_rename_moves_a_file_and_never_replaces() {
        let bench = Bench::new();
        let changer = bench.changer();
        changer.replace(&path("a"), b"one").unwrap();
        changer.replace(&path("b"), b"two").unwrap();
        for to in ["a", "b"] {
            assert!(matches!(changer.rename(&path("a"), &path(to)), Err(ChangeError::Exists)), "{to}");
        }
        assert_eq!((bench.text("a"), bench.text("b")), ("one".to_owned(), "two".to_owned()));
        let [gone, there] = changer.rename(&path("a"), &path("new/c")).unwrap();
        assert_eq!((gone.change, gone.before, gone.after), (FileChange::Removed, digest(b"one"), None));
        assert_eq!((there.path.as_str(), there.after, there.size), ("new/c", digest(b"one"), Some(3)));
        assert!(!bench.has("a") && bench.text("new/c") == "one");
        let folder = changer.rename(&path("new"), &path("other"));
        assert!(matches!(folder, Err(ChangeError::File(FileError::NotRegular))), "{folder:?}");
        assert!(matches!(
            changer.rename(&path("none"), &path("x")),
            Err(ChangeError::File(FileError::NotFound))
        ));
    }

    #[test]
    fn folders_are_made_once_and_removed_when_nothing_is_in_them() {
        let bench = Bench::new();
        let changer = bench.changer();
        let made = changer.make_folder(&path("a/b/c")).unwrap().unwrap();
        assert_eq!((made.path.as_str(), made.change), ("a/b/c", FileChange::FolderMade));
        assert_eq!(changer.make_folder(&path("a/b/c")).unwrap(), None);
        assert!(matches!(changer.remove(&path("a/b")), Err(ChangeError::NotEmpty)));
        assert_eq!(changer.remove(&path("a/b/c")).unwrap().change, FileChange::FolderRemoved);
        changer.replace(&path("a/f"), b"x").unwrap();
        assert!(matches!(changer.make_folder(&path("a/f")), Err(ChangeError::File(FileError::NotRegular))));
        let removed = changer.remove(&path("a/f")).unwrap();
        assert_eq!((removed.change, removed.before), (FileChange::Removed, digest(b"x")));
        assert!(matches!(changer.remove(&path("a/f")), Err(ChangeError::File(FileError::NotFound))));
        assert!(bench.has("a/b") && !bench.has("a/b/c"));
    }

    #[test]
    fn no_change_follows_a_link_or_makes_anything_outside() {
        let (bench, outside) = (Bench::new(), tempfile::tempdir().unwrap());
        let secret = outside.path().join("secret");
        fs::write(&secret, "s").unwrap();
        symlink(outside.path(), bench.folder.path().join("out")).unwrap();
        symlink(&secret, bench.folder.path().join("link")).unwrap();
        let changer = bench.changer();
        changer.replace(&path("own"), b"own").unwrap();
        for name in ["out/secret", "out/new", "link", "link/x"] {
            let name = path(name);
            let refused = [
                changer.replace(&name, b"x").map(drop),
                changer.append(&name, b"x").map(drop),
                changer.truncate(&name, 0).map(drop),
                changer.make_folder(&name).map(drop),
                changer.rename(&name, &path("taken")).map(drop),
                changer.remove(&name).map(drop),
                changer.rename(&path("own"), &name).map(drop),
            ];
            for (place, refused) in refused.into_iter().enumerate() {
                assert!(refused.is_err(), "{place} of {}", name.as_str());
            }
        }
        assert_eq!(fs::read_to_string(&secret).unwrap(), "s");
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
        assert_eq!(bench.names(), ["link", "out", "own"]);
    }

    #[test]
    fn what_is_too_large_is_neither_read_nor_written() {
        let bench = Bench::new();
        let large = File::create(bench.folder.path().join("large")).unwrap();
        large.set_len(FILE_BYTES_MAX + 1).unwrap();
        let changer = bench.changer();
        let refused = [
            changer.replace(&path("large"), b"x").map(drop),
            changer.truncate(&path("large"), 1).map(drop),
            changer.rename(&path("large"), &path("other")).map(drop),
            changer.remove(&path("large")).map(drop),
        ];
        assert!(refused.iter().all(|refused| matches!(refused, Err(ChangeError::TooLarge))), "{refused:?}");
        large.set_len(FILE_BYTES_MAX).unwrap();
        assert!(matches!(changer.append(&path("large"), b"x"), Err(ChangeError::TooLarge)));
        assert_eq!(bench.names(), ["large"]);
        assert_eq!(large.metadata().unwrap().len(), FILE_BYTES_MAX);
    }

    #[test]
    fn a_change_whose_call_is_over_does_not_happen() {
        let bench = Bench::new();
        bench.changer().replace(&path("kept"), b"old").unwrap();
        bench.changer().make_folder(&path("folder")).unwrap();
        let over = bench.while_it_goes_on(&|| false);
        for (place, refused) in [
            over.replace(&path("kept"), b"new").map(drop),
            over.replace(&path("fresh"), b"new").map(drop),
            over.append(&path("kept"), b"new").map(drop),
            over.truncate(&path("kept"), 0).map(drop),
            over.make_folder(&path("made")).map(drop),
            over.rename(&path("kept"), &path("moved")).map(drop),
            over.remove(&path("kept")).map(drop),
            over.remove(&path("folder")).map(drop),
        ]
        .into_iter()
        .enumerate()
        {
            assert!(matches!(refused, Err(ChangeError::File(FileError::Io(_)))), "{place}: {refused:?}");
        }
        // Over between the last byte that was read and the rename.
        let asked = std::cell::Cell::new(0);
        let ends = || asked.replace(asked.get() + 1) < 2;
        assert!(bench.while_it_goes_on(&ends).replace(&path("kept"), b"new").is_err());
        assert_eq!(asked.get(), 3);
        assert_eq!(
            (bench.names(), bench.text("kept")),
            (vec!["folder".to_owned(), "kept".to_owned()], "old".to_owned())
        );
    }
}
