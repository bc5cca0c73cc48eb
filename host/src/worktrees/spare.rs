//! Work trees that were given back: kept for the next ones if they are as they were made, else removed beside whoever works.
//!
//! In -> out: the folder of a tree that is over -> the next tree's, or nothing.
//! Limits: as many kept as were under way at once; one removed and one waiting for it, whoever gives back more waits.
//! Invariant: a tree is used again only where walls keep commands from all that lies beside it, on file systems whose stamps tell
//! of writes through a mapping, too.
//! Not here: how a tree is made (`worktrees.rs`) and made whole again (`mend.rs`), what a host that was killed left
//! (`StateFolder::clear`).

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::{Made, remove};
use crate::git::Oid;

/// ext2 to ext4, XFS, Btrfs: each notes a change time with the first write to a mapped page.
const TRUSTED: [u64; 3] = [0xEF53, 0x5846_5342, 0x9123_683E];

/// What becomes of trees of one repository that are over.
#[derive(Debug)]
pub(super) struct Spares {
    folder: PathBuf,
    next: AtomicU64,
    /// Whether one may be used again.
    may_keep: bool,
    kept: Mutex<Vec<Spare>>,
    remover: Mutex<Option<Remover>>,
}

/// A tree that nobody uses, as it was made.
#[derive(Debug)]
pub(super) struct Spare {
    pub(super) folder: PathBuf,
    pub(super) made: Made,
}

#[derive(Debug)]
struct Remover {
    folders: SyncSender<PathBuf>,
    thread: JoinHandle<()>,
}

/// True of a folder, there or not yet, on a file system whose stamps tell of every write.
pub(super) fn stamps_tell_all(folder: &Path) -> bool {
    let found = folder.ancestors().find_map(|folder| rustix::fs::statfs(folder).ok());
    found.is_some_and(|found| TRUSTED.contains(&(found.f_type as u64)))
}

impl Spares {
    /// `folder`: of all trees; `may_keep`: whether one that nobody touched may be used again.
    pub(super) fn new(folder: &Path, may_keep: bool) -> Self {
        let folder = folder.to_owned();
        Self { folder, next: AtomicU64::new(0), may_keep, kept: Mutex::default(), remover: Mutex::default() }
    }

    pub(super) fn may_keep(&self) -> bool {
        self.may_keep
    }

    /// Takes a tree that is over; `made`: as it is made, if it is.
    pub(super) fn give_back(&self, folder: &Path, made: Option<Made>) {
        let away = self.place(if made.is_some() { "spare" } else { "gone" });
        match (fs::rename(folder, &away), made) {
            (Ok(()), Some(made)) => self.put(Spare { folder: away, made }),
            (Ok(()), None) => self.remove(away),
            // Nothing is there, or what stands in the way does so when it is removed, too.
            (Err(_), _) => remove_now(folder),
        }
    }

    /// Removes a folder of a tree that goes on, if it is there.
    pub(super) fn throw_away(&self, folder: &Path) {
        let away = self.place("gone");
        match fs::rename(folder, &away) {
            Ok(()) => self.remove(away),
            Err(_) => remove_now(folder),
        }
    }

    fn place(&self, kind: &str) -> PathBuf {
        self.folder.join(format!("{}.{kind}", self.next.fetch_add(1, Ordering::Relaxed)))
    }

    pub(super) fn put(&self, spare: Spare) {
        lock(&self.kept).push(spare);
    }

    /// One that was not changed: at that commit if there is one, else at another.
    pub(super) fn take(&self, base: &Oid) -> Option<Spare> {
        let mut kept = lock(&self.kept);
        let place = kept.iter().position(|spare| spare.made.base == *base);
        match place {
            Some(place) => Some(kept.swap_remove(place)),
            None => kept.pop(),
        }
    }

    /// Removes what is kept, and waits until all that was given back is gone.
    pub(super) fn clear(&self) {
        let kept = std::mem::take(&mut *lock(&self.kept));
        kept.into_iter().for_each(|spare| self.remove(spare.folder));
        if let Some(Remover { folders, thread }) = lock(&self.remover).take() {
            drop(folders);
            // It says itself what it cannot remove.
            let _ = thread.join();
        }
    }

    fn remove(&self, folder: PathBuf) {
        let mut remover = lock(&self.remover);
        let began = remover.take().or_else(|| Remover::begin().ok());
        let left = match &began {
            Some(Remover { folders, .. }) => folders.send(folder).err().map(|unsent| unsent.0),
            None => Some(folder),
        };
        *remover = began;
        left.iter().for_each(|folder| remove_now(folder));
    }
}

impl Remover {
    fn begin() -> std::io::Result<Self> {
        let (folders, gone) = sync_channel::<PathBuf>(1);
        let work = move || gone.into_iter().for_each(|folder| remove_now(&folder));
        let thread = std::thread::Builder::new().name("orch-trees".to_owned()).spawn(work)?;
        Ok(Self { folders, thread })
    }
}

impl Drop for Spares {
    fn drop(&mut self) {
        self.clear();
    }
}

fn remove_now(folder: &Path) {
    // What cannot be removed now, the next host removes.
    if let Err(error) = remove::all(folder) {
        tracing::warn!(%error, folder = %folder.display(), "a work tree is left");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
