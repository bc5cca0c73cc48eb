//! `orch-host bootstrap`: reads `tasks.yml` and names the pending task of the highest priority.
//!
//! Invariant: changes nothing and needs no plugin.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::path::PathBuf;

use orch_task::{FileTask, Status, Task, TaskId};

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
    order(tasks).next()
}

/// The pending tasks in the order in which they would run one by one and well: of those whose dependencies are done by then the
/// one of the highest priority, the first one on a tie. What waits for a task that will not run is not among them.
pub fn order(tasks: &[FileTask]) -> impl Iterator<Item = &Task> {
    let status = |task: &FileTask| task.status.unwrap_or(Status::Pending);
    let mut needs: Vec<usize> = Vec::with_capacity(tasks.len());
    let mut needed_by: HashMap<&TaskId, Vec<usize>> = HashMap::new();
    let done: HashSet<&TaskId> =
        tasks.iter().filter(|task| status(task) == Status::Done).map(|task| &task.task.id).collect();
    let mut ready = BinaryHeap::new();
    for (place, task) in tasks.iter().enumerate() {
        let open = task.task.dependencies.iter().filter(|id| !done.contains(id));
        let open = open.map(|id| needed_by.entry(id).or_default().push(place)).count();
        needs.push(open);
        if open == 0 && status(task) == Status::Pending {
            ready.push((task.task.priority, Reverse(place)));
        }
    }
    std::iter::from_fn(move || {
        let (_, Reverse(place)) = ready.pop()?;
        let task = &tasks.get(place)?.task;
        for after in needed_by.remove(&task.id).unwrap_or_default() {
            let (Some(open), Some(after_task)) = (needs.get_mut(after), tasks.get(after)) else { continue };
            *open -= 1;
            if *open == 0 && status(after_task) == Status::Pending {
                ready.push((after_task.task.priority, Reverse(after)));
            }
        }
        Some(task)
    })
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

    #[test]
    fn one_by_one_each_task_comes_after_what_it_needs_and_before_what_is_less_urgent() {
        let order = |text: &str| {
            let file = TaskFile::parse(text.as_bytes()).unwrap();
            super::order(file.tasks()).map(|task| task.id.to_string()).collect::<Vec<_>>().join(" ")
        };
        let text = "- {id: d, dependencies: [b, c], priority: 9}\n- {id: b, dependencies: [a]}\n- {id: c, dependencies: [a, a], priority: 1}\n- {id: a}\n- {id: e, priority: 2}\n";
        assert_eq!(order(text), "e a c b d");
        let text = "- {id: a, status: failed}\n- {id: b, dependencies: [a]}\n- {id: c, status: done}\n- {id: d, dependencies: [c]}\n- {id: e, dependencies: [d, b]}\n";
        assert_eq!(order(text), "d", "what waits for a failure does not run");
    }
}
