//! What a person asks of a run: another status for a task, or an end.
//!
//! In -> out: [`Act`], who said it -> events in the run, or [`Refused`].
//! Invariant: the same function takes it, whether the host at work was told or a command holds the store; what is taken is in
//! the journal with who said it; nothing is taken about a task that is worked or looked at.
//! Not here: how a host is told (`control.rs`), what is shown of it (`commands/`).

use orch_journal::event::{Event, TaskIndex, Who, task_digest};
use orch_task::{Status, TaskId};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::desk::{Control, Desk};
use super::error::DriveError;
use super::recover;
use super::run::Run;
use crate::clock::now_ms;

/// A person's word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Act {
    /// Try it again.
    Retry { task: String },
    /// Take it for done as it is.
    Skip { task: String },
    /// Take it out of the run.
    Cancel { task: String },
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
    Stop,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
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
    #[error("task `{task}` is not what was shown: it changed since")]
    TaskChanged { task: String },
    #[error("no host works at run `{run}`")]
    NotAtWork { run: String },
}

impl Refused {
    pub fn code(&self) -> &'static str {
        match self {
            Self::TaskUnknown { .. } => "task-unknown",
            Self::TaskStatus { .. } => "task-status",
            Self::TaskUnderWay { .. } => "task-under-way",
            Self::TaskChanged { .. } => "task-changed",
            Self::NotAtWork { .. } => "not-at-work",
        }
    }

    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::TaskUnknown { .. } => Some("`orch-host status` shows the tasks"),
            Self::TaskUnderWay { .. } => Some("it can be changed as soon as that is over"),
            Self::TaskChanged { .. } => Some("`orch-host approvals list` shows it as it is"),
            Self::NotAtWork { .. } => Some("`orch-host run` goes on with it"),
            Self::TaskStatus { .. } => None,
        }
    }
}

/// A word about one task.
struct Move<'a> {
    task: &'a str,
    to: Status,
    /// From which statuses this is meant; `Done` is one that is not verified.
    from: &'static [Status],
    why: &'static str,
}

const NOT_DONE: &[Status] =
    &[Status::Pending, Status::Failed, Status::Blocked, Status::WaitingApproval, Status::Done];

impl Act {
    /// The task that it is about.
    pub fn task(&self) -> Option<&str> {
        self.moved().map(|moved| moved.task)
    }

    /// Where that task stands afterwards.
    pub fn to(&self) -> Option<Status> {
        self.moved().map(|moved| moved.to)
    }

    fn moved(&self) -> Option<Move<'_>> {
        use Status::{Blocked, Cancelled, Done, Failed, InDoubt, Pending, WaitingApproval};
        let (task, to, from, why): (_, _, &'static [Status], _) = match self {
            Self::Retry { task } => {
                (task, Pending, &[Failed, Cancelled, Blocked, Done], "a person lets it run again")
            }
            Self::Skip { task } => (task, Done, NOT_DONE, "a person skipped it"),
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
            Self::Stop => return None,
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

/// Takes a word that came while the loop is at work.
pub fn answer(run: &mut Run, desk: &Desk, said: Said) -> Result<(), DriveError> {
    let Said { act, who, answer } = said;
    let taken = match &act {
        Act::Stop => {
            run.record(Event::StopAsked { who, at: now_ms() })?;
            desk.stop();
            Ok(())
        }
        of_a_task => take(run, of_a_task, who)?,
    };
    // Who asked may be gone.
    let _ = answer.send(taken.map(|()| run.last()));
    Ok(())
}

/// Takes a word into the run. The outer error is the run's, the inner one the word's.
pub fn take(run: &mut Run, act: &Act, who: Who) -> Result<Result<(), Refused>, DriveError> {
    let Some(Move { task, to, from, why }) = act.moved() else {
        return Ok(Err(Refused::NotAtWork { run: run.id.clone() }));
    };
    let index = match find(run, task, from) {
        Ok(index) => index,
        Err(refused) => return Ok(Err(refused)),
    };
    let at = now_ms();
    if let Act::Approve { digest, .. } = act {
        let seen = run.state().tasks.get(index as usize).map(|found| task_digest(&found.task));
        if seen.and_then(Result::ok).as_ref() != Some(digest) {
            return Ok(Err(Refused::TaskChanged { task: task.to_owned() }));
        }
        let (digest, who) = (digest.clone(), Some(who.clone()));
        run.record(Event::TaskApproved { task: index, digest, who, at })?;
    }
    run.record(Event::TaskMoved { task: index, to, why: why.to_owned(), who: Some(who), at })?;
    run.moved(index, to, at);
    if matches!(to, Status::Pending | Status::Done) {
        recover::unblock(run)?;
    }
    Ok(Ok(()))
}

/// The place of a task that has one of these statuses.
fn find(run: &Run, task: &str, from: &[Status]) -> Result<TaskIndex, Refused> {
    let index = TaskId::parse(task).ok().and_then(|id| run.index_of(&id));
    let index = index.ok_or_else(|| Refused::TaskUnknown { run: run.id.clone(), task: task.to_owned() })?;
    if run.is_running(index) {
        return Err(Refused::TaskUnderWay { task: task.to_owned() });
    }
    let state = run.state();
    let is = state.tasks.get(index as usize).map(|found| found.status);
    let is_over = is == Some(Status::Done) && state.is_verified(index);
    if is.is_some_and(|is| from.contains(&is)) && !is_over {
        return Ok(index);
    }
    let word = |status: &Status| if *status == Status::Done { "not verified" } else { status.as_str() };
    let expected = from.iter().map(word).collect::<Vec<_>>().join(" or ");
    let is = is.map_or("gone", Status::as_str).to_owned();
    Err(Refused::TaskStatus { task: task.to_owned(), is, expected })
}

impl Desk {
    /// From now on nothing more starts; what ends more than that stays.
    fn stop(&self) {
        self.say.send_if_modified(|control| {
            let goes_on = *control == Control::GoOn;
            *control = (*control).max(Control::Stop);
            goes_on
        });
    }
}
