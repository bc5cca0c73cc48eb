//! Why a repository cannot be used, or git did not do what was asked.
//!
//! Not here: how it ends the program (`place/faults.rs`).

use std::path::PathBuf;

use super::program::VERSION_MIN;

/// So many names of files are said.
const NAMED_MAX: usize = 5;

/// Why there is no answer of git. Variants are in the order in which a run meets them.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    #[error("no folder of `PATH` has a program `git`")]
    Missing,
    #[error("`{program}` is version {found}, expected at least {}.{}", VERSION_MIN.0, VERSION_MIN.1)]
    TooOld { program: PathBuf, found: String },
    #[error("`{workspace}` is not the top of a git repository")]
    NoRepository { workspace: PathBuf },
    #[error("the repository at `{repository}` is bare")]
    Bare { repository: PathBuf },
    #[error("the repository at `{repository}` {what}")]
    Unfit { repository: PathBuf, what: String },
    #[error("the repository at `{repository}` has no commit yet")]
    NoCommit { repository: PathBuf },
    #[error("{}", uncommitted(paths))]
    Uncommitted { paths: Vec<String> },
    #[error("branch `{branch}` is at {found}, expected at {expected}")]
    BranchMoved { branch: String, expected: String, found: String },
    #[error("another git is at work in the repository, or one left `{lock}`")]
    Locked { lock: PathBuf },
    #[error("`git {verb}` failed: {said}")]
    Failed { verb: String, said: String },
    #[error("cannot {what} `{path}`")]
    Io {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

impl GitError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "git-missing",
            Self::TooOld { .. } => "git-too-old",
            Self::NoRepository { .. } => "git-no-repository",
            Self::Bare { .. } => "git-bare",
            Self::Unfit { .. } => "git-unfit",
            Self::NoCommit { .. } => "git-no-commit",
            Self::Uncommitted { .. } => "git-uncommitted",
            Self::BranchMoved { .. } => "branch-moved",
            Self::Locked { .. } => "git-locked",
            Self::Failed { .. } => "git-failed",
            Self::Io { .. } => "git-io",
        }
    }

    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Missing => "install git; with `isolation: none` in `config.yaml` no run needs it",
            Self::TooOld { .. } => "install a newer git",
            Self::NoRepository { .. } => {
                "`git init` and a first commit make it one; with `isolation: none` in `config.yaml` tasks edit the workspace itself"
            }
            Self::Bare { .. } => "a run edits a checkout: clone the repository and run there",
            Self::Unfit { .. } => {
                "make a plain clone and run there; with `isolation: none` in `config.yaml` tasks edit the workspace itself"
            }
            Self::NoCommit { .. } => "commit what is there: it is what the run begins with",
            Self::Uncommitted { .. } => {
                "commit or stash it, or have git ignore it; `orch-host run --base-dirty` begins with it as it is"
            }
            Self::BranchMoved { branch, expected, .. } => {
                return Some(format!(
                    "nobody but the host moves it: `git branch -f {branch} {expected}` puts it back; keep what was added \
                     under another name before"
                ));
            }
            Self::Locked { .. } => "wait until it is done; if no git runs, remove that file and say it again",
            Self::Failed { .. } | Self::Io { .. } => {
                "look for a full disk, or a repository that `git fsck` finds damaged"
            }
        };
        Some(hint.to_owned())
    }
}

fn uncommitted(paths: &[String]) -> String {
    let named: Vec<String> =
        paths.iter().take(NAMED_MAX).map(|path| format!("`{}`", path.escape_debug())).collect();
    let more = match paths.len().saturating_sub(named.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("there are changes that are not committed: {}{more}", named.join(", "))
}
