//! Tasks of the newest run as they are committed, for a plugin that no loop calls.
//!
//! In -> out: a store's folder -> what [`TaskReader`] answers; read once, when something is asked first.
//! Invariant: one request sees one state; a store that cannot be read has no tasks.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use orch_journal::Reader;
use orch_journal::event::TaskIndex;
use orch_journal::rows::TaskRow;
use orch_task::{Kind, Status, Task, TaskId};

use crate::capability::tasks::{TaskReader, TaskSummary};

pub(super) struct CommittedTasks {
    state: PathBuf,
    rows: OnceLock<Vec<TaskRow>>,
}

impl CommittedTasks {
    /// Of the store in that folder.
    pub(super) fn of(state: &Path) -> Self {
        Self { state: state.to_owned(), rows: OnceLock::new() }
    }

    fn rows(&self) -> &[TaskRow] {
        self.rows.get_or_init(|| {
            let read = || -> Option<Vec<TaskRow>> {
                let reader = Reader::open(&self.state).ok()?;
                let newest = reader.runs().ok()?.into_iter().next()?;
                reader.tasks(&newest.id).ok()
            };
            read().unwrap_or_default()
        })
    }
}

impl TaskReader for CommittedTasks {
    fn describe(&self, index: TaskIndex) -> Option<Task> {
        let row = self.rows().get(index as usize)?;
        let mut task = Task::new(TaskId::parse(&row.id).ok()?, Kind::parse(&row.kind).ok()?);
        task.description = row.description.clone();
        Some(task)
    }

    fn find(&self, id: &str) -> Option<TaskIndex> {
        self.rows().iter().find(|row| row.id == id).map(|row| row.place)
    }

    fn scan(&self, start: TaskIndex) -> Vec<TaskSummary> {
        let page = self.rows().iter().skip(start as usize).take(1000);
        page.filter_map(|row| {
            Some(TaskSummary {
                index: row.place,
                id: row.id.clone(),
                kind: row.kind.clone(),
                status: Status::from_word(&row.status)?,
                priority: 0,
                cost: 1,
            })
        })
        .collect()
    }
}
