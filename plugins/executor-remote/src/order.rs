//! What a broker is asked to have done.
//!
//! In -> out: a task, the prefix of its workspace -> [`Order`], as JSON for `POST /tasks`.
//! Limits: ids of 64 characters, priorities of 0 to 100, timeouts of a day: the broker's.
//! Invariant: the same task has the same id at the broker, so asking twice adds one.
//! Not here: sending it (`broker.rs`).

use orch_sdk::{Command, Task};
use serde::Serialize;
use serde_json::{Value, json};

const ID_CHARACTERS_MAX: usize = 64;
const TITLE_CHARACTERS_MAX: usize = 200;
/// Of a task with priority 0 here.
const PRIORITY: i32 = 50;
const TIMEOUT_SECONDS_MAX: u64 = 86_400;
/// So long a task stays at the broker once it ended: a host that is gone over a weekend finds what came of it.
const KEEP_SECONDS: u64 = 7 * 86_400;

#[derive(Debug, PartialEq, Serialize)]
pub struct Order {
    pub id: String,
    title: String,
    pub command: Value,
    priority: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_seconds: Option<u64>,
    keep_seconds: u64,
}

impl Order {
    /// # Errors
    /// The task has no command, or its id is none that a broker takes; for people.
    pub fn of(task: &Task, prefix: &str) -> Result<Self, String> {
        let command = match &task.command {
            Some(Command::Shell(line)) => json!(line),
            Some(Command::Argv(words)) => json!(words),
            None => return Err("the task has no `command`: a worker would do nothing".to_owned()),
        };
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        if !prefix.bytes().all(fits)
            || !prefix.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
        {
            return Err(format!(
                "the setting `prefix` is `{}`, expected letters, digits, `_`, `-`, a letter or digit first",
                prefix.escape_default()
            ));
        }
        let id = format!("{prefix}.{}", task.id);
        if id.len() > ID_CHARACTERS_MAX {
            return Err(format!(
                "a broker takes ids of {ID_CHARACTERS_MAX} characters, `{id}` has {}: shorten the task's id or the setting `prefix`",
                id.len()
            ));
        }
        let said = if task.description.is_empty() { &task.id } else { &task.description };
        Ok(Self {
            id,
            title: said.chars().take(TITLE_CHARACTERS_MAX).collect(),
            command,
            priority: task.priority.saturating_add(PRIORITY).clamp(0, 100),
            timeout_seconds: (task.timeout_ms > 0)
                .then(|| task.timeout_ms.div_ceil(1000).min(TIMEOUT_SECONDS_MAX)),
            keep_seconds: KEEP_SECONDS,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn task(command: Option<Command>) -> Task {
        Task {
            id: "login.build".to_owned(),
            description: String::new(),
            kind: "remote".to_owned(),
            command,
            priority: 7,
            cost: 1,
            settings: "{}".to_owned(),
            timeout_ms: 0,
        }
    }

    fn line(text: &str) -> Option<Command> {
        Some(Command::Shell(text.to_owned()))
    }

    #[test]
    fn a_task_is_the_same_at_the_broker_under_its_workspaces_prefix() {
        let order = Order::of(&task(line("make")), "site").unwrap();
        assert_eq!(
            serde_json::to_value(&order).unwrap(),
            json!({"id": "site.login.build", "title": "login.build", "command": "make", "priority": 57, "keep_seconds": 604_800})
        );
        let words = Command::Argv(vec!["make".to_owned(), "all".to_owned()]);
        let long =
            Task { description: "x".repeat(300), priority: -99, timeout_ms: 1500, ..task(Some(words)) };
        let order = Order::of(&long, "site").unwrap();
        assert_eq!((order.command, order.title.len()), (json!(["make", "all"]), 200));
        assert_eq!((order.priority, order.timeout_seconds), (0, Some(2)));
        let endless = Task { timeout_ms: u64::MAX, priority: i32::MAX, ..task(line("x")) };
        let order = Order::of(&endless, "site").unwrap();
        assert_eq!((order.priority, order.timeout_seconds), (100, Some(86_400)));
    }

    #[test]
    fn what_no_broker_takes_is_said_before_anything_is_sent() {
        assert!(Order::of(&task(None), "site").unwrap_err().contains("no `command`"));
        for prefix in ["", "-a", "a.b", "a b"] {
            assert!(Order::of(&task(line("x")), prefix).unwrap_err().contains("`prefix`"), "{prefix}");
        }
        let of_length = |length: usize| Task { id: "t".repeat(length), ..task(line("x")) };
        assert!(Order::of(&of_length(59), "site").is_ok());
        assert!(Order::of(&of_length(60), "site").unwrap_err().contains("has 65: shorten"));
    }
}
