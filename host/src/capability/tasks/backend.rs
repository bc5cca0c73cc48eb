//! What stands behind `orch:tasks`, and what is asked for through it.

use orch_journal::event::TaskIndex;
use orch_task::{Kind, Status, Task, TaskId};

pub(crate) const SCAN_MAX: usize = 1000;

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

/// A task that a plugin asked for, checked against its grant and against the field limits.
#[derive(Clone, Debug, PartialEq)]
pub struct AskedTask {
    /// None: the host makes an id.
    pub id: Option<TaskId>,
    pub description: String,
    pub kind: Kind,
    pub command: Option<orch_task::Command>,
    pub priority: i32,
    pub cost: u32,
    pub dependencies: Vec<TaskId>,
    pub settings: serde_json::Map<String, serde_json::Value>,
}
