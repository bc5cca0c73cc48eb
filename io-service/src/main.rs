//! `orch-io-service`: input and output for other processes by gRPC, as a process of its own; and its client.
//!
//! In -> out: arguments -> a service until it is told to end, or one request's answer.
//! Not here: what the service answers (`service.rs`), which files (`files.rs`), health and metrics (`operators.rs`).

mod client;
mod files;
mod generated;
mod listener;
mod operators;
mod serve;
mod service;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Input and output for other processes, by gRPC.
#[derive(Parser)]
#[command(name = "orch-io-service", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Serve(serve::ServeArgs),
    Ping(client::PingArgs),
    Read(client::ReadArgs),
    Write(client::WriteArgs),
}

fn main() -> ExitCode {
    let command = Cli::parse().command;
    let done = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| {
            runtime.block_on(async {
                match command {
                    Command::Serve(args) => serve::run(args).await,
                    Command::Ping(args) => client::ping(args).await,
                    Command::Read(args) => client::read(args).await,
                    Command::Write(args) => client::write(args).await,
                }
            })
        });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
