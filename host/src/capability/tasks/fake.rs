//! The fake of `orch:tasks`: the tasks of a trial's run, all pending.

use std::sync::atomic::{AtomicBool, Ordering};

use orch_journal::event::TaskIndex;
use orch_task::{Status, Task};

use super::backend::{SCAN_MAX, TaskCounts, TaskReader, TaskSummary};
use crate::capability::mood::Mood;

#[derive(Default)]
pub(crate) struct FakeTasks {
    tasks: Vec<Task>,
    read: AtomicBool,
}

impl FakeTasks {
    /// With these tasks, unless the mood has none.
    pub(crate) fn new(tasks: Vec<Task>, mood: Mood) -> Self {
        let tasks = match mood {
            Mood::Empty => Vec::new(),
            _ => tasks,
        };
        Self { tasks, read: AtomicBool::new(false) }
    }

    /// True once somebody asked.
    pub(crate) fn were_read(&self) -> bool {
        self.read.load(Ordering::Relaxed)
    }

    fn tasks(&self) -> &[Task] {
        self.read.store(true, Ordering::Relaxed);
        &self.tasks
    }
}

impl TaskReader for FakeTasks {
    fn describe(&self, index: TaskIndex) -> Option<Task> {
        self.tasks().get(usize::try_from(index).ok()?).cloned()
    }

    fn find(&self, id: &str) -> Option<TaskIndex> {
        let place = self.tasks().iter().position(|task| task.id.as_str() == id)?;
        TaskIndex::try_from(place).ok()
    }

    fn scan(&self, start: TaskIndex) -> Vec<TaskSummary> {
        let from = usize::try_from(start).unwrap_or(usize::MAX);
        let page = self.tasks().iter().zip(0..).skip(from).take(SCAN_MAX);
        page.map(|(task, index)| TaskSummary {
            index,
            id: task.id.as_str().to_owned(),
            kind: task.kind.as_str().to_owned(),
            status: Status::Pending,
            priority: task.priority,
            cost: task.cost,
        })
        .collect()
    }

    fn count(&self) -> TaskCounts {
        self.tasks().iter().map(|_| Status::Pending).collect()
    }
}
