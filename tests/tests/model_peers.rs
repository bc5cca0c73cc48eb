//! Models that others run, as far as that can be had here: a server that somebody else wrote and that judges its clients, and the
//! companies' own clients, which send to a recorder what our providers send.
//!
//! A second server, which fails in many ways, is in `model_peers/aimock.rs`.
//! Not here: where both come from (`tests/models/requirements.txt`, `xtask/src/python.rs`); answers of our own (`models.rs`).
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

mod aimock;
mod litellm;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use orch_journal::Event;
use orch_journal::event::{Ending, ModelAnswer};
use orch_tests::{Workspace, root};
use serde_json::{Value, json};

/// With the packages of `tests/models/requirements.txt`.
fn program(name: &str) -> Command {
    let program = root().join("target/models/bin").join(name);
    assert!(program.exists(), "`{}` is missing: run `cargo xtask test`", program.display());
    Command::new(program)
}

/// A certificate for this machine.
struct Certificate {
    cert: PathBuf,
    key: PathBuf,
}

fn certificate(folder: &Path) -> Certificate {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    fs::write(&cert, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    Certificate { cert, key }
}

/// `llmock`, until it is dropped.
struct Peer {
    child: Child,
    port: u16,
    cert: PathBuf,
}

impl Peer {
    fn start(certificate: &Certificate, env: &[(&str, &str)]) -> Self {
        let mut python = program("python");
        python.args([
            "-m",
            "uvicorn",
            "--factory",
            "llmock.main:create_app",
            "--host",
            "127.0.0.1",
            "--port",
            "0",
        ]);
        python.arg("--ssl-certfile").arg(&certificate.cert).arg("--ssl-keyfile").arg(&certificate.key);
        let mut child =
            python.envs(env.iter().copied()).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let port = lines.by_ref().find_map(|line| {
            let line = line.unwrap();
            let rest = line.split("running on https://127.0.0.1:").nth(1)?;
            Some(rest.split(' ').next().unwrap().parse().unwrap())
        });
        // So that it never waits for who reads.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Self { child, port: port.unwrap(), cert: certificate.cert.clone() }
    }

    /// Codes of what it finds wrong with who asked it; an error of theirs fails here.
    fn judged(&self) -> Vec<String> {
        let mut report = program("llmock");
        report.args(["report", "--json", "--url", &format!("https://127.0.0.1:{}", self.port)]);
        let output = report.env("SSL_CERT_FILE", &self.cert).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        let verdict: Value = serde_json::from_str(&said).unwrap();
        assert!(verdict["calls"].as_u64() > Some(0), "it was asked: {said}");
        let findings = verdict["findings"].as_array().unwrap().iter();
        findings.map(|finding| finding["code"].as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A workspace whose models `small` (by chat completions) and `large` (by messages) are at that port.
struct Bench {
    workspace: Workspace,
    guests: String,
}

impl Bench {
    fn new(tasks: &[&str], port: u16, bases: [&str; 2], ca: &Path) -> Self {
        let task = |(number, text): (usize, &&str)| {
            format!("- {{id: t{number}, kind: ask, priority: {}, description: {text}}}\n", 99 - number)
        };
        let workspace = Workspace::new(&tasks.iter().enumerate().map(task).collect::<String>());
        let allowed = "log = {}\nllm = { models = [\"*\"], tokens = 500 }\n";
        let guests = workspace.admit_guest("asks-models", allowed).to_str().unwrap().to_owned();
        let address = format!("127.0.0.1:{port}");
        let policy = workspace.operator().join("policy.toml");
        let text = fs::read_to_string(&policy).unwrap();
        let text = text.replace("api.openai.com:443", &address).replace("api.anthropic.com:443", &address);
        fs::write(&policy, format!("{text}\n[egress]\nca_file = {ca:?}\n")).unwrap();
        let key = workspace.outside().join("key-of-models");
        let secrets = workspace.operator().join("secrets.toml");
        let named = ["openai", "anthropic"].map(|name| format!("[secrets.{name}]\nfile = {key:?}\n"));
        for (path, text) in [(&key, "the-key".to_owned()), (&secrets, named.concat())] {
            fs::write(path, text).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        let model = |name: &str, provider: &str, base: &str| {
            format!(
                "[models.{name}]\nprovider = \"demo/provider-{provider}\"\nmodel = \"m-{name}\"\nbase_url = \"https://{address}{base}\"\n\
                 context_window = 8000\nmax_tokens = 300\nprice = {{ input = 0.5, output = 2.0 }}\n"
            )
        };
        let models = model("small", "openai", bases[0]) + &model("large", "anthropic", bases[1]);
        fs::write(workspace.operator().join("models.toml"), format!("currency = \"EUR\"\n{models}")).unwrap();
        let config =
            workspace.read("config.yaml").replace("executors: {", "executors: {ask: demo/asks-models, ");
        let bound = "providers: {llm: [demo/provider-openai, demo/provider-anthropic]}\n";
        workspace.write("config.yaml", &(config + bound));
        Self { workspace, guests }
    }

    /// What each task's plugin said, and what the journal has of it.
    fn run(&self) -> (Vec<String>, Vec<ModelAnswer>) {
        self.workspace.run(&["--plugins", &self.guests, "--jobs", "1"], 0);
        let (mut said, mut answered) = (Vec::new(), Vec::new());
        for event in self.workspace.events() {
            match event {
                Event::AttemptFinished(finished) => said.push(match finished.ending {
                    Ending::Done { summary } => summary,
                    other => format!("{other:?}"),
                }),
                Event::ModelAnswered(one) => answered.push(one.answer),
                _ => {}
            }
        }
        (said, answered)
    }
}

#[test]
fn a_server_that_others_wrote_answers_both_providers_and_finds_nothing_wrong_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = certificate(folder.path());
    let peer = Peer::start(&certificate, &[("LLMOCK_RESPONSE_STYLE", "echo")]);
    let tasks = ["small how many?", "large how many?"];
    let (said, answered) = Bench::new(&tasks, peer.port, ["/v1", "/anthropic"], &peer.cert).run();
    assert!(said.iter().all(|said| said.starts_with("Ok(\"") && said.contains("how many?")), "{said:?}");
    assert_eq!(answered.len(), 2);
    for (answer, model) in answered.iter().zip(["m-small", "m-large"]) {
        assert_eq!((&*answer.answered_by, &answer.fault), (model, &None));
        assert!(answer.output > 0 && answer.cost.unwrap() > 0 && !answer.id.is_empty(), "{answer:?}");
    }
    assert_eq!(peer.judged(), [""; 0]);
}

#[test]
fn a_stream_that_is_cut_off_or_broken_by_a_server_of_others_is_never_half_an_answer() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = certificate(folder.path());
    for fault in ["DISCONNECT", "TRUNCATE", "MALFORMED"] {
        let peer = Peer::start(&certificate, &[(&format!("LLMOCK_STREAM_FAULT_{fault}"), "1.0")]);
        let tasks = ["small how many?", "large how many?"];
        let (said, answered) = Bench::new(&tasks, peer.port, ["/v1", "/anthropic"], &peer.cert).run();
        assert!(said.iter().all(|said| said.starts_with("Err(Unavailable)")), "{fault}: {said:?}");
        let faults: Vec<Option<&str>> = answered.iter().map(|answer| answer.fault.as_deref()).collect();
        assert_eq!(faults, [Some("unavailable"); 2], "{fault}");
    }
    let peer = Peer::start(&certificate, &[("LLMOCK_ERROR_RATE_429", "1.0")]);
    let tasks = ["small how many?", "large how many?"];
    let (said, _) = Bench::new(&tasks, peer.port, ["/v1", "/anthropic"], &peer.cert).run();
    assert!(said.iter().all(|said| said.starts_with("Err(Busy(Some(")), "{said:?}");
    // A provider asks once; whether to ask again is up to who asks, and the one here does not.
    assert_eq!(peer.judged(), ["gave_up", "gave_up"]);
}

/// A request: its path, headers, body.
type Request = (String, BTreeMap<String, String>, Value);

const OPENAI: &str = "data: {\"id\":\"c-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"Three\"},\"finish_reason\":null}]}\n\n\
    data: {\"id\":\"c-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
    data: {\"id\":\"c-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":8,\"completion_tokens\":2,\"total_tokens\":10}}\n\n\
    data: [DONE]\n\n";

const ANTHROPIC: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":8,\"output_tokens\":1}}}\n\n\
    event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n\
    event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Three\"}}\n\n\
    event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n\
    event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":2}}\n\n\
    event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

/// Records what comes, until it is dropped.
struct Recorder {
    child: Child,
    lines: BufReader<ChildStdout>,
    port: u16,
}

impl Recorder {
    fn start(folder: &Path, certificate: &Certificate, answer: &str) -> Self {
        let (script, stream) = (folder.join("recorder.py"), folder.join("answer"));
        fs::write(&script, include_str!("model_peers/recorder.py")).unwrap();
        fs::write(&stream, answer).unwrap();
        let mut python = program("python");
        python.arg(script).arg(&certificate.cert).arg(&certificate.key).arg(stream);
        let mut child = python.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut port = String::new();
        lines.read_line(&mut port).unwrap();
        Self { child, lines, port: port.trim().parse().unwrap() }
    }

    fn next(&mut self) -> Request {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[track_caller]
fn sends_the_same(company: &str, model: &str, base: &str, answer: &str) -> [BTreeMap<String, String>; 2] {
    let folder = tempfile::tempdir().unwrap();
    let certificate = certificate(folder.path());
    let mut recorder = Recorder::start(folder.path(), &certificate, answer);
    let port = recorder.port;
    let task = format!("{model} how many?");
    let (said, _) = Bench::new(&[&task], port, [base, base], &certificate.cert).run();
    assert!(said[0].starts_with("Ok(\"Three\")"), "{said:?}");
    let ours = recorder.next();

    let script = folder.path().join("client.py");
    fs::write(&script, include_str!("model_peers/client.py")).unwrap();
    let mut client = program("python");
    client.arg(&script).arg(company).arg(format!("https://127.0.0.1:{port}{base}"));
    client.env("SSL_CERT_FILE", &certificate.cert).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = client.spawn().unwrap();
    let wanted = json!({ "model": format!("m-{model}"), "text": "how many?", "tokens": 300 });
    child.stdin.take().unwrap().write_all(wanted.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "Three", "it reads that answer, too");
    let theirs = recorder.next();

    assert_eq!(ours.0, theirs.0);
    assert_eq!(ours.2, theirs.2, "each field of the body");
    assert_eq!(ours.1["content-type"], theirs.1["content-type"]);
    [ours.1, theirs.1]
}

#[test]
fn openai_s_own_client_sends_the_same_question() {
    let [ours, theirs] = sends_the_same("openai", "small", "/v1", OPENAI);
    assert_eq!(ours["authorization"], theirs["authorization"]);
}

#[test]
fn anthropic_s_own_client_sends_the_same_question() {
    let [ours, theirs] = sends_the_same("anthropic", "large", "", ANTHROPIC);
    // Its client of today says key and version otherwise than the interface that our provider is written for, which it still
    // takes from who sets `X-Api-Key`. Nobody here can ask the company's own server whether both count.
    assert_eq!((&*ours["x-api-key"], &*ours["anthropic-version"]), ("the-key", "2023-06-01"));
    assert_eq!((&*theirs["authorization"], &*theirs["anthropic-version"]), ("Bearer the-key", "2026-10-21"));
    assert!(!ours.contains_key("authorization") && !theirs.contains_key("x-api-key"));
}

#[test]
fn an_answer_that_quotes_the_key_has_none_and_a_wrong_certificate_is_asked_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let good = certificate(folder.path());
    let quoting = OPENAI.replace("Three", "Your key is the-key, is it not?");
    let mut recorder = Recorder::start(folder.path(), &good, &quoting);
    let bench = Bench::new(&["small how many?"], recorder.port, ["/v1", ""], &good.cert);
    bench.workspace.write("config.yaml", &(bench.workspace.read("config.yaml") + "record: full\n"));
    let (said, answered) = bench.run();
    assert!(said[0].starts_with("Ok(\"Your key is ***, is it not?\")"), "{said:?}");
    assert_eq!(answered[0].fault, None);
    assert_eq!(recorder.next().1["authorization"], "Bearer the-key", "it did go where it is for");
    let kept = serde_json::to_string(&bench.workspace.events()).unwrap();
    assert!(!kept.contains("the-key"), "{kept}");

    let other = tempfile::tempdir().unwrap();
    let wrong = certificate(other.path());
    let bench = Bench::new(&["small how many?", "large how many?"], recorder.port, ["/v1", ""], &wrong.cert);
    let (said, answered) = bench.run();
    assert!(said.iter().all(|said| said.starts_with("Err(Unavailable)")), "{said:?}");
    let faults: Vec<Option<&str>> = answered.iter().map(|answer| answer.fault.as_deref()).collect();
    assert_eq!(faults, [Some("unavailable"); 2]);
    let why = bench.workspace.events().into_iter().filter_map(|event| match event {
        Event::HttpEnded(ended) => ended.exchange.fault,
        _ => None,
    });
    let why: Vec<String> = why.collect();
    assert!(why.len() == 2 && why.iter().all(|why| why.contains("certificate")), "{why:?}");
}
