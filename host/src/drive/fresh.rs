//! Whether a task has to be done at all: its condition, and what it read and made when it was done last.
//!
//! In -> out: a task that could start, or was done in another run -> it starts, or is done without an attempt, and why.
//! Invariant: a task is done without an attempt only if its condition does not hold, or if whoever would do it is who did it,
//! each file that it reads and made has the bytes that it had then, and no verifier of it was waived; a task whose executor
//! changes anything outside but by programs always starts. Files are looked at beside the loop, never in it.
//! Not here: single files (`fresh/files.rs`), what is kept of a mark (`orch-journal`).

mod files;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use hmac::{Hmac, KeyInit, Mac};
use orch_journal::event::{Event, FileMark, Mark, MarkedBy, TaskIndex};
use orch_journal::{Reader, failpoint};
use orch_task::{Env, Look, Status, Task, When};
use orch_trust::manifest::Role;
use sha2::Sha256;
use tokio::task::JoinSet;

use self::files::{Files, difference};
use super::Back;
use super::desk::Desk;
use super::error::DriveError;
use super::roles::Roles;
use super::run::Run;
use crate::clock::now_ms;

/// Tasks that are looked at one after the other.
const TOGETHER: usize = 128;

/// What tasks read and made when they were done last, over all runs of a store.
pub struct Marks {
    store: Mutex<Reader>,
    /// Of this host, which the store may not have yet.
    made: Mutex<HashMap<String, Mark>>,
    files: Files,
    key: [u8; 32],
    /// Name of the store's folder.
    name: String,
}

/// What is known of a task as it begins, for its mark.
#[derive(Clone, Debug, Default)]
pub struct Begun {
    by: MarkedBy,
    inputs: Vec<FileMark>,
    at: u64,
}

/// What came of a look at a task that could start.
#[derive(Debug)]
pub struct Checked {
    pub task: TaskIndex,
    outcome: Outcome,
}

#[derive(Debug)]
enum Outcome {
    /// Its condition does not hold.
    Skipped(String),
    /// Nothing changed; with another mark if files have other times than before.
    Fresh(Option<Box<Mark>>),
    /// It starts: why, if it was done before; what it reads, if that could be looked at.
    Stale { why: Option<String>, begun: Option<Begun> },
}

/// What a task made.
#[derive(Debug)]
pub struct Made {
    pub task: TaskIndex,
    mark: Result<Box<Mark>, String>,
}

impl Marks {
    /// Over the store that is read there. `key` is this host's, `name` that of the store.
    pub fn over(reader: Reader, folder: Arc<PathBuf>, key: [u8; 32], name: String) -> Self {
        Self { store: Mutex::new(reader), made: Mutex::default(), files: Files::below(folder), key, name }
    }

    /// One that cannot be read is as good as none: the task is done again.
    fn last(&self, task: &str) -> Option<Mark> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner).get(task).cloned();
        made.or_else(|| self.store.lock().unwrap_or_else(PoisonError::into_inner).mark(task).ok().flatten())
    }

    fn keep(&self, task: &str, mark: Mark) {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).insert(task.to_owned(), mark);
    }

    fn mac(&self, what: &str, parts: &[&str]) -> String {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else {
            unreachable!("HMAC takes keys of every length")
        };
        for part in [&self.name, what].iter().chain(parts) {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part.as_bytes());
        }
        hex::encode(mac.finalize().into_bytes())
    }

    /// Whoever would do that task.
    fn by(&self, task: &Task, env: &[&Env], roles: &Roles) -> Result<MarkedBy, DriveError> {
        let executor = roles.executor(task)?;
        let verifiers = task.verify.iter().flat_map(|Look { verifier, checks }| {
            let found = roles.by_id(Role::Verifier, verifier).map(|found| found.identity.to_string());
            [verifier.clone(), found.unwrap_or_default(), checks.len().to_string()]
                .into_iter()
                .chain(checks.clone())
        });
        let verifiers: Vec<String> = verifiers.collect();
        let command = serde_json::to_string(&(&task.kind, &task.command, &task.settings));
        let files = serde_json::to_string(&(&task.inputs, &task.outputs));
        Ok(MarkedBy {
            task: self.mac("task", &[&command.unwrap_or_default(), &files.unwrap_or_default()]),
            env: self.mac(
                "env",
                &env.iter()
                    .flat_map(|env| env.iter())
                    .flat_map(|(name, value)| [name, value])
                    .collect::<Vec<_>>(),
            ),
            executor: self.mac("executor", &[&executor.id, &executor.identity]),
            verifiers: self.mac("verifiers", &verifiers.iter().map(String::as_str).collect::<Vec<_>>()),
        })
    }

    fn check(&self, glance: &Glance) -> Outcome {
        let Glance { task, by, force, variable, .. } = glance;
        if let Some(why) = task.when.as_ref().and_then(|when| self.missed(when, variable.as_deref())) {
            return Outcome::Skipped(why);
        }
        let Some(by) = by else { return Outcome::Stale { why: None, begun: None } };
        let at = now_ms();
        let last = self.last(task.id.as_str());
        let known = last.as_ref().map_or((&[][..], 0), |mark| (&mark.inputs[..], mark.at));
        let inputs = match self.files.look(&task.inputs, known.0, known.1) {
            Ok(inputs) => inputs,
            Err(why) => return Outcome::Stale { why: last.map(|_| why), begun: None },
        };
        let why = match (&last, force) {
            (None, _) | (_, true) => None,
            (Some(mark), false) => match self.changed(task, mark, by, &inputs) {
                Ok(outputs) => {
                    let is_same = mark.inputs == inputs && mark.outputs == outputs;
                    let renewed = Mark { by: by.clone(), inputs, outputs, at };
                    return Outcome::Fresh((!is_same).then(|| Box::new(renewed)));
                }
                Err(why) => Some(why),
            },
        };
        Outcome::Stale { why, begun: Some(Begun { by: by.clone(), inputs, at }) }
    }

    /// What it made, as that is now; or what changed, in words.
    fn changed(
        &self,
        task: &Task,
        mark: &Mark,
        by: &MarkedBy,
        inputs: &[FileMark],
    ) -> Result<Vec<FileMark>, String> {
        if mark.by.task != by.task {
            return Err("what it runs changed".to_owned());
        }
        if mark.by.env != by.env {
            return Err("its variables changed".to_owned());
        }
        if mark.by.executor != by.executor {
            return Err("its executor, or what that may do, changed".to_owned());
        }
        if mark.by.verifiers != by.verifiers {
            return Err("its verifiers changed".to_owned());
        }
        if let Some(what) = difference(&mark.inputs, inputs) {
            return Err(format!("input {what}"));
        }
        let outputs = self.files.look(&task.outputs, &mark.outputs, mark.at);
        let outputs = outputs.map_err(|why| format!("output {why}"))?;
        match difference(&mark.outputs, &outputs) {
            Some(what) => Err(format!("output {what}")),
            None => Ok(outputs),
        }
    }

    /// Why a condition does not hold; none if it does.
    fn missed(&self, when: &When, value: Option<&str>) -> Option<String> {
        let has = value.filter(|value| !value.is_empty());
        match (&when.variable, &when.is) {
            (Some(name), Some(is)) if value != Some(is) => {
                return Some(format!("`{name}` is not `{}`", is.escape_debug()));
            }
            (Some(name), None) if has.is_none() => return Some(format!("`{name}` is not set")),
            _ => {}
        }
        if let Some(path) = when.exists.as_deref().filter(|path| !self.files.is_there(path)) {
            return Some(format!("`{}` does not exist", path.escape_debug()));
        }
        let path = when.missing.as_deref().filter(|path| self.files.is_there(path))?;
        Some(format!("`{}` exists", path.escape_debug()))
    }
}

/// What is looked at beside the loop.
struct Glance {
    index: TaskIndex,
    task: Task,
    /// None: nothing but its condition is asked for.
    by: Option<MarkedBy>,
    force: bool,
    /// Of the variable that its condition names.
    variable: Option<String>,
}

fn glance(run: &Run, desk: &Desk, index: TaskIndex) -> Result<Option<Glance>, DriveError> {
    let Some(found) = run.state().tasks.get(index as usize).cloned() else { return Ok(None) };
    let task = found.task.clone();
    let executor = desk.roles.executor(&task)?;
    // A task whose values are gone does not start; its attempt says so.
    let env = run.env_of(&found);
    let of_both = [Some(&*desk.env), env.as_deref()];
    let by = (task.names_files() && !executor.changes_more && env.is_some())
        .then(|| desk.marks.by(&task, &of_both.into_iter().flatten().collect::<Vec<_>>(), &desk.roles));
    let variable = task.when.as_ref().and_then(|when| when.variable.as_deref()).and_then(|name| {
        let said =
            of_both.into_iter().rev().flatten().find_map(|env| env.iter().find(|(known, _)| *known == name));
        let said = said.map(|(_, value)| value.to_owned());
        said.or_else(|| executor.told.as_ref()?.handed_on(name))
    });
    Ok(Some(Glance { index, by: by.transpose()?, force: run.is_forced(index), variable, task }))
}

/// Begins to look at the tasks that could start and must be looked at before.
pub fn begin(run: &mut Run, desk: &Desk, running: &mut JoinSet<Back>) -> Result<(), DriveError> {
    let tasks = run.take_unchecked();
    for together in tasks.chunks(TOGETHER) {
        let glances = together.iter().map(|task| glance(run, desk, *task)).collect::<Result<Vec<_>, _>>()?;
        let marks = desk.marks.clone();
        let check = move || Back::Checked(check_all(&marks, glances));
        running.spawn_blocking_on(check, &desk.guests);
    }
    Ok(())
}

fn check_all(marks: &Marks, glances: Vec<Option<Glance>>) -> Vec<Checked> {
    let one = |glance: Glance| Checked { task: glance.index, outcome: marks.check(&glance) };
    glances.into_iter().flatten().map(one).collect()
}

/// Takes in what was seen of tasks that could start: they are done, or may start now.
pub fn take(run: &mut Run, desk: &Desk, checked: Vec<Checked>) -> Result<(), DriveError> {
    let mut fresh = Vec::new();
    for Checked { task, outcome } in checked {
        let found = run.state().tasks.get(task as usize).map(|found| (found.status, found.failures));
        let Some((status, failures)) = found else { continue };
        // Somebody had another word meanwhile.
        if status != Status::Pending {
            run.let_start(task, None, now_ms());
            continue;
        }
        match outcome {
            Outcome::Skipped(why) => {
                let why = format!("skipped: {why}");
                run.record(Event::TaskMoved { task, to: Status::Done, why, who: None, at: now_ms() })?;
                run.let_start(task, None, now_ms());
                run.moved(task, Status::Done, now_ms());
            }
            Outcome::Fresh(renewed) => {
                if let Some(mark) = renewed {
                    record_mark(run, desk, task, mark)?;
                }
                fresh.push(task);
            }
            Outcome::Stale { why, begun } => {
                // A retry begins as its failure said.
                if let Some(why) = why.filter(|_| failures == 0) {
                    let why = format!("again, since {why}");
                    run.record(Event::TaskMoved { task, to: Status::Pending, why, who: None, at: now_ms() })?;
                }
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
        run.moved(task, Status::Done, now_ms());
    }
    Ok(())
}

fn record_mark(run: &mut Run, desk: &Desk, task: TaskIndex, mark: Box<Mark>) -> Result<(), DriveError> {
    let Some(id) = run.id_of(task) else { return Ok(()) };
    desk.marks.keep(id.as_str(), Mark::clone(&mark));
    run.record(Event::TaskMarked { task, id, mark })?;
    Ok(())
}

/// Looks at what was done in earlier runs: what changed is done again, with all behind it that says what it reads.
pub async fn look_at_the_done(run: &mut Run, desk: &Desk) -> Result<(), DriveError> {
    let done: Vec<TaskIndex> = {
        let state = run.state();
        let is_done = |task: &TaskIndex| {
            let found = state.tasks.get(*task as usize);
            found.is_some_and(|found| found.status == Status::Done && found.task.names_files())
        };
        (0..state.tasks.len() as TaskIndex).filter(|task| is_done(task) && !run.is_left_out(*task)).collect()
    };
    let mut looks = JoinSet::new();
    for together in done.chunks(TOGETHER) {
        let all = together.iter().map(|task| glance(run, desk, *task)).collect::<Result<Vec<_>, _>>()?;
        let marks = desk.marks.clone();
        looks.spawn_blocking_on(move || check_all(&marks, all), &desk.guests);
    }
    let mut checked = Vec::with_capacity(done.len());
    while let Some(some) = looks.join_next().await {
        checked.extend(some.map_err(|_| DriveError::Lost { what: "a look at files" })?);
    }
    checked.sort_unstable_by_key(|one| one.task);
    let (mut fresh, mut stale) = (Vec::new(), Vec::new());
    for Checked { task, outcome } in checked {
        match outcome {
            // It is done already, whatever its condition says now.
            Outcome::Skipped(_) => {}
            Outcome::Fresh(renewed) => {
                if let Some(mark) = renewed {
                    record_mark(run, desk, task, mark)?;
                }
                fresh.push(task);
            }
            Outcome::Stale { why, .. } => {
                stale.push((task, why.unwrap_or_else(|| "nothing is known of when it was done".to_owned())));
            }
        }
    }
    // What it makes may be what those read.
    let firsts: Vec<TaskIndex> = stale.iter().map(|(task, _)| *task).collect();
    let behind: Vec<TaskIndex> = run.downstream(&firsts);
    fresh.retain(|task| match behind.contains(task) {
        true => {
            stale.push((*task, "what it depends on is done again".to_owned()));
            false
        }
        false => true,
    });
    let cleans_up = {
        let state = run.state();
        let is_over = |task: &TaskIndex| {
            let found = state.tasks.get(*task as usize);
            found.is_some_and(|found| {
                found.status == Status::Done && found.task.always && !found.task.names_files()
            })
        };
        behind.into_iter().filter(|task| is_over(task) && !run.is_left_out(*task)).collect::<Vec<_>>()
    };
    stale.extend(cleans_up.into_iter().map(|task| (task, "what it depends on is done again".to_owned())));
    for (task, why) in stale {
        let why = format!("again, since {why}");
        run.record(Event::TaskMoved { task, to: Status::Pending, why, who: None, at: now_ms() })?;
    }
    if !fresh.is_empty() {
        run.record(Event::TasksFresh { tasks: fresh, at: now_ms() })?;
    }
    run.regraph(now_ms());
    Ok(())
}

/// Begins to look at what a task made that is done and verified; true if there is something to look at.
pub fn begin_mark(run: &mut Run, desk: &Desk, index: TaskIndex, running: &mut JoinSet<Back>) -> bool {
    let Some(begun) = run.take_begun(index) else { return false };
    let task = {
        let state = run.state();
        let is_good = state.is_verified(index) && !state.waived.contains_key(&Some(index));
        let found = state.tasks.get(index as usize).filter(|found| found.status == Status::Done && is_good);
        found.map(|found| found.task.clone())
    };
    let Some(task) = task else { return false };
    let marks = desk.marks.clone();
    let look = move || {
        let Begun { by, inputs, at } = begun;
        let outputs = marks.files.look(&task.outputs, &[], 0);
        let mark = outputs.map(|outputs| Box::new(Mark { by, inputs, outputs, at }));
        Back::Made(Made { task: index, mark })
    };
    running.spawn_blocking_on(look, &desk.guests);
    true
}

/// Keeps what a task made. One that did not make what it says is done, and is done again the next time.
pub fn take_made(run: &mut Run, desk: &Desk, made: Made) -> Result<TaskIndex, DriveError> {
    let Made { task, mark } = made;
    failpoint::hit("before-mark");
    match mark {
        Ok(mark) => record_mark(run, desk, task, mark)?,
        Err(why) => {
            let id = run.id_of(task).map(|id| id.to_string()).unwrap_or_default();
            let text = format!("task `{id}` is done, but its output {why}: it is done again the next time");
            run.record(Event::Warned { code: "output-missing".to_owned(), text })?;
        }
    }
    Ok(task)
}
