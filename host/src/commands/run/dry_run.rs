//! What a run would do, said before anything is done.
//!
//! In -> out: the tasks of the file -> those that would run, in the order of their priorities, with their commands.
//! Not here: whether plugins and file are sound (`run.rs`), the planner, which may choose otherwise.

use orch_task::{FileTask, Status, Task};

use crate::commands::bootstrap;
use crate::commands::counted;
use crate::commands::tasks::command_line;
use crate::console::{Console, escape_cut};
use crate::watch::Format;

/// Ids are written below each other up to this width.
const WIDTH_MAX: usize = 32;

pub(super) fn show(tasks: &[FileTask], plugins: usize, format: Format, console: Console) {
    let order: Vec<&Task> = bootstrap::order(tasks).collect();
    if format == Format::Json {
        let told = serde_json::json!({ "plugins": plugins, "tasks": tasks.len(), "order": order });
        console.json(&told.to_string());
        return;
    }
    console.line(&format!(
        "{}, {}; nothing was run",
        counted(plugins, "plugin is admitted", "plugins are admitted"),
        counted(tasks.len(), "task is sound", "tasks are sound")
    ));
    if !order.is_empty() {
        console.line("one by one, by priority, if each ends well:");
    }
    let width = order.iter().map(|task| task.id.as_str().len()).max().unwrap_or(0).min(WIDTH_MAX);
    for (nth, task) in order.iter().enumerate() {
        let does = command_line(task).unwrap_or_else(|| match task.description.is_empty() {
            true => format!("(kind {})", task.kind),
            false => escape_cut(&task.description, 100),
        });
        console.line(format!("{:>6}  {:<width$}  {does}", nth + 1, task.id.as_str()).trim_end());
    }
    let done = tasks.iter().filter(|task| task.status == Some(Status::Done)).count();
    match tasks.len() - order.len() - done {
        0 => {}
        other => console.line(&format!(
            "{other} more would not run as things are; `orch-host tasks list` shows where each stands"
        )),
    }
}
