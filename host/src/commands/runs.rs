//! `orch-host runs list|start|stop|waive`: the runs of a workspace.

use std::path::Path;

use super::held_run;
use super::status::Format;
use crate::console::{Console, escape};
use crate::control::api::RunOptions;
use crate::control::{SocketPlace, start};
use crate::drive::act::Act;
use crate::drive::choice::Wanted;
use crate::exit::{Exit, Outcome};
use crate::place::{self, Place, WorkspaceArgs};

#[derive(clap::Subcommand)]
pub enum RunsCommand {
    /// All runs, the newest first
    List {
        #[command(flatten)]
        place: WorkspaceArgs,
        /// Only runs of that status
        #[arg(long)]
        status: Option<String>,
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Ask the host that serves the workspace for a run
    Start {
        #[command(flatten)]
        place: WorkspaceArgs,
        #[command(flatten)]
        wanted: Wanted,
    },
    /// Ask the host at work to start nothing more; what runs ends first
    Stop {
        #[command(flatten)]
        place: WorkspaceArgs,
    },
    /// Let the newest run end though its verifiers could not look at it
    Waive {
        #[command(flatten)]
        place: WorkspaceArgs,
        /// Why nobody has to look; every report says it
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

pub fn run(command: &RunsCommand, home: Option<&Path>, console: Console) -> Outcome {
    match command {
        RunsCommand::List { place, status, format } => list(place, status.as_deref(), *format, console),
        RunsCommand::Start { place, wanted } => {
            let place = Place::from_args(place)?;
            let operator = place::operator(home)?;
            let options = RunOptions { wanted: wanted.clone(), ..RunOptions::default() };
            match start(&SocketPlace::of(&place.workspace, &operator.home)?, &options)? {
                Some(begun) => console.line(&format!("run {} is at work", escape(&begun.run))),
                None => {
                    let hint =
                        "`orch-host run` works by itself, `orch-host serve` does when it is asked".to_owned();
                    let what = "no host serves this workspace".to_owned();
                    return Err(place::input("not-served", Some(hint), what));
                }
            }
            Ok(Exit::Done)
        }
        RunsCommand::Stop { place } => {
            held_run::say(&Place::from_args(place)?, home, None, &Act::Stop {})?;
            console.line("the host at work starts nothing more; it ends with what runs");
            Ok(Exit::Done)
        }
        RunsCommand::Waive { place, reason } => {
            held_run::say(&Place::from_args(place)?, home, None, &Act::WaiveRun { reason: reason.clone() })?;
            console.line("the run's verifiers are waived now; `orch-host run` ends it");
            Ok(Exit::Done)
        }
    }
}

fn list(place: &WorkspaceArgs, status: Option<&str>, format: Format, console: Console) -> Outcome {
    let runs = Place::from_args(place)?.reader()?.runs()?;
    for run in runs.iter().filter(|run| status.is_none_or(|status| run.status == *status)) {
        match format {
            Format::Json => console.json(&serde_json::to_string(run).map_err(anyhow::Error::from)?),
            Format::Text => {
                console.line(&format!(
                    "{}  {:<10}  {}  {}",
                    escape(&run.id),
                    escape(&run.status),
                    escape(&run.created_at),
                    escape(&run.task)
                ));
            }
        }
    }
    Ok(Exit::Done)
}
