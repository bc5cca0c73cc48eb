//! Why a run could not go on.
//!
//! In -> out: faults of plugins, of the store, of `tasks.yml` -> [`DriveError`], grouped by whose fault it is.
//! Not here: a task that failed or is in doubt: that is a result, not an error (`finish.rs`).

use orch_journal::state::ReplayError;
use orch_journal::{JournalError, StoreError};
use orch_task::TaskFileError;
use orch_task::{GraphError, PatchError};

use super::choice::ChoiceError;
use crate::engine::CallError;
use crate::exit::way_out;
use crate::git::GitError;
use crate::told::ToldError;

/// Why a run could not go on.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// A plugin's fault.
    #[error("plugin `{plugin}` failed in `{call}`")]
    Plugin {
        plugin: String,
        call: &'static str,
        #[source]
        source: CallError,
    },
    #[error("planner `{plugin}` answered {found}, expected {expected}")]
    PlannerAnswer { plugin: String, found: String, expected: &'static str },
    #[error("planner `{plugin}` waits and nothing runs: {ready} tasks are ready")]
    PlannerStalled { plugin: String, ready: usize },
    #[error("plugin `{plugin}` asked for task `{task}`: {why}")]
    AskedTask { plugin: String, task: String, why: String },
    /// Input's fault.
    #[error("`{file}` is not a usable task file")]
    TaskFile {
        file: String,
        #[source]
        source: Box<TaskFileError>,
    },
    #[error("`{file}` cannot be written back")]
    TaskFilePatch {
        file: String,
        #[source]
        source: PatchError,
    },
    #[error("edits of `{file}` do not fit to the run")]
    TaskFileMerge {
        file: String,
        #[source]
        source: GraphError,
    },
    #[error("`{file}` looks cut off: task `{task}`, its last, is not what it was, and what followed is gone")]
    TaskFileCut { file: String, task: String },
    #[error("`{file}` was edited again each time that it was to be written; the run is not closed")]
    TaskFileBusy { file: String },
    #[error("no plugin executes kind `{kind}` of task `{task}`")]
    NoExecutor { kind: String, task: String },
    #[error(
        "`{executor}`, which executes task `{task}`, works in your own tree, and edits of this run go to a branch"
    )]
    TaskTree { task: String, executor: String },
    #[error("task `{task}` has the key `{key}`, which neither the host nor `{executor}` reads{instead}")]
    TaskKey { task: String, key: String, executor: String, instead: String },
    #[error("`{key}` of task `{task}` is not as `{executor}` reads it: {what}")]
    TaskSetting { task: String, key: String, executor: String, what: String },
    #[error("task `{task}` names verifier `{verifier}`, which is not bound in `config.yaml`")]
    NoVerifier { task: String, verifier: String },
    #[error("the run cannot be asked for that")]
    Choice(#[from] ChoiceError),
    #[error("task `{task}` cannot be verified by `{verifier}`: {why}")]
    NoCheck { task: String, verifier: String, why: String },
    #[error(transparent)]
    Told(Box<ToldError>),
    /// The host's fault.
    #[error("the journal could not be written")]
    Journal(#[from] JournalError),
    #[error("what is known of earlier runs cannot be read")]
    Store(#[from] StoreError),
    #[error("the journal contradicts itself")]
    Replay(#[from] ReplayError),
    #[error("cannot {what} `{path}`")]
    Io {
        what: &'static str,
        path: String,
        #[source]
        source: std::io::Error,
    },
    /// The repository's, or whoever moved the run's branch.
    #[error(transparent)]
    Git(#[from] GitError),
    #[error("the store's file `{path}` {how}: what this run did since is recorded nowhere")]
    StoreGone { path: String, how: &'static str },
    #[error("the host's own program `{path}` {how}: nothing more is started")]
    ProgramGone { path: String, how: &'static str },
    /// Nobody's fault: a person ended what runs. The loop takes it as its end.
    #[error("the run was interrupted")]
    Interrupted,
    #[error("a task of the host itself ended without an answer: {what}")]
    Lost { what: &'static str },
}

impl DriveError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Plugin { source, .. } => source.code(),
            Self::PlannerAnswer { .. } => "planner-answer",
            Self::PlannerStalled { .. } => "planner-stalled",
            Self::AskedTask { .. } => "asked-task",
            Self::TaskFile { source, .. } => source.code(),
            Self::TaskFilePatch { source, .. } => source.code(),
            Self::TaskFileMerge { source, .. } => source.code(),
            Self::TaskFileCut { .. } => "task-file-cut",
            Self::TaskFileBusy { .. } => "task-file-busy",
            Self::NoExecutor { .. } => "no-executor",
            Self::TaskTree { .. } => "task-tree",
            Self::TaskKey { .. } => "task-unknown-key",
            Self::TaskSetting { .. } => "task-settings",
            Self::NoVerifier { .. } => "no-verifier",
            Self::Choice(source) => source.code(),
            Self::NoCheck { .. } => "no-check",
            Self::Told(error) => error.code(),
            Self::Journal(_) => "journal",
            Self::Store(error) => error.code(),
            Self::Replay(_) => "journal-contradiction",
            Self::Io { .. } => "io",
            Self::Git(error) => error.code(),
            Self::StoreGone { .. } => "store-gone",
            Self::ProgramGone { .. } => "program-gone",
            Self::Interrupted => "interrupted",
            Self::Lost { .. } => "host-lost-task",
        }
    }

    /// True if a plugin was not called because the trust in it ended while the run went on.
    pub fn is_withdrawal(&self) -> bool {
        matches!(self, Self::Plugin { source: CallError::Withdrawn { .. }, .. })
    }

    /// True if what the host stands on was taken away.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::StoreGone { .. } | Self::ProgramGone { .. })
    }

    /// What the operator can do about it, if anything.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Plugin { plugin, .. }
            | Self::PlannerAnswer { plugin, .. }
            | Self::PlannerStalled { plugin, .. } => Some(format!(
                "the run is kept; with another version of `{plugin}` bound, `orch-host run` goes on where it stopped"
            )),
            Self::AskedTask { plugin, .. } => {
                Some(format!("tell the publisher of `{plugin}`, or unbind it in `config.yaml`"))
            }
            Self::TaskFile { source, .. } => source.hint(),
            Self::TaskFilePatch { source, .. } => source.hint(),
            Self::TaskFileMerge { .. } => {
                Some("mend the dependencies in the task file; the run goes on where it was".to_owned())
            }
            Self::TaskFileCut { task, .. } => Some(format!(
                "put the rest back; if it is meant, add a line `# end`, and remove what follows `{task}` before you change it"
            )),
            Self::TaskFileBusy { file } => {
                Some(format!("end what edits `{file}`; `orch-host run` writes it and closes the run"))
            }
            Self::NoExecutor { kind, .. } => {
                Some(format!("bind a plugin that handles `{kind}` under `executors` in `config.yaml`"))
            }
            Self::TaskTree { .. } => Some(
                "`tree: mine` at the task lets it; with `isolation: none` in `config.yaml` every task edits your tree"
                    .to_owned(),
            ),
            Self::TaskKey { executor, .. } => Some(format!(
                "correct or remove it; which keys `{executor}` reads is said in its manifest (`taskKeys`), which \
                 `orch-host plugin inspect PACKAGE` shows"
            )),
            Self::TaskSetting { executor, .. } => Some(format!(
                "what `{executor}` takes is said in its manifest (`taskSchema`), which `orch-host plugin inspect PACKAGE --format json` shows"
            )),
            Self::NoVerifier { .. } => {
                let hint = "add it to `verifiers` in `config.yaml`, or remove it from the task; `orch-host task skip TASK` takes one \
                            that is done as it is";
                Some(hint.to_owned())
            }
            Self::NoCheck { verifier, .. } => Some(format!(
                "checks are what the settings of `{verifier}` have under `checks` in `config.yaml`, each by its `name`"
            )),
            Self::Choice(source) => Some(source.hint()),
            Self::Journal(error) => Some(journal_hint(error)),
            Self::Store(error) => Some(store_hint(error)),
            Self::Told(error) => error.hint(),
            Self::Git(error) => error.hint(),
            Self::StoreGone { .. } => Some(
                "statuses are in the task file; keep `.orch` from what cleans the workspace: `git clean -fd` spares what git ignores, `-x` does not (`-e .orch` does)".to_owned(),
            ),
            Self::ProgramGone { .. } => Some("what was under way is recorded; `orch-host run` goes on where it stopped, with the program that is there then".to_owned()),
            Self::Replay(_) => Some("`orch-host audit verify` says where".to_owned()),
            Self::Io { .. } | Self::Interrupted | Self::Lost { .. } => {
                Some("`orch-host run` goes on where it stopped".to_owned())
            }
        }
    }
}

/// What helps when the store could not be opened, read or written.
pub fn store_hint(error: &StoreError) -> String {
    let of_reason = || error.refused().map(way_out::of_refused);
    error.hint().or_else(of_reason).unwrap_or_else(|| "`orch-host db check` says what is damaged".to_owned())
}

/// What helps when the store could not be written.
pub fn journal_hint(error: &JournalError) -> String {
    let look = error.refused().map(|refused| format!("{}; ", way_out::of_refused(refused)));
    let look = look.unwrap_or_default();
    format!("{look}the next `orch-host run` starts from what is durable")
}
