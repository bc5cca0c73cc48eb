//! `orch-host prune --keep N [--runs]`, `--caches`: removes what only grows.
//!
//! In -> out: rows of runs, files of `logs/`, kept heads, caches -> logs of all but the newest runs, heads of runs whose store is
//! gone, and, if that is asked for, those runs themselves and the caches of commands, are removed.
//! Invariant: nothing while a host works in the workspace; no event without `--runs`, and no head of a run that the store has; a
//! run that somebody may still ask for stays.
//! Not here: how a store loses runs and stays whole (`orch-journal`'s `prune.rs`).

use std::collections::BTreeSet;
use std::path::Path;

use orch_journal::prune::{Prune, PruneError};
use orch_journal::rows::RunRow;
use orch_journal::{Event, Level, Reader, RunState, STORE_FILE, Store, forget_missing_runs};

use super::counted;
use crate::caches;
use crate::clock::now_ms;
use crate::command_log::{began, log_stamp};
use crate::config::operator::this_process;
use crate::console::{Console, escape};
use crate::control::SocketPlace;
use crate::exit::{Exit, Fault, Outcome};
use crate::holder::workspace_stream;
use crate::log_folder;
use crate::place::{self, Place, WorkspaceArgs};

/// What was spent counts for the day; two, for clocks are set.
const SPENT_MS: u64 = 2 * 24 * 60 * 60 * 1000;

#[derive(clap::Args)]
pub struct PruneArgs {
    /// Logs of so many of the newest runs stay
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), required_unless_present = "caches")]
    keep: Option<u32>,
    /// Take the other runs out of the store, too: what they left to later runs stays, what they did is gone
    #[arg(long, requires = "keep")]
    runs: bool,
    /// What commands of this workspace kept in caches, too, or alone
    #[arg(long)]
    caches: bool,
    #[command(flatten)]
    place: WorkspaceArgs,
}

pub fn run(args: &PruneArgs, home: Option<&Path>, console: Console) -> Outcome {
    let place = Place::from_args(&args.place)?;
    let operator = place::operator(home)?;
    // Whoever has these has the workspace; without a store there is nothing to hold but the second.
    let store = place.has_store().then(|| place.store(&operator, Level::Process)).transpose()?;
    let _holding = SocketPlace::of(&place.workspace, &operator.home)?.hold()?;
    let mut runs = match &store {
        Some(store) => store.reader()?.runs()?,
        None => Vec::new(),
    };

    if let Some(keep) = args.keep {
        let (logs, bytes) = match (runs.split_at_checked(keep as usize), &store) {
            (Some(runs), Some(store)) => remove_logs(&place, &store.reader()?, runs)?,
            _ => (0, 0),
        };
        console.line(&format!("{logs} logs are removed, {bytes} bytes"));
    }
    let mut store = store;
    if let (Some(keep), true, Some(held)) = (args.keep, args.runs, store.take()) {
        let go = runs.split_off(runs.len().min(keep as usize));
        let (stay, go) = part(&held.reader()?, go, console)?;
        runs.extend(stay);
        let bytes = take_out(&place, held, &go)?;
        let what = counted(go.len(), "run is", "runs are");
        console.line(&format!("{what} taken out of the store, {bytes} bytes"));
    }

    if args.caches {
        let folder = caches::of_workspace(&operator.home.join(caches::FOLDER), &place.workspace);
        let io = |error| place::io(&folder, "clear", error);
        let bytes = caches::bytes_in(&folder).map_err(io)?;
        caches::remove_all(&folder).map_err(io)?;
        console.line(&format!("caches of commands are removed, {bytes} bytes"));
    }

    if args.keep.is_some() {
        let (keys, heads) = (operator.secret.journal_keys(), operator.home.join("heads"));
        // The workspace's stream is no run, and its head as good as one's.
        let stream = if place.has_store() { place.reader()?.stream()? } else { None };
        let known: Vec<&str> = runs.iter().map(|run| run.id.as_str()).chain(stream.as_deref()).collect();
        for run in forget_missing_runs(&place.state, &keys, &heads, &known)? {
            console
                .line(&format!("the kept head of run {} is removed: it is not in the store", escape(&run)));
        }
    }
    if let Some(store) = store {
        store.close()?;
    }
    Ok(Exit::Done)
}

/// Those that stay all the same, each with a line that says why, and those that go.
fn part(reader: &Reader, runs: Vec<RunRow>, console: Console) -> Result<(Vec<RunRow>, Vec<RunRow>), Fault> {
    let (mut stay, mut go) = (Vec::new(), Vec::new());
    for run in runs {
        match still_wanted(reader, &run.id)? {
            None => go.push(run),
            Some(why) => {
                console.line(&format!("run {} stays: {why}", escape(&run.id)));
                stay.push(run);
            }
        }
    }
    Ok((stay, go))
}

/// What a run is still needed for, if it is.
fn still_wanted(reader: &Reader, run: &str) -> Result<Option<&'static str>, Fault> {
    if let Some(why) = undone(&reader.state(run)?) {
        return Ok(Some(why));
    }
    let since = now_ms().saturating_sub(SPENT_MS);
    for event in reader.events(run) {
        if matches!(event?.1, Event::IntentRecorded { provided: Some(_), spends: true, at, .. } if at >= since)
        {
            return Ok(Some("what it spent counts for the limits of today"));
        }
    }
    Ok(None)
}

/// What of it is not over.
fn undone(state: &RunState) -> Option<&'static str> {
    if state.status().is_open() {
        return Some("it is open");
    }
    if !state.owed.is_empty() {
        return Some("somebody is still to be told of its end");
    }
    let is_undecided = state.edits.as_ref().is_some_and(|edits| edits.fate.is_none());
    is_undecided.then_some("nobody decided about its edits: `orch-host accept` or `reject` does")
}

/// Gives how many bytes the store became smaller.
fn take_out(place: &Place, store: Store, runs: &[RunRow]) -> Result<u64, Fault> {
    let file = place.state.join(STORE_FILE);
    let size =
        || file.metadata().map(|found| found.len()).map_err(|error| place::io(&file, "look at", error));
    let stream = match store.reader()?.stream()? {
        Some(stream) => stream,
        None => workspace_stream()?,
    };
    let before = size()?;
    let ids: Vec<String> = runs.iter().map(|run| run.id.clone()).collect();
    let here = Some(orch_journal::place::name_of(&place.state));
    let prune = Prune { stream: &stream, place: here, runs: &ids, who: this_process(), at: now_ms() };
    store.prune(prune).map_err(|error| match error {
        PruneError::Store(error) => place.store_fault(error),
        PruneError::Journal(error) => error.into(),
    })?;
    Ok(before.saturating_sub(size()?))
}

/// Removes the logs of the runs that go; says how many and of how many bytes.
fn remove_logs(
    place: &Place,
    reader: &Reader,
    (stay, go): (&[RunRow], &[RunRow]),
) -> Result<(u64, u64), Fault> {
    let folder = place.workspace.join("logs");
    let io = |error| place::io(&folder, "clear", error);
    let (kept, old) = (logs_of(reader, stay)?, logs_of(reader, go)?);
    // Of what the store does not name, only what is of before all that stay.
    let starts = stay.iter().map(|run| start_of(&run.created_at)).collect::<Result<Vec<_>, _>>()?;
    let from = starts.into_iter().min().unwrap_or_default();
    let (mut logs, mut bytes) = (0, 0);
    for name in log_folder::names(&folder).map_err(io)? {
        let is_before = began(&name).is_some_and(|began| *began < *from);
        if !kept.contains(&name) && (is_before || old.contains(&name)) {
            bytes += log_folder::remove(&folder, &name).map_err(io)?;
            logs += 1;
        }
    }
    Ok((logs, bytes))
}

/// Names of the logs that the store knows to be of these runs.
pub(super) fn logs_of(reader: &Reader, runs: &[RunRow]) -> Result<BTreeSet<String>, Fault> {
    let mut names = BTreeSet::new();
    for run in runs {
        names.insert(format!("run-{}.log", run.id));
        let logs = reader.attempt_logs(&run.id)?;
        names.extend(logs.iter().filter_map(|log| log.strip_prefix("logs/").map(str::to_owned)));
    }
    Ok(names)
}

/// As names of logs say it.
fn start_of(created_at: &str) -> Result<String, Fault> {
    let at: jiff::Timestamp = created_at.parse().map_err(anyhow::Error::from)?;
    Ok(log_stamp(u64::try_from(at.as_millisecond()).unwrap_or(0)).chars().take(15).collect())
}

#[cfg(test)]
mod tests {
    use orch_journal::event::{RunStarted, RunStatus};

    use super::*;

    #[test]
    fn a_run_that_is_open_is_never_taken_out() {
        let started = RunStarted {
            run: "r".to_owned(),
            goal: String::new(),
            goal_said: false,
            plugins: Vec::new(),
            jobs: 1,
            durability: "process".to_owned(),
            budget: 0,
            unsigned: false,
            texts: false,
            store: None,
            tasks: None,
            at: 0,
            mac: String::new(),
        };
        let mut state = RunState::default();
        state.apply(&Event::RunStarted(started)).unwrap();
        assert_eq!(undone(&state), Some("it is open"));
        let finished = |status| {
            let mut state = state.clone();
            let why = "nothing is left".to_owned();
            state.apply(&Event::RunFinished { status, why, notices: Vec::new(), at: 1 }).unwrap();
            undone(&state)
        };
        assert_eq!(finished(RunStatus::Waiting), Some("it is open"));
        for over in [RunStatus::Completed, RunStatus::Failed, RunStatus::Cancelled] {
            assert_eq!(finished(over), None, "{over:?}");
        }
    }
}
