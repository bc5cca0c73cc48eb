//! Tasks that plugins ask for.
//!
//! In -> out: [`AskedTask`] -> `tasks_added`, with who asked.
//! Invariant: a plugin cannot reach another's grant through a task: one whose executor has effects waits for a
//! person's approval, unless the operator's policy names that plugin and kind. The approval is an event of this run
//! and for that very task; a status in the task file is none.
//! Not here: what a plugin may ask for at all (`capability/tasks.rs`), people's own tasks (`task_file.rs`).

use orch_journal::event::{AddedTask, Event, TaskIndex, task_digest};
use orch_journal::state::TaskState;
use orch_task::{Status, Task, TaskId};

use super::desk::Desk;
use super::error::DriveError;
use super::roles::Roles;
use super::run::Run;
use super::task_file::record_added;
use crate::capability::tasks::AskedTask;
use crate::capability::tasks::backend::bytes_in_file;
use crate::clock::now_ms;

/// Adds what is new of the tasks that a plugin asked for; gives how many that were. `added_for`: the task that it worked on.
pub fn add(
    run: &mut Run,
    desk: &Desk,
    (plugin, added_for): (&str, Option<TaskIndex>),
    asked: Vec<AskedTask>,
) -> Result<usize, DriveError> {
    let first = run.state().tasks.len() as TaskIndex;
    let mut added: Vec<AddedTask> = Vec::new();
    let mut room = run.room();
    for task in asked {
        let known =
            |id: &TaskId| run.index_of(id).is_some() || added.iter().any(|before| before.task.id == *id);
        let id = match &task.id {
            Some(id) if known(id) => continue,
            Some(id) => id.clone(),
            None => unused_id(plugin, first as usize + added.len(), &known)?,
        };
        let fault =
            |why: String| DriveError::AskedTask { plugin: plugin.to_owned(), task: id.to_string(), why };
        if let Some(unknown) = task.dependencies.iter().find(|dependency| !known(dependency)) {
            return Err(fault(format!("it depends on `{unknown}`, which no task has")));
        }
        let mut new = task.task(id.clone());
        if let Some(held_to) = desk.rules().asked.get(new.kind.as_str()) {
            new = held_to.hold(new);
        }
        let bytes = bytes_in_file(new.clone(), plugin).map_err(|error| fault(error.to_string()))?;
        room = room.with(bytes).map_err(|why| fault(why.to_owned()))?;
        let Some(executor) = desk.roles.executor_of(&new.kind) else {
            return Err(fault(format!("no plugin executes kind `{}`", new.kind)));
        };
        if desk.roles.offers.keeps_out(&new) {
            return Err(fault(format!(
                "`{}` works in people's own tree, and they do not say that it may",
                executor.id
            )));
        }
        let status = match executor.effectful && !is_auto(desk, plugin, &new) {
            true => Status::WaitingApproval,
            false => Status::Pending,
        };
        added.push(AddedTask { task: new, status, added_by: Some(plugin.to_owned()), added_for, env: None });
    }
    let count = added.len();
    if count > 0 {
        record_added(run, &added)?;
        run.keep_room(room);
        run.added(now_ms());
    }
    Ok(count)
}

/// Adds to the run what services asked for. What cannot be added any more is said in the run. Its tasks are recorded before
/// the stream says that they were taken; a task that a run has already is not added again.
pub fn take_asked(run: &mut Run, desk: &Desk) -> Result<(), DriveError> {
    let waiting = desk.asked.take();
    let Some(&(until, ..)) = waiting.last() else { return Ok(()) };
    for (_, plugin, task) in waiting {
        match add(run, desk, (&plugin, None), vec![task]) {
            Err(error @ DriveError::AskedTask { .. }) => {
                run.record(Event::Warned { code: "asked-task".to_owned(), text: error.to_string() })?;
            }
            added => drop(added?),
        }
    }
    desk.asked.taken(&run.id, until)?;
    Ok(())
}

/// Fails for tasks that could not be added to a run in which those ids are known.
pub fn check(asked: &[AskedTask], roles: &Roles, known: &dyn Fn(&TaskId) -> bool) -> Result<(), String> {
    for (place, task) in asked.iter().enumerate() {
        if roles.executor_of(&task.kind).is_none() {
            return Err(format!("no plugin executes kind `{}`", task.kind));
        }
        let before = |id: &TaskId| asked.iter().take(place).any(|before| before.id.as_ref() == Some(id));
        if let Some(unknown) = task.dependencies.iter().find(|id| !known(id) && !before(id)) {
            return Err(format!("it depends on `{unknown}`, which no task has"));
        }
    }
    Ok(())
}

/// True if the operator's policy lets that plugin add tasks of that kind.
fn is_auto(desk: &Desk, plugin: &str, task: &Task) -> bool {
    desk.rules().tasks_auto.iter().any(|(by, kind)| by == plugin && kind == task.kind.as_str())
}

/// Has every task of a plugin's wait that could start, would reach an executor's grant, and that nobody approved in
/// this run as it is: what the task file says of its status, or what put it back, is no approval.
pub fn hold_unapproved(run: &mut Run, desk: &Desk) -> Result<(), DriveError> {
    let unapproved: Vec<TaskIndex> = {
        let state = run.state();
        let tasks = (0..).zip(&state.tasks);
        tasks.filter(|(_, task)| must_ask(task, desk)).map(|(place, _)| place).collect()
    };
    for task in unapproved {
        let why = "a plugin asked for it, and nobody approved it in this run".to_owned();
        run.record(Event::TaskMoved { task, to: Status::WaitingApproval, why, who: None, at: now_ms() })?;
        run.moved(task, Status::WaitingApproval, now_ms());
    }
    Ok(())
}

fn must_ask(found: &TaskState, desk: &Desk) -> bool {
    let Some(plugin) = &found.added_by else { return false };
    let startable = matches!(found.status, Status::Pending | Status::Blocked);
    // A kind that nobody executes cannot start either.
    let effectful = desk.roles.executor_of(&found.task.kind).is_some_and(|executor| executor.effectful);
    if !startable || !effectful || is_auto(desk, plugin, &found.task) {
        return false;
    }
    let digest = task_digest(&found.task, found.env.as_ref());
    !digest.is_ok_and(|digest| found.approved.as_deref() == Some(digest.as_str()))
}

fn unused_id(plugin: &str, from: usize, known: &dyn Fn(&TaskId) -> bool) -> Result<TaskId, DriveError> {
    let name = plugin.rsplit('/').next().unwrap_or(plugin);
    let mut number = from + 1;
    loop {
        let text = format!("{name}-{number}");
        let id = TaskId::parse(&text).map_err(|error| DriveError::AskedTask {
            plugin: plugin.to_owned(),
            task: text.clone(),
            why: error.to_string(),
        })?;
        if !known(&id) {
            return Ok(id);
        }
        number += 1;
    }
}
