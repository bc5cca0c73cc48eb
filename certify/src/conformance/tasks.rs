//! Tasks to hand to plugins: three of a run, and one for each edge of what a host hands over.
//!
//! In -> out: a kind -> tasks.
//! Invariant: an odd task's id is its case's name, but for the one whose id is odd.

use orch_task::{Command, Kind, Task, TaskId};

/// The longest id that a task can have.
const ID_BYTES_MAX: usize = 128;
const DESCRIPTION_BYTES_MAX: usize = 4096;

/// Of the run's tasks.
pub(crate) const IDS: [&str; 3] = ["first", "second", "third"];

/// The run's tasks, all harmless.
pub(super) fn of_the_run(kind: &Kind) -> Vec<Task> {
    IDS.into_iter().filter_map(|id| plain(id, kind)).collect()
}

pub(super) fn plain(id: &str, kind: &Kind) -> Option<Task> {
    let mut task = Task::new(TaskId::parse(id).ok()?, kind.clone());
    task.description = format!("Task {id}");
    task.command = argv(&["true"]);
    Some(task)
}

fn argv(arguments: &[&str]) -> Option<Command> {
    Some(Command::Argv(arguments.iter().map(|argument| (*argument).to_owned()).collect()))
}

type Change = fn(&mut Task);

/// Tasks at the edges, each with the name of its case.
pub(super) fn odd(kind: &Kind) -> Vec<(&'static str, Task)> {
    let changes: [(&'static str, Change); 11] = [
        ("no-command", |task| task.command = None),
        ("empty-argument", |task| task.command = argv(&[""])),
        ("many-arguments", |task| {
            let rest = (1..1024).map(|_| "x".repeat(127));
            task.command = Some(Command::Argv(std::iter::once("true".to_owned()).chain(rest).collect()));
        }),
        ("path-as-program", |task| task.command = argv(&["../../bin/sh", "-c", "\u{1b}]0;x\u{7}"])),
        ("long-line", |task| task.command = Some(Command::Shell("; ".repeat(32 * 1024)))),
        ("control-characters", |task| {
            task.description = "\u{1b}[2J\r\n\u{0}\u{202e}".repeat(300).chars().take(1000).collect();
        }),
        ("boundary-text", |task| {
            let mut text = "\u{feff}\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}e\u{301}".repeat(300);
            text.truncate(text.floor_char_boundary(DESCRIPTION_BYTES_MAX));
            task.description = text;
        }),
        ("empty-text", |task| task.description = String::new()),
        ("huge-settings", |task| {
            task.settings = object(serde_json::json!({ "": null, "text": "y".repeat(60_000) }));
        }),
        ("deep-settings", |task| {
            let deep = (0..100).fold(serde_json::json!({}), |inner, _| serde_json::json!([inner]));
            task.settings = object(serde_json::json!({ "deep": deep }));
        }),
        ("extreme-numbers", |task| {
            (task.priority, task.cost, task.timeout_ms) = (i32::MIN, u32::MAX, u64::MAX);
        }),
    ];
    let changed = changes.into_iter().filter_map(|(name, change)| {
        let mut task = plain(name, kind)?;
        change(&mut task);
        Some((name, task))
    });
    let longest = plain(&"z".repeat(ID_BYTES_MAX), kind).map(|task| ("longest-id", task));
    changed.chain(longest).collect()
}

fn object(value: serde_json::Value) -> serde_json::Map<String, serde_json::Value> {
    value.as_object().cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_odd_task_is_there() {
        assert_eq!(odd(&Kind::shell()).len(), 12);
        assert_eq!(of_the_run(&Kind::shell()).len(), IDS.len());
    }
}
