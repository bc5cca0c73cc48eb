//! Events: everything that a run, a workspace beside its runs, or an operator ever did, one fact each.
//!
//! In -> out: [`Event`] <-> one JSON object, `{"type": ..}` first; what is absent is at its default.
//! Units: times in milliseconds since 1970 UTC (`at`), digests as 64 hex digits, tasks as places in the run's list.
//! Invariant: an event holds all that the projections and [`RunState`](crate::RunState) need; neither looks elsewhere.
//! All of them in a list: `docs/events.md`. Not here: how events are chained and kept (`store.rs`), what they add up to (`state.rs`).

mod act;
mod added;
mod attempt;
mod bytes;
mod called;
mod choice;
mod edits;
mod file;
mod held;
mod http;
mod kept;
mod mark;
mod name;
mod network;
mod operator;
mod provided;
mod pruned;
mod status;
mod stream;
mod who;
mod writes;

use orch_task::{Status, Task, TaskId};
use serde::{Deserialize, Serialize};

pub use act::{AskedAct, ServiceAct};
pub use added::{AddedTask, EnvSeal, task_digest};
pub use attempt::{ABORTED, AttemptFinished, EDITS_HELD, Ending, HOST_GONE, Unkept};
pub use bytes::Bytes;
pub use called::{Called, FAILURE};
pub use choice::Choice;
pub use edits::{EditsAccepted, EditsKept, RunBased};
pub use file::FileChange;
pub use held::HeldEdits;
pub use http::{HttpEnded, HttpExchange, HttpRequested};
pub use kept::{AnswerKept, Line};
pub use mark::{FileMark, Mark, MarkedBy};
pub use network::{NetworkUse, NetworkUsed};
pub use operator::{DeniedSubject, OPERATOR_STREAM, OperatorDecision, TrustedRole};
pub use provided::{AskedProvider, ModelAnswer, ModelAnswered, NoticeSent};
pub use pruned::{CarriedTask, CarriedValue, PrunedRun, RunsPruned};
pub use status::RunStatus;
pub use stream::{ConfigReloaded, StreamStarted, WORKSPACE_STREAM, is_workspace_stream};
pub use who::Who;
pub use writes::{AskedTask, Category, Finding, Metric, Reported, Severity, VectorsPut, Writes};

/// Place of a task in its run's list; never renumbered.
pub type TaskIndex = u32;

/// One fact of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// First of every run. `mac` is this host's over the fields before it; a run without it is foreign.
    RunStarted(RunStarted),
    /// First of every stream that is no run's; `mac` as there.
    StreamStarted(StreamStarted),
    /// A host process began to work on the run, at its start and after each restart.
    HostAttached {
        /// What acts from here on; the same as before where it is absent.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        plugins: Vec<PluginPin>,
        pid: u32,
        start_ticks: u64,
        boot_id: String,
        at: u64,
    },
    /// Tasks at the places `first..`, in order.
    TasksAdded {
        first: TaskIndex,
        tasks: Vec<AddedTask>,
        at: u64,
    },
    /// A hand edit of a task that had not started; of `env` also of one that had.
    TaskEdited {
        task: TaskIndex,
        to: Box<Task>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        env: Option<EnvSeal>,
        at: u64,
    },
    /// A status that no attempt gave: approved, cancelled, skipped, put back for a retry, resolved by a person.
    TaskMoved {
        task: TaskIndex,
        to: Status,
        why: String,
        /// The person; absent for what the host itself did, or an edit of `tasks.yml`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        who: Option<Who>,
        at: u64,
    },
    /// A person saw that task and lets it run. `task_moved` follows.
    TaskApproved {
        task: TaskIndex,
        /// What was seen: [`task_digest`].
        digest: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        who: Option<Who>,
        at: u64,
    },
    /// A person does without looks that could not be made: at a task, so that what depends on it starts, or at the run
    /// itself.
    LooksWaived {
        /// None: the run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        task: Option<TaskIndex>,
        verifiers: Vec<String>,
        reason: String,
        who: Who,
        at: u64,
    },
    /// At the end of the run this verifier is not asked again: it looked at that task with nothing beside it, and
    /// nothing has been done since.
    LookKept {
        verifier: String,
        task: TaskIndex,
        at: u64,
    },
    /// A person or a service asked the host to start nothing more, and to let what runs end.
    StopAsked {
        who: Who,
        /// As of `start_asked`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        call: Option<u64>,
        at: u64,
    },
    /// A person or a service asked a host that serves to begin the run, or to go on with it.
    StartAsked {
        who: Who,
        /// Of a service's act: the place of its call in the workspace's stream.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        call: Option<u64>,
        at: u64,
    },
    /// A person asks from now on for these tasks and no others, or for all again.
    TasksChosen {
        choice: Choice,
        who: Who,
        at: u64,
    },
    SessionOpened {
        planner: String,
        #[serde(default, skip_serializing_if = "is_false")]
        restarted: bool,
        at: u64,
    },
    /// What a planner's session heard.
    Observed {
        changes: Vec<Change>,
    },
    /// What it answered.
    Decided {
        slots: u32,
        decision: Decision,
    },
    /// What the planner read through `tasks` or `kv`: which function and the SHA-256 of the answer.
    PlannerRead {
        call: String,
        answer: String,
    },
    /// Nothing that these tasks read or made changed since they were done last: they are done without an attempt.
    TasksFresh {
        tasks: Vec<TaskIndex>,
        at: u64,
    },
    /// These are done, but not by the word of the verifiers that they name, as those are now: they look first.
    LooksAsked {
        tasks: Vec<TaskIndex>,
        at: u64,
    },
    /// What a task that is done and verified read and made. `id` is what it is called in every run.
    TaskMarked {
        task: TaskIndex,
        id: TaskId,
        mark: Box<Mark>,
    },
    AttemptStarted {
        task: TaskIndex,
        attempt: u32,
        at: u64,
    },
    /// Durable before the first effect of its kind.
    IntentRecorded {
        #[serde(flatten)]
        by: Actor,
        effect: String,
        /// What another plugin is asked to do; then it is recorded each time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        provided: Option<AskedProvider>,
        /// It uses something up and changes nothing: never a reason for doubt.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        spends: bool,
        at: u64,
    },
    /// A child process that must be gone before the attempt's task is touched, or the call is made, again.
    ProcessStarted {
        #[serde(flatten)]
        by: Actor,
        program: String,
        pid: u32,
        start_ticks: u64,
        boot_id: String,
    },
    /// A file or folder that was changed.
    FileWritten {
        #[serde(flatten)]
        by: Actor,
        path: String,
        #[serde(default, skip_serializing_if = "FileChange::is_written")]
        change: FileChange,
        /// SHA-256 of the file, as hex; absent: there was none, or it is no file.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        size: Option<u64>,
        /// In an attempt's own tree: it is in the workspace only once its edits are kept and accepted.
        #[serde(default, skip_serializing_if = "is_false")]
        in_tree: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<u64>,
    },
    /// A request that is about to be sent; its intent is recorded.
    HttpRequested(Box<HttpRequested>),
    /// What became of one.
    HttpEnded(Box<HttpEnded>),
    /// A child process that was granted a network is over.
    NetworkUsed(Box<NetworkUsed>),
    /// Edits of this run's attempts go to a branch of their own.
    RunBased(RunBased),
    /// An attempt's edits are kept; its branch moves, and `attempt_finished` follows.
    EditsKept(Box<EditsKept>),
    /// A person took the run's branch into theirs.
    EditsAccepted(Box<EditsAccepted>),
    /// A person removed the run's branch.
    EditsRejected {
        /// Where it was.
        tip: String,
        who: Who,
        at: u64,
    },
    /// A person took their checkout back to where it was before they took the run's branch.
    EditsRolledBack {
        /// As of `edits_accepted`.
        before: String,
        /// The commit that it was at, and the one that it is at since.
        from: String,
        to: String,
        who: Who,
        at: u64,
    },
    /// A model answered, or did not; what was asked of it is an intent with the same key.
    ModelAnswered(Box<ModelAnswered>),
    /// What a guest was told that it could not work out again; only of runs that keep texts.
    AnswerKept(Box<AnswerKept>),
    AttemptFinished(Box<AttemptFinished>),
    /// A call of a reflector, auditor, verifier or guard began; repeatable by contract.
    CallStarted {
        call: String,
        plugin: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        task: Option<TaskIndex>,
        /// Names the call in the run; the same again when it is made again because its host ended before it came back.
        #[serde(default)]
        number: u64,
    },
    /// Such a call came back.
    Called(Box<Called>),
    /// `tasks.yml` as the host last wrote or read it.
    TasksSaved {
        sha256: String,
        why: String,
        at: u64,
    },
    BudgetWarned {
        used: u64,
        budget: u64,
    },
    /// Unresolved findings passed a threshold: `abort` for major, else a warning.
    FindingsJudged {
        major: u32,
        medium: u32,
        minor: u32,
        abort: bool,
    },
    /// A call was denied or cut at a limit; tells the operator, not the plugin.
    Denied {
        plugin: String,
        what: String,
    },
    /// Something an operator should know: stable code and one sentence.
    Warned {
        code: String,
        text: String,
    },
    RunFinished {
        status: RunStatus,
        why: String,
        /// What the host itself tells people of it, from now on: the intent of each.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        notices: Vec<AskedProvider>,
        at: u64,
    },
    /// One of the notices of a run's end was handed over, or could not be; it is not tried again.
    NoticeSent(Box<NoticeSent>),
    /// A run took in the tasks that this stream's calls asked for, up to and with the event `until`.
    TasksTaken {
        run: String,
        until: u64,
        at: u64,
    },
    /// The host did what this stream's calls asked of it, up to and with the event `until`.
    ActsTaken {
        /// The run that it was done to; absent where there was nothing to do, or where it failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run: Option<String>,
        until: u64,
        /// Why it could not be done, in words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fault: Option<String>,
        at: u64,
    },
    /// A person took runs out of the store: of them this is left.
    RunsPruned(Box<RunsPruned>),
    /// Somebody showed a token that counts for nothing here, or not for that.
    TokenRefused {
        /// `token-unknown` or `token-scope`.
        code: String,
        /// Its name, if it is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<String>,
        /// What it was shown for: `read`, `run` or `approve`.
        scope: String,
        /// Address of the last who did.
        client: String,
        /// How often since the last such event.
        times: u64,
        at: u64,
    },
    /// A host that serves goes by another configuration of its workspace from here on.
    ConfigReloaded(ConfigReloaded),
    /// A host that serves ended as it should.
    HostDetached {
        at: u64,
    },
    /// Durable before the decision counts.
    OperatorDecided {
        what: OperatorDecision,
        who: Who,
        at: u64,
    },
}

impl Event {
    /// The run, or the stream, whose first event this is.
    pub fn begins(&self) -> Option<&str> {
        match self {
            Self::RunStarted(started) => Some(&started.run),
            Self::StreamStarted(started) => Some(&started.stream),
            _ => None,
        }
    }

    /// What a call left that this event keeps.
    pub fn writes(&self) -> Option<&Writes> {
        match self {
            Self::AttemptFinished(finished) => Some(&finished.writes),
            Self::Called(called) => Some(&called.writes),
            Self::NoticeSent(sent) => Some(&sent.writes),
            _ => None,
        }
    }

    /// Of a first event: the state folder that it was written in.
    pub fn store(&self) -> Option<&str> {
        match self {
            Self::RunStarted(started) => started.store.as_deref(),
            Self::StreamStarted(started) => started.store.as_deref(),
            _ => None,
        }
    }
}

/// Whose effect it is: as keys of its event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Actor {
    Attempt {
        task: TaskIndex,
        attempt: u32,
    },
    /// A call that is repeatable by contract, by the number that its `call_started` says.
    Call {
        number: u64,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunStarted {
    pub run: String,
    /// What the run is about: what a person said, else the name of the workspace's folder.
    pub goal: String,
    /// A person said it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub goal_said: bool,
    pub plugins: Vec<PluginPin>,
    pub jobs: u32,
    /// `process`, `power` or `mixed` (effects at `power`, the rest at `process`).
    pub durability: String,
    /// 0 is unlimited.
    pub budget: u64,
    /// True for ever once a plugin ran that nobody vouched for.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unsigned: bool,
    /// What guests are told is kept word for word (`answer_kept`).
    #[serde(default, skip_serializing_if = "is_false")]
    pub texts: bool,
    /// Path of the state folder that the run is in; absent in runs of older hosts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<String>,
    /// Path of the task file that the run is of, below the workspace; absent in runs of older hosts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks: Option<String>,
    pub at: u64,
    /// HMAC-SHA-256 by the host's key, over the JSON of this event with `mac` empty.
    pub mac: String,
}

impl RunStarted {
    /// The goal, if a person said it.
    pub fn said_goal(&self) -> Option<&str> {
        self.goal_said.then_some(self.goal.as_str())
    }
}

/// Which bytes acted in which role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginPin {
    pub id: String,
    pub version: String,
    pub roles: Vec<String>,
    /// SHA-256 of `component.wasm`.
    pub component: String,
    /// `certified`, `certified (local)`, `development` or `unsigned`.
    pub trust: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    Ready(TaskIndex),
    Withdrawn(TaskIndex),
    Finished(TaskIndex, Status),
    Budget(u64),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    Start(Vec<TaskIndex>),
    Wait,
    Finished(String),
}

fn is_false(value: &bool) -> bool {
    !*value
}
