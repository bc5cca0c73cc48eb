//! What people say, taken into a run.
//!
//! In -> out: [`Act`], who said it -> events in the run, or [`Refused`].
//! Invariant: the same function takes it, whether the host at work was told or a command holds the store; what is taken is in
//! the journal with who said it; nothing is taken about a task that is worked or looked at.
//! Not here: how a host is told (`control.rs`), what is shown of it (`commands/`).

use orch_journal::event::{Event, TaskIndex, Who, task_digest};
use orch_task::{Status, TaskId};

use super::act::{Act, Move, REASON_CHARACTERS_MAX, Refused, Resolution, Said};
use super::acts;
use super::desk::{Control, Desk};
use super::error::DriveError;
use super::recover;
use super::run::Run;
use crate::clock::now_ms;

/// Takes every word that was said.
pub fn all(run: &mut Run, desk: &Desk) -> Result<(), DriveError> {
    while let Some(said) = run.already_said() {
        one(run, desk, said)?;
    }
    if let Some(asked) = desk.acts.fresh_stop() {
        run.record(Event::StopAsked { who: acts::who(&asked), call: Some(asked.call), at: now_ms() })?;
        stop(desk);
        desk.acts.done(asked.call, Some(&run.id), None)?;
    }
    Ok(())
}

/// Takes a word that came while the loop is at work.
pub fn one(run: &mut Run, desk: &Desk, said: Said) -> Result<(), DriveError> {
    let Said { act, who, answer } = said;
    let taken = match &act {
        Act::Stop {} => run.record(Event::StopAsked { who, call: None, at: now_ms() }).map(|_| {
            stop(desk);
            Ok(())
        }),
        of_a_task => take(run, of_a_task, who),
    };
    let (told, failed) = match taken {
        Ok(taken) => (taken.map(|()| run.last()), None),
        // A part of it may be kept.
        Err(error) => (Err(Refused::Unsure { run: run.id.clone() }), Some(error)),
    };
    // Who asked may be gone.
    let _ = answer.send(told);
    failed.map_or(Ok(()), Err)
}

/// Takes a word into the run. The outer error is the run's, the inner one the word's.
pub fn take(run: &mut Run, act: &Act, who: Who) -> Result<Result<(), Refused>, DriveError> {
    if let Act::WaiveRun { reason } = act {
        return waive(run, None, reason, who);
    }
    let Some(Move { task, to, from, why }) = act.moved() else {
        return Ok(Err(Refused::NotAtWork { run: run.id.clone() }));
    };
    let index = match find(run, task, from) {
        Ok(index) => index,
        Err(refused) => return Ok(Err(refused)),
    };
    let at = now_ms();
    if let Act::Approve { digest, .. } = act {
        let seen =
            run.state().tasks.get(index as usize).map(|found| task_digest(&found.task, found.env.as_ref()));
        if seen.and_then(Result::ok).as_ref() != Some(digest) {
            return Ok(Err(Refused::TaskChanged { task: task.to_owned() }));
        }
        let (digest, who) = (digest.clone(), Some(who.clone()));
        run.record(Event::TaskApproved { task: index, digest, who, at })?;
    }
    match act {
        Act::Waive { reason, .. } => {
            if let Err(refused) = waive(run, Some(index), reason, who)? {
                return Ok(Err(refused));
            }
        }
        _ => {
            run.record(Event::TaskMoved { task: index, to, why: why.to_owned(), who: Some(who), at })?;
        }
    }
    // Before others hear that it is done: what it blocked may be free by that.
    if matches!(to, Status::Pending | Status::Done) {
        recover::unblock(run)?;
    }
    run.moved(index, to, at);
    if to == Status::Done && !matches!(act, Act::Waive { .. }) {
        run.say_done(index);
    }
    // A word about looks is none about what was done.
    if matches!(to, Status::Pending | Status::Done) && !matches!(act, Act::Waive { .. }) {
        run.put_back_behind(&[index])?;
    }
    // How its attempt ended is another matter than what is done again before it.
    if matches!(act, Act::Resolve { how: Resolution::Done, .. }) {
        run.put_back_if_it_waits(index)?;
    }
    Ok(Ok(()))
}

/// Does without the looks that are missing at a task, or that could not be made at the run.
fn waive(
    run: &mut Run,
    task: Option<TaskIndex>,
    reason: &str,
    who: Who,
) -> Result<Result<(), Refused>, DriveError> {
    let reason = reason.trim().to_owned();
    let found_characters = reason.chars().count();
    if !(1..=REASON_CHARACTERS_MAX).contains(&found_characters) {
        return Ok(Err(Refused::Reason { found_characters }));
    }
    let looks = run.state().unverified.get(&task).cloned().unwrap_or_default();
    if task.is_none() && looks.is_empty() {
        return Ok(Err(Refused::RunVerified { run: run.id.clone() }));
    }
    let verifiers = looks.into_iter().map(|look| look.verifier).collect();
    run.record(Event::LooksWaived { task, verifiers, reason, who, at: now_ms() })?;
    Ok(Ok(()))
}

/// The place of a task that has one of these statuses.
fn find(run: &Run, task: &str, from: &[Status]) -> Result<TaskIndex, Refused> {
    let index = TaskId::parse(task).ok().and_then(|id| run.index_of(&id));
    let index = index.ok_or_else(|| Refused::TaskUnknown { run: run.id.clone(), task: task.to_owned() })?;
    if run.is_running(index) {
        return Err(Refused::TaskUnderWay { task: task.to_owned() });
    }
    let state = run.state();
    let is = state.tasks.get(index as usize).map(|found| found.status);
    let is_over = is == Some(Status::Done) && state.is_verified(index);
    if is.is_some_and(|is| from.contains(&is)) && !is_over {
        return Ok(index);
    }
    let word = |status: &Status| if *status == Status::Done { "not verified" } else { status.as_str() };
    let expected = from.iter().map(word).collect::<Vec<_>>().join(" or ");
    let is = is.map_or("gone", Status::as_str).to_owned();
    Err(Refused::TaskStatus { task: task.to_owned(), is, expected })
}

/// From now on nothing more starts; what ends more than that stays.
fn stop(desk: &Desk) {
    desk.say.send_if_modified(|control| {
        let goes_on = *control == Control::GoOn;
        *control = (*control).max(Control::Stop);
        goes_on
    });
}
