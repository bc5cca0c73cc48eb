//! `orch-host resolve RUN TASK --as done|failed|retry`: a person says how an attempt ended that nobody saw end.

use std::path::Path;

use super::held_run::say_about;
use crate::console::Console;
use crate::drive::act::{Act, Resolution};
use crate::exit::Outcome;
use crate::place::WorkspaceArgs;

#[derive(clap::Args)]
pub struct ResolveArgs {
    /// The run
    run: String,
    /// The task in doubt
    task: String,
    /// How it ended
    #[arg(long = "as", value_enum)]
    how: Resolution,
    #[command(flatten)]
    place: WorkspaceArgs,
}

pub fn run(args: &ResolveArgs, home: Option<&Path>, console: Console) -> Outcome {
    let act = Act::Resolve { task: args.task.clone(), how: args.how };
    say_about(&args.place, home, Some(&args.run), &act, console)
}
