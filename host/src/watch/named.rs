//! Events as JSON, with the ids of the tasks that they name by place.
//!
//! In -> out: event, as the journal has it and read, ids by place -> one object `{run, seq, task, tasks, event}`.
//! Invariant: `event` is what the journal has; `task` is the id of the one that it is about, `tasks` are those of a list, in its
//! order.

use orch_journal::event::{Change, Decision, Event, TaskIndex};
use serde_json::{Value, json};

/// `told`: the event as the journal has it.
pub fn json(
    run: &str,
    seq: u64,
    event: &Event,
    told: Value,
    mut id: impl FnMut(TaskIndex) -> Option<String>,
) -> Value {
    let one = told.get("task").and_then(Value::as_u64).and_then(|task| id(u32::try_from(task).ok()?));
    let many: Option<Vec<TaskIndex>> = match event {
        Event::Observed { changes } => Some(changes.iter().filter_map(about).collect()),
        Event::Decided { decision: Decision::Start(tasks), .. }
        | Event::TasksFresh { tasks, .. }
        | Event::LooksAsked { tasks, .. } => Some(tasks.clone()),
        _ => None,
    };
    let mut line = json!({ "run": run, "seq": seq, "event": told });
    if let Some(line) = line.as_object_mut() {
        line.extend(one.map(|id| ("task".to_owned(), id.into())));
        let many = many.map(|tasks| tasks.into_iter().map(id).collect::<Vec<_>>());
        line.extend(many.map(|ids| ("tasks".to_owned(), ids.into())));
    }
    line
}

fn about(change: &Change) -> Option<TaskIndex> {
    match change {
        Change::Ready(task) | Change::Withdrawn(task) | Change::Finished(task, _) => Some(*task),
        Change::Budget(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_named_by_their_ids_alone_and_in_lists() {
        let id = |task: TaskIndex| (task < 2).then(|| format!("t{task}"));
        let named = |event: Event| {
            let told = serde_json::to_value(&event).unwrap();
            let line = json("r", 7, &event, told.clone(), id);
            assert_eq!((&line["run"], &line["seq"], &line["event"]), (&json!("r"), &json!(7), &told));
            (line["task"].clone(), line["tasks"].clone())
        };
        let (none, all) = (Value::Null, json!(["t1", "t0"]));
        assert_eq!(named(Event::AttemptStarted { task: 1, attempt: 1, at: 0 }), (json!("t1"), none.clone()));
        assert_eq!(named(Event::TasksFresh { tasks: vec![1, 0], at: 0 }), (none.clone(), all.clone()));
        assert_eq!(named(Event::LooksAsked { tasks: vec![1, 0], at: 0 }), (none.clone(), all.clone()));
        let start = Decision::Start(vec![1, 0]);
        assert_eq!(named(Event::Decided { slots: 2, decision: start }), (none.clone(), all.clone()));
        let changes = vec![Change::Ready(1), Change::Budget(3), Change::Withdrawn(0)];
        assert_eq!(named(Event::Observed { changes }), (none.clone(), all));
        assert_eq!(named(Event::HostDetached { at: 0 }), (none.clone(), none));
    }
}
