//! The tasks that become of an epic.
//!
//! In -> out: the epic's task and its steps -> one task a step, in order, and what is said about it.
//! Units: ids at most 128 bytes.
//! Invariant: the same step of the same epic gets the same id, so an epic that runs again adds nothing twice.
//! Not here: what an epic may say (`epic.rs`), asking the host (`lib.rs`).

use orch_sdk::{Command, NewTask, Task};

use crate::epic::{self, Epic, Step};

const ID_BYTES_MAX: usize = 128;

/// One task a step. The host adds whose plugin asked for it.
///
/// # Errors
/// An id would be too long.
pub fn break_down(task: &Task, epic: &Epic) -> Result<Vec<NewTask>, String> {
    let priority = epic.default_priority.unwrap_or(task.priority);
    epic.steps.iter().map(|step| as_task(&task.id, step, priority)).collect()
}

/// For people.
#[must_use]
pub fn summary(task: &Task, epic: &Epic) -> String {
    let count = epic.steps.len();
    let tasks = if count == 1 { "task" } else { "tasks" };
    let rank = epic.wsjf.map_or_else(String::new, |wsjf| format!(", WSJF {wsjf:.2}"));
    format!("epic `{}` is {count} {tasks}{rank}", task.id)
}

fn as_task(epic: &str, step: &Step, priority: i32) -> Result<NewTask, String> {
    let command = step.command.clone().map(|command| match command {
        epic::Command::Line(line) => Command::Shell(line),
        epic::Command::Words(words) => Command::Argv(words),
    });
    let dependencies = step.after.iter().map(|name| id(epic, name)).collect::<Result<_, _>>()?;
    let settings = match step.settings.is_empty() {
        true => String::new(),
        false => serde_json::Value::Object(step.settings.clone()).to_string(),
    };
    Ok(NewTask {
        id: Some(id(epic, &step.name)?),
        description: step.description.clone(),
        kind: step.kind.clone(),
        command,
        priority: step.priority.unwrap_or(priority),
        cost: step.cost,
        dependencies,
        settings,
    })
}

/// `<epic>.<step>`: says by itself where a task comes from.
fn id(epic: &str, step: &str) -> Result<String, String> {
    let id = format!("{epic}.{step}");
    match id.len() <= ID_BYTES_MAX {
        true => Ok(id),
        false => {
            Err(format!("the id `{id}` has {} bytes, limit is {ID_BYTES_MAX}: shorten the epic's", id.len()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(id: &str) -> Task {
        Task {
            id: id.to_owned(),
            description: String::new(),
            kind: "epic".to_owned(),
            command: None,
            priority: 7,
            cost: 1,
            settings: "{}".to_owned(),
            timeout_ms: 0,
        }
    }

    #[test]
    fn each_step_is_a_task_that_names_its_epic_and_waits_as_it_says() {
        let epic = Epic::parse(
            r#"{"steps": ["look", {"name": "do", "description": "build", "command": "make", "priority": 9, "cost": 3,
                "settings": {"directory": "src"}}]}"#,
        )
        .unwrap();
        let tasks = break_down(&task("login"), &epic).unwrap();
        assert_eq!(tasks[0].id.as_deref(), Some("login.1"));
        assert_eq!((tasks[0].kind.as_str(), tasks[0].priority, tasks[0].cost), ("note", 7, 1));
        assert_eq!((tasks[0].dependencies.len(), tasks[0].settings.as_str()), (0, ""));
        assert_eq!(tasks[1].id.as_deref(), Some("login.do"));
        assert_eq!((tasks[1].kind.as_str(), tasks[1].priority, tasks[1].cost), ("shell", 9, 3));
        assert!(matches!(&tasks[1].command, Some(Command::Shell(line)) if line == "make"));
        assert_eq!(tasks[1].dependencies, ["login.1"]);
        assert_eq!(tasks[1].settings, r#"{"directory":"src"}"#);
    }

    #[test]
    fn the_default_priority_goes_before_the_epics_own() {
        let epic =
            Epic::parse(r#"{"steps": ["a"], "default_priority": 2, "job_size": 2, "time_criticality": 3}"#)
                .unwrap();
        assert_eq!(break_down(&task("e"), &epic).unwrap()[0].priority, 2);
        assert_eq!(summary(&task("e"), &epic), "epic `e` is 1 task, WSJF 1.50");
    }

    #[test]
    fn an_id_that_would_be_too_long_is_said() {
        let epic = Epic::parse(r#"{"steps": ["a"]}"#).unwrap();
        assert!(break_down(&task(&"e".repeat(126)), &epic).is_ok());
        assert!(break_down(&task(&"e".repeat(127)), &epic).unwrap_err().contains("129 bytes, limit is 128"));
    }
}
