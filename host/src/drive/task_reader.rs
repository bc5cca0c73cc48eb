//! The run's tasks as plugins read them.
//!
//! In -> out: the shared state -> answers of `orch:tasks`.
//! Invariant: reads only; a plugin sees the state as of some event, never between two.
//! Not here: who may read (`capability/tasks.rs`).

use std::sync::{Arc, PoisonError, RwLock};

use orch_journal::event::TaskIndex;
use orch_journal::{Journal, RunState};
use orch_task::{Task, TaskId};

use crate::capability::tasks::{TaskCounts, TaskReader, TaskSummary};

const SCAN_MAX: usize = 1000;

/// A run's state, shared with the plugins that may read it.
pub type SharedState = Arc<RwLock<RunState>>;

/// A run as others than the loop see it.
#[derive(Clone)]
pub struct RunView {
    pub id: String,
    pub state: SharedState,
    pub journal: Arc<Journal>,
}

/// Reads a run's tasks.
pub struct StateReader {
    state: SharedState,
}

impl StateReader {
    pub fn new(state: SharedState) -> Self {
        Self { state }
    }
}

impl StateReader {
    /// All tasks of one moment.
    pub fn all(&self) -> Vec<TaskSummary> {
        self.page(0, usize::MAX)
    }

    fn page(&self, start: usize, count: usize) -> Vec<TaskSummary> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let page = state.tasks.iter().enumerate().skip(start).take(count);
        page.map(|(place, found)| TaskSummary {
            index: place as TaskIndex,
            id: found.task.id.to_string(),
            kind: found.task.kind.to_string(),
            status: found.status,
            priority: found.task.priority,
            cost: found.task.cost,
        })
        .collect()
    }
}

impl TaskReader for StateReader {
    fn describe(&self, index: TaskIndex) -> Option<Task> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.tasks.get(index as usize).map(|found| found.task.clone())
    }

    fn find(&self, id: &str) -> Option<TaskIndex> {
        let id = TaskId::parse(id).ok()?;
        self.state.read().unwrap_or_else(PoisonError::into_inner).by_id.get(&id).copied()
    }

    fn scan(&self, start: TaskIndex) -> Vec<TaskSummary> {
        self.page(start as usize, SCAN_MAX)
    }

    fn count(&self) -> TaskCounts {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.tasks.iter().map(|found| found.status).collect()
    }
}
