//! `orch-plugin`: from an idea to a signed package.
//!
//! In -> out: arguments -> one verb -> exit code: 0 done, 1 a case failed, 2 anything else.
//! Invariant: results go to standard output, everything else to standard error.
//! Not here: the verbs (`commands/`), the work (the library).

mod commands;

use std::process::ExitCode;

use clap::Parser;

use crate::commands::Command;

/// Makes, builds, tests, packs and signs plugins of Orch.
#[derive(Parser)]
#[command(
    name = "orch-plugin",
    version,
    after_help = "In this order: new, test, pack, sign. The README.md that `new` writes says how a host comes to run it."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    match Arguments::parse().command.run() {
        Ok(code) => code,
        Err(error) => {
            print_error(&error);
            ExitCode::from(2)
        }
    }
}

fn print_error(error: &anyhow::Error) {
    eprintln!("error: {error}");
    for cause in error.chain().skip(1) {
        eprintln!("caused by: {cause}");
    }
    if let Some(hint) = commands::hint(error) {
        eprintln!("\nhint: {hint}");
    }
}
