//! One call of a plugin's export: what the host lends to it and what comes back.
//!
//! In -> out: [`CallContext`] -> [`CallReport`].
//! Invariant: what a call wrote into the host's own store is in its report and nowhere else, so that it is kept with
//! the call's result or not at all; an effect reaches the outside only after the context's [`EffectGate`] agreed.
//! Not here: the export's own arguments (`role/`), the limits' enforcement (`engine/limits.rs`).

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use orch_journal::event::{TaskIndex, Writes};
use orch_task::{Status, Task};

/// A future that a trait object returns.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Everything that the host lends to one call (for a planner: to one session).
#[derive(Clone)]
pub struct CallContext {
    /// Absolute path of the workspace, without links.
    pub workspace: Arc<PathBuf>,
    /// Besides the host's own names.
    pub protected: Arc<Protected>,
    /// A JSON object.
    pub settings: Arc<str>,
    pub tasks: Arc<dyn TaskReader>,
    pub kv: Arc<dyn KvReader>,
    pub effects: Arc<dyn EffectGate>,
    pub processes: Arc<dyn Processes>,
    pub log: Arc<dyn LogSink>,
    /// For the whole call, host functions included; for a planner: for each call of its session.
    pub wall: Duration,
}

/// Paths in the workspace that plugins do not reach, each with `/` between its parts; what lies below them neither.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protected {
    /// Neither read nor written: a state folder of another name.
    pub hidden: Vec<String>,
    /// Not written: a task file of another name.
    pub unwritten: Vec<String>,
}

/// A task in a list.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskSummary {
    pub index: TaskIndex,
    pub id: String,
    pub kind: String,
    pub status: Status,
    pub priority: i32,
    pub cost: u32,
}

/// The run's tasks, as `orch:tasks` reads them.
pub trait TaskReader: Send + Sync {
    fn describe(&self, index: TaskIndex) -> Option<Task>;
    fn find(&self, id: &str) -> Option<TaskIndex>;
    /// At most 1000 from `start` on.
    fn scan(&self, start: TaskIndex) -> Vec<TaskSummary>;
}

/// Committed values of `orch:kv`; what a call wrote itself lies over them.
pub trait KvReader: Send + Sync {
    /// `Err`: the store could not be read.
    fn read(&self, plugin: &str, label: &str, key: &str) -> Result<Option<Vec<u8>>, KvUnavailable>;
    /// Sorted, with that prefix, after `after`, at most 1000.
    fn keys(
        &self,
        plugin: &str,
        label: &str,
        prefix: &str,
        after: Option<&str>,
    ) -> Result<Vec<String>, KvUnavailable>;
    /// Keys and values of all labels of the plugin.
    fn bytes(&self, plugin: &str) -> Result<u64, KvUnavailable>;
}

#[derive(Debug, thiserror::Error)]
#[error("the store of `orch:kv` could not be read")]
pub struct KvUnavailable;

/// Something that leaves the host's own store, or is about to.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Before the first of its kind: `process`, `files-write`. Durable when the gate agrees.
    Intent {
        effect: &'static str,
    },
    ProcessStarted {
        program: String,
        pid: u32,
        start_ticks: u64,
        boot_id: String,
    },
    /// Digests as hex.
    FileWritten {
        path: String,
        before: Option<String>,
        after: String,
    },
}

/// The way to the journal for effects. A gate that refuses ends the call.
pub trait EffectGate: Send + Sync {
    fn record(&self, effect: Effect) -> Boxed<'_, Result<(), GateClosed>>;
}

#[derive(Debug, thiserror::Error)]
#[error("the attempt was ended by the host")]
pub struct GateClosed;

/// A command that the grant allows, resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcessRequest {
    /// Absolute.
    pub program: PathBuf,
    /// Without the program's own name.
    pub args: Vec<String>,
    /// The whole environment.
    pub env: Vec<(String, String)>,
    /// Absolute, inside the workspace.
    pub directory: PathBuf,
    pub timeout: Duration,
    /// Bytes of each stream to keep.
    pub capture_bytes: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessExit {
    Code(i32),
    Signal(i32),
    TimedOut,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ProcessOutput {
    pub exit: ProcessExit,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    pub stdout_bytes: u64,
    pub stderr_bytes: u64,
    pub duration: Duration,
}

#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    #[error("`{program}` does not exist")]
    NotFound { program: String },
    #[error("`{program}` could not be started")]
    NotStarted {
        program: String,
        #[source]
        source: std::io::Error,
    },
    #[error("the supervisor of the commands is gone")]
    SupervisorGone,
    #[error(transparent)]
    Closed(#[from] GateClosed),
}

/// Runs commands under a supervisor; dropping the future ends the command and all its descendants.
pub trait Processes: Send + Sync {
    /// `started` is told pid, start in clock ticks and boot id before anything of the output is awaited.
    fn run(
        &self,
        request: ProcessRequest,
        effects: Arc<dyn EffectGate>,
    ) -> Boxed<'_, Result<ProcessOutput, ProcessError>>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
}

/// Where a plugin's lines go. Already cut and counted; not yet escaped.
pub trait LogSink: Send + Sync {
    fn line(&self, plugin: &str, level: LogLevel, text: &str);
}

/// A task that a plugin asked for, checked against its grant and against the field limits.
#[derive(Clone, Debug, PartialEq)]
pub struct AskedTask {
    /// None: the host makes an id.
    pub id: Option<orch_task::TaskId>,
    pub description: String,
    pub kind: orch_task::Kind,
    pub command: Option<orch_task::Command>,
    pub priority: i32,
    pub cost: u32,
    pub dependencies: Vec<orch_task::TaskId>,
    pub settings: serde_json::Map<String, serde_json::Value>,
}

/// What a call used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Guest code that ran, in the engine's fuel; counted by the engine of certification only.
    pub fuel: Option<u64>,
    /// Linear memory at the end, all memories together. It never shrinks.
    pub memory_bytes: u64,
    /// Calls from the guest into the host.
    pub host_calls: u64,
}

/// What came of one call.
#[derive(Debug)]
pub struct CallReport<T> {
    pub result: Result<T, crate::engine::CallError>,
    pub used: Used,
    /// To be kept only with an accepted result.
    pub writes: Writes,
    /// Asked for through `orch:tasks`, to be added only with an accepted result.
    pub asked: Vec<AskedTask>,
    /// What was denied, for the operator: `process: program `curl``.
    pub denied: Vec<String>,
    /// An intent was recorded.
    pub effect: bool,
    /// Log lines were dropped at `logKiB`.
    pub log_cut: bool,
}
