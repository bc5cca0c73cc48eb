//! What a person asks of a run: another status for a task, or an end.
//!
//! In -> out: [`Act`] <-> one JSON object, `{"act": ..}` first; which statuses it is meant from and leads to.
//! Not here: what becomes of it (`hear.rs`), how a host is told (`control.rs`).

use orch_journal::event::Who;
use orch_task::Status;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

/// Of the reason for a waiver.
pub const REASON_CHARACTERS_MAX: usize = 1000;

/// A person's word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "act", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Act {
    /// Try it again.
    Retry { task: String },
    /// Take it for done as it is.
    Skip { task: String },
    /// Take it out of the run.
    Cancel { task: String },
    /// Take a task for verified though its verifiers have not looked.
    Waive {
        task: String,
        #[schema(min_length = 1, max_length = 1000, pattern = r"[^\s\u0085]")]
        reason: String,
    },
    /// Take the run for verified though verifiers could not look at it.
    WaiveRun {
        #[schema(min_length = 1, max_length = 1000, pattern = r"[^\s\u0085]")]
        reason: String,
    },
    /// Let a task run that asks to. `digest` is of the task that was seen (`task_digest`).
    Approve { task: String, digest: String },
    /// Take a task out of the run that asks to run.
    Deny { task: String },
    /// Say how an attempt ended that nobody saw end.
    Resolve {
        task: String,
        #[serde(rename = "as")]
        how: Resolution,
    },
    /// Start nothing more, let what runs end.
    // With braces: of a variant without, serde would take unknown keys.
    Stop {},
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Resolution {
    Done,
    Failed,
    Retry,
}

/// Why a person's word was not taken.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "kebab-case")]
pub enum Refused {
    #[error("run `{run}` has no task `{task}`")]
    TaskUnknown { run: String, task: String },
    #[error("task `{task}` is {is}, expected {expected}")]
    TaskStatus { task: String, is: String, expected: String },
    #[error("task `{task}` is worked at, or looked at by a verifier")]
    TaskUnderWay { task: String },
    #[error("no verifier was kept from looking at run `{run}`")]
    RunVerified { run: String },
    #[error("the reason is {found_characters} characters, expected 1 to {REASON_CHARACTERS_MAX}")]
    Reason { found_characters: usize },
    #[error("task `{task}` is not what was shown: it changed since")]
    TaskChanged { task: String },
    #[error("no host works at run `{run}`")]
    NotAtWork { run: String },
    /// The host failed as it took it.
    #[error("whether run `{run}` kept that is not known: the host failed as it took it")]
    Unsure { run: String },
    #[error("no run `{run}`")]
    RunUnknown { run: String },
    #[error("run `{run}` is at work")]
    AtWork { run: String },
    #[error("`{option}` is `{is}` at the host that serves, `{said}` was said")]
    OptionDiffers { option: String, is: String, said: String },
    #[error("the host at work ends with its run")]
    Ends,
    /// A fault of what was asked for, by its own code.
    #[error("{}", .0.text)]
    #[serde(untagged)]
    Failed(Box<Failure>),
}

/// A fault as whoever asked is told of it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub code: String,
    pub text: String,
    pub hint: Option<String>,
    /// Below the hint, for a file that it speaks of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
    /// How a command ends with it.
    pub exit: u8,
}

impl Refused {
    pub fn code(&self) -> &str {
        match self {
            Self::TaskUnknown { .. } => "task-unknown",
            Self::TaskStatus { .. } => "task-status",
            Self::TaskUnderWay { .. } => "task-under-way",
            Self::RunVerified { .. } => "run-verified",
            Self::Reason { .. } => "reason",
            Self::TaskChanged { .. } => "task-changed",
            Self::NotAtWork { .. } => "not-at-work",
            Self::Unsure { .. } => "act-unsure",
            Self::RunUnknown { .. } => "run-unknown",
            Self::AtWork { .. } => "at-work",
            Self::OptionDiffers { .. } => "option-differs",
            Self::Ends => "ends",
            Self::Failed(failure) => &failure.code,
        }
    }

    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::TaskUnknown { .. } => Some("`orch-host status` shows the tasks"),
            Self::TaskUnderWay { .. } => Some("it can be changed as soon as that is over"),
            Self::TaskChanged { .. } => Some("`orch-host approvals list` shows it as it is"),
            Self::NotAtWork { .. } => Some("`orch-host run` goes on with it"),
            Self::AtWork { .. } => {
                Some("`orch-host status --follow` shows it, `orch-host runs stop` ends it")
            }
            Self::Unsure { .. } => Some("`orch-host status` shows what was kept; then say it again"),
            Self::RunUnknown { .. } => Some("`orch-host runs list` shows all runs"),
            Self::OptionDiffers { .. } => Some("leave it out, or start `orch-host serve` with another one"),
            Self::Reason { .. } => {
                Some("`--reason TEXT` says why nobody has to look; it stands in every report")
            }
            Self::RunVerified { .. } => {
                Some("`orch-host status` shows what is not verified; `orch-host task waive` is for a task")
            }
            Self::Failed(failure) => failure.hint.as_deref(),
            Self::TaskStatus { .. } | Self::Ends => None,
        }
    }
}

/// A word about one task.
pub(super) struct Move<'a> {
    pub task: &'a str,
    pub to: Status,
    /// From which statuses this is meant; `Done` is one that is not verified.
    pub from: &'static [Status],
    pub why: &'static str,
}

const NOT_DONE: &[Status] =
    &[Status::Pending, Status::Failed, Status::Blocked, Status::WaitingApproval, Status::Done];

impl Act {
    /// The task that it is about.
    pub fn task(&self) -> Option<&str> {
        self.moved().map(|moved| moved.task)
    }

    /// What that task is afterwards.
    pub fn to(&self) -> Option<&'static str> {
        match self {
            Self::Waive { .. } => Some("waived"),
            _ => self.moved().map(|moved| moved.to.as_str()),
        }
    }

    pub(super) fn moved(&self) -> Option<Move<'_>> {
        use Status::{Blocked, Cancelled, Done, Failed, InDoubt, Pending, WaitingApproval};
        let (task, to, from, why): (_, _, &'static [Status], _) = match self {
            Self::Retry { task } => {
                (task, Pending, &[Failed, Cancelled, Blocked, Done], "a person lets it run again")
            }
            Self::Skip { task } => (task, Done, NOT_DONE, "a person skipped it"),
            Self::Waive { task, .. } => (task, Done, &[Done], "a person waived its verifiers"),
            Self::Cancel { task } => (task, Cancelled, NOT_DONE, "a person cancelled it"),
            Self::Approve { task, .. } => (task, Pending, &[WaitingApproval], "a person approved it"),
            Self::Deny { task } => (task, Cancelled, &[WaitingApproval], "a person denied it"),
            Self::Resolve { task, how: Resolution::Done } => {
                (task, Done, &[InDoubt], "a person says that it was done")
            }
            Self::Resolve { task, how: Resolution::Failed } => {
                (task, Failed, &[InDoubt], "a person says that it failed")
            }
            Self::Resolve { task, how: Resolution::Retry } => {
                (task, Pending, &[InDoubt], "a person lets it run again")
            }
            Self::Stop {} | Self::WaiveRun { .. } => return None,
        };
        Some(Move { task, to, from, why })
    }
}

/// A word that waits for the loop.
#[derive(Debug)]
pub struct Said {
    pub act: Act,
    pub who: Who,
    /// The place of its last event.
    pub answer: oneshot::Sender<Result<u64, Refused>>,
}
