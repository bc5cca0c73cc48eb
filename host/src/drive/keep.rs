//! An attempt's edits: kept whole on the run's branch, or gone.
//!
//! In -> out: an attempt that answered well -> its tree looked at, judged, a commit -> `edits_kept`, the branch moved,
//! `attempt_finished`.
//! Limits: one attempt at a time, so that what verifiers look at is what the branch comes to.
//! Invariant: nobody but this moves the branch, and only from where the journal says that it is; what another host did not
//! finish is finished before anything else begins.
//! Not here: which edits are never kept (`worktrees/check.rs`), a person's yes (`commands/accept.rs`).

use std::sync::Arc;

use orch_journal::event::{self, AttemptFinished, EditsKept, Ending, Event, RunBased, TaskIndex};
use orch_journal::{Level, failpoint};
use tokio::task::JoinSet;

use super::attempt::{self, SummedUp};
use super::back::{Back, Looked};
use super::branch::Branch;
use super::consult;
use super::desk::Desk;
use super::ended::Ended;
use super::error::DriveError;
use super::extend;
use super::guards::{self, Verdict};
use super::held::{self, Against};
use super::keeping::{Held, Weighed, Weight};
use super::lodging::{leave, oid};
use super::run::Run;
use crate::clock::now_ms;
use crate::git::{GitError, Merged, Oid, Signed};
use crate::worktrees::{Seat, Unkept};

/// Code of an attempt that another one came before.
pub const CONFLICT: &str = "edits-conflict";

/// Takes an attempt whose tree is to be looked at; gives back one that has none, or no good answer.
pub fn begin(
    run: &mut Run,
    desk: &Desk,
    ended: Ended,
    running: &mut JoinSet<Back>,
) -> Result<Option<Ended>, DriveError> {
    if ended.tree.is_none() || ended.report.result.is_err() {
        return Ok(Some(ended));
    }
    match run.keeping.now {
        Some(_) => run.keeping.waiting.push_back(ended),
        None => weigh(run, desk, ended, running)?,
    }
    Ok(None)
}

/// Has its tree looked at, beside the loop.
fn weigh(run: &mut Run, desk: &Desk, ended: Ended, running: &mut JoinSet<Back>) -> Result<(), DriveError> {
    let (Some(branch), Some(edits)) = (desk.branch.clone(), run.state().edits.clone()) else {
        return Err(DriveError::Lost { what: "the run's branch" });
    };
    failpoint::hit("before-edits");
    let (tip, index) = (oid(&edits.tip)?, ended.task);
    let found = run.state().tasks.get(index as usize).map(|found| found.task.clone());
    let task = found.ok_or(DriveError::Lost { what: "the task of an attempt" })?;
    let looks = task.verify.iter().map(|look| look.verifier.clone()).collect();
    run.keeping.now = Some(Held { task: index, weighed: None, looks, looked: Vec::new() });
    let about = task.description.lines().next().unwrap_or_default().to_owned();
    let title = if about.is_empty() { task.id.to_string() } else { format!("{}: {about}", task.id) };
    let message =
        format!("{title}\n\nOrch-Run: {}\nOrch-Task: {}\nOrch-Attempt: {}\n", run.id, task.id, ended.attempt);
    let work = move || {
        let mut ended = ended;
        let outcome = weigh_tree(&branch, &mut ended, &tip, &task.outputs, &message);
        failpoint::hit("after-objects");
        Back::Weighed(Box::new(Weighed { ended, outcome }))
    };
    running.spawn_blocking_on(work, &desk.guests);
    Ok(())
}

/// Makes a commit of what was changed, on the newest one; the tree is that commit's afterwards.
fn weigh_tree(
    branch: &Branch,
    ended: &mut Ended,
    tip: &Oid,
    outputs: &[String],
    message: &str,
) -> Result<Option<Weight>, Unkept> {
    let Some(worktree) = &mut ended.tree else { return Ok(None) };
    let repository = branch.repository();
    let by = Signed::by_host(now_ms());
    let (base, commit, tree) = match &ended.held {
        // Made, looked at and shown before.
        Some(held) => {
            let commit = oid(&held.commit)?;
            (oid(&held.base)?, commit.clone(), repository.tree_of(&commit)?)
        }
        None => {
            let edits = worktree.edits(outputs, branch.protected())?;
            let Some(base) = worktree.base().cloned().filter(|_| !edits.is_empty()) else { return Ok(None) };
            let tree = repository.tree_with(&base, &edits, &worktree.seat().git.join("index.kept"))?;
            let commit = repository.commit(&tree, &[&base], message, &by)?;
            (base, commit, tree)
        }
    };
    if base == *tip {
        if ended.held.is_some() {
            branch.make(worktree, &commit)?;
        }
        return Ok(Some(Weight { old: base, new: commit, tree }));
    }
    // Another attempt was kept since this one began.
    let tree = match repository.merge(tip, &commit)? {
        Merged::Tree(tree) => tree,
        Merged::Conflict(paths) => return Err(Unkept::Conflict { paths }),
    };
    let new = repository.commit(&tree, &[tip], message, &by)?;
    branch.make(worktree, &new)?;
    Ok(Some(Weight { old: tip.clone(), new, tree }))
}

/// Takes a tree back that was weighed: its verifiers look at it, or it is gone; gives the task if its attempt is over.
pub async fn weighed(
    run: &mut Run,
    desk: &Desk,
    weighed: Weighed,
    running: &mut JoinSet<Back>,
) -> Result<Option<TaskIndex>, DriveError> {
    let Weighed { ended, outcome } = weighed;
    let task = ended.task;
    match outcome {
        Ok(weight) => {
            if let Some(held) = &mut run.keeping.now {
                held.weighed = Some((ended, weight));
            }
            go_on(run, desk, task, running).await
        }
        Err(unkept) => {
            // Whoever came before was kept: each time there is one task less that can come before it again.
            let ending = match unkept {
                Unkept::Conflict { .. } if !ended.report.effect => {
                    Ending::Rerun { code: CONFLICT.to_owned() }
                }
                _ => {
                    let message = format!("its edits are not kept ({}): {unkept}", unkept.code());
                    Ending::Failed { message, retriable: unkept.is_passing() }
                }
            };
            if let Ending::Rerun { .. } = ending {
                let id = run.id_of(task).map(|id| id.to_string()).unwrap_or_default();
                let text = format!("task `{id}` runs again: {unkept}");
                run.record(Event::Warned { code: CONFLICT.to_owned(), text })?;
            }
            drop_edits(run, desk, ended, (ending, None), running).await
        }
    }
}

/// Ends an attempt of which nothing is kept, so; what is not kept of it the next one is told of.
async fn drop_edits(
    run: &mut Run,
    desk: &Desk,
    mut ended: Ended,
    (ending, unkept): (Ending, Option<event::Unkept>),
    running: &mut JoinSet<Back>,
) -> Result<Option<TaskIndex>, DriveError> {
    let (task, tree, was_held) = (ended.task, ended.tree.take(), ended.held.is_some());
    if let Some(SummedUp { finished, .. }) = attempt::sum_up(run, desk, ended, Some(ending))? {
        attempt::record(run, desk, AttemptFinished { unkept, ..finished })?;
    }
    if was_held {
        held::release(run, desk, task).await?;
    }
    run.serving(leave(&desk.guests, tree)).await?;
    next(run, desk, running)?;
    Ok(Some(task))
}

/// Notes who looked at a tree that is not kept yet.
pub fn looked(run: &mut Run, looked: &Looked) {
    let held = run.keeping.now.as_mut().filter(|held| looked.task == Some(held.task));
    held.into_iter().for_each(|held| held.looked.extend(looked.answered().map(str::to_owned)));
}

/// Begins the next look at a tree, or keeps it; gives the task if its attempt is over.
pub async fn go_on(
    run: &mut Run,
    desk: &Desk,
    task: TaskIndex,
    running: &mut JoinSet<Back>,
) -> Result<Option<TaskIndex>, DriveError> {
    let look = run.keeping.now.as_mut().and_then(|held| {
        let seat: Option<Seat> =
            held.weighed.as_ref().and_then(|(ended, _)| Some(ended.tree.as_ref()?.seat().clone()));
        Some((held.looks.pop_front()?, seat))
    });
    if let Some((verifier, seat)) = look {
        let look = consult::look(run, desk, &verifier, Some(task), seat.as_ref())?;
        running.spawn_on(async move { Back::Look(look.await) }, &desk.guests);
        return Ok(None);
    }
    let Some(Held { weighed: Some((ended, weight)), looked, .. }) = run.keeping.now.take() else {
        return Err(DriveError::Lost { what: "a tree that was looked at" });
    };
    if let Some(why) = consult::too_many_seen(run, desk, task) {
        let retriable = ended.report.result.as_ref().is_ok_and(|completion| completion.mendable);
        let ending = Ending::Failed { message: format!("its verifiers have {why}"), retriable };
        let unkept = weight.as_ref().map(Weight::unkept);
        return drop_edits(run, desk, ended, (ending, unkept), running).await;
    }
    if let Some(found @ Weight { old, new, .. }) = &weight {
        match guards::judge_edits(run, desk, &ended, (old, new)).await? {
            Verdict::Keep => {}
            Verdict::Refuse(message) => {
                let ending = Ending::Failed { message, retriable: false };
                return drop_edits(run, desk, ended, (ending, Some(found.unkept())), running).await;
            }
            Verdict::Hold { guard, why } => {
                let (mut ended, edits) = (ended, (old.clone(), new.clone()));
                let tree = ended.tree.take();
                held::hold(run, desk, ended, edits, Against { guard, why }).await?;
                run.serving(leave(&desk.guests, tree)).await?;
                next(run, desk, running)?;
                return Ok(Some(task));
            }
        }
    }
    keep(run, desk, ended, weight, looked).await?;
    next(run, desk, running)?;
    Ok(Some(task))
}

/// Has the next tree weighed.
fn next(run: &mut Run, desk: &Desk, running: &mut JoinSet<Back>) -> Result<(), DriveError> {
    run.keeping.now = None;
    match run.keeping.waiting.pop_front() {
        Some(ended) => weigh(run, desk, ended, running),
        None => Ok(()),
    }
}

/// Keeps what was weighed: durable first, then on the branch, then said.
async fn keep(
    run: &mut Run,
    desk: &Desk,
    mut ended: Ended,
    weight: Option<Weight>,
    looked: Vec<String>,
) -> Result<(), DriveError> {
    let tree = ended.tree.take();
    let (task, by, was_held) = (ended.task, ended.attempt, ended.held.is_some());
    let Some(SummedUp { mut finished, asked }) = attempt::sum_up(run, desk, ended, None)? else {
        return Ok(());
    };
    finished.looked = looked;
    if let (Some(Weight { old, new, tree }), Some(branch)) = (weight, desk.branch.clone()) {
        let kept = EditsKept {
            old: old.to_string(),
            new: new.to_string(),
            tree: tree.to_string(),
            finished: Box::new(finished.clone()),
            asked: asked.clone(),
        };
        run.record(Event::EditsKept(Box::new(kept)))?;
        run.durable_at(Level::Power).await?;
        failpoint::hit("after-edits");
        let moving = desk.guests.spawn_blocking(move || {
            branch.repository().move_ref(&branch.based().branch, Some(&old), Some(&new))?;
            failpoint::hit("after-branch");
            branch.show_tip(&new)
        });
        run.serving(moving).await?.map_err(|_| DriveError::Lost { what: "a branch that moves" })??;
    }
    finish(run, desk, finished, asked)?;
    tracing::debug!(task, attempt = by, "an attempt's edits are kept");
    if was_held {
        held::release(run, desk, task).await?;
    }
    run.serving(leave(&desk.guests, tree)).await
}

fn finish(
    run: &mut Run,
    desk: &Desk,
    finished: AttemptFinished,
    asked: Vec<orch_journal::event::AskedTask>,
) -> Result<(), DriveError> {
    let found = run.state().tasks.get(finished.task as usize).map(|found| found.task.clone());
    let place = finished.task;
    attempt::record(run, desk, finished)?;
    let Some(task) = found.filter(|_| !asked.is_empty()) else { return Ok(()) };
    let plugin = desk.roles.executor(&task)?.id.clone();
    extend::add(run, desk, (&plugin, Some(place)), asked).map(drop)
}

/// Begins the branch of a run, or finishes what another host began: afterwards the branch is where the journal says.
///
/// # Errors
/// `branch-moved`; whatever git says.
pub async fn recover(run: &mut Run, desk: &Desk) -> Result<(), DriveError> {
    let Some(branch) = desk.branch.clone() else { return Ok(()) };
    let edits = run.state().edits.clone();
    let edits = match edits {
        Some(edits) => edits,
        None => {
            let based: RunBased = branch.based().clone();
            run.record(Event::RunBased(based))?;
            run.durable_at(Level::Power).await?;
            run.state().edits.clone().ok_or(DriveError::Lost { what: "the run's branch" })?
        }
    };
    let (tip, is_new) = (oid(&edits.tip)?, edits.commits == 0);
    let old = edits.open.as_ref().map(|open| oid(&open.old)).transpose()?;
    let moving = desk.guests.spawn_blocking(move || put_right(&branch, &tip, old.as_ref(), is_new));
    run.serving(moving).await?.map_err(|_| DriveError::Lost { what: "a branch that moves" })??;
    if let Some(open) = edits.open {
        let EditsKept { finished, asked, .. } = *open;
        let (task, status) = (finished.task, finished.status);
        finish(run, desk, *finished, asked)?;
        held::release(run, desk, task).await?;
        run.moved(task, status, now_ms());
    }
    Ok(())
}

/// Takes the branch to where the journal says that it is, from where it was before.
fn put_right(branch: &Arc<Branch>, tip: &Oid, old: Option<&Oid>, is_new: bool) -> Result<(), GitError> {
    let name = &branch.based().branch;
    let found = branch.repository().resolve(name)?;
    match found {
        Some(found) if found == *tip => {}
        Some(found) if Some(&found) == old => branch.repository().move_ref(name, old, Some(tip))?,
        None if is_new => branch.repository().move_ref(name, None, Some(tip))?,
        found => return Err(GitError::branch_moved(name, tip, found.as_ref())),
    }
    branch.show_tip(tip)
}
