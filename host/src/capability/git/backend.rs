//! What stands behind `orch:git`: a repository that is opened when it is first asked for.
//!
//! In -> out: a workspace, the host's folder for it, or a run's branch -> [`Opened`].
//! Not here: what may be seen of it (`git.rs`), git itself (`crate::git`).

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use crate::capability::environment::HostEnvironment;
use crate::git::{GitError, Head, Oid, Repository};

/// A repository, and what the call's head is if it is not the checkout's.
#[derive(Clone)]
pub struct Opened {
    pub repository: Arc<Repository>,
    pub head: Option<Head>,
}

/// Gives the repository, or says why there is none. May take as long as a few small programs.
pub trait Repositories: Send + Sync {
    /// # Errors
    /// Whatever refuses it.
    fn open(&self) -> Result<Opened, GitError>;
}

/// The repository of a workspace.
pub struct OfWorkspace {
    workspace: Arc<PathBuf>,
    /// The host's.
    folder: PathBuf,
    opened: OnceLock<Arc<Repository>>,
}

impl OfWorkspace {
    pub fn new(workspace: Arc<PathBuf>, folder: PathBuf) -> Self {
        Self { workspace, folder, opened: OnceLock::new() }
    }
}

impl Repositories for OfWorkspace {
    fn open(&self) -> Result<Opened, GitError> {
        if let Some(repository) = self.opened.get() {
            return Ok(Opened { repository: repository.clone(), head: None });
        }
        let path = HostEnvironment::of_this_process().folders();
        let repository = Arc::new(Repository::open(&self.workspace, &self.folder, path)?);
        Ok(Opened { repository: self.opened.get_or_init(|| repository).clone(), head: None })
    }
}

/// The same at the newest commit of a run's branch.
pub struct OfBranch {
    repository: Arc<Repository>,
    head: Head,
}

impl OfBranch {
    /// `branch`: its whole name.
    pub fn new(repository: Arc<Repository>, branch: String, commit: Oid) -> Self {
        Self { repository, head: Head { branch: Some(branch), commit } }
    }
}

impl Repositories for OfBranch {
    fn open(&self) -> Result<Opened, GitError> {
        Ok(Opened { repository: self.repository.clone(), head: Some(self.head.clone()) })
    }
}

/// No repository: of a trial, and of whoever is called outside of a run.
pub struct NoRepository;

impl Repositories for NoRepository {
    fn open(&self) -> Result<Opened, GitError> {
        Err(GitError::NoRepository { workspace: PathBuf::from(".") })
    }
}
