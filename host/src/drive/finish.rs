//! The end of a run: what is blocked, how it went, what is left for a person.
//!
//! In -> out: a run in which nothing more starts -> `run_finished` and a [`Summary`].
//! Invariant: a summary is counted from the state, never kept beside it; no run is closed while a task is not verified.
//! Not here: whether the loop is over (`drive.rs`), what verifiers say at the end (`verify.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use orch_journal::event::{Event, RunStatus, TaskIndex, Who};
use orch_journal::state::Waived;
use orch_journal::{RunState, failpoint};
use orch_task::Status;
use serde::Serialize;

use super::error::DriveError;
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
    /// Ids of tasks that nobody saw end, at most 20.
    pub in_doubt: Vec<String>,
    /// Ids of tasks that ask to run, at most 20.
    pub waiting_approval: Vec<String>,
    /// Ids of tasks that the task file lacks and nobody cancelled, at most 20.
    pub removed: Vec<String>,
    /// What no verifier vouches for, at most 20.
    pub unverified: Vec<Unverified>,
    /// What a person took without, at most 20.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waived: Vec<WaivedLooks>,
    pub interrupted: bool,
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
    for (task, by) in blocked(run) {
        let why = format!("`{by}` is not done");
        run.record(Event::TaskMoved { task, to: Status::Blocked, why, who: None, at: now_ms() })?;
    }
    Ok(())
}

/// Closes the run, or leaves it waiting. The task file must say by now what the run says: a closed run is never
/// continued, and the next one believes the file.
pub fn run(run: &mut Run, stop: &Stop) -> Result<Summary, DriveError> {
    let counts = counts(run);
    let count = |status: Status| counts.get(status.as_str()).copied().unwrap_or(0);
    let removed: Vec<String> = run.held().iter().map(ToString::to_string).collect();
    let waiting = count(Status::InDoubt) + count(Status::WaitingApproval) + removed.len();
    let unfinished = count(Status::Failed) + count(Status::Blocked) + count(Status::Pending);
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
        Stop::Finished(why) if unfinished > 0 => {
            let tasks = if unfinished == 1 { "task is" } else { "tasks are" };
            (RunStatus::Failed, format!("{unfinished} {tasks} not done: {why}"))
        }
        // What the planner said stands in its decision; here nothing is left that could have started.
        Stop::Finished(_) => {
            let all = run.state().tasks.len();
            let why = match all {
                0 => "there is no task",
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
        run.record(Event::RunFinished { status, why: why.clone(), at: now_ms() })?;
    }
    let state = run.state();
    let ids = |status: Status| {
        let found = state.tasks.iter().filter(|task| task.status == status);
        found.take(20).map(|task| task.task.id.to_string()).collect()
    };
    Ok(Summary {
        run: run.id.clone(),
        status,
        why,
        tasks: counts,
        major: state.major,
        medium: state.medium,
        minor: state.minor,
        warnings: state.warnings,
        in_doubt: ids(Status::InDoubt),
        waiting_approval: ids(Status::WaitingApproval),
        removed: removed.into_iter().take(20).collect(),
        unverified: Unverified::all(&state).take(20).collect(),
        waived: WaivedLooks::all(&state).take(20).collect(),
        interrupted: *stop == Stop::Interrupted,
    })
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

/// Pending tasks that wait for one that failed or was cancelled, each with one that is in its way.
fn blocked(run: &Run) -> Vec<(TaskIndex, String)> {
    let state = run.state();
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for (place, ended) in state.tasks.iter().enumerate() {
        if !matches!(ended.status, Status::Failed | Status::Cancelled) {
            continue;
        }
        for task in run.downstream(place as TaskIndex) {
            let pending = state.tasks.get(task as usize).is_some_and(|task| task.status == Status::Pending);
            if pending && seen.insert(task) {
                found.push((task, ended.task.id.to_string()));
            }
        }
    }
    found
}

/// Tasks by status.
pub fn counts(run: &Run) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for task in &run.state().tasks {
        *counts.entry(task.status.as_str()).or_insert(0) += 1;
    }
    counts
}
