//! The person's checkout taken from one commit to another: their tree, their index.
//!
//! In -> out: two commits -> files and index of the second one, or as they were.
//! Invariant: nothing of the person's is written over; what a full disk cut short is taken back.
//! Not here: their branch (`refs.rs`), whether they want it (`commands/accept.rs`).

use std::collections::HashSet;
use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::refs::take_lock;
use super::tree::Changed;
use super::{GitError, Oid, Repository};

impl Repository {
    /// Takes the person's tree and index from one commit to another, as git's own would: under the lock of the index, and
    /// refused whole where it would write over something.
    ///
    /// # Errors
    /// `Failed` with what stands in the way, `Io`; nothing is changed then, or the error says that something is.
    pub fn move_checkout(&self, from: &Oid, to: &Oid, index: &Path) -> Result<(), GitError> {
        let changes = self.changes(from, to)?;
        self.check_nothing_in_the_way(&changes)?;
        let (lock, of_person) = (self.own.join("index.lock"), self.own.join("index"));
        let at = |what: &'static str, path: &Path| {
            let path = path.to_owned();
            move |source| GitError::Io { what, path, source }
        };
        drop(take_lock(&lock)?);
        let moved = self.copy_index(index).and_then(|()| {
            // Whoever wrote the same bytes again has changed nothing. What differs is in the way below, by name.
            let _ = self
                .call(&["update-index", "-q", "--refresh"])
                .env("GIT_INDEX_FILE", index)
                .env("GIT_WORK_TREE", self.workspace())
                .folder(self.workspace())
                .run();
            if let Err(error) = self.switch(from, to, self.workspace(), index) {
                return Err(self.taken_back(&changes, index, error));
            }
            let bytes = fs::read(index).map_err(at("read", index))?;
            let written = fs::File::options().write(true).open(&lock).and_then(|mut file| {
                file.write_all(&bytes)?;
                file.sync_all()
            });
            let written = written.and_then(|()| fs::rename(&lock, &of_person));
            written.map_err(at("write", &of_person)).map_err(|error| {
                // The index as it is, of which the tree is still the person's.
                match self.copy_index(index) {
                    Ok(()) => self.taken_back(&changes, index, error),
                    Err(_) => error,
                }
            })
        });
        moved.inspect_err(|_| {
            if let Err(error) = fs::remove_file(&lock) {
                tracing::warn!(%error, lock = %lock.display(), "a lock is left");
            }
        })
    }

    /// Git itself takes what it ignores for nothing, and writes over it.
    fn check_nothing_in_the_way(&self, changes: &[Changed]) -> Result<(), GitError> {
        let known: HashSet<&Path> =
            changes.iter().filter(|changed| changed.from.is_some()).map(|changed| &*changed.path).collect();
        for changed in changes.iter().filter(|changed| changed.from.is_none()) {
            let is_in_the_way = |path: &&Path| match fs::symlink_metadata(self.workspace().join(path)) {
                Ok(found) => *path == changed.path || (!found.is_dir() && !known.contains(path)),
                Err(_) => false,
            };
            let above = changed.path.ancestors().filter(|path| !path.as_os_str().is_empty());
            if let Some(path) = above.into_iter().find(is_in_the_way) {
                let said = format!("`{}` of your tree is in the way", path.to_string_lossy().escape_debug());
                return Err(GitError::Failed { verb: "read-tree".to_owned(), said });
            }
        }
        Ok(())
    }

    /// Takes back what was done of these changes before that error; `index` is the person's. Gives the error, with what is left.
    fn taken_back(&self, changes: &[Changed], index: &Path, error: GitError) -> GitError {
        let Err(left) = self.take_back(changes, index) else { return error };
        let said = format!(
            "{error}; your tree could not be taken back to what it was either ({left}): `git status` shows what differs, \
             `git reset --hard` takes it back once there is room"
        );
        GitError::Failed { verb: "read-tree".to_owned(), said }
    }

    /// What was there before is the index's, what was not is in nobody's way: it was looked at.
    fn take_back(&self, changes: &[Changed], index: &Path) -> Result<(), GitError> {
        let mut before = Vec::new();
        // What is new goes first: it may be what the disk has no room for.
        for Changed { path, from, .. } in changes {
            if from.is_some() {
                before.extend_from_slice(path.as_os_str().as_bytes());
                before.push(0);
                continue;
            }
            let whole = self.workspace().join(path);
            match fs::remove_file(&whole) {
                Ok(()) => {}
                // Not there yet, or what was there before still is.
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory
                    ) => {}
                Err(source) => return Err(GitError::Io { what: "remove", path: whole, source }),
            }
            // Folders that hold nothing are none to git; whatever holds something stays.
            let above = path.ancestors().skip(1).filter(|path| !path.as_os_str().is_empty());
            let _ = above.map(|path| fs::remove_dir(self.workspace().join(path))).find(Result::is_err);
        }
        if before.is_empty() {
            return Ok(());
        }
        let args = ["checkout-index", "--force", "--quiet", "-z", "--stdin"];
        let call = self.call(&args).env("GIT_INDEX_FILE", index).env("GIT_WORK_TREE", self.workspace());
        call.folder(self.workspace()).input(&before).run().map(drop)
    }
}
