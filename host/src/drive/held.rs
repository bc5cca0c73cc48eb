//! Edits that wait for a person: held as they are, and kept by a later attempt that does nothing else.
//!
//! In -> out: an attempt that guards have something against -> `attempt_finished` with what it made, and a ref of it.
//! Invariant: what is kept is the commit that was shown, on the newest one of the branch; a ref keeps it from being cleaned
//! away; nothing of it is on the branch before.
//! Not here: what guards say (`guards.rs`), weighing and keeping (`keep.rs`).

use orch_journal::event::{EDITS_HELD, Ending, Event, HeldEdits, TaskIndex};
use orch_journal::failpoint;
use orch_task::Status;

use super::attempt::{self, SummedUp};
use super::branch::Branch;
use super::desk::Desk;
use super::ended::Ended;
use super::error::DriveError;
use super::run::Run;
use crate::clock::now_ms;
use crate::git::{GitError, Oid, Repository};

/// Below this are the held commits of a run.
fn refs_of(run: &str) -> String {
    format!("refs/orch/held/{run}/")
}

/// Lets go of every held commit of a run.
///
/// # Errors
/// Git's.
pub fn release_all(repository: &Repository, run: &str) -> Result<(), GitError> {
    for (name, commit) in repository.refs_below(&refs_of(run))? {
        repository.move_ref(&name, Some(&commit), None)?;
    }
    Ok(())
}

fn ref_of(run: &str, task: TaskIndex) -> String {
    format!("{}{task}", refs_of(run))
}

/// Who has something against an attempt's edits, and why.
pub struct Against {
    pub guard: String,
    pub why: String,
}

/// Ends an attempt whose edits wait for a person. `old`: the commit that `new` was made on.
pub async fn hold(
    run: &mut Run,
    desk: &Desk,
    ended: Ended,
    (old, new): (Oid, Oid),
    Against { guard, why }: Against,
) -> Result<(), DriveError> {
    let (task, effect) = (ended.task, ended.report.effect);
    let mut guards = ended.held.as_ref().map_or_else(Vec::new, |held| held.guards.clone());
    guards.push(guard);
    let log = ended.held.as_ref().and_then(|held| held.log.clone());
    let Some(SummedUp { mut finished, asked }) = attempt::sum_up(run, desk, ended, None)? else {
        return Ok(());
    };
    let Ending::Done { summary } = finished.ending else {
        return Err(DriveError::Lost { what: "the answer of an attempt" });
    };
    point(run, desk, task, Some(new.clone())).await?;
    failpoint::hit("after-held");
    let (base, commit) = (old.to_string(), new.to_string());
    let writes = std::mem::take(&mut finished.writes);
    let log = log.or_else(|| finished.log.clone());
    finished.held = Some(Box::new(HeldEdits {
        base,
        commit,
        guards,
        why: why.clone(),
        summary,
        writes,
        asked,
        log,
        effect,
    }));
    finished.ending = Ending::Rerun { code: EDITS_HELD.to_owned() };
    (finished.status, finished.not_before) = (Status::WaitingApproval, None);
    attempt::record(run, desk, finished)?;
    run.record(Event::TaskMoved { task, to: Status::WaitingApproval, why, who: None, at: now_ms() })?;
    Ok(())
}

/// Nothing is held for that task any more.
pub async fn release(run: &mut Run, desk: &Desk, task: TaskIndex) -> Result<(), DriveError> {
    point(run, desk, task, None).await
}

/// Has the task's ref lead to that commit, or be none.
async fn point(run: &mut Run, desk: &Desk, task: TaskIndex, to: Option<Oid>) -> Result<(), DriveError> {
    let Some(branch) = desk.branch.clone() else { return Ok(()) };
    let name = ref_of(&run.id, task);
    let moving = desk.guests.spawn_blocking(move || move_to(&branch, &name, to.as_ref()));
    run.serving(moving).await?.map_err(|_| DriveError::Lost { what: "a ref that moves" })??;
    Ok(())
}

fn move_to(branch: &Branch, name: &str, to: Option<&Oid>) -> Result<(), GitError> {
    let found = branch.repository().resolve(name)?;
    match found.as_ref() == to {
        true => Ok(()),
        false => branch.repository().move_ref(name, found.as_ref(), to),
    }
}
