//! Work trees of attempts and calls: a fresh checkout each, in the user's state folder.
//!
//! In -> out: a commit -> [`Worktree`]; what lies in it afterwards -> its edits (`worktrees/edits.rs`).
//! Limits: as many as are under way; what a host left that ended is removed when the next one begins.
//! Invariant: a work tree is removed with its value; nothing in it is run or discovered by git: the host reads it.
//! Not here: what is kept of it (`drive/keep.rs`), how commands see it (`sandbox.rs`).

mod check;
mod edits;
mod remove;

use std::collections::HashMap;
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

/// A checkout that is removed when this is dropped.
#[derive(Debug)]
pub struct Worktree {
    seat: Seat,
    folder: PathBuf,
    repository: Arc<Repository>,
    /// What was checked out, and how each file was then.
    made: Option<Made>,
}

#[derive(Debug)]
struct Made {
    base: Oid,
    entries: HashMap<PathBuf, (Entry, Option<Stamp>)>,
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
}

impl Worktrees {
    pub fn new(repository: Arc<Repository>, folder: &StateFolder, is_mounted: bool) -> Self {
        Self { repository, folder: folder.0.join("trees"), next: AtomicU64::new(0), is_mounted }
    }

    pub fn repository(&self) -> &Arc<Repository> {
        &self.repository
    }

    /// A place for one; nothing is there yet.
    pub fn reserve(&self) -> Worktree {
        let folder = self.folder.join(self.next.fetch_add(1, Ordering::Relaxed).to_string());
        let repository = self.repository.common().to_owned();
        let seat = Seat { tree: folder.join("tree"), git: folder.join("git"), repository };
        Worktree { seat, folder, repository: self.repository.clone(), made: None }
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
        self.made = None;
        let folder = self.folder.clone();
        let at = |what: &'static str| {
            let path = folder.clone();
            move |source| GitError::Io { what, path, source }
        };
        remove::all(&self.folder).map_err(at("remove"))?;
        for path in [&self.seat.tree, &self.seat.git] {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(at("make"))?;
        }
        let index = self.folder.join("index");
        self.repository.check_out(base, &self.seat.tree, &index)?;
        let mut entries = HashMap::new();
        for entry in self.repository.entries(base)? {
            let stamp =
                fs::symlink_metadata(self.seat.tree.join(&entry.path)).ok().map(|found| Stamp::of(&found));
            entries.insert(entry.path.clone(), (entry, stamp));
        }
        // For whoever asks git in the tree; it is read there, and never written.
        let (git, repository) = match is_mounted {
            true => (Path::new(SEEN_TREE), Path::new(SEEN_REPOSITORY)),
            false => (&*self.seat.git, &*self.seat.repository),
        };
        let line = |path: &Path| [path.as_os_str().as_bytes(), b"\n"].concat();
        let write = |name: &Path, bytes: &[u8]| fs::write(name, bytes).map_err(at("write"));
        write(&self.seat.git.join("HEAD"), format!("{base}\n").as_bytes())?;
        write(&self.seat.git.join("commondir"), &line(repository))?;
        whole_file::copy_index(&index, &self.seat.git.join("index")).map_err(at("write"))?;
        write(&self.seat.tree.join(".git"), &[b"gitdir: ", &*line(git)].concat())?;
        settle(&self.seat.git).map_err(at("look at"))?;
        self.made = Some(Made { base: base.clone(), entries });
        Ok(())
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
        // What cannot be removed now, the next host removes.
        if let Err(error) = remove::all(&self.folder) {
            tracing::warn!(%error, folder = %self.folder.display(), "a work tree is left");
        }
    }
}

#[cfg(test)]
mod tests;
