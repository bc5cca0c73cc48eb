//! A run and its attempts as the store has them, for every command that shows one.
//!
//! In -> out: an id or none -> a run's row; rows -> what they say in words.
//! Not here: a run that is changed (`held_run.rs`).

use std::fmt;

use orch_journal::rows::{AttemptRow, RunRow};
use orch_journal::state::{Edits, Fate};
use orch_journal::{Reader, RunState};

use super::counted;
use crate::console::{escape, lines};
use crate::exit::Fault;
use crate::place;

/// True for a run that goes on with the next `run`, if none is at work at it.
pub fn is_open(run: &RunRow) -> bool {
    matches!(run.status.as_str(), "planning" | "executing" | "waiting")
}

/// What a person said that the run is for.
pub fn goal_of(state: &RunState) -> Option<String> {
    state.started.as_ref().filter(|started| started.goal_said).map(|started| started.goal.clone())
}

/// The branch that a run's edits lie on.
#[derive(Clone, Debug, serde::Serialize)]
pub struct BranchFacts {
    /// As people say it: `orch/RUN`.
    name: String,
    /// Commits, and how many attempts' edits lie between.
    base: String,
    tip: String,
    commits: u32,
    /// The base has what was not committed.
    dirty: bool,
    /// What a person did with it last: the commit that it came into, or that it was removed.
    accepted: Option<String>,
    rejected: bool,
}

impl BranchFacts {
    /// None: the run edited the workspace itself.
    pub fn of(state: &RunState) -> Option<Self> {
        let Edits { based, tip, commits, fate, .. } = state.edits.as_ref()?;
        let name = based.branch.strip_prefix("refs/heads/").unwrap_or(&based.branch).to_owned();
        let accepted = match fate {
            Some(Fate::Accepted(commit)) => Some(commit.clone()),
            Some(Fate::Rejected) | None => None,
        };
        let rejected = *fate == Some(Fate::Rejected);
        let (base, tip, commits, dirty) = (based.base.clone(), tip.clone(), *commits, based.dirty);
        Some(Self { name, base, tip, commits, dirty, accepted, rejected })
    }
}

impl fmt::Display for BranchFacts {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, base, tip, commits, dirty, accepted, rejected } = self;
        let with = if *dirty { " with what was not committed" } else { "" };
        let many = counted(*commits as usize, "commit", "commits");
        write!(out, "branch {name}: {many} on {base:.12}{with}, at {tip:.12}")?;
        match accepted {
            Some(commit) => write!(out, "; taken in with {commit:.12}"),
            None if *rejected => out.write_str("; removed"),
            None => Ok(()),
        }
    }
}

/// How an attempt ended, in escaped lines: `attempt 2 failed: no such program`, and of what it says behind that the last
/// `last_max`.
pub fn result_of(attempt: &AttemptRow, last_max: usize) -> Vec<String> {
    let word = match attempt.status.as_str() {
        "done" | "failed" => attempt.status.clone(),
        "broken" => "broke off".to_owned(),
        "in_doubt" => "is in doubt".to_owned(),
        "rerun" => "runs again".to_owned(),
        "cancelled" => "was cancelled".to_owned(),
        other => format!("is {}", escape(other)),
    };
    let told = attempt.error.as_deref().or(attempt.output.as_deref());
    let told = told.map(|told| format!(": {told}")).unwrap_or_default();
    lines::told(&format!("attempt {} {word}{told}", attempt.attempt), last_max)
}

/// How long something took, in milliseconds, by two times as the store has them.
pub fn took_ms(from: Option<&str>, to: Option<&str>) -> Option<u64> {
    let [from, to] = [from, to].map(|time| time?.parse::<jiff::Timestamp>().ok());
    u64::try_from(to?.as_millisecond() - from?.as_millisecond()).ok()
}

/// That run, or the newest.
pub fn find_run(reader: &Reader, id: Option<&str>) -> Result<RunRow, Fault> {
    let found = match id {
        Some(id) => reader.run(id)?,
        None => reader.runs()?.into_iter().next(),
    };
    found.ok_or_else(|| {
        let what = id.map_or_else(
            || "no run is in the store".to_owned(),
            |id| format!("no run `{}` is in the store", escape(id)),
        );
        place::input("run-unknown", Some("`orch-host runs list` shows what there is".to_owned()), what)
    })
}
