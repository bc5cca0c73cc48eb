//! What a request costs: `service-status` of a host that serves, beside a bare axum handler that gives the same bytes.
//!
//! In -> out: a host, an operator -> Markdown on standard output.
//! Both are asked by the same client in turns, on connections that are kept (`load.rs`). The rest of the tables is the host's
//! alone: its memory over many requests, ten thousand connections that ask nothing, a run of many tasks.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use clap::Args;

use crate::figures::memory_of;
use crate::load::{Answered, Load, Pace, exchange};

/// What is measured, and where.
#[derive(Args)]
pub(crate) struct ServeArgs {
    /// Folder of the operator who trusts the packages
    #[arg(long)]
    config_home: PathBuf,
    /// Folder for the workspaces
    #[arg(long)]
    work: PathBuf,
    /// `orch-host`
    #[arg(long)]
    host: PathBuf,
    /// Of each measurement
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Rounds, in turns; all answers of all rounds count
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Connections at full load
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Requests a second at half load
    #[arg(long, default_value_t = 2500)]
    rate: u64,
    /// Requests between two looks at memory
    #[arg(long, default_value_t = 200_000)]
    requests: u64,
    /// Connections that ask nothing
    #[arg(long, default_value_t = 10_000)]
    idle: usize,
    /// Tasks of the large run
    #[arg(long, default_value_t = 100_000)]
    tasks: usize,
}

/// A bare handler, for the same bytes.
#[derive(Args)]
pub(crate) struct BareServeArgs {
    /// File with the body
    #[arg(long)]
    body: PathBuf,
    /// Of the body
    #[arg(long)]
    kind: String,
}

/// A server, killed when it is dropped.
struct Server {
    process: Child,
    at: SocketAddr,
    operators: Option<SocketAddr>,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It is gone already, or goes now.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    /// Begins a server that says where it listens: `http://ADDRESS/...`, the last one with `metrics` behind it.
    fn begin(command: &mut Command, last: &str) -> anyhow::Result<Self> {
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let lines = BufReader::new(process.stdout.take().context("no standard output")?).lines();
        let (mut at, mut operators) = (None, None);
        for line in lines {
            let line = line?;
            let Some((address, path)) = line.strip_prefix("http://").and_then(|line| line.split_once('/'))
            else {
                continue;
            };
            match path {
                "metrics" => operators = Some(address.parse()?),
                _ => at = Some(address.parse()?),
            }
            if path.starts_with(last) {
                break;
            }
        }
        Ok(Self { process, at: at.context("the server ended")?, operators })
    }

    fn memory_mib(&self) -> anyhow::Result<f64> {
        Ok(memory_of(&self.process.id().to_string(), "VmRSS")? as f64 / 1024.0)
    }
}

pub(crate) fn measure(args: &ServeArgs) -> anyhow::Result<()> {
    fs::create_dir_all(&args.work).context("cannot make the work folder")?;
    orch_host::open_files::raise();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let host = host(args, 2)?;
    let answer = runtime.block_on(exchange(host.at, "/status"))?;
    let body = args.work.join("body");
    fs::write(&body, &answer.body)?;
    let mut bare = Command::new(std::env::current_exe()?);
    bare.args(["measure", "bare-serve", "--kind", &answer.kind, "--body"]).arg(&body);
    let bare = Server::begin(&mut bare, "")?;
    ensure!(
        runtime.block_on(exchange(bare.at, "/status"))?.body == answer.body,
        "the bare handler says something else"
    );

    let full = Load { connections: args.connections, pace: Pace::For(Duration::from_secs(args.seconds)) };
    let half = Load {
        connections: args.connections,
        pace: Pace::Rate(args.rate, Duration::from_secs(args.seconds)),
    };
    println!("| load | of | requests a second | p50, ms | p99, ms | other than 200 |");
    println!("|---|---|--:|--:|--:|--:|");
    let at_half = format!("{} a second", args.rate);
    for (what, load) in [(format!("full, {} connections", args.connections), &full), (at_half, &half)] {
        let (mut ours, mut theirs) = (Answered::default(), Answered::default());
        for _ in 0..args.rounds {
            ours.add(runtime.block_on(load.on(host.at, "/status"))?);
            theirs.add(runtime.block_on(load.on(bare.at, "/status"))?);
        }
        for (name, mut answered) in [("`service-status`", ours), ("bare axum", theirs)] {
            answered.sort();
            println!("| {what} | {name} | {} |", answered.row());
        }
    }
    drop(bare);

    println!();
    println!("| memory of the host | before, MiB | after, MiB |");
    println!("|---|--:|--:|");
    let before = host.memory_mib()?;
    let many = Load { connections: args.connections, pace: Pace::So(args.requests) };
    runtime.block_on(many.on(host.at, "/status"))?;
    println!("| {} requests | {before:.1} | {:.1} |", args.requests, host.memory_mib()?);
    let sentence = idle(args, &runtime, &host)?;
    drop(host);

    let large = self::host(args, args.tasks)?;
    let before = large.memory_mib()?;
    let mut answered = runtime.block_on(full.on(large.at, "/status"))?;
    let between = large.memory_mib()?;
    println!(
        "| run of {} tasks, full load for {} s | {before:.1} | {between:.1} |",
        args.tasks, args.seconds
    );
    // What grew once is what a request needs; what leaks grows again.
    answered.add(runtime.block_on(full.on(large.at, "/status"))?);
    println!("| the same once more | {between:.1} | {:.1} |", large.memory_mib()?);
    answered.sort();
    println!();
    println!("| run of {} tasks | requests a second | p50, ms | p99, ms | other than 200 |", args.tasks);
    println!("|---|--:|--:|--:|--:|");
    println!("| full, {} connections | {} |", args.connections, answered.row());
    println!("\n{sentence}");
    Ok(())
}

const CONFIG: &str = "\
roles:
  planner: demo/planner-priority
  executors: {note: demo/executor-note}
  services: {/status: demo/service-status}
jobs: 2
";

/// A host that serves a run of so many tasks that is over.
fn host(args: &ServeArgs, tasks: usize) -> anyhow::Result<Server> {
    let folder = args.work.join(format!("serve-{tasks}"));
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let tasks: String = (0..tasks).map(|task| format!("- {{id: t{task}, kind: note}}\n")).collect();
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("config.yaml"), CONFIG)?;
    fs::write(folder.join("tasks.yml"), tasks)?;
    let host = |verb: &str| {
        let mut host = Command::new(&args.host);
        host.arg(verb).arg("--config-home").arg(&args.config_home).current_dir(&folder).stderr(Stdio::null());
        host
    };
    let run = host("run").arg("--trust-workspace").stdout(Stdio::null()).status();
    ensure!(run.context("cannot start the host")?.success(), "the run failed");
    Server::begin(host("serve").args(["--listen", "127.0.0.1:0", "--operators", "127.0.0.1:0"]), "metrics")
}

/// Connections that ask nothing: a row of the table. Gives a sentence about whoever comes beside them.
fn idle(args: &ServeArgs, runtime: &tokio::runtime::Runtime, host: &Server) -> anyhow::Result<String> {
    let operators = host.operators.context("the host has no address for operators")?;
    let before = host.memory_mib()?;
    let (open, refused) = runtime.block_on(crate::load::hold(host.at, args.idle));
    let metrics = |name: &str| -> anyhow::Result<String> {
        let answer = runtime.block_on(exchange(operators, "/metrics"))?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let line =
            text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned));
        line.with_context(|| format!("no `{name}`"))
    };
    let (held, most) = (metrics("orch_connections")?, metrics("orch_connections_max")?);
    let during = host.memory_mib()?;
    let begun = Instant::now();
    let answered = runtime.block_on(exchange(host.at, "/status"));
    let waited = begun.elapsed().as_secs_f64();
    let held_open = open.len();
    drop(open);
    let begun = Instant::now();
    let after = runtime.block_on(exchange(host.at, "/status")).map(|answer| answer.status);
    let recovered = begun.elapsed().as_secs_f64();
    println!("| {} connections that ask nothing | {before:.1} | {during:.1} |", args.idle);
    Ok(format!(
        "Of {} connections that ask nothing {held_open} were made and {refused} were not within a second; the host held {held} of \
         at most {most}, the others waited in the kernel's queue. Who asked beside them got {} after {waited:.1} s, `/metrics` at \
         once; once they were gone {after:?} after {recovered:.1} s.",
        args.idle,
        answered.map_or_else(|error| format!("no answer ({error:#})"), |answer| answer.status.to_string()),
    ))
}

/// Answers whatever is asked with these bytes, until it is killed.
pub(crate) fn bare(args: &BareServeArgs) -> anyhow::Result<()> {
    let body = bytes::Bytes::from(fs::read(&args.body)?);
    let kind = args.kind.clone();
    let answer = move || async move { ([(CONTENT_TYPE, kind)], body) };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("http://{}/", listener.local_addr()?);
        axum::serve(listener, Router::new().route("/status", axum::routing::get(answer))).await
    })?;
    Ok(())
}
