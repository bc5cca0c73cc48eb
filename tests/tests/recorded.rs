//! Cases whose requests were made once: `orch-plugin test --record` against a server of this machine, then without it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use orch_tests::{binary, err, out, packages, root};
use serde_json::{Value, json};

const TOKEN: &str = "the-t0ken/of+\"x\"";

/// Says back what it is sent, in several forms; counts. Its threads end with the test's process.
fn serve() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let counted = counted.clone();
            std::thread::spawn(move || drop(answer(stream.unwrap(), &counted)));
        }
    });
    (port, count)
}

fn answer(stream: TcpStream, counted: &AtomicUsize) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut line, mut authorization, mut length) = (String::new(), String::new(), 0);
    reader.read_line(&mut line)?;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        match header.trim().split_once(": ") {
            Some(("authorization", value)) => authorization = value.to_owned(),
            Some(("content-length", value)) => length = value.parse().unwrap(),
            Some(_) => {}
            None => break,
        }
    }
    counted.fetch_add(1, Ordering::Relaxed);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let path = line.split(' ').nth(1).unwrap_or_default();
    let body = match path.split('?').next().unwrap_or_default() {
        "/open/echo" => {
            let (value, body) = (authorization.trim_start_matches("Bearer "), String::from_utf8_lossy(&body));
            let forms = json!({ "plain": authorization, "hex": hex::encode(value), "again": body });
            format!("{forms} {}", STANDARD.encode(&authorization)).into_bytes()
        }
        "/open/json" => br#"{"items":[1,2.50]}"#.to_vec(),
        "/open/bytes" => b"\xff\xfe\x00\x01".to_vec(),
        "/open/huge" => vec![b'x'; 2 << 20],
        "/open/early" => return write!(&stream, "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"),
        _ => b"not here".to_vec(),
    };
    write!(
        &stream,
        "HTTP/1.1 200 OK\r\nset-cookie: session=5e55\r\nx-echo: {authorization}\r\nx-two: a\r\nx-two: b\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    )?;
    (&stream).write_all(&body)
}

/// An author's project, with a component that is there already.
struct Project {
    folder: tempfile::TempDir,
    port: u16,
    count: Arc<AtomicUsize>,
}

impl Project {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (port, count) = serve();
        let project = Self { folder, port, count };
        project.manifest("*");
        fs::create_dir(project.path("cases")).unwrap();
        project.private("token", &format!("{TOKEN}\n"));
        let token = project.path("token");
        project.private("secrets.toml", &format!("[secrets.token]\nfile = {token:?}\n"));
        project
    }

    fn manifest(&self, host: &str) {
        let text = fs::read_to_string(root().join("tests/guests/makes-requests/plugin.json")).unwrap();
        let mut manifest: Value = serde_json::from_str(&text).unwrap();
        manifest["permissions"]["http"] =
            json!([{ "scheme": "http", "hosts": [host], "methods": ["GET", "POST"], "paths": ["/open/"] }]);
        manifest["permissions"]["secrets"]["use"] = json!([{ "name": "token", "host": host }]);
        fs::write(self.path("plugin.json"), manifest.to_string()).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn private(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// A case that makes these requests, each path with what follows it.
    fn case(&self, name: &str, requests: &[&str]) {
        self.case_at(&format!("127.0.0.1:{}", self.port), name, requests);
    }

    /// The same of another host.
    fn case_at(&self, host: &str, name: &str, requests: &[&str]) {
        let line = |one: &&str| {
            let (method, rest) = one.split_once(' ').unwrap();
            format!("{method} http://{host}{rest}")
        };
        let lines: Vec<_> = requests.iter().map(line).collect();
        let task = json!({ "id": "t1", "kind": "call", "description": lines.join("\n") });
        let case = json!({
            "about": name,
            "call": { "execute": { "task": task } },
            "host": { "recording": format!("recorded/{name}.json") },
            // Nobody knows yet what comes: what came is said as a difference.
            "expect": { "answer": { "summary": "?" } },
        });
        fs::write(self.path("cases").join(format!("{name}.json")), case.to_string()).unwrap();
    }

    fn test(&self, args: &[&str]) -> Output {
        let mut test = Command::new(binary("orch-plugin"));
        let built = packages().join("demo/makes-requests/0.1.0");
        test.arg("test").arg(self.folder.path()).arg("--built").arg(built).args(args);
        // Of whoever runs the tests.
        for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
            test.env(name, "http://127.0.0.1:1");
        }
        test.output().unwrap()
    }

    fn record(&self) -> Output {
        let (host, secrets) = (format!("127.0.0.1:{}", self.port), self.path("secrets.toml"));
        self.test(&["--record", &host, "--secrets", secrets.to_str().unwrap()])
    }

    fn recording(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.path("cases/recorded").join(format!("{name}.json"))).ok()
    }
}

/// What the plugin said, as the test's output has it.
fn found(output: &Output) -> Vec<String> {
    out(output).lines().filter(|line| line.trim_start().starts_with("+ ")).map(str::to_owned).collect()
}

#[test]
fn what_is_recorded_is_replayed_and_has_no_secret_in_any_form() {
    let project = Project::new();
    let requests = [
        "GET /open/echo?q=1 authorization=Bearer+{token}",
        "POST /open/echo authorization=Bearer+{token} body=my-word-is-{token}",
        "GET /open/json",
        "GET /open/bytes",
        "GET /open/early",
    ];
    project.case("all", &requests);
    let unrecorded = project.test(&[]);
    assert_eq!(unrecorded.status.code(), Some(2));
    let said = err(&unrecorded);
    assert!(said.contains("code: case-unrecorded") && said.contains("--record HOST:PORT"), "{said}");
    assert_eq!(project.count.load(Ordering::Relaxed), 0, "nothing is asked without a word");

    let recorded = project.record();
    assert_eq!(project.count.load(Ordering::Relaxed), 5, "{}{}", out(&recorded), err(&recorded));
    assert!(
        out(&recorded).contains("5 requests recorded in `cases/recorded/all.json`"),
        "{}",
        out(&recorded)
    );
    let text = project.recording("all").unwrap();
    for (name, form) in [
        ("plain", TOKEN.to_owned()),
        ("JSON", TOKEN.replace('"', "\\\"")),
        ("JSON in JSON", TOKEN.replace('"', "\\\\\\\"")),
        ("hexadecimal", hex::encode(TOKEN)),
        ("base64", STANDARD.encode(format!("Bearer {TOKEN}"))),
        ("base64 but for its ends", STANDARD.encode(format!("Bearer {TOKEN}"))[12..24].to_owned()),
    ] {
        assert!(!text.contains(&form) && !out(&recorded).contains(&form), "{name}: {text}");
    }
    for head in ["cookie", "5e55", "Bearer orch-secret", "\"authorization\"", "connection"] {
        assert!(!text.contains(head), "{head}: {text}");
    }
    let exchanges: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(exchanges[0]["request"]["url"], format!("http://127.0.0.1:{}/open/echo?q=1", project.port));
    assert_eq!(exchanges[0]["answer"]["headers"]["x-echo"], "Bearer ***");
    assert_eq!(exchanges[0]["answer"]["headers"]["x-two"], "a, b");
    assert!(exchanges[1]["answer"]["body"].as_str().unwrap().contains("my-word-is-***"), "{text}");
    assert_eq!(
        exchanges[2]["answer"]["body"], r#"{"items":[1,2.50]}"#,
        "not the bytes that JSON would be written as"
    );
    assert_eq!(exchanges[3]["answer"]["base64"], "//4AAQ==");
    assert_eq!(exchanges[4]["fault"], "broken-off");

    // The same answers without a server, and the same said of them.
    let replayed = project.test(&[]);
    assert_eq!(found(&replayed), found(&recorded));
    assert_eq!(found(&replayed).len(), 5, "{}", out(&replayed));
    assert_eq!(project.count.load(Ordering::Relaxed), 5);
    // What is asked otherwise than it was is told apart.
    project.case("all", &[&requests[..4], &["GET /open/late"]].concat());
    let other = out(&project.test(&[]));
    assert!(other.contains("/open/early`, found `GET http://127.0.0.1"), "{other}");
}

#[test]
fn what_cannot_be_recorded_is_named_and_nothing_is_written() {
    let project = Project::new();
    let token = "the-t0ken%2Fof%2B%22x%22";
    let echo = format!("GET /open/echo?key={token}");
    for (requests, why) in [
        (vec![echo.as_str()], "request 1 or its answer has secret `token`"),
        (
            vec!["GET /open/json", "POST /open/echo body=the-t0ken/of+\"x\""],
            "request 2 or its answer has secret `token`",
        ),
        (vec!["GET /open/huge"], "more than 1048576 bytes came back"),
        (vec!["GET /closed/"], "something was denied that the case does not expect"),
        (vec!["GET /open/json", "GET /open/../closed"], "something was denied that the case does not expect"),
    ] {
        project.case("one", &requests);
        let output = project.record();
        assert_eq!(output.status.code(), Some(1), "{}", err(&output));
        assert!(
            out(&output).contains("nothing is recorded: ") && out(&output).contains(why),
            "{}",
            out(&output)
        );
        assert!(!out(&output).contains(TOKEN) || requests[0].contains("body"), "{}", out(&output));
        assert_eq!(project.recording("one"), None, "{requests:?}");
    }
}

/// A proxy of a company: whoever is named, it is this machine that answers. Gives its port and what it was asked for first.
fn proxy() -> (u16, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (send, asked) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, mut head) = (stream.unwrap(), Vec::new());
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                head.extend(byte);
            }
            let head = String::from_utf8(head).unwrap();
            send.send(head.lines().next().unwrap().to_owned()).unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
            answer(stream, &AtomicUsize::new(0)).unwrap();
        }
    });
    (port, asked)
}

#[test]
fn who_is_asked_by_name_is_asked_through_the_proxy_that_a_policy_names() {
    let project = Project::new();
    let (port, asked) = proxy();
    project.private("policy.toml", &format!("[egress]\nproxy = \"http://127.0.0.1:{port}\"\n"));
    project.case_at("api.example.com:8080", "one", &["GET /open/json"]);
    let (secrets, policy) = (project.path("secrets.toml"), project.path("policy.toml"));
    let record = |policy: &str| {
        project.test(&[
            "--record",
            "api.example.com:8080",
            "--secrets",
            secrets.to_str().unwrap(),
            "--policy",
            policy,
        ])
    };
    let output = record(policy.to_str().unwrap());
    assert!(out(&output).contains("1 requests recorded"), "{}{}", out(&output), err(&output));
    assert_eq!(asked.recv().unwrap(), "CONNECT api.example.com:8080 HTTP/1.1");
    assert!(project.recording("one").unwrap().contains("items"));
    for (text, code) in
        [("[egress]\nproxy = 1\n", "record-policy"), ("[egress]\nproxy = \"x\"\n", "record-door")]
    {
        project.private("policy.toml", text);
        let said = err(&record(policy.to_str().unwrap()));
        assert!(said.contains(&format!("code: {code}")), "{said}");
    }
    let said = err(&record("/nowhere/policy.toml"));
    assert!(said.contains("code: record-no-policy") && said.contains("/nowhere/policy.toml"), "{said}");
}

#[test]
fn nobody_is_asked_who_was_not_named() {
    let project = Project::new();
    project.case("one", &["GET /open/json"]);
    let refused = |args: &[&str], code: &str, words: &str| {
        let output = project.test(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}{}", out(&output), err(&output));
        let said = err(&output);
        assert!(said.contains(&format!("code: {code}")) && said.contains(words), "{args:?}: {said}");
    };
    for wrong in ["*", "127.0.0.1", "http://127.0.0.1:80", "0177.0.0.1:80"] {
        refused(&["--record", wrong], "record-host", "`--record` has");
    }
    let host = format!("127.0.0.1:{}", project.port);
    refused(
        &["--record", &host, "--secrets", "/nowhere/secrets.toml"],
        "record-no-secrets",
        "/nowhere/secrets.toml",
    );
    fs::set_permissions(project.path("secrets.toml"), fs::Permissions::from_mode(0o620)).unwrap();
    let secrets = project.path("secrets.toml");
    refused(
        &["--record", &host, "--secrets", secrets.to_str().unwrap()],
        "record-secrets",
        "can be changed by others",
    );
    fs::set_permissions(project.path("secrets.toml"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(project.path("token"), fs::Permissions::from_mode(0o640)).unwrap();
    refused(
        &["--record", &host, "--secrets", secrets.to_str().unwrap()],
        "record-secret-unread",
        "its mode is 640",
    );
    // Another one was named, and who was not is denied.
    let output = out(&project.test(&["--record", "api.example.com:80"]));
    assert!(output.contains("nothing is recorded") && output.contains("would need the rule"), "{output}");
    project.manifest("api.example.com:80");
    refused(&["--record", &host], "record-no-rule", "no rule of `http`");
    assert_eq!(project.recording("one"), None);
    assert_eq!(project.count.load(Ordering::Relaxed), 0);
}
