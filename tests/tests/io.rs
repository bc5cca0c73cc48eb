//! The service of input and output, as its clients see it: in Rust its own, in Python those that gRPC's makers generate.
//!
//! Not here: which files (`io-service/src/files.rs`), where Python's packages come from (`tests/io/requirements.txt`).
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use orch_tests::{binary, root};
use serde_json::{Value, json};

const TOKEN: &str = "a-token-of-this-test";

/// The service, until it is dropped.
struct Service {
    child: Child,
    grpc: String,
    operators: String,
    folder: tempfile::TempDir,
}

impl Service {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files = folder.path().join("files");
        for name in ["in", "out"] {
            fs::create_dir_all(files.join(name)).unwrap();
        }
        fs::write(files.join("secret"), "secret").unwrap();
        symlink(files.join("secret"), files.join("out/link")).unwrap();
        fs::write(folder.path().join("token"), format!("{TOKEN}\n")).unwrap();
        let mut serve = Command::new(binary("orch-io-service"));
        serve.arg("serve").arg(&files).args(["--read", "in/**", "--read", "out/*", "--write", "out/*"]);
        serve.arg("--token-file").arg(folder.path().join("token"));
        serve.args(["--listen", "127.0.0.1:0", "--operators", "127.0.0.1:0"]);
        let mut child = serve.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut next = || lines.next().unwrap().unwrap();
        let grpc = next().split_whitespace().last().unwrap().to_owned();
        let health = next();
        let operators = health.split("http://").last().unwrap().trim_end_matches("/health").to_owned();
        Self { child, grpc, operators, folder }
    }

    fn ask(&self, args: &[&str], input: &[u8]) -> Output {
        let mut client = Command::new(binary("orch-io-service"));
        client.args(args).arg("--at").arg(format!("http://{}", self.grpc));
        client.arg("--token-file").arg(self.folder.path().join("token"));
        let mut client =
            client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        client.stdin.take().unwrap().write_all(input).unwrap();
        client.wait_with_output().unwrap()
    }

    fn http(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.operators).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.operators)
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Asked to end: its exit code.
    fn end(mut self) -> Option<i32> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn what_others_generate_from_the_proto_speaks_to_the_service() {
    let service = Service::start();
    let python = root().join("target/io/bin/python");
    assert!(python.exists(), "`{}` is missing: run `cargo xtask test`", python.display());
    let made = tempfile::tempdir().unwrap();
    let mut client = Command::new(python);
    client.arg(root().join("tests/io/client.py")).arg(root().join("io-service/proto"));
    client.args([&service.grpc, TOKEN]).arg(made.path());
    let output = client.output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let expected = json!({
        "ping": "pong:häu",
        "written": 5,
        "read": "00ff616263",
        "codes": {
            "no token": "UNAUTHENTICATED",
            "another token": "UNAUTHENTICATED",
            "not granted": "PERMISSION_DENIED",
            "only read": "PERMISSION_DENIED",
            "a step aside": "INVALID_ARGUMENT",
            "a link out": "FAILED_PRECONDITION",
            "missing": "NOT_FOUND",
            "too large": "RESOURCE_EXHAUSTED",
            "a message beyond all": "OUT_OF_RANGE",
            "another method": "UNIMPLEMENTED",
            "no message": "INTERNAL",
        },
        "health": "SERVING",
        "described as protoc compiles it": true,
    });
    assert_eq!(found, expected);
    assert_eq!(fs::read(service.folder.path().join("files/out/a.bin")).unwrap(), b"\x00\xffabc");

    let metrics = service.http("/metrics");
    for line in [
        "io_requests_total{code=\"Ok\",method=\"Ping\"} 1",
        "io_requests_total{code=\"Unauthenticated\",method=\"ReadFile\"} 2",
        "io_read_bytes_total 5",
        "io_written_bytes_total 5",
    ] {
        assert!(metrics.contains(line), "`{line}` is not in {metrics}");
    }
}

#[test]
fn its_own_client_asks_reads_and_writes() {
    let service = Service::start();
    let ping = service.ask(&["ping", "here"], b"");
    assert_eq!((text(&ping), ping.status.code()), ("pong:here\n".to_owned(), Some(0)));
    let written = service.ask(&["write", "out/b"], b"some bytes");
    assert_eq!((text(&written), written.status.code()), ("10 bytes written\n".to_owned(), Some(0)));
    assert_eq!(service.ask(&["read", "out/b"], b"").stdout, b"some bytes");
    let denied = service.ask(&["read", "secret"], b"");
    let expected = "error: `secret` may not be read: no glob of `--read` has it\ncode: PermissionDenied\n";
    assert_eq!((text(&denied), denied.status.code()), (expected.to_owned(), Some(1)));
}

#[test]
fn health_has_uptime_and_status_and_a_signal_ends_it_though_somebody_holds_a_connection() {
    let service = Service::start();
    let answer = service.http("/health");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let health: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert_eq!(health["status"], "ok");
    assert!(health["uptime"].as_f64().unwrap() > 0.0, "{health}");
    let held = TcpStream::connect(&service.grpc).unwrap();
    assert_eq!(service.end(), Some(0));
    drop(held);
}

#[test]
fn who_only_holds_connections_keeps_nobody_from_being_answered_for_ever() {
    let service = Service::start();
    let held: Vec<TcpStream> = (0..300).map(|_| TcpStream::connect(&service.grpc).unwrap()).collect();
    // Those beyond what there is room for wait with it; the service itself lives, and says so.
    assert!(service.http("/health").starts_with("HTTP/1.1 200"));
    drop(held);
    let begun = Instant::now();
    while !service.ask(&["ping", "again"], b"").status.success() {
        assert!(begun.elapsed() < Duration::from_secs(120), "nobody is answered");
    }
}

/// What a service says that is started so in a folder.
fn refused(args: &[&str]) -> (String, Option<i32>) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("short"), "short").unwrap();
    let mut serve = Command::new(binary("orch-io-service"));
    let output = serve.args(["serve", "."]).args(args).current_dir(folder.path()).output().unwrap();
    (text(&output), output.status.code())
}

#[test]
fn what_nobody_can_have_meant_is_refused_at_the_start() {
    let refusals: [(&[&str], &str); 5] = [
        (&["--read", "**"], "files are granted and nobody could ask for them"),
        (&["--read", "**", "--token-file", "short"], "`short` has no token: at least 16 visible characters"),
        (&["--listen", "0.0.0.0:0"], "`0.0.0.0:0` is reached from other machines, and nothing is encrypted"),
        (&["--read", "a{", "--token-file", "none"], "`a{` is no glob"),
        (&["--token-file", "none"], "cannot read `none`"),
    ];
    for (args, expected) in refusals {
        let (said, code) = refused(args);
        assert!(said.contains(expected) && code == Some(1), "{args:?}: {said}");
    }
    assert!(Path::new(&binary("orch-io-service")).exists());
}
