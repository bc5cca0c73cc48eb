//! The branch of a run whose attempts work in trees of their own.
//!
//! In -> out: workspace, rules, what the journal knows -> [`Branch`], a tree for each call that asks for one.
//! Invariant: a run that began on a branch stays on it; what is not committed is named and refuses, unless it is asked for.
//! Not here: when an attempt's edits come onto it (`keep.rs`), trees themselves (`worktrees.rs`).

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use orch_journal::RunState;
use orch_journal::event::RunBased;

use crate::capability::HostEnvironment;
use crate::capability::files::{Protected, is_protected};
use crate::clock::now_ms;
use crate::git::{GitError, Oid, Repository, Signed};
use crate::worktrees::{Edit, StateFolder, Worktree, Worktrees, edit_of};

/// What is said where commands see the machine as it is.
pub const NOT_HELD: &str =
    "commands work in a tree of their own and could write elsewhere: without a sandbox nothing holds them";

/// Where a run's edits go.
pub struct Branch {
    based: RunBased,
    worktrees: Worktrees,
    protected: Arc<Protected>,
    tip: Tip,
}

/// A checkout of the newest commit, which only the host reads.
struct Tip {
    folder: PathBuf,
    index: PathBuf,
    at: Mutex<Option<Oid>>,
}

/// What a run may begin with.
#[derive(Clone, Debug, Default)]
pub struct Beginning {
    /// Edits of attempts go to a branch.
    pub isolated: bool,
    /// With what is not committed.
    pub dirty: bool,
    /// At that commit, whatever the person's tree is at.
    pub at: Option<Oid>,
}

impl Branch {
    /// The branch of that run; none if its attempts work in the workspace. Whatever a host left that ended is removed.
    ///
    /// # Errors
    /// Whatever refuses the repository; `Uncommitted`.
    pub fn of_run(
        run: &str,
        state: &RunState,
        beginning: Beginning,
        workspace: &Path,
        folder: &StateFolder,
        protected: Arc<Protected>,
        is_mounted: bool,
    ) -> Result<Option<Arc<Self>>, GitError> {
        let at = |source| GitError::Io { what: "remove", path: folder.path().to_owned(), source };
        let cleared = folder.clear().map_err(at);
        let known = state.edits.as_ref().map(|edits| edits.based.clone());
        if known.is_none() && (state.started.is_some() || !beginning.isolated) {
            // This run needs nothing of it.
            if let Err(error) = cleared {
                tracing::warn!(%error, "what an earlier host left of its trees is still there");
            }
            return Ok(None);
        }
        cleared?;
        let repository = open(workspace, folder)?;
        let based = match known {
            Some(based) => based,
            None => base(&repository, run, folder, &protected, &beginning)?,
        };
        let trees = folder.path().join("trees");
        let tip =
            Tip { folder: trees.join("tip/tree"), index: trees.join("tip/index"), at: Mutex::default() };
        let worktrees = Worktrees::new(Arc::new(repository), folder, is_mounted);
        Ok(Some(Arc::new(Self { based, worktrees, protected, tip })))
    }

    pub fn based(&self) -> &RunBased {
        &self.based
    }

    pub fn repository(&self) -> &Repository {
        self.worktrees.repository()
    }

    /// To be lent.
    pub fn shared_repository(&self) -> Arc<Repository> {
        self.worktrees.repository().clone()
    }

    pub fn protected(&self) -> &Protected {
        &self.protected
    }

    /// A place for a tree.
    pub fn reserve(&self) -> Worktree {
        self.worktrees.reserve()
    }

    /// Checks out a commit there.
    ///
    /// # Errors
    /// `Failed`, `Io`.
    pub fn make(&self, worktree: &mut Worktree, commit: &Oid) -> Result<(), GitError> {
        self.worktrees.make(worktree, commit)
    }

    /// Removes what calls left of their trees; nobody works in one.
    pub fn put_away(&self) {
        self.worktrees.clear();
    }

    /// Where the newest commit is checked out.
    pub fn tip_folder(&self) -> PathBuf {
        self.tip.folder.clone()
    }

    /// Takes that checkout to a commit.
    ///
    /// # Errors
    /// `Failed`, `Io`.
    pub fn show_tip(&self, commit: &Oid) -> Result<(), GitError> {
        let mut at = self.tip.at.lock().unwrap_or_else(PoisonError::into_inner);
        let (folder, index) = (&self.tip.folder, &self.tip.index);
        match &*at {
            Some(before) if before == commit => {}
            Some(before) => self.repository().switch_throwaway(before, commit, folder, index)?,
            None => {
                let made = std::fs::create_dir_all(folder);
                made.map_err(|source| GitError::Io { what: "make", path: folder.clone(), source })?;
                self.repository().check_out(commit, folder, index)?;
            }
        }
        *at = Some(commit.clone());
        Ok(())
    }
}

/// A workspace's repository, on the host's folder for it.
///
/// # Errors
/// Whatever refuses it.
pub fn open(workspace: &Path, folder: &StateFolder) -> Result<Repository, GitError> {
    Repository::open(workspace, &folder.git(), HostEnvironment::of_this_process().folders())
}

/// Name of a run's branch.
pub fn name_of(run: &str) -> String {
    format!("refs/heads/orch/{run}")
}

/// What is not committed of the person's tree, but for what is never an attempt's.
///
/// # Errors
/// `Unfit`, `Failed`, `Io`.
pub fn uncommitted(
    repository: &Repository,
    folder: &StateFolder,
    protected: &Protected,
) -> Result<Vec<PathBuf>, GitError> {
    let found = repository.uncommitted(&folder.git().join("index.look"))?;
    let is_peoples = |path: &PathBuf| !is_protected(path.to_string_lossy().trim_end_matches('/'), protected);
    Ok(found.into_iter().filter(is_peoples).collect())
}

/// Where a run begins.
fn base(
    repository: &Repository,
    run: &str,
    folder: &StateFolder,
    protected: &Protected,
    beginning: &Beginning,
) -> Result<RunBased, GitError> {
    let (head, branch) = (repository.head()?, name_of(run));
    if let Some(base) = &beginning.at {
        repository.tree_of(base)?;
        return Ok(RunBased { branch, base: base.to_string(), head: None, dirty: false, at: now_ms() });
    }
    let paths = uncommitted(repository, folder, protected)?;
    let is_dirty = !paths.is_empty();
    let base = match (is_dirty, beginning.dirty) {
        (false, _) => head.commit.clone(),
        (true, false) => {
            let paths = paths.iter().map(|path| path.to_string_lossy().into_owned()).collect();
            return Err(GitError::Uncommitted { paths });
        }
        (true, true) => {
            let edits = paths.iter().map(|path| uncommitted_edit(repository, path));
            let edits = edits.collect::<Result<Vec<Edit>, _>>()?;
            let tree = repository.tree_with(&head.commit, &edits, &folder.git().join("index.base"))?;
            let message = format!("What was not committed when run {run} began\n\nOrch-Run: {run}\n");
            repository.commit(&tree, &[&head.commit], &message, &Signed::by_host(now_ms()))?
        }
    };
    Ok(RunBased { branch, base: base.to_string(), head: head.branch, dirty: is_dirty, at: now_ms() })
}

/// One path of the person's tree as it is.
fn uncommitted_edit(repository: &Repository, path: &Path) -> Result<Edit, GitError> {
    if path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        let what = format!("has another one in it, at `{}`", path.to_string_lossy().escape_debug());
        return Err(GitError::Unfit { repository: repository.workspace().to_owned(), what });
    }
    edit_of(repository, repository.workspace(), path)
}
