//! What the host costs, beside the limit that it cannot beat, in one run on one machine.
//!
//! In -> out: packages of an operator -> tables of ratios (`cargo xtask bench loop`, `bench trust`, `bench certify`,
//! `bench commands`, `bench serve`, `bench egress`, `bench edits`, `bench models`).
//! Invariant: each figure of the host stands beside one of a bare program that was measured in the same minutes, in
//! turns; every measurement of a process is made in a process of its own.
//! Not here: what the figures mean (`docs/performance.md`).

mod bare_engine;
mod bare_store;
mod calls;
mod certify;
mod commands;
mod edits;
mod egress;
mod figures;
mod graph;
mod load;
mod models;
mod parent;
mod place;
mod run;
mod serve;
mod start;
mod trust;
mod trust_package;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Benchmarks of the host", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Subcommand)]
enum Bench {
    /// The loop: tasks a second, gaps, memory, starts and calls
    Loop(LoopArgs),
    /// What it costs to verify a package
    Trust(trust::TrustArgs),
    /// What it costs to certify a package
    Certify(certify::CertifyArgs),
    /// Commands with full logs, and tasks that are up to date
    Commands(commands::CommandsArgs),
    /// Requests to a host that serves
    Serve(serve::ServeArgs),
    /// Requests of plugins on their way out
    Egress,
    /// Attempts in trees of their own
    Edits(edits::EditsArgs),
    /// Questions to models, and many agents at once
    Models(models::ModelsArgs),
    /// One measurement in this process, printed as JSON
    #[command(subcommand, hide = true)]
    Measure(Measure),
}

/// What is measured, and where.
#[derive(Args, Clone)]
struct LoopArgs {
    /// Folder of the operator who trusts the packages
    #[arg(long)]
    config_home: PathBuf,
    /// Folder for the workspaces; on the disk that is to be measured
    #[arg(long)]
    work: PathBuf,
    /// `orch-host`, which supervises commands
    #[arg(long)]
    host: PathBuf,
    /// Sizes of the graphs, in tasks
    #[arg(long, value_delimiter = ',', default_value = "1000,10000,100000")]
    tasks: Vec<usize>,
    /// Rounds, in turns; the median is shown
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

#[derive(Subcommand)]
enum Measure {
    /// A whole run of a workspace
    Run(run::RunArgs),
    /// From the start of the process to the first task
    Start(start::StartArgs),
    /// The same with the engine alone
    BareStart(start::BareStartArgs),
    /// Memory with every plugin loaded and nothing to do
    Idle(start::StartArgs),
    /// Calls of a no-op on fresh instances, ours and bare in turns
    Calls(calls::CallsArgs),
    /// A handler that answers with a file
    BareServe(serve::BareServeArgs),
    /// Memory of verifying one package, or of hashing it alone
    Trust(trust::TrustChildArgs),
}

fn main() -> ExitCode {
    let done = match Cli::parse().bench {
        Bench::Loop(args) => parent::measure(&args),
        Bench::Trust(args) => trust::measure(&args),
        Bench::Certify(args) => certify::measure(&args),
        Bench::Commands(args) => commands::measure(&args),
        Bench::Serve(args) => serve::measure(&args),
        Bench::Egress => egress::measure(),
        Bench::Edits(args) => edits::measure(&args),
        Bench::Models(args) => models::measure(&args),
        Bench::Measure(Measure::BareServe(args)) => serve::bare(&args),
        Bench::Measure(Measure::Run(args)) => run::measure(&args),
        Bench::Measure(Measure::Start(args)) => start::measure(&args),
        Bench::Measure(Measure::BareStart(args)) => start::measure_bare(&args),
        Bench::Measure(Measure::Idle(args)) => start::measure_idle(&args),
        Bench::Measure(Measure::Calls(args)) => calls::measure(&args),
        Bench::Measure(Measure::Trust(args)) => trust::measure_memory(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
