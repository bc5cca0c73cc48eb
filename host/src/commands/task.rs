//! `orch-host task retry|skip|cancel|waive`: which word of a person it is.
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
    /// Let what depends on a task start though its verifiers could not look
    Waive {
        #[command(flatten)]
        one: OneTask,
        /// Why nobody has to look; every report says it
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

#[derive(clap::Args)]
pub struct OneTask {
    /// The task
    task: String,
    #[command(flatten)]
    place: WorkspaceArgs,
}

pub fn run(command: &TaskCommand, home: Option<&Path>, console: Console) -> Outcome {
    let task = |one: &OneTask| one.task.clone();
    let (one, act) = match command {
        TaskCommand::Retry(one) => (one, Act::Retry { task: task(one) }),
        TaskCommand::Skip(one) => (one, Act::Skip { task: task(one) }),
        TaskCommand::Cancel(one) => (one, Act::Cancel { task: task(one) }),
        TaskCommand::Waive { one, reason } => (one, Act::Waive { task: task(one), reason: reason.clone() }),
    };
    say_about(&one.place, home, None, &act, console)
}
