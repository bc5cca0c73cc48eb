//! How each error of the host's parts ends the program.
//!
//! In -> out: an error -> [`Fault`] with its exit, its stable code and its hint.
//! Invariant: the exit is decided by the error's variant alone.
//! Not here: the numbers of the exits (`exit.rs`), codes and hints themselves (beside each error).

use std::io::ErrorKind;

use orch_journal::{JournalError, StoreError};

use crate::config::operator::OperatorError;
use crate::config::workspace::WorkspaceError;
use crate::drive::error::{DriveError, journal_hint, store_hint};
use crate::engine::CallError;
use crate::exit::{Exit, Fault};
use crate::git::GitError;
use crate::package::PackageError;
use crate::plugins::PluginsError;
use crate::sources::SourceError;
use crate::told::ToldError;

impl From<OperatorError> for Fault {
    fn from(error: OperatorError) -> Self {
        let exit = match &error {
            // Its bytes are no text: the file is wrong, not the disk.
            OperatorError::Io { source, .. } if source.kind() == ErrorKind::InvalidData => Exit::Usage,
            OperatorError::Io { .. }
            | OperatorError::NoRandom
            | OperatorError::Journal { .. }
            | OperatorError::NotRecorded { .. }
            | OperatorError::JournalDamaged { .. } => Exit::HostError,
            _ => Exit::Usage,
        };
        Self::new(exit, error.code(), error.hint(), error)
    }
}

impl From<WorkspaceError> for Fault {
    fn from(error: WorkspaceError) -> Self {
        Self::new(Exit::Usage, error.code(), error.hint(), error)
    }
}

impl From<PackageError> for Fault {
    fn from(error: PackageError) -> Self {
        let exit = match &error {
            // No package was refused: there is none.
            PackageError::Io { .. } | PackageError::Project { .. } => Exit::Usage,
            _ => Exit::PluginRefused,
        };
        Self::new(exit, error.code(), error.hint(), error)
    }
}

impl From<SourceError> for Fault {
    fn from(error: SourceError) -> Self {
        let exit = match &error {
            // No package was refused: there is none.
            SourceError::Package(PackageError::Io { .. } | PackageError::Project { .. }) => Exit::Usage,
            SourceError::Package(_) => Exit::PluginRefused,
            error if error.is_of_the_way() => Exit::HostError,
            error if error.is_of_the_bytes() => Exit::PluginRefused,
            _ => Exit::Usage,
        };
        Self::new(exit, error.code(), error.hint(), error)
    }
}

fn store_exit(error: &StoreError) -> Exit {
    match error {
        StoreError::Held { .. } => Exit::StoreHeld,
        StoreError::Io { .. } | StoreError::Sqlite(_) => Exit::HostError,
        StoreError::Broken { .. }
        | StoreError::Truncated { .. }
        | StoreError::Rewritten { .. }
        | StoreError::HeadForged { .. } => Exit::HostError,
        _ => Exit::Usage,
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        let exit = store_exit(&error);
        let hint = match &error {
            StoreError::Sqlite(_) => Some(store_hint(&error)),
            _ => error.hint(),
        };
        Self::new(exit, error.code(), hint, error)
    }
}

impl From<JournalError> for Fault {
    fn from(error: JournalError) -> Self {
        Self::new(Exit::HostError, error.code(), Some(journal_hint(&error)), error)
    }
}

impl From<PluginsError> for Fault {
    fn from(error: PluginsError) -> Self {
        let exit = match &error {
            PluginsError::Refused { source, .. } if is_approval(source.code()) => Exit::NeedsDecision,
            PluginsError::Refused { .. } => Exit::PluginRefused,
            PluginsError::Compile(_) | PluginsError::ProviderNotAllowed { .. } => Exit::PluginRefused,
            PluginsError::Engine(_) => Exit::HostError,
            PluginsError::Link(_) => Exit::PluginFailed,
            _ => Exit::Usage,
        };
        let lines = match &error {
            PluginsError::Refused { source, .. } => match &**source {
                PackageError::Refused(refusal) => refusal.lines().map(str::to_owned),
                _ => None,
            },
            _ => None,
        };
        Self::new(exit, error.code(), error.hint(), error).with_lines(lines.as_deref())
    }
}

/// True for refusals that a person's yes would lift.
pub fn is_approval(code: &str) -> bool {
    matches!(code, "approval-missing" | "approval-exceeded")
}

impl From<DriveError> for Fault {
    fn from(error: DriveError) -> Self {
        let exit = match &error {
            error if error.is_withdrawal() => Exit::PluginRefused,
            DriveError::Plugin { source: CallError::Machine { .. }, .. } => Exit::HostError,
            DriveError::Plugin { .. }
            | DriveError::PlannerAnswer { .. }
            | DriveError::PlannerStalled { .. }
            | DriveError::AskedTask { .. } => Exit::PluginFailed,
            DriveError::TaskFile { .. }
            | DriveError::TaskFilePatch { .. }
            | DriveError::TaskFileMerge { .. }
            | DriveError::TaskFileBusy { .. }
            | DriveError::TaskFileCut { .. }
            | DriveError::Choice(_)
            | DriveError::NoExecutor { .. }
            | DriveError::TaskTree { .. }
            | DriveError::TaskKey { .. }
            | DriveError::TaskSetting { .. }
            | DriveError::NoCheck { .. }
            | DriveError::NoVerifier { .. } => Exit::Usage,
            DriveError::Told(error) => told_exit(error),
            DriveError::Git(error) => git_exit(error),
            DriveError::Store(error) => store_exit(error),
            DriveError::Interrupted => Exit::Interrupted,
            DriveError::Journal(_)
            | DriveError::Replay(_)
            | DriveError::Io { .. }
            | DriveError::StoreGone { .. }
            | DriveError::ProgramGone { .. }
            | DriveError::Lost { .. } => Exit::HostError,
        };
        let lines = match &error {
            DriveError::Told(error) => error.lines().map(str::to_owned),
            _ => None,
        };
        Self::new(exit, error.code(), error.hint(), error).with_lines(lines.as_deref())
    }
}

impl From<GitError> for Fault {
    fn from(error: GitError) -> Self {
        DriveError::Git(error).into()
    }
}

fn git_exit(error: &GitError) -> Exit {
    match error {
        GitError::BranchMoved { .. } => Exit::NeedsDecision,
        GitError::Failed { .. } | GitError::Io { .. } | GitError::Locked { .. } => Exit::HostError,
        _ => Exit::Usage,
    }
}

impl From<ToldError> for Fault {
    fn from(error: ToldError) -> Self {
        DriveError::Told(Box::new(error)).into()
    }
}

/// What a policy could grant is refused as what a plugin asks for is; the rest is the file's.
fn told_exit(error: &ToldError) -> Exit {
    match error {
        ToldError::Program { .. } | ToldError::Variable { .. } => Exit::PluginRefused,
        ToldError::Unused { .. } | ToldError::Directory { .. } => Exit::Usage,
    }
}
