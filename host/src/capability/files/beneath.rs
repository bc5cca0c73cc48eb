//! Files beneath a folder, without following a link anywhere.
//!
//! In -> out: a [`Workspace`] and a [`WorkspacePath`] -> bytes read, files found.
//! Limits: 500,000 entries looked at by one search, 64 levels deep.
//! Invariant: every path is resolved by the kernel beneath the folder's descriptor, links refused.
//! Not here: changing anything (`change.rs`), what is granted and what is protected (`files.rs`).

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, openat2, statat};
use rustix::io::Errno;

const ENTRIES_MAX: u64 = 500_000;
const DEPTH_MAX: usize = 64;
const PATH_BYTES_MAX: usize = 4096;

/// A path inside the workspace: relative, without `.` and `..`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WorkspacePath(String);

impl WorkspacePath {
    /// The path, or what is wrong with the text.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.len() > PATH_BYTES_MAX {
            return Err(format!("path of {} bytes, expected 1 to {PATH_BYTES_MAX}", text.len()));
        }
        if text.contains('\0') || text.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err("path is not relative to the workspace, with names between single `/`".to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }
}

/// Why a file could not be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("it does not exist")]
    NotFound,
    /// There is something that is no regular file.
    #[error("it, or a folder on the way to it, is a link or no regular file")]
    NotRegular,
    #[error(transparent)]
    Io(io::Error),
}

impl From<Errno> for FileError {
    fn from(error: Errno) -> Self {
        match error {
            Errno::NOENT | Errno::NOTDIR => Self::NotFound,
            // A link on the way.
            Errno::LOOP | Errno::XDEV => Self::NotRegular,
            error => Self::Io(error.into()),
        }
    }
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// An open folder under which everything happens.
pub(crate) struct Workspace(OwnedFd);

/// A file that matched a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) path: String,
    pub(crate) size: u64,
}

pub(super) const FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW);
pub(super) const INSIDE: ResolveFlags =
    ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);

impl Workspace {
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        Ok(Self(rustix::fs::open(folder, FOLDER, Mode::empty())?))
    }

    /// The folder itself.
    pub(super) fn folder(&self) -> io::Result<OwnedFd> {
        self.0.try_clone()
    }

    /// A regular file, for reading.
    pub(super) fn open_file(&self, path: &WorkspacePath) -> Result<File, FileError> {
        // Without blocking, so that opening a pipe does not wait for a writer.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = File::from(openat2(&self.0, path.as_str(), flags, Mode::empty(), INSIDE)?);
        match file.metadata()?.is_file() {
            true => Ok(file),
            false => Err(FileError::NotRegular),
        }
    }

    /// Succeeds if there is a folder of that path.
    pub(crate) fn check_folder(&self, path: &WorkspacePath) -> Result<(), FileError> {
        openat2(&self.0, path.as_str(), FOLDER, Mode::empty(), INSIDE)?;
        Ok(())
    }

    /// True if there is a file of that path, reached over no link that leaves the workspace; the file itself may be a link
    /// to anywhere.
    pub(crate) fn has_program(&self, path: &WorkspacePath) -> bool {
        let (folder, name) = path.as_str().rsplit_once('/').unwrap_or((".", path.as_str()));
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let folder = openat2(&self.0, folder, flags, Mode::empty(), beneath);
        let stat = folder.and_then(|folder| statat(folder, name, AtFlags::empty()));
        stat.is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)
    }

    /// At most `bytes_max` bytes from `offset` on; fewer mean the end.
    pub(crate) fn read(
        &self,
        path: &WorkspacePath,
        offset: u64,
        bytes_max: usize,
    ) -> Result<Vec<u8>, FileError> {
        let file = self.open_file(path)?;
        let left = file.metadata()?.len().saturating_sub(offset);
        let mut bytes = vec![0; usize::try_from(left).unwrap_or(usize::MAX).min(bytes_max)];
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, offset.saturating_add(filled as u64)) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }

    /// Regular files after `after` for which `wanted` says yes, sorted by path, at most `count_max`.
    pub(crate) fn find(
        &self,
        after: Option<&str>,
        count_max: usize,
        wanted: &dyn Fn(&str) -> bool,
    ) -> Result<Vec<Found>, FileError> {
        let mut search =
            Search { after: after.unwrap_or_default(), count_max, wanted, entries: 0, found: Vec::new() };
        let root = openat2(&self.0, ".", FOLDER, Mode::empty(), INSIDE)?;
        search.walk(root, "", 0)?;
        Ok(search.found)
    }
}

struct Search<'a> {
    after: &'a str,
    count_max: usize,
    wanted: &'a dyn Fn(&str) -> bool,
    entries: u64,
    found: Vec<Found>,
}

impl Search<'_> {
    fn walk(&mut self, folder: OwnedFd, prefix: &str, depth: usize) -> Result<(), FileError> {
        // A folder sorts as its name and `/`, so that walking in order gives paths in order.
        let mut entries: Vec<(String, bool)> = Vec::new();
        for entry in Dir::read_from(&folder)? {
            self.entries += 1;
            if self.entries > ENTRIES_MAX {
                return Err(FileError::Io(io::Error::other("too many files")));
            }
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            match kind(&folder, name, entry.file_type()) {
                FileType::Directory if !matches!(name, "." | "..") => {
                    entries.push((format!("{prefix}{name}/"), true));
                }
                FileType::RegularFile => entries.push((format!("{prefix}{name}"), false)),
                _ => {}
            }
        }
        entries.sort_unstable();
        for (path, is_folder) in entries {
            if self.found.len() >= self.count_max {
                break;
            }
            let name = path.strip_prefix(prefix).unwrap_or(&path);
            if is_folder {
                let behind = path.as_str() < self.after && !self.after.starts_with(&path);
                if behind || depth >= DEPTH_MAX || path == ".orch/" {
                    continue;
                }
                // A folder that went away or may not be read has no files for us.
                if let Ok(inner) = openat2(&folder, name.trim_end_matches('/'), FOLDER, Mode::empty(), INSIDE)
                {
                    self.walk(inner, &path, depth + 1)?;
                }
            } else if path.as_str() > self.after
                && (self.wanted)(&path)
                && let Ok(stat) = statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW)
            {
                self.found.push(Found { size: u64::try_from(stat.st_size).unwrap_or_default(), path });
            }
        }
        Ok(())
    }
}

/// Some file systems do not say the type in the listing.
fn kind(folder: impl AsFd, name: &str, listed: FileType) -> FileType {
    match listed {
        FileType::Unknown => statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)
            .map_or(FileType::Unknown, |stat| FileType::from_raw_mode(stat.st_mode)),
        listed => listed,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn path(text: &str) -> WorkspacePath {
        WorkspacePath::parse(text).unwrap()
    }

    #[test]
    fn a_path_stays_inside() {
        for text in ["a", "a/b.c", ".a", "a b"] {
            assert!(WorkspacePath::parse(text).is_ok(), "{text}");
        }
        for text in ["", "/a", "a//b", "a/", "./a", "a/../b", "..", "a\0"] {
            assert!(WorkspacePath::parse(text).is_err(), "{text}");
        }
        assert!(WorkspacePath::parse(&"a".repeat(4096)).is_ok());
        assert!(WorkspacePath::parse(&"a".repeat(4097)).is_err());
    }

    #[test]
    fn links_are_not_followed_anywhere() {
        let folder = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret"), "s").unwrap();
        symlink(outside.path(), folder.path().join("out")).unwrap();
        symlink(outside.path().join("secret"), folder.path().join("link")).unwrap();
        let workspace = Workspace::open(folder.path()).unwrap();
        assert!(matches!(workspace.read(&path("out/secret"), 0, 10), Err(FileError::NotRegular)));
        assert!(matches!(workspace.read(&path("link"), 0, 10), Err(FileError::NotRegular)));
        assert!(workspace.check_folder(&path("out")).is_err());
        assert_eq!(workspace.find(None, 10, &|_| true).unwrap(), []);
        assert_eq!(fs::read(outside.path().join("secret")).unwrap(), b"s");
    }

    #[test]
    fn reading_goes_by_offset_and_knows_only_regular_files() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), "0123456789").unwrap();
        let workspace = Workspace::open(folder.path()).unwrap();
        assert_eq!(workspace.read(&path("a"), 0, 4).unwrap(), b"0123");
        assert_eq!(workspace.read(&path("a"), 8, 4).unwrap(), b"89");
        assert_eq!(workspace.read(&path("a"), 99, 4).unwrap(), b"");
        assert_eq!(workspace.read(&path("a"), u64::MAX, 4).unwrap(), b"");
        assert!(matches!(workspace.read(&path("b"), 0, 4), Err(FileError::NotFound)));
        fs::create_dir(folder.path().join("d")).unwrap();
        assert!(matches!(workspace.read(&path("d"), 0, 4), Err(FileError::NotRegular)));
    }

    #[test]
    fn a_search_is_sorted_by_path_and_goes_on_where_it_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["a/b", "a/c/d", "a-b", "a.b", "b", ".orch/state.db"];
        for name in names {
            let file = folder.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "x").unwrap();
        }
        let workspace = Workspace::open(folder.path()).unwrap();
        let sorted = ["a-b", "a.b", "a/b", "a/c/d", "b"];
        for count in 1..=6 {
            let mut found: Vec<String> = Vec::new();
            loop {
                let page = workspace.find(found.last().map(String::as_str), count, &|_| true).unwrap();
                if page.is_empty() {
                    break;
                }
                found.extend(page.into_iter().map(|found| found.path));
            }
            assert_eq!(found, sorted, "{count} at a time");
        }
    }
}
