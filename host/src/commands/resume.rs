//! `orch-host resume RUN` and `orch-host recover`: the run that a host left open.
//!
//! In -> out: a run's id -> that run, taken up again; or which run can be taken up, and what waits in it.
//! Invariant: a run that is over is never begun again; nothing is changed by looking.
//! Not here: taking up itself (`run.rs`, `drive/recover.rs`).

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use orch_journal::rows::RunRow;
use serde_json::json;

use super::run::RunArgs;
use super::stored_run::{find_run, is_open};
use crate::console::{Console, escape};
use crate::exit::{Exit, Outcome};
use crate::place::{self, Place, WorkspaceArgs};

#[derive(clap::Args)]
pub struct ResumeArgs {
    /// The run
    run: String,
    #[command(flatten)]
    place: WorkspaceArgs,
    /// One more folder with packages; may be said again
    #[arg(long, value_name = "DIR")]
    plugins: Vec<PathBuf>,
    /// Try again what has failed
    #[arg(long)]
    retry_failed: bool,
    #[arg(long, value_enum, default_value_t = crate::watch::Format::Text)]
    format: crate::watch::Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

#[derive(clap::Args)]
pub struct RecoverArgs {
    #[command(flatten)]
    place: WorkspaceArgs,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

pub fn resume(args: &ResumeArgs, home: Option<&Path>, console: Console) -> Outcome {
    let place = Place::from_args(&args.place)?;
    let reader = place.reader()?;
    let run = find_run(&reader, Some(&args.run))?;
    if !is_open(&run) || reader.open_run()?.as_ref() != Some(&run.id) {
        let what =
            format!("run `{}` is {}: there is nothing to go on with", escape(&run.id), escape(&run.status));
        let hint =
            "`orch-host recover` shows what can be taken up, `orch-host run` begins a new run".to_owned();
        return Err(place::input("run-over", Some(hint), what));
    }
    let started = reader.state(&run.id)?.started;
    drop(reader);
    let tasks = started.and_then(|started| started.tasks).unwrap_or_else(|| "tasks.yml".to_owned());
    let going_on =
        RunArgs::going_on(&args.place, tasks.into(), &args.plugins, args.retry_failed, args.format);
    super::run::run(&going_on, home, console)
}

pub fn recover(args: &RecoverArgs, console: Console) -> Outcome {
    let place = Place::from_args(&args.place)?;
    let reader = place.reader()?;
    let held = place.is_held();
    let open = reader.open_run()?.map(|id| reader.run(&id)).transpose()?.flatten();
    let counts = |run: &RunRow| reader.task_counts(&run.id);
    match (args.format, open) {
        (Format::Json, None) => console.json(&json!({ "open": null }).to_string()),
        (Format::Json, Some(run)) => {
            let tasks: serde_json::Map<_, _> =
                counts(&run)?.into_iter().map(|(status, count)| (status, count.into())).collect();
            console.json(&json!({ "open": run, "tasks": tasks, "hostAtWork": held }).to_string());
        }
        (Format::Text, None) => console.line("no run is open"),
        (Format::Text, Some(run)) => {
            let counts: Vec<String> = counts(&run)?
                .into_iter()
                .map(|(status, count)| format!("{count} {}", escape(&status)))
                .collect();
            console.line(&format!(
                "{}  {}  {}  {}",
                escape(&run.id),
                escape(&run.status),
                escape(&run.created_at),
                counts.join(", ")
            ));
            console.note(&match held {
                true => "a host is at work at it".to_owned(),
                false => format!("hint: `orch-host resume {}` goes on with it", escape(&run.id)),
            });
        }
    }
    Ok(Exit::Done)
}
