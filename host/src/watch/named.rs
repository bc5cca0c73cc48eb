//! Events as JSON, with the ids of the tasks that they name by place.
//!
//! In -> out: event, state after it -> one line `{run, seq, task, tasks, event}`.
//! Invariant: `event` is what the journal has; `task` is the id of the one that it is about, `tasks` are those of a list, in its
//! order.

use orch_journal::RunState;
use orch_journal::event::{Change, Decision, Event, TaskIndex};
use serde_json::{Value, json};

pub(super) fn json(run: &str, seq: u64, event: &Event, state: &RunState) -> String {
    let id = |task: TaskIndex| state.tasks.get(task as usize).map(|found| found.task.id.as_str());
    let told = serde_json::to_value(event).unwrap_or_default();
    let one = told.get("task").and_then(Value::as_u64).and_then(|task| id(u32::try_from(task).ok()?));
    let many: Option<Vec<Option<&str>>> = match event {
        Event::Observed { changes } => Some(changes.iter().filter_map(about).map(id).collect()),
        Event::Decided { decision: Decision::Start(tasks), .. } => {
            Some(tasks.iter().copied().map(id).collect())
        }
        _ => None,
    };
    let mut line = json!({ "run": run, "seq": seq, "event": told });
    if let Some(line) = line.as_object_mut() {
        line.extend(one.map(|id| ("task".to_owned(), id.into())));
        line.extend(many.map(|ids| ("tasks".to_owned(), ids.into())));
    }
    line.to_string()
}

fn about(change: &Change) -> Option<TaskIndex> {
    match change {
        Change::Ready(task) | Change::Withdrawn(task) | Change::Finished(task, _) => Some(*task),
        Change::Budget(_) => None,
    }
}
