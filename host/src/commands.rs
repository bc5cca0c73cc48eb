//! The program's verbs: one file each, from checked arguments to one outcome; and a run that several of them show
//! (`stored_run.rs`) or change (`held_run.rs`, `run_branch.rs`).
//!
//! Invariant: a verb parses, calls the library, prints through [`Console`], and gives an exit; nothing else does.

pub mod accept;
pub mod approvals;
pub mod audit;
pub mod bootstrap;
pub mod config;
pub mod costs;
pub mod db;
pub mod diff;
pub mod doctor;
pub mod export;
pub mod followed;
pub mod go_on;
pub mod held_run;
pub mod import;
pub mod index;
pub mod init;
pub mod logs;
pub mod metrics;
pub mod plugin;
pub mod prune;
pub mod reject;
pub mod report;
pub mod resolve;
pub mod resume;
pub mod rollback;
pub mod run;
pub mod run_branch;
pub mod runs;
pub mod schema;
pub mod search;
pub mod secret;
pub mod serve;
pub mod status;
pub mod stored_run;
pub mod task;
pub mod tasks;
pub mod token;
pub mod trust;
pub mod worker;

use std::path::{Path, PathBuf};

use clap::{CommandFactory, Parser, Subcommand};

use crate::console::Console;
use crate::exit::{Exit, Outcome};
use crate::machine;

/// Runs plans of tasks with signed WebAssembly plugins
#[derive(Parser)]
#[command(name = "orch-host", version)]
pub struct Args {
    /// The operator's folder [default: $XDG_CONFIG_HOME/orch or ~/.config/orch]
    #[arg(long, global = true, value_name = "DIR")]
    pub config_home: Option<PathBuf>,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Make a folder a workspace that this host knows
    Init(init::InitArgs),
    /// Work through the tasks of a workspace
    Run(run::RunArgs),
    /// Go on with a run that a host left open
    Resume(resume::ResumeArgs),
    /// Which run a host left open, and what waits in it
    Recover(resume::RecoverArgs),
    /// Turn a workflow (WfFormat) into tasks
    Import(import::ImportArgs),
    /// How the newest run stands
    Status(status::StatusArgs),
    /// Runs of a workspace
    #[command(subcommand)]
    Runs(runs::RunsCommand),
    /// What a task's commands printed
    Logs(logs::LogsArgs),
    /// The tasks of a workspace
    #[command(subcommand)]
    Tasks(tasks::TasksCommand),
    /// Change one task
    #[command(subcommand)]
    Task(task::TaskCommand),
    /// Say how an attempt ended that nobody saw end
    Resolve(resolve::ResolveArgs),
    /// Tasks that wait for a yes
    #[command(subcommand)]
    Approvals(approvals::ApprovalsCommand),
    /// What a run did
    Report(report::ReportArgs),
    /// A run in one file: Markdown, JSON, or a page of HTML
    Export(export::ExportArgs),
    /// What a run's plugins recorded: values with their names
    Metrics(metrics::MetricsArgs),
    /// Index what changed
    Index(index::IndexArgs),
    /// Passages of indexed files that have these words
    Search(search::SearchArgs),
    /// What a run changed, on its branch
    Diff(diff::DiffArgs),
    /// Take a run's branch into your own
    Accept(accept::AcceptArgs),
    /// Remove a run's branch
    Reject(reject::RejectArgs),
    /// Take your checkout back to where it was before an `accept`
    Rollback(rollback::RollbackArgs),
    /// The journal's proof
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// The store
    #[command(subcommand)]
    Db(db::DbCommand),
    /// Remove logs of older runs, and kept heads of runs whose store is gone
    Prune(prune::PruneArgs),
    /// Plugins: add, approve, list, inspect
    #[command(subcommand)]
    Plugin(plugin::PluginCommand),
    /// Whom this host trusts
    #[command(subcommand)]
    Trust(trust::TrustCommand),
    /// Hold a workspace: answer HTTP requests with its services, run when somebody asks
    Serve(serve::ServeArgs),
    /// Lease tasks of a broker, and run their commands here
    Worker(worker::WorkerArgs),
    /// Who may ask a serving host over TCP
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Secrets that plugins use and do not see
    #[command(subcommand)]
    Secret(secret::SecretCommand),
    /// Read tasks.yml and name the task that would be first
    Bootstrap(bootstrap::BootstrapArgs),
    /// What counts in a workspace of what files and variables say
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// The JSON Schema of a file that people write, for editors
    Schema(schema::SchemaArgs),
    /// Look whether this machine and folder are fit
    Doctor(doctor::DoctorArgs),
    /// Completions for a shell
    Completions { shell: clap_complete::Shell },
    /// The program's version
    Version,
}

/// Carries out one verb.
pub fn dispatch(args: Args, console: Console) -> Outcome {
    machine::settle_limits()?;
    let home = args.config_home.as_deref();
    carry_out(args.command, home, console).map_err(|fault| go_on::at_home(fault, home))
}

fn carry_out(command: Command, home: Option<&Path>, console: Console) -> Outcome {
    match command {
        Command::Init(args) => init::run(&args, home, console),
        Command::Run(args) => run::run(&args, home, console),
        Command::Resume(args) => resume::resume(&args, home, console),
        Command::Recover(args) => resume::recover(&args, console),
        Command::Import(args) => import::run(&args, home, console),
        Command::Status(args) => status::run(&args, home, console),
        Command::Runs(command) => runs::run(&command, home, console),
        Command::Logs(args) => logs::run(&args, console),
        Command::Tasks(command) => tasks::run(&command, console),
        Command::Task(command) => task::run(&command, home, console),
        Command::Resolve(args) => resolve::run(&args, home, console),
        Command::Approvals(command) => approvals::run(&command, home, console),
        Command::Report(args) => report::run(&args, console),
        Command::Export(args) => export::run(&args, console),
        Command::Metrics(args) => metrics::run(&args, console),
        Command::Index(args) => index::run(&args, home, console),
        Command::Search(args) => search::run(&args, console),
        Command::Diff(args) => diff::run(&args, console),
        Command::Accept(args) => accept::run(&args, home, console),
        Command::Reject(args) => reject::run(&args, home, console),
        Command::Rollback(args) => rollback::run(&args, home, console),
        Command::Audit(command) => audit::run(&command, home, console),
        Command::Db(command) => db::run(&command, home, console),
        Command::Prune(args) => prune::run(&args, home, console),
        Command::Plugin(command) => plugin::run(&command, home, console),
        Command::Trust(command) => trust::run(&command, home, console),
        Command::Serve(args) => serve::run(&args, home, console),
        Command::Worker(args) => worker::run(&args, home, console),
        Command::Token(command) => token::run(&command, home, console),
        Command::Secret(command) => secret::run(&command, home, console),
        Command::Bootstrap(args) => bootstrap::run(&args, console),
        Command::Config(command) => config::run(&command, console),
        Command::Schema(args) => schema::run(&args, console),
        Command::Doctor(args) => doctor::run(&args, home, console),
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "orch-host", &mut text);
            console.bytes(&text);
            Ok(Exit::Done)
        }
        Command::Version => {
            console.line(&format!("orch-host {}", env!("CARGO_PKG_VERSION")));
            Ok(Exit::Done)
        }
    }
}

/// How many of what, in the words for one or for several.
pub fn counted(count: usize, one: &str, several: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        _ => format!("{count} {several}"),
    }
}
