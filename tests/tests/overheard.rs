//! What models write, heard while they do: in the stream of the control API, by `status --follow` of another process, between the
//! events of `run --format json`. The model is a server of this test that goes on writing until everybody has heard it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use orch_tests::served::serve_as;
use orch_tests::{err, until};
use serde_json::{Value, json};

use crate::models::Bench;
use crate::served::token;

const TASKS: &str = "- {id: one, kind: ask, description: '- how many?'}\n";
const PIECE: &str = "tick \u{1b}[2J";

/// Writes pieces until it is enough; gives its port.
fn writes_until(enough: Arc<AtomicBool>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // Whoever is ended meanwhile does not read it.
            let _ = write(stream, &enough);
        }
    });
    port
}

fn write(mut stream: TcpStream, enough: &AtomicBool) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut length, mut line) = (0, String::new());
    while reader.read_line(&mut line)? > 2 {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        line.clear();
    }
    reader.read_exact(&mut vec![0; length])?;
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n")?;
    let mut say = |text: &str| stream.write_all(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes());
    let piece = |delta: &str, reason: Option<&str>| {
        let choice = json!({ "index": 0, "delta": { "content": delta }, "finish_reason": reason });
        format!("data: {}\n\n", json!({ "id": "c-1", "model": "m", "choices": [choice] }))
    };
    while !enough.load(Ordering::Relaxed) {
        say(&piece(PIECE, None))?;
        std::thread::sleep(Duration::from_millis(20));
    }
    say(&piece("over", Some("stop")))?;
    say(
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":8,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n",
    )?;
    say("")
}

/// The objects of lines that are no events.
fn is_delta(line: &Value) -> bool {
    line.get("delta").is_some()
}

#[track_caller]
fn is_of_the_attempt(line: &Value, run: &str, delta: &Value) {
    let expected = json!({ "run": run, "task": "one", "role": "executor", "provider": "demo/provider-openai", "delta": delta });
    assert_eq!(*line, expected);
}

#[test]
fn what_a_model_writes_is_heard_by_streams_of_the_control_api_and_by_who_follows_from_another_process() {
    let enough = Arc::new(AtomicBool::new(false));
    let bench = Bench::new(TASKS, writes_until(enough.clone()));
    let workspace = &bench.workspace;
    workspace.make_known();
    let all = token(workspace, "all", "read,run");
    let args = ["serve", "--listen", "127.0.0.1:0", "--operators", "127.0.0.1:0", "--plugins", &bench.guests];
    let mut served = serve_as(workspace.command(&args));
    let begun = served.ask("POST", "/v1/runs", Some(&all), "{}");
    let run = begun.json()["run"].as_str().unwrap_or_else(|| panic!("{begun:?}")).to_owned();

    // It is told of once its first event is committed.
    until(|| served.get(&format!("/v1/runs/{run}"), Some(&all)).status == 200);
    let events = |query: &str| {
        let mut stream = TcpStream::connect(served.services).unwrap();
        let path = format!("/v1/runs/{run}/events{query}");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {all}\r\n\r\n")
            .unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        BufReader::new(stream).lines().map_while(Result::ok)
    };
    let mut with_deltas = events("?deltas=true");
    let mut heard = Vec::new();
    let mut names = Vec::new();
    while heard.len() < 3 {
        let line = with_deltas.next().unwrap();
        names.extend(line.strip_prefix("event: ").map(str::to_owned));
        let data = line.strip_prefix("data: ").map(|data| serde_json::from_str::<Value>(data).unwrap());
        heard.extend(data.filter(is_delta));
    }
    assert_eq!(names, ["delta"; 3]);
    heard.iter().for_each(|line| is_of_the_attempt(line, &run, &json!(PIECE)));

    // Of another process, over the host's socket.
    let mut follow = workspace.command(&["status", "--follow", "--format", "json", "--deltas"]);
    let mut follow = follow.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines().map(|line| {
        let line = line.unwrap();
        assert!(!line.contains('\u{1b}'), "{line}");
        serde_json::from_str::<Value>(&line).unwrap()
    });
    let heard: Vec<Value> = lines.by_ref().filter(is_delta).take(3).collect();
    heard.iter().for_each(|line| is_of_the_attempt(line, &run, &json!(PIECE)));

    enough.store(true, Ordering::Relaxed);
    until(|| served.get("/v1", Some(&all)).json()["run"] == Value::Null);
    assert_eq!(served.signal(rustix::process::Signal::TERM), 0);
    assert!(follow.wait().unwrap().success());
    let rest: Vec<Value> = lines.filter(is_delta).skip_while(|line| line["delta"] == PIECE).collect();
    assert_eq!(rest.len(), 2, "{rest:?}");
    is_of_the_attempt(&rest[0], &run, &json!("over"));
    is_of_the_attempt(&rest[1], &run, &Value::Null);
    // Both streams come to their end; who did not ask for them hears none, and no journal has them.
    let seqs = with_deltas.filter(|line| line.starts_with("id: ")).count();
    assert!(seqs > 0);
    let kept = workspace.host(&["status", "--follow", "--format", "json"], 0);
    assert!(!String::from_utf8_lossy(&kept.stdout).contains("delta"));
    assert!(!serde_json::to_string(&workspace.events()).unwrap().contains("tick"));
}

#[test]
fn between_the_events_of_a_run_its_models_are_heard_if_that_is_asked_for() {
    let bench = Bench::new(TASKS, writes_until(Arc::new(AtomicBool::new(true))));
    let run = |more: &[&str], exit| {
        bench.workspace.run(&[&["--plugins", &bench.guests, "--force"], more].concat(), exit)
    };
    let deltas = |more: &[&str]| -> Vec<Value> {
        let said = run(&[&["--format", "json"], more].concat(), 0);
        let lines = String::from_utf8(said.stdout).unwrap();
        let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(is_delta).collect()
    };
    let heard = deltas(&["--deltas"]);
    let id = bench.workspace.reader().runs().unwrap().remove(0).id;
    assert_eq!(heard.len(), 2, "{heard:?}");
    is_of_the_attempt(&heard[0], &id, &json!("over"));
    is_of_the_attempt(&heard[1], &id, &Value::Null);
    assert_eq!(deltas(&[]), [Value::Null; 0]);
    for args in [&["run", "--deltas"][..], &["status", "--follow", "--deltas"]] {
        assert!(err(&bench.workspace.host(args, 2)).contains("code: deltas-of-text"), "{args:?}");
    }
}
