//! What a question to a model costs beside a bare client, and what 64 agents at once need of memory.
//!
//! In -> out: a host, an operator, a stand-in of this program on loopback -> Markdown on standard output.
//! Measured at the stand-in: from the last byte of one answer to the first of the next question, of an agent that reads a line
//! between two of them, and of a client that sends the same bytes. All of ours is in it: agent, provider, journal, egress.

use std::collections::VecDeque;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use clap::Args;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use crate::figures::{memory_of, nanoseconds, percentile};

/// What is measured, and where.
#[derive(Args, Clone)]
pub(crate) struct ModelsArgs {
    /// Folder of the operator who trusts the packages
    #[arg(long)]
    config_home: PathBuf,
    /// Folder for the workspace
    #[arg(long)]
    work: PathBuf,
    /// `orch-host`
    #[arg(long)]
    host: PathBuf,
    /// Rounds of a hundred questions, ours and bare ones in turns
    #[arg(long, default_value_t = 10)]
    rounds: usize,
    /// Agents at once, for memory
    #[arg(long, default_value_t = 64)]
    agents: usize,
}

/// The address that the operator's policy grants to the provider.
const ADDRESS: &str = "127.0.0.1:11434";
const TASKS: usize = 5;
/// Of one agent, before its last word.
const TURNS: usize = 20;
const CONFIG: &str = "roles: {planner: demo/planner-priority, executors: {agent: demo/executor-agent}}\n\
                      providers: {llm: demo/provider-openai}\n\
                      settings: {demo/provider-openai: {key: false}, demo/executor-agent: {passages: 0}}\n\
                      narrow: {demo/provider-openai: {secrets: {use: []}}}\n";
const MODELS: &str = "[models.agent]\nprovider = \"demo/provider-openai\"\nmodel = \"m\"\n\
                      base_url = \"http://127.0.0.1:11434/v1\"\ncontext_window = 128000\nmax_tokens = 4096\n";

/// What the stand-in saw.
#[derive(Default)]
struct Seen {
    answered: Option<Instant>,
    gaps: Vec<u64>,
    bodies: VecDeque<Bytes>,
    /// Between two pieces of an answer.
    pause: Duration,
    at_once: usize,
    at_once_max: usize,
}

type Shared = Arc<Mutex<Seen>>;

fn lock(seen: &Shared) -> std::sync::MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(State(seen): State<Shared>, body: Bytes) -> Response {
    let turns = turns_of(&body);
    let pause = {
        let mut seen = lock(&seen);
        if let (Some(answered), true) = (seen.answered, turns > 0) {
            seen.gaps.push(nanoseconds(answered.elapsed()));
        }
        seen.bodies.push_back(body);
        seen.at_once += 1;
        seen.at_once_max = seen.at_once_max.max(seen.at_once);
        seen.pause
    };
    let mut text = Vec::new();
    for piece in pieces(turns) {
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        text.extend_from_slice(piece.as_bytes());
    }
    let mut seen = lock(&seen);
    seen.at_once -= 1;
    seen.answered = Some(Instant::now());
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("text/event-stream"));
    response
}

/// How many calls of tools the conversation has.
fn turns_of(body: &[u8]) -> usize {
    let question: Value = serde_json::from_slice(body).unwrap_or_default();
    let messages = question.get("messages").and_then(Value::as_array);
    messages.map_or(0, |all| all.iter().filter(|one| one.get("role") == Some(&json!("tool"))).count())
}

/// The next call of a tool, or the last word.
fn pieces(turns: usize) -> Vec<String> {
    let (name, arguments) = match turns < TURNS {
        true => ("read", json!({ "path": "a.txt", "from_line": turns + 1, "lines": 1 })),
        false => ("finish", json!({ "summary": "read" })),
    };
    let function = json!({ "name": name, "arguments": arguments.to_string() });
    let call = json!({ "tool_calls": [{ "index": 0, "id": format!("c{turns}"), "type": "function", "function": function }] });
    let event = |delta: &Value, reason: Option<&str>| {
        let choice = json!({ "index": 0, "delta": delta, "finish_reason": reason });
        format!("data: {}\n\n", json!({ "id": "a", "model": "m", "choices": [choice] }))
    };
    let usage = json!({ "prompt_tokens": 100, "completion_tokens": 20 });
    let usage = format!("data: {}\n\n", json!({ "id": "a", "model": "m", "choices": [], "usage": usage }));
    vec![
        event(&json!({ "role": "assistant", "content": "I look. " }), None),
        event(&call, None),
        event(&json!({}), Some("tool_calls")),
        usage,
        "data: [DONE]\n\n".to_owned(),
    ]
}

pub(crate) fn measure(args: &ModelsArgs) -> anyhow::Result<()> {
    fs::write(args.config_home.join("models.toml"), MODELS).context("cannot write `models.toml`")?;
    let policy = args.config_home.join("policy.toml");
    let text = fs::read_to_string(&policy).context("cannot read `policy.toml`")?;
    if !text.contains("[egress]") {
        // Else no more than 16 agents would have an answer under way.
        let more = format!("{text}\n[egress]\nconnections = {}\n", args.agents);
        fs::write(&policy, more).context("cannot write `policy.toml`")?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let seen = Shared::default();
    let server = seen.clone();
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind(ADDRESS))
        .with_context(|| format!("something else listens on {ADDRESS}"))?;
    runtime.spawn(async move {
        axum::serve(listener, Router::new().route("/v1/chat/completions", post(answer)).with_state(server))
            .await
    });
    let (mut ours, mut alone) = (Vec::new(), Vec::new());
    for _ in 0..args.rounds {
        finished(args, begin(args, TASKS, 1)?)?;
        let bodies = take(&seen, &mut ours);
        runtime.block_on(bare(bodies))?;
        take(&seen, &mut alone);
    }
    ours.sort_unstable();
    alone.sort_unstable();
    let ms = |sorted: &[u64], part| percentile(sorted, part) as f64 / 1e6;
    println!("| {} questions, from an answer to the next question | p50 ms | p95 ms |", ours.len());
    println!("|---|---|---|");
    println!("| an agent of the host | {:.2} | {:.2} |", ms(&ours, 0.5), ms(&ours, 0.95));
    println!("| a bare client | {:.2} | {:.2} |", ms(&alone, 0.5), ms(&alone, 0.95));
    println!("| more | {:.2} | |", ms(&ours, 0.5) - ms(&alone, 0.5));

    lock(&seen).pause = Duration::from_millis(40);
    let mut host = begin(args, args.agents, args.agents)?;
    let mut most = 0;
    while host.try_wait()?.is_none() {
        // It may end between the two.
        most = memory_of(&host.id().to_string(), "VmHWM").unwrap_or(0).max(most);
        std::thread::sleep(Duration::from_millis(20));
    }
    finished(args, host)?;
    let at_once = lock(&seen).at_once_max;
    println!("\n| agents | questions at once, at most | memory at most, MiB |");
    println!("|---|---|---|");
    println!("| {} | {at_once} | {:.0} |", args.agents, most as f64 / 1024.0);
    Ok(())
}

/// The gaps of a round, and what was asked in it.
fn take(seen: &Shared, gaps: &mut Vec<u64>) -> VecDeque<Bytes> {
    let mut seen = lock(seen);
    gaps.append(&mut seen.gaps);
    seen.answered = None;
    std::mem::take(&mut seen.bodies)
}

/// Sends the same, one after the other.
async fn bare(bodies: VecDeque<Bytes>) -> anyhow::Result<()> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    for body in bodies {
        let request = Request::post(format!("http://{ADDRESS}/v1/chat/completions"))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))?;
        let answer = client.request(request).await?;
        ensure!(answer.status().is_success(), "another answer");
        answer.into_body().collect().await?;
    }
    Ok(())
}

/// A run of so many agents.
fn begin(args: &ModelsArgs, tasks: usize, jobs: usize) -> anyhow::Result<Child> {
    let workspace = args.work.join("workspace");
    if workspace.exists() {
        fs::remove_dir_all(&workspace)?;
    }
    fs::create_dir_all(&workspace)?;
    fs::write(workspace.join("config.yaml"), CONFIG)?;
    fs::write(workspace.join("models.yaml"), "default: agent\n")?;
    fs::write(workspace.join("a.txt"), "a line\n".repeat(TURNS + 1))?;
    let tasks: String =
        (0..tasks).map(|task| format!("- {{id: t{task}, kind: agent, description: read}}\n")).collect();
    fs::write(workspace.join("tasks.yml"), tasks)?;
    let mut host = Command::new(&args.host);
    host.args(["run", "--trust-workspace", "--jobs", &jobs.to_string(), "--config-home"])
        .arg(&args.config_home);
    host.current_dir(&workspace).env("XDG_STATE_HOME", args.work.join("state"));
    host.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().context("cannot start the host")
}

fn finished(args: &ModelsArgs, host: Child) -> anyhow::Result<()> {
    let output = host.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "`{}` failed: {said}", args.host.display());
    Ok(())
}
