//! `orch-host task retry|skip|cancel`: which word of a person it is.
//!
//! Not here: what it means (`drive/act.rs`), how it is said (`held_run.rs`).

use std::path::Path;

use super::held_run::say_about;
use crate::console::Console;
use crate::drive::act::Act;
use crate::exit::Outcome;
use crate::place::WorkspaceArgs;

#[derive(clap::Subcommand)]
pub enum TaskCommand {
    /// Try a failed task again, or one that is not verified
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
    let (one, act): (_, fn(String) -> Act) = match command {
        TaskCommand::Retry(one) => (one, |task| Act::Retry { task }),
        TaskCommand::Skip(one) => (one, |task| Act::Skip { task }),
        TaskCommand::Cancel(one) => (one, |task| Act::Cancel { task }),
    };
    say_about(&one.place, home, None, &act(one.task.clone()), console)
}
