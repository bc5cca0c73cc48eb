//! Which task asked for which: an epic with what became of it, below it.
//!
//! In -> out: the tasks of a run -> a line for each task that asked for others or was asked for by one, in the order of a tree.
//! Limits: [`DEPTH_MAX`] levels; what is deeper stands there, too.
//! Invariant: each task stands below the one that asked for it, once; a store that says otherwise makes no circle.
//! Not here: how a line looks (`report.rs`, `markdown.rs`).

use std::collections::BTreeMap;

use orch_journal::RunState;

use super::TaskFacts;

/// Levels that are told apart.
const DEPTH_MAX: usize = 16;

/// A line of a tree.
pub(super) struct Line<'a> {
    pub(super) task: &'a TaskFacts,
    /// Of each level, whether more of the same parent follow; none for who was not asked for.
    pub(super) more: Vec<bool>,
}

/// Id of the task whose attempt asked for it.
pub(super) fn of(state: &RunState, place: u32) -> Option<String> {
    let by = state.tasks.get(place as usize)?.added_for.filter(|by| *by < place)?;
    state.tasks.get(by as usize).map(|by| by.task.id.to_string())
}

/// Empty if no task asked for any.
pub(super) fn trees(tasks: &[TaskFacts]) -> Vec<Line<'_>> {
    let mut below: BTreeMap<&str, Vec<&TaskFacts>> = BTreeMap::new();
    for task in tasks {
        if let Some(by) = task.added_for.as_deref() {
            below.entry(by).or_default().push(task);
        }
    }
    let is_root = |task: &&TaskFacts| task.added_for.is_none() && below.contains_key(task.row.id.as_str());
    // A list of what is to be said, not calls: a chain may be as long as a run.
    let mut next: Vec<Line<'_>> =
        tasks.iter().filter(is_root).rev().map(|task| Line { task, more: Vec::new() }).collect();
    let mut lines = Vec::new();
    while let Some(line) = next.pop() {
        let children = below.remove(line.task.row.id.as_str()).unwrap_or_default();
        for (nth, task) in children.iter().copied().enumerate().rev() {
            let above = line.more.iter().copied().take(DEPTH_MAX - 1);
            next.push(Line { task, more: above.chain([nth + 1 < children.len()]).collect() });
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use orch_journal::rows::TaskRow;

    use super::*;

    fn task((place, (id, by)): (u32, &(&str, Option<&str>))) -> TaskFacts {
        let text = String::new;
        let row = TaskRow {
            place,
            id: (*id).to_owned(),
            description: text(),
            kind: text(),
            status: text(),
            dependencies: Vec::new(),
            retries: 0,
            max_retries: 0,
            attempts: 0,
            added_by: None,
            created_at: text(),
            started_at: None,
            completed_at: None,
        };
        TaskFacts { row, last: None, took_ms: None, added_for: by.map(str::to_owned), moved: None }
    }

    fn shown(tasks: &[(&str, Option<&str>)]) -> Vec<String> {
        let tasks: Vec<TaskFacts> = (0..).zip(tasks).map(task).collect();
        let line = |line: &Line<'_>| format!("{}{}", super::super::branch(&line.more), line.task.row.id);
        trees(&tasks).iter().map(line).collect()
    }

    #[test]
    fn what_was_asked_for_stands_below_who_asked() {
        let tasks = [
            ("alone", None),
            ("epic", None),
            ("second", None),
            ("epic.1", Some("epic")),
            ("second.1", Some("second")),
            ("epic.1.a", Some("epic.1")),
            ("epic.2", Some("epic")),
        ];
        let expected = ["epic", "├── epic.1", "│   └── epic.1.a", "└── epic.2", "second", "└── second.1"];
        assert_eq!(shown(&tasks), expected);
        assert!(shown(&tasks[..3]).is_empty());
    }

    #[test]
    fn a_long_chain_and_a_circle_end() {
        let ids: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
        let by = |place: usize| (place > 0).then(|| ids[place - 1].as_str());
        let chain: Vec<_> = (0..1000).map(|place| (ids[place].as_str(), by(place))).collect();
        assert_eq!(shown(&chain).len(), 1000);
        assert!(shown(&[("a", Some("b")), ("b", Some("a"))]).is_empty());
    }
}
