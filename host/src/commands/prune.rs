//! `orch-host prune --keep N`, `--caches`: removes what only grows.
//!
//! In -> out: rows of runs, files of `logs/`, kept heads, caches -> logs of all but the newest runs, heads of runs whose store is
//! gone, and the caches of commands if that is asked for, are removed.
//! Invariant: nothing while a host works in the workspace; no event, and no head of a run that the store has.
//! Not here: the journal itself, which keeps all runs.

use std::collections::BTreeSet;
use std::path::Path;

use orch_journal::rows::RunRow;
use orch_journal::{Level, Reader, forget_missing_runs};

use crate::caches;
use crate::command_log::{began, log_stamp};
use crate::console::{Console, escape};
use crate::control::SocketPlace;
use crate::exit::{Exit, Fault, Outcome};
use crate::log_folder;
use crate::place::{self, Place, WorkspaceArgs};

#[derive(clap::Args)]
pub struct PruneArgs {
    /// Logs of so many of the newest runs stay
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), required_unless_present = "caches")]
    keep: Option<u32>,
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
    let runs = match &store {
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

    if args.caches {
        let folder = caches::of_workspace(&operator.home.join(caches::FOLDER), &place.workspace);
        let io = |error| place::io(&folder, "clear", error);
        let bytes = caches::bytes_in(&folder).map_err(io)?;
        caches::remove_all(&folder).map_err(io)?;
        console.line(&format!("caches of commands are removed, {bytes} bytes"));
    }

    if args.keep.is_some() {
        let (keys, heads) = (operator.secret.journal_keys(), operator.home.join("heads"));
        let known: Vec<&str> = runs.iter().map(|run| run.id.as_str()).collect();
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
