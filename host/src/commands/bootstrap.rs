//! `orch-host bootstrap`: reads `tasks.yml` and names the pending task of the highest priority.
//!
//! Invariant: changes nothing and needs no plugin.

use std::path::PathBuf;

use orch_task::{FileTask, Status, Task};

use crate::console::{Console, escape_cut};
use crate::drive::task_file::Sheet;
use crate::exit::{Exit, Outcome};
use crate::place::Place;

#[derive(clap::Args)]
pub struct BootstrapArgs {
    /// The workspace
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Task file, relative to the workspace
    #[arg(long, value_name = "FILE", default_value = "tasks.yml")]
    tasks: PathBuf,
}

pub fn run(args: &BootstrapArgs, console: Console) -> Outcome {
    let place = Place::of(&args.dir, &PathBuf::from(".orch"))?;
    let sheet = Sheet::read(&place.workspace.join(place.task_file(&args.tasks)?))?;
    sheet.require()?;
    match first(sheet.tasks()) {
        Some(task) => console.line(&format!(
            "{}  priority {}  {}",
            task.id,
            task.priority,
            escape_cut(&task.description, 120)
        )),
        None => console.line("no task is pending"),
    }
    Ok(Exit::Done)
}

/// The pending task of the highest priority whose dependencies are done; the first one on a tie.
pub fn first(tasks: &[FileTask]) -> Option<&Task> {
    let status = |task: &FileTask| task.status.unwrap_or(Status::Pending);
    let done: std::collections::HashSet<_> =
        tasks.iter().filter(|task| status(task) == Status::Done).map(|task| &task.task.id).collect();
    let ready = tasks.iter().filter(|task| {
        status(task) == Status::Pending
            && task.task.dependencies.iter().all(|dependency| done.contains(dependency))
    });
    // The last of the maxima is what `max_by_key` gives, so the list is turned around.
    ready.rev().max_by_key(|task| task.task.priority).map(|task| &task.task)
}

#[cfg(test)]
mod tests {
    use orch_task::TaskFile;

    #[test]
    fn the_highest_priority_goes_first_and_file_order_on_a_tie() {
        let first = |text: &str| {
            let file = TaskFile::parse(text.as_bytes()).unwrap();
            super::first(file.tasks()).map(|task| task.id.to_string())
        };
        assert_eq!(
            first("- {id: a}\n- {id: b, priority: 2}\n- {id: c, priority: 2}\n").as_deref(),
            Some("b")
        );
        assert_eq!(first("- {id: a, dependencies: [b]}\n- {id: b, priority: -1}\n").as_deref(), Some("b"));
        assert_eq!(first("- {id: a, dependencies: [b]}\n- {id: b, status: done}\n").as_deref(), Some("a"));
        assert_eq!(first("[]\n"), None);
    }
}
