//! `orch:git`: the repository that the workspace is a checkout of, to be read.
//!
//! In -> out: WIT calls -> [`Repositories`] -> the host's own git.
//! Limits: 1000 branches or changes, 100 commits at once, messages of 16 KiB; 1 MiB of a file or a patch, files of 64 MiB; 1000
//! questions a call.
//! Invariant: nothing is written; of paths that no glob of the grant covers neither names nor contents are seen; a name that
//! the plugin says is a commit's digits or a branch, and no other word of git's.
//! Not here: git itself (`crate::git`), what differs between texts (`diff.rs`).

pub mod backend;

use std::sync::Arc;

use orch_trust::interfaces::Import;
use orch_trust::permission::{FilesPermission, GitPermission};
use wasmtime::component::Linker;

use super::environment::HostEnvironment;
use super::files::beneath::WorkspacePath;
use super::files::{FilesGrant, Protected, aside};
use super::shape::{Capability, HasView, Holds, Kept, Opening, View};
use super::trial::Watched;
use crate::bindings::git::git::{Branch, Changed, Checkout, Commit, Host, How, add_to_linker};
use crate::bindings::types::types::Error;
use crate::git::{self, GitError, Oid};
use backend::{Opened, Repositories};

const BRANCHES_MAX: usize = 1000;
const CHANGES_MAX: usize = 1000;
const COMMITS_MAX: u32 = 100;
const MESSAGE_BYTES_MAX: usize = 16 << 10;
const PART_BYTES_MAX: usize = 1 << 20;
const FILE_BYTES_MAX: usize = 64 << 20;
const NAME_BYTES_MAX: usize = 255;
/// Each starts programs.
const QUESTIONS_MAX: u32 = 1000;
const BRANCHES: &str = "refs/heads/";

/// State of this capability in one store.
pub struct Git {
    granted: Arc<FilesGrant>,
    protected: Arc<Protected>,
    repositories: Arc<dyn Repositories>,
    questions: u32,
}

/// Why there is no answer.
#[derive(Debug)]
enum NoAnswer {
    Git(GitError),
    Told(Error),
}

impl From<GitError> for NoAnswer {
    fn from(error: GitError) -> Self {
        Self::Git(error)
    }
}

impl From<std::io::Error> for NoAnswer {
    fn from(source: std::io::Error) -> Self {
        Self::Git(GitError::Io { what: "ask", path: "git".into(), source })
    }
}

impl Capability for Git {
    type Permission = GitPermission;
    type Granted = Arc<FilesGrant>;

    fn grant(permission: GitPermission, _host: &HostEnvironment) -> Arc<FilesGrant> {
        Arc::new(FilesGrant::new(&FilesPermission { read: permission.read, write: Vec::new() }))
    }

    fn open(granted: &Arc<FilesGrant>, opening: Opening<'_>) -> Self {
        let (protected, repositories) = (opening.lent.protected.clone(), opening.lent.git.clone());
        Self { granted: granted.clone(), protected, repositories, questions: 0 }
    }

    fn link<S: Holds<Self>>(linker: &mut Linker<S>, _import: Import<'_>) -> wasmtime::Result<()> {
        add_to_linker::<_, HasView<Self>>(linker, S::view)
    }

    fn keep(self, _kept: &mut Kept) {}

    /// A trial has no repository, so nothing of one is seen.
    fn beyond(_granted: Option<&GitPermission>, _watched: &Watched<'_>) -> Vec<String> {
        Vec::new()
    }
}

/// The commit of that name; digits, or a branch.
fn commit_of(opened: &Opened, name: &str) -> Result<Oid, NoAnswer> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
    let is_branch = !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && name.bytes().all(is_plain)
        && !name.starts_with(['-', '/', '.'])
        && !name.contains("..");
    let wanted = match Oid::parse(name) {
        Some(oid) => oid.to_string(),
        None if is_branch => format!("{BRANCHES}{name}"),
        None => {
            let expected = "expected the digits of a commit, or a branch by its name";
            return Err(NoAnswer::Told(Error::Invalid(format!("no name of a commit, {expected}"))));
        }
    };
    opened.repository.resolve(&wanted)?.ok_or(NoAnswer::Told(Error::NotFound))
}

fn short(branch: &str) -> String {
    branch.strip_prefix(BRANCHES).unwrap_or(branch).to_owned()
}

fn shown(commit: git::Commit) -> Commit {
    let git::Commit { id, parents, author, at, mut message } = commit;
    message.truncate(message.floor_char_boundary(MESSAGE_BYTES_MAX));
    let parents = parents.iter().map(Oid::to_string).collect();
    Commit { id: id.to_string(), parents, author, at, message }
}

impl View<'_, Git> {
    /// Asks beside the guests; says why there is no answer.
    async fn ask<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&Opened) -> Result<T, NoAnswer> + Send + 'static,
    ) -> Result<T, Error> {
        self.ledger.forget_reason();
        if self.state.questions >= QUESTIONS_MAX {
            return Err(Error::Limit(format!("{QUESTIONS_MAX} questions about the repository in one call")));
        }
        self.state.questions += 1;
        let repositories = self.state.repositories.clone();
        let answer = aside(move || work(&repositories.open()?)).await;
        answer.map_err(|error| match error {
            NoAnswer::Told(told) => told,
            NoAnswer::Git(error) => {
                let told = match error {
                    GitError::NoRepository { .. } | GitError::NoCommit { .. } | GitError::Bare { .. } => {
                        Error::NotFound
                    }
                    _ => Error::Unavailable,
                };
                self.ledger.refuse(told, format!("git: {error}"))
            }
        })
    }

    fn seen_path(&mut self, text: &str) -> Result<String, Error> {
        let path = WorkspacePath::parse(text).map_err(Error::Invalid)?;
        match self.state.granted.may_read(&path, &self.state.protected) {
            true => Ok(path.as_str().to_owned()),
            false => Err(self.ledger.deny("git", format!("read `{}`", path.as_str()))),
        }
    }

    async fn changed(
        &mut self,
        old: String,
        new: String,
        after: Option<String>,
    ) -> Result<Vec<Changed>, Error> {
        let (granted, protected) = (self.state.granted.clone(), self.state.protected.clone());
        self.ask(move |opened| {
            let (old, new) = (commit_of(opened, &old)?, commit_of(opened, &new)?);
            let after = after.unwrap_or_default();
            // What is no text no plugin could name.
            let seen = |changed: git::Changed| {
                let path = WorkspacePath::parse(changed.path.to_str()?).ok()?;
                let is_next = path.as_str() > after.as_str() && granted.may_read(&path, &protected);
                let how = match (&changed.from, &changed.to) {
                    (None, _) => How::Added,
                    (_, None) => How::Removed,
                    _ => How::Changed,
                };
                is_next.then(|| Changed { path: path.as_str().to_owned(), how })
            };
            let mut found: Vec<_> =
                opened.repository.changes(&old, &new)?.into_iter().filter_map(seen).collect();
            found.sort_by(|one, other| one.path.cmp(&other.path));
            found.truncate(CHANGES_MAX);
            Ok(found)
        })
        .await
    }

    async fn patch(&mut self, old: String, new: String, path: String) -> Result<String, Error> {
        let path = self.seen_path(&path)?;
        self.ask(move |opened| {
            let (old, new) = (commit_of(opened, &old)?, commit_of(opened, &new)?);
            match opened.repository.patch_of(&old, &new, &path, PART_BYTES_MAX)? {
                (patch, true) => Ok(String::from_utf8_lossy(&patch).into_owned()),
                (_, false) => Err(NoAnswer::Told(Error::Limit(format!("a patch of {PART_BYTES_MAX} bytes")))),
            }
        })
        .await
    }

    async fn part(&mut self, commit: String, path: String, offset: u64) -> Result<Vec<u8>, Error> {
        let path = self.seen_path(&path)?;
        self.ask(move |opened| {
            let commit = commit_of(opened, &commit)?;
            let found = opened.repository.file_of(&commit, &path, FILE_BYTES_MAX)?;
            let (bytes, is_whole) = found.ok_or(NoAnswer::Told(Error::NotFound))?;
            if !is_whole {
                return Err(NoAnswer::Told(Error::Limit(format!("a file of {FILE_BYTES_MAX} bytes"))));
            }
            let begin = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
            let end = begin.saturating_add(PART_BYTES_MAX).min(bytes.len());
            Ok(bytes.get(begin..end).unwrap_or_default().to_vec())
        })
        .await
    }
}

impl Host for View<'_, Git> {
    async fn head(&mut self) -> wasmtime::Result<Result<Checkout, Error>> {
        Ok(self
            .ask(|opened| {
                let head = match &opened.head {
                    Some(head) => head.clone(),
                    None => opened.repository.head()?,
                };
                Ok(Checkout { commit: head.commit.to_string(), branch: head.branch.as_deref().map(short) })
            })
            .await)
    }

    async fn branches(&mut self, after: Option<String>) -> wasmtime::Result<Result<Vec<Branch>, Error>> {
        Ok(self
            .ask(move |opened| {
                let found = opened.repository.refs_below(BRANCHES)?;
                let branch =
                    |(name, commit): (String, Oid)| Branch { name: short(&name), commit: commit.to_string() };
                let after = after.unwrap_or_default();
                let mut branches: Vec<_> =
                    found.into_iter().map(branch).filter(|branch| branch.name > after).collect();
                branches.sort_by(|one, other| one.name.cmp(&other.name));
                branches.truncate(BRANCHES_MAX);
                Ok(branches)
            })
            .await)
    }

    async fn log(
        &mut self,
        start: String,
        skip: u32,
        count: u32,
    ) -> wasmtime::Result<Result<Vec<Commit>, Error>> {
        Ok(self
            .ask(move |opened| {
                let start = commit_of(opened, &start)?;
                let commits = opened.repository.log(&start, skip, count.min(COMMITS_MAX))?;
                Ok(commits.into_iter().map(shown).collect())
            })
            .await)
    }

    async fn changes(
        &mut self,
        old: String,
        new: String,
        after: Option<String>,
    ) -> wasmtime::Result<Result<Vec<Changed>, Error>> {
        Ok(self.changed(old, new, after).await)
    }

    async fn diff(
        &mut self,
        old: String,
        new: String,
        path: String,
    ) -> wasmtime::Result<Result<String, Error>> {
        Ok(self.patch(old, new, path).await)
    }

    async fn show(
        &mut self,
        commit: String,
        path: String,
        offset: u64,
    ) -> wasmtime::Result<Result<Vec<u8>, Error>> {
        Ok(self.part(commit, path, offset).await)
    }
}

#[cfg(test)]
mod tests;
