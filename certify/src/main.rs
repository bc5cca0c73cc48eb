//! `orch-certify`: makes keys, runs checks, signs and verifies certificates.
//!
//! In -> out: arguments -> a command's exit code.
//! Not here: the commands (`commands/`), how errors are shown (`orch-host`'s `console.rs`).

mod commands;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use orch_host::console::Console;
use orch_host::machine::with_stack;

/// Certifies plugins: runs every required check and signs what it found.
#[derive(Parser)]
#[command(name = "orch-certify", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Keygen(commands::keygen::KeygenArgs),
    Run(commands::run::RunArgs),
    Sign(commands::sign::SignArgs),
    Verify(commands::verify::VerifyArgs),
    Recheck(commands::recheck::RecheckArgs),
    Explain(commands::explain::ExplainArgs),
    Root(commands::root::RootArgs),
    Revoke(commands::revoke::RevokeArgs),
    Delegate(commands::delegate::DelegateArgs),
    Db(commands::db::DbArgs),
    #[command(hide = true)]
    Rebuild(commands::rebuild::RebuildArgs),
    #[command(hide = true)]
    Check(commands::check::CheckArgs),
}

fn main() -> ExitCode {
    // Before any thread exists: the same program is the supervisor of the programs that checks need.
    if std::env::args_os().nth(1).is_some_and(|first| first == orch_supervisor::ARGUMENT) {
        return ExitCode::from(u8::from(orch_supervisor::serve().is_err()));
    }
    orch_supervisor::survive_large_files();
    with_stack(carry_out)
}

fn carry_out() -> ExitCode {
    let console = Console::detect();
    let outcome = match &Cli::parse().command {
        Command::Keygen(args) => commands::keygen::run(args, &console),
        Command::Run(args) => commands::run::run(args, &console),
        Command::Sign(args) => commands::sign::run(args, &console),
        Command::Verify(args) => commands::verify::run(args, &console),
        Command::Recheck(args) => commands::recheck::run(args, &console),
        Command::Explain(args) => commands::explain::run(args, &console),
        Command::Root(args) => commands::root::run(args, &console),
        Command::Revoke(args) => commands::revoke::run(args, &console),
        Command::Delegate(args) => commands::delegate::run(args, &console),
        Command::Db(args) => commands::db::run(args, &console),
        Command::Rebuild(args) => commands::rebuild::run(args, &console),
        Command::Check(args) => commands::check::run(args, &console),
    };
    ExitCode::from(console.conclude(outcome).code())
}
