//! Work trees of attempts and calls: a checkout each, in the user's state folder.
//!
//! In -> out: a commit -> [`Worktree`]; what lies in it afterwards -> its edits (`worktrees/edits.rs`).
//! Limits: as many as are under way; what a host left that ended is removed when the next one begins.
//! Invariant: a work tree is given back with its value, and is the next one's without anything that was touched in it
//! (`worktrees/mend.rs`); nothing in it is run or discovered by git: the host reads it.
//! Not here: what is kept of it (`drive/keep.rs`), how commands see it (`sandbox.rs`).

mod check;
mod edits;
mod mend;
mod remove;
mod spare;

use std::collections::{HashMap, HashSet};
use std::fs::{self, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};

use crate::git::{Entry, GitError, Oid, Repository};
use crate::whole_file;

pub use check::{Unkept, check_change};
pub use edits::{Edit, edit_of};
use spare::{Spare, Spares};

/// Where the git folder of a work tree and the repository's lie for a command in a sandbox.
pub const SEEN_TREE: &str = "/run/orch/tree";
pub const SEEN_REPOSITORY: &str = "/run/orch/repository";

/// The host's folders for one workspace.
#[derive(Clone, Debug)]
pub struct StateFolder(PathBuf);

impl StateFolder {
    /// Below the user's state folder, named by a hash of the workspace's path.
    pub fn of(state_home: &Path, workspace: &Path) -> Self {
        let digest = Sha256::digest(workspace.as_os_str().as_bytes());
        let name = hex::encode(digest.get(..16).unwrap_or(&digest));
        Self(state_home.join("orch/work").join(name))
    }

    /// Of the host's own git.
    pub fn git(&self) -> PathBuf {
        self.0.join("git")
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Removes every work tree: nobody works here.
    ///
    /// # Errors
    /// The system's own.
    pub fn clear(&self) -> std::io::Result<()> {
        remove::all(&self.0.join("trees"))
    }
}

/// Makes work trees of one repository.
#[derive(Debug)]
pub struct Worktrees {
    repository: Arc<Repository>,
    folder: PathBuf,
    next: AtomicU64,
    spares: Arc<Spares>,
    /// Commands see them in the workspace's place.
    is_mounted: bool,
}

/// Where a work tree lies, or will.
#[derive(Clone, Debug)]
pub struct Seat {
    /// The tree itself.
    pub tree: PathBuf,
    /// What a command's own git reads of it.
    pub git: PathBuf,
    /// The repository's objects and refs.
    pub repository: PathBuf,
}

/// A checkout that is given back when this is dropped.
#[derive(Debug)]
pub struct Worktree {
    seat: Seat,
    folder: PathBuf,
    repository: Arc<Repository>,
    spares: Arc<Spares>,
    /// What was checked out, and how each file was then.
    made: Option<Made>,
}

#[derive(Debug)]
struct Made {
    base: Oid,
    entries: HashMap<PathBuf, (Entry, Option<Stamp>)>,
    /// Each folder that something was checked out in, and `.git`.
    around: Vec<(PathBuf, Stamp)>,
}

/// How a file was when it was looked at: any change of it changes this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    mode: u32,
    changed: (i64, i64),
}

impl Stamp {
    fn of(found: &Metadata) -> Self {
        let changed = (found.ctime(), found.ctime_nsec());
        Self { inode: found.ino(), size: found.size(), mode: found.mode(), changed }
    }

    /// True if what lies there now has it.
    fn is_of(self, tree: &Path, path: &Path) -> bool {
        fs::symlink_metadata(tree.join(path)).is_ok_and(|found| Self::of(&found) == self)
    }
}

impl Made {
    /// How all of that commit lies in a tree now.
    fn of(repository: &Repository, base: &Oid, tree: &Path) -> Result<Self, GitError> {
        let stamp = |path: &Path| fs::symlink_metadata(tree.join(path)).map(|found| Stamp::of(&found));
        let mut entries = HashMap::new();
        for entry in repository.entries(base)? {
            let stamp = stamp(&entry.path).ok();
            entries.insert(entry.path.clone(), (entry, stamp));
        }
        let mut paths: HashSet<&Path> = [Path::new(".git"), Path::new("")].into();
        for path in entries.keys() {
            // Whoever knows a folder knows those above it.
            path.ancestors().skip(1).take_while(|folder| paths.insert(folder)).for_each(drop);
        }
        let around = paths.into_iter().map(|path| Ok((path.to_owned(), stamp(path)?)));
        let at = |source| GitError::Io { what: "look at", path: tree.to_owned(), source };
        let around = around.collect::<std::io::Result<_>>().map_err(at)?;
        Ok(Self { base: base.clone(), entries, around })
    }

    /// True if nothing was written, made, removed or renamed in the tree since.
    fn is_untouched(&self, tree: &Path) -> bool {
        self.around.iter().all(|(path, stamp)| stamp.is_of(tree, path))
            && self
                .entries
                .iter()
                .all(|(path, (_, stamp))| stamp.is_some_and(|stamp| stamp.is_of(tree, path)))
    }
}

impl Worktrees {
    pub fn new(repository: Arc<Repository>, folder: &StateFolder, is_mounted: bool) -> Self {
        let folder = folder.0.join("trees");
        let may_keep = is_mounted && spare::stamps_tell_all(&folder);
        Self::keeping(repository, folder, is_mounted, may_keep)
    }

    fn keeping(repository: Arc<Repository>, folder: PathBuf, is_mounted: bool, may_keep: bool) -> Self {
        let spares = Arc::new(Spares::new(&folder, may_keep));
        Self { repository, folder, next: AtomicU64::new(0), spares, is_mounted }
    }

    /// Removes all that was given back, and waits until it is gone.
    pub fn clear(&self) {
        self.spares.clear();
    }

    pub fn repository(&self) -> &Arc<Repository> {
        &self.repository
    }

    /// A place for one; nothing is there yet.
    pub fn reserve(&self) -> Worktree {
        let folder = self.folder.join(self.next.fetch_add(1, Ordering::Relaxed).to_string());
        let common = self.repository.common().to_owned();
        let seat = Seat { tree: folder.join("tree"), git: folder.join("git"), repository: common };
        let (repository, spares) = (self.repository.clone(), self.spares.clone());
        Worktree { seat, folder, repository, spares, made: None }
    }

    /// Checks out a commit there, in the place of what was there before.
    ///
    /// # Errors
    /// `Failed`, `Io`.
    pub fn make(&self, worktree: &mut Worktree, base: &Oid) -> Result<(), GitError> {
        worktree.make(base, self.is_mounted)
    }
}

impl Worktree {
    pub fn seat(&self) -> &Seat {
        &self.seat
    }

    /// What was checked out.
    pub fn base(&self) -> Option<&Oid> {
        self.made.as_ref().map(|made| &made.base)
    }

    fn make(&mut self, base: &Oid, is_mounted: bool) -> Result<(), GitError> {
        self.give_back();
        if let Some(spare) = self.spares.take(base) {
            match self.move_in(spare, base) {
                Ok(made) => return self.is_made(made),
                Err(error) => tracing::debug!(%error, "a work tree is made anew"),
            }
            self.give_back();
        }
        let made = self.make_anew(base, is_mounted).or_else(|error| {
            // What was given back may be what the disk has no room for.
            tracing::debug!(%error, "a work tree is made once more");
            self.spares.clear();
            self.make_anew(base, is_mounted)
        });
        match made {
            Ok(made) => self.is_made(made),
            Err(error) => {
                self.give_back();
                Err(error)
            }
        }
    }

    fn is_made(&mut self, made: Made) -> Result<(), GitError> {
        self.made = Some(made);
        Ok(())
    }

    fn at(&self, what: &'static str) -> impl Fn(std::io::Error) -> GitError + use<> {
        let path = self.folder.clone();
        move |source| GitError::Io { what, path: path.clone(), source }
    }

    /// Has that tree here, at a commit.
    fn move_in(&self, spare: Spare, base: &Oid) -> Result<Made, GitError> {
        let Spare { folder, made } = spare;
        fs::rename(&folder, &self.folder).map_err(self.at("make"))?;
        if made.base == *base {
            return Ok(made);
        }
        self.repository.switch_throwaway(&made.base, base, &self.seat.tree, &self.index())?;
        self.write_git(base)?;
        self.settled(base)
    }

    fn make_anew(&self, base: &Oid, is_mounted: bool) -> Result<Made, GitError> {
        remove::all(&self.folder).map_err(self.at("remove"))?;
        for path in [&self.seat.tree, &self.seat.git] {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(self.at("make"))?;
        }
        self.repository.check_out(base, &self.seat.tree, &self.index())?;
        // For whoever asks git in the tree; it is read there, and never written.
        let (git, repository) = match is_mounted {
            true => (Path::new(SEEN_TREE), Path::new(SEEN_REPOSITORY)),
            false => (&*self.seat.git, &*self.seat.repository),
        };
        let line = |path: &Path| [path.as_os_str().as_bytes(), b"\n"].concat();
        let write = |name: &Path, bytes: &[u8]| fs::write(name, bytes).map_err(self.at("write"));
        write(&self.seat.git.join("commondir"), &line(repository))?;
        write(&self.seat.tree.join(".git"), &[b"gitdir: ", &*line(git)].concat())?;
        self.write_git(base)?;
        self.settled(base)
    }

    fn index(&self) -> PathBuf {
        self.folder.join("index")
    }

    /// What git in the tree is told of where it stands.
    fn write_git(&self, base: &Oid) -> Result<(), GitError> {
        let git = &self.seat.git;
        fs::write(git.join("HEAD"), format!("{base}\n")).map_err(self.at("write"))?;
        whole_file::copy_index(&self.index(), &git.join("index")).map_err(self.at("write"))
    }

    /// How all lies there; what is changed from now on has another stamp.
    fn settled(&self, base: &Oid) -> Result<Made, GitError> {
        let made = Made::of(&self.repository, base, &self.seat.tree)?;
        settle(&self.seat.git).map_err(self.at("look at"))?;
        Ok(made)
    }

    fn give_back(&mut self) {
        let aside = self.folder.join("aside");
        let made = self.made.take().filter(|_| self.spares.may_keep());
        let mended = made.map_or(Ok(None), |made| self.mended(made, &aside));
        let made = mended.unwrap_or_else(|error| {
            tracing::debug!(%error, "a work tree is not mended");
            None
        });
        if made.is_some() {
            self.spares.throw_away(&aside);
        }
        self.spares.give_back(&self.folder, made);
    }
}

/// Waits until the clock of that disk goes on: what is changed from now on has another time than what was written before.
fn settle(folder: &Path) -> std::io::Result<()> {
    let file = folder.join("settled");
    let time = || {
        fs::write(&file, b"")?;
        let found = fs::symlink_metadata(&file)?;
        Ok::<_, std::io::Error>((found.ctime(), found.ctime_nsec()))
    };
    let first = time()?;
    while time()? == first {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    fs::remove_file(&file)
}

impl Drop for Worktree {
    fn drop(&mut self) {
        self.give_back();
    }
}

#[cfg(test)]
mod tests;
