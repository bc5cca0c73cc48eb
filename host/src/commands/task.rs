//! `orch-host task retry|skip|cancel`: which status a task gets, and from which ones.
//!
//! Not here: how a status is changed (`held_run.rs`).

use std::path::Path;

use orch_task::Status;

use super::held_run::{StatusChange, change_status};
use crate::console::Console;
use crate::exit::Outcome;
use crate::place::WorkspaceArgs;

#[derive(clap::Subcommand)]
pub enum TaskCommand {
    /// Try a failed task again with the next run, or one that is not verified
    Retry(OneTask),
    /// Take a task for done without running it, or without verifying it
    Skip(OneTask),
    /// Take a task out of the run
    Cancel(OneTask),
}

#[derive(clap::Args)]
pub struct OneTask {
    /// The task
    task: String,
    #[command(flatten)]
    place: WorkspaceArgs,
}

pub fn run(command: &TaskCommand, home: Option<&Path>, console: Console) -> Outcome {
    const NOT_DONE: &[Status] =
        &[Status::Pending, Status::Failed, Status::Blocked, Status::WaitingApproval, Status::Done];
    let (one, to, from, why): (_, _, &[Status], _) = match command {
        TaskCommand::Retry(one) => (
            one,
            Status::Pending,
            &[Status::Failed, Status::Cancelled, Status::Blocked, Status::Done],
            "a person lets it run again",
        ),
        TaskCommand::Skip(one) => (one, Status::Done, NOT_DONE, "a person skipped it"),
        TaskCommand::Cancel(one) => (one, Status::Cancelled, NOT_DONE, "a person cancelled it"),
    };
    let change = StatusChange { run: None, task: &one.task, to, from, why };
    change_status(&one.place, home, change, console)
}
