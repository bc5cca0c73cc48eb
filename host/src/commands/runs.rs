//! `orch-host runs list`: the runs of a workspace.

use super::status::Format;
use crate::console::{Console, escape};
use crate::exit::{Exit, Outcome};
use crate::place::{Place, WorkspaceArgs};

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
}

pub fn run(command: &RunsCommand, console: Console) -> Outcome {
    let RunsCommand::List { place, status, format } = command;
    let runs = Place::from_args(place)?.reader()?.runs()?;
    for run in runs.iter().filter(|run| status.as_ref().is_none_or(|status| run.status == *status)) {
        match format {
            Format::Json => console.line(&serde_json::to_string(run).map_err(anyhow::Error::from)?),
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
