//! A run whose store this process holds, to change it by a person's word: what `task`, `resolve` and `approvals` do.
//!
//! Invariant: a status is changed through the journal, by a process that holds the store; `tasks.yml` follows with
//! the next run.
//! Not here: which change a command means (`task.rs`, `resolve.rs`, `approvals.rs`).

use std::path::Path;
use std::sync::Arc;

use orch_journal::event::{Event, TaskIndex};
use orch_journal::state::TaskState;
use orch_journal::{Journal, Level, Reader, RunState, Store};
use orch_task::Status;

use super::stored_run::find_run;
use crate::clock::now_ms;
use crate::console::{Console, escape};
use crate::drive::error::DriveError;
use crate::drive::run::Run;
use crate::exit::{Exit, Fault, Outcome};
use crate::place::{self, Place, WorkspaceArgs};

/// A person's word about one task.
pub struct StatusChange<'a> {
    /// The newest run if none is said.
    pub run: Option<&'a str>,
    pub task: &'a str,
    pub to: Status,
    /// From which statuses this is meant; `Done` is one that is not verified.
    pub from: &'a [Status],
    pub why: &'a str,
}

/// Records a person's word.
pub fn change_status(
    args: &WorkspaceArgs,
    home: Option<&Path>,
    change: StatusChange<'_>,
    console: Console,
) -> Outcome {
    let mut held = HeldRun::open(&Place::from_args(args)?, home, change.run)?;
    let task = held.find(change.task, change.from)?;
    held.record(Event::TaskMoved { task, to: change.to, why: change.why.to_owned(), at: now_ms() })?;
    held.close()?;
    console.line(&format!("task {} is {} now; `orch-host run` goes on with it", change.task, change.to));
    Ok(Exit::Done)
}

/// A run whose store this process holds, to change it.
pub struct HeldRun {
    store: Store,
    journal: Arc<Journal>,
    run: Run,
}

impl HeldRun {
    /// That run, or the newest.
    pub fn open(place: &Place, home: Option<&Path>, run: Option<&str>) -> Result<Self, Fault> {
        let operator = place::operator(home)?;
        let store = place.store(&operator, Level::Process)?;
        let reader = store.reader()?;
        let id = find_run(&reader, run)?.id;
        let state = fold_run(&reader, &id)?;
        let journal = Arc::new(store.journal(&id)?);
        let run = Run::new(id, state, journal.clone());
        Ok(Self { store, journal, run })
    }

    /// The place of a task that has one of these statuses; `Done` is one that is not verified.
    pub fn find(&self, task: &str, from: &[Status]) -> Result<TaskIndex, Fault> {
        let found = orch_task::TaskId::parse(task).ok().and_then(|task| self.run.index_of(&task));
        let Some(index) = found else {
            let what = format!("run `{}` has no task `{}`", self.run.id, escape(task));
            let hint = "`orch-host status` shows the tasks".to_owned();
            return Err(place::input("task-unknown", Some(hint), what));
        };
        let state = self.run.state();
        let is = state.tasks.get(index as usize).map(|found| found.status);
        let is_over = is == Some(Status::Done) && state.is_verified(index);
        if is.is_some_and(|is| from.contains(&is)) && !is_over {
            return Ok(index);
        }
        let word = |status: &Status| if *status == Status::Done { "not verified" } else { status.as_str() };
        let from: Vec<&str> = from.iter().map(word).collect();
        let is = is.map_or("gone", Status::as_str);
        let what = format!("task `{task}` is {is}, expected {}", from.join(" or "));
        Err(place::input("task-status", None, what))
    }

    /// The task as the run has it.
    pub fn task(&self, index: TaskIndex) -> Option<TaskState> {
        self.run.state().tasks.get(index as usize).cloned()
    }

    pub fn record(&mut self, event: Event) -> Result<(), Fault> {
        self.run.record(event)?;
        Ok(())
    }

    /// Returns when what was recorded survives the end of the machine's power.
    pub fn close(self) -> Result<(), Fault> {
        self.journal.wait_durable(self.run.last(), Level::Power)?;
        self.store.close()?;
        Ok(())
    }
}

/// A run as of its last event.
pub fn fold_run(reader: &Reader, run: &str) -> Result<RunState, Fault> {
    let mut state = RunState::default();
    for event in reader.events(run) {
        state.apply(&event?.1).map_err(DriveError::from)?;
    }
    Ok(state)
}
