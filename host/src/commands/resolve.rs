//! `orch-host resolve RUN TASK --as done|failed|retry`: a person says how an attempt ended that nobody saw end.

use std::path::Path;

use clap::ValueEnum;
use orch_task::Status;

use super::held_run::{StatusChange, change_status};
use crate::console::Console;
use crate::exit::Outcome;
use crate::place::WorkspaceArgs;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum As {
    Done,
    Failed,
    Retry,
}

#[derive(clap::Args)]
pub struct ResolveArgs {
    /// The run
    run: String,
    /// The task in doubt
    task: String,
    /// How it ended
    #[arg(long = "as", value_enum)]
    how: As,
    #[command(flatten)]
    place: WorkspaceArgs,
}

pub fn run(args: &ResolveArgs, home: Option<&Path>, console: Console) -> Outcome {
    let (to, why) = match args.how {
        As::Done => (Status::Done, "a person says that it was done"),
        As::Failed => (Status::Failed, "a person says that it failed"),
        As::Retry => (Status::Pending, "a person lets it run again"),
    };
    let change = StatusChange { run: Some(&args.run), task: &args.task, to, from: &[Status::InDoubt], why };
    change_status(&args.place, home, change, console)
}
