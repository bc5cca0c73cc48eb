//! `orch-plugin`: from an idea to a signed package.
//!
//! In -> out: arguments -> one verb -> exit code: 0 done, 1 a case failed, 2 the author's or publisher's, 5 this machine's.
//! Invariant: results go to standard output, everything else to standard error.
//! Not here: the verbs (`commands/`), the work (the library), how errors are shown (`orch-host`'s `console.rs`).

mod commands;

use std::process::ExitCode;

use clap::Parser;
use orch_host::console::Console;
use orch_host::machine::with_stack;

use crate::commands::Command;

/// Makes, builds, tests, packs, signs and publishes plugins of Orch.
#[derive(Parser)]
#[command(
    name = "orch-plugin",
    version,
    after_help = "In this order: new, dev, test, pack, sign, publish. The README.md that `new` writes says how a host comes to run it."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    // A file beyond `ulimit -f` is an error, and not the end of the program without a word.
    orch_supervisor::survive_large_files();
    with_stack(carry_out)
}

fn carry_out() -> ExitCode {
    let console = Console::detect();
    let outcome = Arguments::parse().command.run(&console);
    ExitCode::from(console.conclude(outcome).code())
}
