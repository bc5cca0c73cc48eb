//! `orch-host db check [--rebuild]`: the file, and the tables derived from the journal.

use std::path::Path;

use orch_journal::db_check;

use crate::console::{Console, Tone, escape};
use crate::exit::{Exit, Outcome};
use crate::place::{Place, WorkspaceArgs};

#[derive(clap::Subcommand)]
pub enum DbCommand {
    /// Compare the derived tables with the journal
    Check {
        /// Derive them again where they differ
        #[arg(long)]
        rebuild: bool,
        #[command(flatten)]
        place: WorkspaceArgs,
    },
}

pub fn run(command: &DbCommand, _home: Option<&Path>, console: Console) -> Outcome {
    let DbCommand::Check { rebuild, place } = command;
    let place = Place::from_args(place)?;
    let check = db_check(&place.state, *rebuild)?;
    console.line(&format!("{} events", check.events));
    for damage in &check.damage {
        console.line(&format!("{}  {}", console.paint(Tone::Bad, "damage"), escape(damage)));
    }
    for table in &check.differences {
        console.line(&format!(
            "table `{}`: {} rows missing, {} too many",
            table.table, table.missing, table.extra
        ));
    }
    if check.rebuilt {
        console.line("derived again");
    }
    if check.is_sound() {
        console.line(&console.paint(Tone::Good, "sound"));
        return Ok(Exit::Done);
    }
    console.note("hint: `orch-host db check --rebuild` derives the tables again");
    Ok(Exit::HostError)
}
