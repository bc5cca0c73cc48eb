//! `orch-host approvals list|approve|deny`: tasks of plugins that would reach an executor's grant.

use std::path::Path;

use orch_task::Status;

use super::status::find_run;
use super::task::{Change, apply};
use crate::console::{Console, escape, escape_cut};
use crate::exit::{Exit, Outcome};
use crate::place::{Place, WorkspaceArgs};

#[derive(clap::Subcommand)]
pub enum ApprovalsCommand {
    /// What waits
    List {
        #[command(flatten)]
        place: WorkspaceArgs,
    },
    /// Let a task run
    Approve {
        /// The task
        task: String,
        #[command(flatten)]
        place: WorkspaceArgs,
    },
    /// Take a task out of the run
    Deny {
        /// The task
        task: String,
        #[command(flatten)]
        place: WorkspaceArgs,
    },
}

pub fn run(command: &ApprovalsCommand, home: Option<&Path>, console: Console) -> Outcome {
    match command {
        ApprovalsCommand::List { place } => {
            let reader = Place::from_args(place)?.reader()?;
            let run = find_run(&reader, None)?;
            for task in
                reader.tasks(&run.id)?.iter().filter(|task| task.status == Status::WaitingApproval.as_str())
            {
                let by = task.added_by.as_deref().map_or_else(|| "a person".to_owned(), escape);
                console.line(&format!(
                    "{}  {}  by {by}: {}",
                    escape(&task.id),
                    escape(&task.kind),
                    escape_cut(&task.description, 100)
                ));
            }
            Ok(Exit::Done)
        }
        ApprovalsCommand::Approve { task, place } => {
            let change = Change {
                run: None,
                task,
                to: Status::Pending,
                from: &[Status::WaitingApproval],
                why: "a person approved it",
            };
            apply(place, home, change, console)
        }
        ApprovalsCommand::Deny { task, place } => {
            let change = Change {
                run: None,
                task,
                to: Status::Cancelled,
                from: &[Status::WaitingApproval],
                why: "a person denied it",
            };
            apply(place, home, change, console)
        }
    }
}
