//! The end of a run: what is blocked, how it went, what is left for a person.
//!
//! In -> out: a run in which nothing more starts -> `run_finished` and a [`Summary`].
//! Invariant: a summary is counted from the state, never kept beside it; no run is closed while a task is not verified.
//! Not here: whether the loop is over (`drive.rs`), what verifiers say at the end (`verify.rs`).

use std::collections::BTreeMap;
use std::fmt;

use orch_journal::event::{Event, RunStatus, TaskIndex, Who};
use orch_journal::state::{TaskState, Waived};
use orch_journal::{RunState, failpoint};
use orch_task::Status;
use serde::Serialize;

use super::choice;
use super::desk::Desk;
use super::error::DriveError;
use super::graph::Graph;
use super::notices;
use super::run::Run;
use crate::clock::now_ms;

/// Why the loop ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Nothing more can start.
    Finished(String),
    /// Too many findings: how many of what.
    Findings(String),
    /// A person interrupted it.
    Interrupted,
}

/// How a run stands at its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    pub run: String,
    pub status: RunStatus,
    pub why: String,
    /// Tasks by status, in the glossary's words.
    pub tasks: BTreeMap<&'static str, usize>,
    pub major: u32,
    pub medium: u32,
    pub minor: u32,
    pub warnings: u32,
    /// Ids of tasks that failed, at most 20.
    pub failed: Vec<String>,
    /// Ids of those whose failure is allowed, at most 20.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<String>,
    /// Ids of tasks that somebody took out, at most 20.
    pub cancelled: Vec<String>,
    /// Ids of tasks that nobody saw end, at most 20.
    pub in_doubt: Vec<String>,
    /// Ids of tasks that ask to run, at most 20.
    pub waiting_approval: Vec<String>,
    #[serde(flatten)]
    pub spared: Spared,
    /// Ids of tasks that the task file lacks and nobody cancelled, at most 20.
    pub removed: Vec<String>,
    /// What no verifier vouches for, at most 20.
    pub unverified: Vec<Unverified>,
    /// What a person took without, at most 20.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waived: Vec<WaivedLooks>,
    pub interrupted: bool,
}

/// Tasks that no attempt was made at, though nothing was in their way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Spared {
    /// Done, because nothing of theirs changed.
    #[serde(skip_serializing_if = "is_none")]
    pub up_to_date: usize,
    /// Done, because their condition did not hold.
    #[serde(skip_serializing_if = "is_none")]
    pub skipped: usize,
    /// Not done, and the run was not asked for them.
    #[serde(skip_serializing_if = "is_none")]
    pub left_out: usize,
}

impl Spared {
    pub fn of(state: &RunState) -> Self {
        let chosen = choice::chosen(state, &Graph::of(state, None), &state.chosen).ok().flatten();
        let count = |wanted: &dyn Fn(TaskIndex, &TaskState) -> bool| {
            (0..).zip(&state.tasks).filter(|(task, found)| wanted(*task, found)).count()
        };
        Self {
            up_to_date: count(&|_, found| found.status == Status::Done && found.fresh),
            skipped: count(&|_, found| found.status == Status::Done && found.skipped),
            left_out: count(&|task, found| {
                chosen.as_ref().is_some_and(|chosen| !chosen.contains(&task)) && is_open(found)
            }),
        }
    }

    /// Of those that are done, in words behind their number.
    pub fn of_done(&self) -> String {
        let said = [(self.up_to_date, "up to date"), (self.skipped, "skipped")];
        let said: Vec<String> = said
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        match said.is_empty() {
            true => String::new(),
            false => format!(" ({})", said.join(", ")),
        }
    }
}

/// Something that a verifier has not looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unverified {
    /// None: the run itself.
    pub task: Option<String>,
    pub verifier: String,
    /// Why it could not look; none if it was not asked yet.
    pub why: Option<String>,
}

impl Unverified {
    /// All that a run still lacks.
    pub fn all(state: &RunState) -> impl Iterator<Item = Self> {
        let looks = state.unverified.iter().flat_map(|(of, looks)| looks.iter().map(move |look| (of, look)));
        looks.map(move |(of, look)| Self {
            task: of.and_then(|task| id_of(state, task)),
            verifier: look.verifier.clone(),
            why: look.why.clone(),
        })
    }
}

impl fmt::Display for Unverified {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { task, verifier, why } = self;
        let task = task.as_deref().unwrap_or("the run");
        match why {
            Some(why) => write!(out, "{task}, `{verifier}` could not look: {why}"),
            None => write!(out, "{task}, `{verifier}` has not looked yet"),
        }
    }
}

/// Looks that a person does without, at one task or at the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WaivedLooks {
    /// None: the run itself.
    pub task: Option<String>,
    pub verifiers: Vec<String>,
    pub reason: String,
    pub who: Who,
}

impl WaivedLooks {
    /// All of a run, by the places of their tasks.
    pub fn all(state: &RunState) -> impl Iterator<Item = Self> {
        state.waived.iter().map(|(task, waived)| {
            let Waived { verifiers, reason, who } = waived.clone();
            Self { task: task.and_then(|task| id_of(state, task)), verifiers, reason, who }
        })
    }
}

impl fmt::Display for WaivedLooks {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { task, verifiers, reason, who } = self;
        let task = task.as_deref().unwrap_or("the run");
        write!(out, "{task}, `{}`, by user {}: {reason}", verifiers.join("`, `"), who.uid)
    }
}

fn id_of(state: &RunState, task: TaskIndex) -> Option<String> {
    state.tasks.get(task as usize).map(|found| found.task.id.to_string())
}

/// Marks what can never start as blocked.
pub fn block(run: &mut Run) -> Result<(), DriveError> {
    let pending = {
        let state = run.state();
        let is_pending = |task: &TaskIndex| {
            let found = state.tasks.get(*task as usize);
            found.is_some_and(|found| found.status == Status::Pending) && !run.is_left_out(*task)
        };
        let id = |by: TaskIndex| state.tasks.get(by as usize).map(|found| found.task.id.to_string());
        let stuck = run.stuck().into_iter().filter(|(task, _)| is_pending(task));
        stuck.filter_map(|(task, by)| Some((task, id(by)?))).collect::<Vec<_>>()
    };
    for (task, by) in pending {
        let why = format!("`{by}` is not done");
        run.record(Event::TaskMoved { task, to: Status::Blocked, why, who: None, at: now_ms() })?;
    }
    Ok(())
}

/// Closes the run, or leaves it waiting. The task file must say by now what the run says: a closed run is never
/// continued, and the next one believes the file.
pub fn run(run: &mut Run, desk: &Desk, stop: &Stop) -> Result<Summary, DriveError> {
    let counts = counts(&run.state());
    let count = |status: Status| counts.get(status.as_str()).copied().unwrap_or(0);
    let removed: Vec<String> = run.held().iter().map(ToString::to_string).collect();
    let waiting = count(Status::InDoubt) + count(Status::WaitingApproval) + removed.len();
    let open = open(run);
    let (status, why) = match stop {
        Stop::Interrupted => (RunStatus::Executing, "interrupted".to_owned()),
        Stop::Findings(why) => (RunStatus::Failed, why.clone()),
        Stop::Finished(_) if waiting > 0 => (
            RunStatus::Waiting,
            match waiting {
                1 => "1 task waits for a decision".to_owned(),
                _ => format!("{waiting} tasks wait for a decision"),
            },
        ),
        Stop::Finished(why) if open.unfinished > 0 => {
            let tasks = if open.unfinished == 1 { "task is" } else { "tasks are" };
            let why = if run.ends_early() { "it was to end with the first failure" } else { why };
            (RunStatus::Failed, format!("{} {tasks} not done: {why}", open.unfinished))
        }
        // What the planner said stands in its decision; here nothing is left that could have started.
        Stop::Finished(_) => {
            let all = run.state().tasks.len();
            let why = match all {
                0 => "there is no task",
                _ if open.left_out > 0 => "what was asked for is done",
                _ if count(Status::Done) == all => "every task is done",
                _ => "nothing is left to do",
            };
            (RunStatus::Completed, why.to_owned())
        }
    };
    // A closed run is never continued, and the next one takes for done what the task file calls so.
    let (status, why) = match unverified(&run.state(), stop) {
        Some(what) => (RunStatus::Waiting, format!("{why}; {what}")),
        None => (status, why),
    };
    if *stop != Stop::Interrupted {
        failpoint::hit("before-close");
        let notices = notices::owed(&run.id, desk.journal.events(), status, desk);
        run.record(Event::RunFinished { status, why: why.clone(), notices, at: now_ms() })?;
    }
    let interrupted = *stop == Stop::Interrupted;
    Ok(Summary { interrupted, ..Summary::of(&run.id, &run.state(), status, why, removed) })
}

impl Summary {
    /// Nothing goes on until somebody decides.
    pub fn waits_for_people(&self) -> bool {
        [&self.in_doubt, &self.waiting_approval, &self.removed].iter().any(|tasks| !tasks.is_empty())
    }

    /// Of a run that stands so; `removed`: what the task file lacks.
    pub fn of(run: &str, state: &RunState, status: RunStatus, why: String, removed: Vec<String>) -> Self {
        let all = |wanted: &dyn Fn(&TaskState) -> bool| {
            let found = state.tasks.iter().filter(|found| wanted(found));
            found.take(20).map(|found| found.task.id.to_string()).collect()
        };
        let ids = |status: Status| all(&|found| found.status == status);
        let failed = |allowed: bool| {
            all(&|found| found.status == Status::Failed && found.task.allow_failure == allowed)
        };
        Self {
            run: run.to_owned(),
            status,
            why,
            tasks: counts(state),
            major: state.major,
            medium: state.medium,
            minor: state.minor,
            warnings: state.warnings,
            failed: failed(false),
            allowed: failed(true),
            cancelled: ids(Status::Cancelled),
            in_doubt: ids(Status::InDoubt),
            waiting_approval: ids(Status::WaitingApproval),
            spared: Spared::of(state),
            removed: removed.into_iter().take(20).collect(),
            unverified: Unverified::all(state).take(20).collect(),
            waived: WaivedLooks::all(state).take(20).collect(),
            interrupted: false,
        }
    }
}

/// What keeps the run open because nobody looked at it. A run that ends by its findings does not pass its end anyway.
fn unverified(state: &RunState, stop: &Stop) -> Option<String> {
    match (stop, state.unverified_tasks().count()) {
        (Stop::Interrupted, _) => None,
        (Stop::Finished(_), 0) if !state.unverified.is_empty() => Some("the run is not verified".to_owned()),
        (_, 0) => None,
        (_, 1) => Some("1 task is not verified".to_owned()),
        (_, tasks) => Some(format!("{tasks} tasks are not verified")),
    }
}

/// Tasks that are not done and could be: of those that the run is asked for, and the others.
#[derive(Default)]
struct Open {
    unfinished: usize,
    left_out: usize,
}

fn open(run: &Run) -> Open {
    let mut open = Open::default();
    for (place, found) in run.state().tasks.iter().enumerate() {
        let is_open = is_open(found);
        match run.is_left_out(place as TaskIndex) {
            true => open.left_out += usize::from(is_open),
            false => open.unfinished += usize::from(is_open),
        }
    }
    open
}

fn is_open(found: &TaskState) -> bool {
    match found.status {
        Status::Failed => !found.task.allow_failure,
        Status::Blocked | Status::Pending => true,
        _ => false,
    }
}

fn is_none(count: &usize) -> bool {
    *count == 0
}

/// Tasks by status.
pub fn counts(state: &RunState) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for task in &state.tasks {
        *counts.entry(task.status.as_str()).or_insert(0) += 1;
    }
    counts
}
