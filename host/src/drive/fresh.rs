//! Whether a task has to be done at all: its condition, and what it read and made when it was done last.
//!
//! In -> out: a task that could start, or was done in another run -> it starts, or is done without an attempt, and why.
//! Invariant: a task is done without an attempt only if its condition does not hold, or if whoever would do it is who did it,
//! each file that it reads and made has the bytes that it had then, and no verifier of it was waived; a task whose executor
//! changes anything outside but by programs always starts. Files are looked at beside the loop, never in it.
//! Not here: what a mark is and when it holds (`marks.rs`), what is kept of it (`orch-journal`).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsStr;

use orch_journal::StoreError;
use orch_journal::event::{Event, Mark, TaskIndex};
use orch_journal::failpoint;
use orch_journal::rows::Known;
use orch_journal::state::TaskState;
use orch_task::Status;
use tokio::task::JoinSet;

use super::back::{Back, Checked, Made};
use super::desk::{Control, Desk};
use super::env::OF_SESSION;
use super::error::DriveError;
use super::marks::{Glance, Marks, Outcome};
use super::run::Run;
use crate::clock::now_ms;
use crate::console::lines::some_of;

/// Tasks that are looked at one after the other.
const TOGETHER: usize = 128;

fn glance(run: &Run, desk: &Desk, (index, look): (TaskIndex, u64)) -> Result<Option<Glance>, DriveError> {
    let Some(found) = run.state().tasks.get(index as usize).cloned() else { return Ok(None) };
    let task = found.task.clone();
    let executor = desk.roles.executor(&task)?;
    // A task whose values are gone does not start; its attempt says so.
    let env = run.env_of(&found);
    let of_files = [Some(&*desk.env), env.as_deref()];
    let of_files: Vec<(&str, &OsStr)> = of_files
        .into_iter()
        .flatten()
        .flat_map(|env| env.iter())
        .map(|(name, value)| (name, value.as_ref()))
        .collect();
    let told = executor.told.as_ref();
    let handed_on = told.map(|told| told.handed_on(&task)).unwrap_or_default();
    let of_host = handed_on.iter().map(|(name, value)| (name.as_str(), value.as_os_str()));
    let is_plain = !task.names_files() && task.when.is_none();
    let by = (is_plain || (!executor.changes_more && env.is_some())).then(|| {
        let of_host = of_host.clone().filter(|(name, _)| !OF_SESSION.contains(name));
        let env = of_host.chain(of_files.iter().copied()).filter(|_| task.names_files());
        desk.marks.by(&task, env, &desk.roles)
    });
    // What is said last counts.
    let value = |wanted: &str| of_host.chain(of_files.iter().copied()).rfind(|(name, _)| *name == wanted);
    let wanted = task.when.as_ref().and_then(|when| when.variable.as_deref());
    let variable = wanted.and_then(value).map(|(_, value)| value.to_owned());
    let hands_on = |name: &str| told.is_some_and(|told| told.hands_on(name, &task));
    let is_kept = variable.is_none() && wanted.is_some_and(|name| !hands_on(name));
    Ok(Some(Glance {
        index,
        by: by.transpose()?,
        force: run.is_forced(index),
        variable,
        is_kept,
        is_behind: run.is_behind(index),
        is_put_back: run.is_put_back(index),
        is_unfinished: found.unfinished || run.is_unfinished(index),
        is_tried_again: found.failures + found.crashes > 0,
        said_at: None,
        look,
        task,
    }))
}

/// Begins to look at the tasks that could start and must be looked at before.
pub fn begin(run: &mut Run, desk: &Desk, running: &mut JoinSet<Back>) -> Result<(), DriveError> {
    let tasks = run.take_unchecked();
    for together in tasks.chunks(TOGETHER) {
        let looks: Vec<(TaskIndex, u64)> =
            together.iter().map(|task| (*task, run.begin_look(*task))).collect();
        let glances = looks.into_iter().map(|look| glance(run, desk, look)).collect::<Result<Vec<_>, _>>()?;
        let marks = desk.marks.clone();
        let check = move || Back::Checked(check_all(&marks, glances, false));
        running.spawn_blocking_on(check, &desk.guests);
    }
    Ok(())
}

fn check_all(
    marks: &Marks,
    glances: Vec<Option<Glance>>,
    are_done: bool,
) -> Result<Vec<Checked>, StoreError> {
    let one = |glance: Glance| {
        let outcome = marks.check(&glance, are_done)?;
        Ok(Checked { task: glance.index, look: glance.look, outcome })
    };
    glances.into_iter().flatten().map(one).collect()
}

/// Takes in what was seen of tasks that could start: they are done, or may start now.
pub fn take(run: &mut Run, desk: &Desk, checked: Vec<Checked>) -> Result<(), DriveError> {
    let mut fresh = Vec::new();
    for Checked { task, look, outcome } in checked {
        if !run.counts(task, look) {
            continue;
        }
        // Somebody had another word meanwhile: it is looked at again when it could start.
        if !run.may_start(task) {
            run.withdraw(task);
            continue;
        }
        let failures = run.state().tasks.get(task as usize).map_or(0, |found| found.failures);
        match outcome {
            Outcome::Unasked(why) => {
                run.record(Event::TaskMoved { task, to: Status::Failed, why, who: None, at: now_ms() })?;
                run.let_start(task, None, now_ms());
                run.moved(task, Status::Failed, now_ms());
            }
            Outcome::Skipped(why) => {
                let why = format!("skipped: {why}");
                run.record(Event::TaskMoved { task, to: Status::Done, why, who: None, at: now_ms() })?;
                let mark = Mark { at: now_ms(), skipped: true, ..Mark::default() };
                record_mark(run, desk, task, Box::new(mark))?;
                run.let_start(task, None, now_ms());
                run.spared(task, now_ms());
            }
            Outcome::Fresh(renewed) => {
                if let Some(mark) = renewed {
                    record_mark(run, desk, task, mark)?;
                }
                fresh.push(task);
            }
            Outcome::Kept(_) => fresh.push(task),
            Outcome::Stale { why, begun } => {
                // A retry begins as its failure said.
                if let Some(why) = why.filter(|_| failures == 0) {
                    let why = format!("again, since {why}");
                    run.record(Event::TaskMoved { task, to: Status::Pending, why, who: None, at: now_ms() })?;
                }
                let begun = match begun {
                    Ok(begun) => begun,
                    Err(why) => {
                        warn_of_input(run, task, &why)?;
                        None
                    }
                };
                run.let_start(task, begun, now_ms());
            }
        }
    }
    are_fresh(run, fresh)
}

fn are_fresh(run: &mut Run, tasks: Vec<TaskIndex>) -> Result<(), DriveError> {
    if tasks.is_empty() {
        return Ok(());
    }
    run.record(Event::TasksFresh { tasks: tasks.clone(), at: now_ms() })?;
    for task in tasks {
        run.let_start(task, None, now_ms());
        run.spared(task, now_ms());
    }
    Ok(())
}

fn warn_of_input(run: &mut Run, task: TaskIndex, why: &str) -> Result<(), DriveError> {
    let id = run.id_of(task).map(|id| id.to_string()).unwrap_or_default();
    let text = format!("task `{id}` is done each time: its input {why}");
    run.record(Event::Warned { code: "input-missing".to_owned(), text })?;
    Ok(())
}

pub(super) fn record_mark(
    run: &mut Run,
    desk: &Desk,
    task: TaskIndex,
    mark: Box<Mark>,
) -> Result<(), DriveError> {
    let Some(id) = run.id_of(task) else { return Ok(()) };
    desk.marks.keep(id.as_str(), Mark::clone(&mark));
    run.record(Event::TaskMarked { task, id, mark })?;
    Ok(())
}

/// Looks at what is done as a host takes up a run: what changed since is done again, with all behind it; what says what it
/// reads, once it could start, and only if that changed. Of a run that goes on nothing is done again of which nothing is known.
pub async fn look_at_the_done(
    run: &mut Run,
    desk: &Desk,
    known: &HashMap<String, Known>,
) -> Result<(), DriveError> {
    run.take_known(known);
    let is_first = !run.state().looked;
    let (mut fresh, mut stale) = (Vec::new(), BTreeMap::new());
    let (mut unseen, mut other) = (Vec::new(), Vec::new());
    let mut open = Vec::new();
    let mut done = Vec::new();
    for (task, found) in (0..).zip(&run.state().tasks) {
        match found.status {
            _ if run.is_left_out(task) => {}
            Status::Done if is_first || is_looked_at_again(run, desk, task, found)? => done.push(task),
            Status::Done if run.is_behind(task) => {
                stale.insert(task, "what it depends on was done again".to_owned());
            }
            Status::Failed if found.task.allow_failure && is_first => {
                stale.insert(task, "its failure was allowed".to_owned());
            }
            Status::Pending | Status::Blocked | Status::InProgress | Status::WaitingApproval => {
                open.push(task)
            }
            _ => {}
        }
    }
    let checked = look_at(run, desk, &done, known).await?;
    if desk.control() != Control::GoOn {
        // A look that was ended says nothing; the next host looks.
        return Ok(());
    }
    for Checked { task, outcome, .. } in checked {
        match outcome {
            Outcome::Skipped(_) | Outcome::Unasked(_) => {}
            Outcome::Kept(kept) => {
                unseen.extend(kept.is_unseen.then_some(task));
                other.extend((kept.is_other && is_first).then_some(task));
            }
            Outcome::Fresh(renewed) => {
                if let Some(mark) = renewed {
                    record_mark(run, desk, task, mark)?;
                }
                fresh.push(task);
            }
            Outcome::Stale { why, begun } => {
                let why = why.or_else(|| begun.err().map(|why| format!("input {why}")));
                stale.insert(task, why.unwrap_or_else(|| "nothing is known of when it was done".to_owned()));
            }
        }
    }
    open.extend(stale.keys());
    // What is behind others is looked at once more when it could start: they may make again what it reads.
    let behind: BTreeSet<TaskIndex> = run.downstream(&open).into_iter().collect();
    stale.retain(|task, _| !behind.contains(task) || !run.is_done(*task));
    // That the others are done again is said here: not a second time when they could start.
    run.force(stale.keys().copied());
    for (&task, why) in &stale {
        let why = format!("again, since {why}");
        run.record(Event::TaskMoved { task, to: Status::Pending, why, who: None, at: now_ms() })?;
    }
    let again: BTreeSet<TaskIndex> = run.put_back_behind(&open)?.into_iter().collect();
    for tasks in [&mut fresh, &mut unseen, &mut other] {
        tasks.retain(|task| !again.contains(task));
    }
    if is_first || !fresh.is_empty() {
        run.record(Event::TasksFresh { tasks: fresh, at: now_ms() })?;
    }
    if !unseen.is_empty() {
        run.record(Event::LooksAsked { tasks: unseen, at: now_ms() })?;
    }
    warn_of_others(run, &other)?;
    run.regraph(now_ms());
    Ok(())
}

/// Of a run that goes on: nothing is done again of which nothing is known, and nobody's word is asked twice.
fn is_looked_at_again(
    run: &Run,
    desk: &Desk,
    task: TaskIndex,
    found: &TaskState,
) -> Result<bool, StoreError> {
    let has_looks = !found.task.verify.is_empty() && run.state().is_verified(task);
    let is_waived = run.state().waived.contains_key(&Some(task));
    Ok(match found.task.names_files() || found.task.when.is_some() {
        true => (found.task.names_files() || has_looks) && desk.marks.knows(found.task.id.as_str())?,
        false => has_looks && !is_waived,
    })
}

/// What is done stays done, but nobody takes it for what the file says now.
fn warn_of_others(run: &mut Run, tasks: &[TaskIndex]) -> Result<(), DriveError> {
    if tasks.is_empty() {
        return Ok(());
    }
    let ids = tasks.iter().filter_map(|task| run.id_of(*task)).map(|id| format!("`{id}`"));
    let ids: Vec<String> = ids.collect();
    let text = format!(
        "{}: done with another command or other settings than now; `orch-host run --force --task ID` does one again",
        some_of(ids.iter().map(String::as_str))
    );
    run.record(Event::Warned { code: "done-otherwise".to_owned(), text })?;
    Ok(())
}

/// Keeps what was done and who looked at it, of a task that says nothing of files.
pub fn mark_plain(run: &mut Run, desk: &Desk, index: TaskIndex) -> Result<(), DriveError> {
    let task = {
        let state = run.state();
        let is_good = state.is_verified(index) && !state.waived.contains_key(&Some(index));
        let found = state.tasks.get(index as usize).filter(|found| found.status == Status::Done && is_good);
        found.map(|found| found.task.clone())
    };
    let Some(task) = task.filter(|task| !task.names_files()) else { return Ok(()) };
    let says_something = task.command.is_some() || !task.verify.is_empty();
    let is_asked_each_time = task.when.is_some() && desk.roles.executor(&task)?.changes_more;
    if !says_something || is_asked_each_time {
        return Ok(());
    }
    let by = desk.marks.by(&task, std::iter::empty(), &desk.roles)?;
    match desk.marks.has(task.id.as_str(), &by)? {
        true => Ok(()),
        false => record_mark(run, desk, index, Box::new(Mark { by, at: now_ms(), ..Mark::default() })),
    }
}

/// What is done, looked at beside the loop; in the order of the tasks.
async fn look_at(
    run: &Run,
    desk: &Desk,
    done: &[TaskIndex],
    known: &HashMap<String, Known>,
) -> Result<Vec<Checked>, DriveError> {
    let mut looks = JoinSet::new();
    for together in done.chunks(TOGETHER) {
        let mut all =
            together.iter().map(|task| glance(run, desk, (*task, 0))).collect::<Result<Vec<_>, _>>()?;
        for glance in all.iter_mut().flatten() {
            glance.said_at = known.get(glance.task.id.as_str()).and_then(|known| known.said_at);
        }
        let marks = desk.marks.clone();
        looks.spawn_blocking_on(move || check_all(&marks, all, true), &desk.guests);
    }
    let mut checked = Vec::with_capacity(done.len());
    let mut control = desk.control.clone();
    loop {
        tokio::select! {
            some = looks.join_next() => match some {
                Some(some) => checked.extend(some.map_err(|_| DriveError::Lost { what: "a look at files" })??),
                None => break,
            },
            Ok(()) = control.changed() => desk.marks.stop(true),
        }
    }
    checked.sort_unstable_by_key(|one| one.task);
    Ok(checked)
}

/// Begins to look at what a task made that is done and verified; true if there is something to look at.
pub fn begin_mark(
    run: &mut Run,
    desk: &Desk,
    index: TaskIndex,
    running: &mut JoinSet<Back>,
) -> Result<bool, DriveError> {
    let Some(mut begun) = run.take_begun(index) else { return Ok(false) };
    let task = {
        let state = run.state();
        let is_good = state.is_verified(index) && !state.waived.contains_key(&Some(index));
        let found = state.tasks.get(index as usize).filter(|found| found.status == Status::Done && is_good);
        found.map(|found| found.task.clone())
    };
    let Some(task) = task else { return Ok(false) };
    // Who looked at it may have been said while it ran.
    begun.by.verifiers = desk.marks.by(&task, std::iter::empty(), &desk.roles)?.verifiers;
    let marks = desk.marks.clone();
    let look = move || {
        let mark = marks.made(&task, begun).map(Box::new);
        Back::Made(Made { task: index, mark })
    };
    running.spawn_blocking_on(look, &desk.guests);
    Ok(true)
}

/// Why a task is done again: what it made is not there, or what it read is not what it was.
pub(super) fn unmarked_code(why: &str) -> &'static str {
    match why.starts_with("input") {
        true => "input-changed",
        false => "output-missing",
    }
}

/// Keeps what a task made. One that did not make what it says is done, and is done again the next time.
pub fn take_made(run: &mut Run, desk: &Desk, made: Made) -> Result<TaskIndex, DriveError> {
    let Made { task, mark } = made;
    failpoint::hit("before-mark");
    match mark {
        Ok(mark) => record_mark(run, desk, task, mark)?,
        Err(why) => {
            let id = run.id_of(task).map(|id| id.to_string()).unwrap_or_default();
            let text = format!("task `{id}` is done, but its {why}: it is done again the next time");
            run.record(Event::Warned { code: unmarked_code(&why).to_owned(), text })?;
        }
    }
    Ok(task)
}
