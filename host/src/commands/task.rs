//! `orch-host task retry|skip|cancel`, and the change of a task's status that `resolve` and `approvals` make too.
//!
//! Invariant: a status is changed through the journal, by a process that holds the store; `tasks.yml` follows with
//! the next run.

use std::path::Path;
use std::sync::Arc;

use orch_journal::event::Event;
use orch_journal::{Level, RunState};
use orch_task::Status;

use super::status::find_run;
use crate::console::{Console, escape};
use crate::drive::desk::now_ms;
use crate::drive::error::DriveError;
use crate::drive::run::Run;
use crate::exit::{Exit, Fault, Outcome};
use crate::place::{self, Place, WorkspaceArgs};

#[derive(clap::Subcommand)]
pub enum TaskCommand {
    /// Try a failed task again with the next run
    Retry(OneTask),
    /// Take a task for done without running it
    Skip(OneTask),
    /// Take a task out of the run
    Cancel(OneTask),
}

#[derive(clap::Args)]
pub struct OneTask {
    /// The task
    task: String,
    #[command(flatten)]
    place: WorkspaceArgs,
}

pub fn run(command: &TaskCommand, home: Option<&Path>, console: Console) -> Outcome {
    const NOT_DONE: &[Status] = &[Status::Pending, Status::Failed, Status::Blocked, Status::WaitingApproval];
    let (one, to, from, why): (_, _, &[Status], _) = match command {
        TaskCommand::Retry(one) => (
            one,
            Status::Pending,
            &[Status::Failed, Status::Cancelled, Status::Blocked],
            "a person lets it run again",
        ),
        TaskCommand::Skip(one) => (one, Status::Done, NOT_DONE, "a person skipped it"),
        TaskCommand::Cancel(one) => (one, Status::Cancelled, NOT_DONE, "a person cancelled it"),
    };
    let change = Change { run: None, task: &one.task, to, from, why };
    apply(&one.place, home, change, console)
}

/// A person's word about one task.
pub struct Change<'a> {
    /// The newest run if none is said.
    pub run: Option<&'a str>,
    pub task: &'a str,
    pub to: Status,
    /// From which statuses this is meant.
    pub from: &'a [Status],
    pub why: &'a str,
}

/// Records a person's word.
pub fn apply(args: &WorkspaceArgs, home: Option<&Path>, change: Change<'_>, console: Console) -> Outcome {
    let place = Place::from_args(args)?;
    let operator = place::operator(home)?;
    let store = place.store(&operator, Level::Process)?;
    let reader = store.reader()?;
    let id = find_run(&reader, change.run)?.id;
    let mut state = RunState::default();
    for event in reader.events(&id) {
        state.apply(&event?.1).map_err(DriveError::from)?;
    }
    let journal = Arc::new(store.journal(&id)?);
    let mut run = Run::new(id.clone(), state, journal.clone());
    let found = orch_task::TaskId::parse(change.task).ok().and_then(|task| run.index_of(&task));
    let Some(task) = found else {
        let what = format!("run `{id}` has no task `{}`", escape(change.task));
        return Err(place::input(
            "task-unknown",
            Some("`orch-host status` shows the tasks".to_owned()),
            what,
        ));
    };
    let is = run.state().tasks.get(task as usize).map(|found| found.status);
    if !is.is_some_and(|is| change.from.contains(&is)) {
        let from: Vec<&str> = change.from.iter().map(|status| status.as_str()).collect();
        let what = format!(
            "task `{}` is {}, expected {}",
            change.task,
            is.map_or("gone", Status::as_str),
            from.join(" or ")
        );
        return Err(place::input("task-status", None, what));
    }
    run.record(Event::TaskMoved { task, to: change.to, why: change.why.to_owned(), at: now_ms() })
        .map_err(Fault::from)?;
    journal.wait_durable(run.last(), Level::Power)?;
    store.close()?;
    console.line(&format!("task {} is {} now; `orch-host run` goes on with it", change.task, change.to));
    Ok(Exit::Done)
}
