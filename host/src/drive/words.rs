//! What somebody, or its own rule, takes for done: its files are looked at as that is said.
//!
//! In -> out: tasks that were said to be done -> what is known of them, or a warning that nothing is.
//! Invariant: a word says nothing of who would do the task; one whose files could not be looked at is as good as none for the
//! next run.
//! Not here: who may say what (`hear.rs`), what a rule says (`recover.rs`), what a mark is (`marks.rs`).

use orch_journal::event::{Event, Mark, TaskIndex};
use orch_task::Task;
use tokio::task::JoinSet;

use super::back::{Back, Seen};
use super::desk::Desk;
use super::error::DriveError;
use super::fresh::{record_mark, unmarked_code};
use super::run::Run;

/// Begins to look at what was said to be done, beside the loop.
pub fn begin(run: &mut Run, desk: &Desk, running: &mut JoinSet<Back>) {
    for (index, look, task) in run.take_said_done(false) {
        let marks = desk.marks.clone();
        let see = move || Back::Seen(Seen { task: index, look, mark: marks.said(&task) });
        running.spawn_blocking_on(see, &desk.guests);
    }
}

/// Looks at all that was said to be done and is not looked at.
pub async fn look_at_all(run: &mut Run, desk: &Desk) -> Result<(), DriveError> {
    let mut control = desk.control.clone();
    control.mark_unchanged();
    let tasks = run.take_said_done(true);
    if !tasks.is_empty() {
        // Whoever ended what ran may have ended looks at its files.
        desk.marks.stop(false);
    }
    for (index, look, task) in tasks {
        let marks = desk.marks.clone();
        let mut seen = desk.guests.spawn_blocking(move || marks.said(&task));
        let mark = loop {
            tokio::select! {
                mark = &mut seen => break mark.map_err(|_| DriveError::Lost { what: "a look at files" })?,
                Ok(()) = control.changed() => desk.marks.stop(true),
            }
        };
        take(run, desk, Seen { task: index, look, mark })?;
    }
    Ok(())
}

/// Keeps what was seen, if that word still counts.
pub fn take(run: &mut Run, desk: &Desk, seen: Seen) -> Result<(), DriveError> {
    let Seen { task, look, mark } = seen;
    if !run.was_said_done(task, look) {
        return Ok(());
    }
    match mark {
        Ok(mark) => record_mark(run, desk, task, Box::new(mark)),
        Err(why) => warn(run, task, &why),
    }
}

/// The same without a host.
pub fn keep_all(run: &mut Run, see: impl Fn(&Task) -> Result<Mark, String>) -> Result<(), DriveError> {
    for (index, _, task) in run.take_said_done(true) {
        match (see(&task), run.id_of(index)) {
            (Ok(mark), Some(id)) => {
                run.record(Event::TaskMarked { task: index, id, mark: Box::new(mark) })?;
            }
            (Err(why), _) => warn(run, index, &why)?,
            (Ok(_), None) => {}
        }
    }
    Ok(())
}

fn warn(run: &mut Run, task: TaskIndex, why: &str) -> Result<(), DriveError> {
    let id = run.id_of(task).map(|id| id.to_string()).unwrap_or_default();
    let text = format!("task `{id}` is taken for done, but its {why}: it is done again by the next run");
    run.record(Event::Warned { code: unmarked_code(why).to_owned(), text })?;
    Ok(())
}
