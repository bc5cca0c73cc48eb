//! `orch-host db check|take-over`: the file and the tables derived from the journal; and whose it is, after a move.

use std::path::Path;

use orch_journal::db_check;
use orch_journal::place::take_over;

use crate::console::{Console, Tone, escape};
use crate::exit::{Exit, Outcome};
use crate::place::{self, Place, WorkspaceArgs};

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
    /// Take over the store of a workspace that was moved here
    TakeOver {
        #[command(flatten)]
        place: WorkspaceArgs,
    },
}

pub fn run(command: &DbCommand, home: Option<&Path>, console: Console) -> Outcome {
    match command {
        DbCommand::Check { rebuild, place } => check(&Place::from_args(place)?, *rebuild, console),
        DbCommand::TakeOver { place } => {
            let (place, operator) = (Place::from_args(place)?, place::operator(home)?);
            let keys = operator.secret.journal_keys();
            let places = take_over(&place.state, &keys, &operator.home.join("heads"))?;
            console.line(match places {
                0 => "the store was made here; nothing is changed",
                _ => "the store is this workspace's now",
            });
            Ok(Exit::Done)
        }
    }
}

fn check(place: &Place, rebuild: bool, console: Console) -> Outcome {
    let check = db_check(&place.state, rebuild)?;
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
