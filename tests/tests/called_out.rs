//! Plugins that ask others through the SDK's client: one as it may, one as it may not.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use orch_journal::Event;
use orch_journal::event::Ending;
use orch_tests::{Workspace, until};

/// Lines of requests that a server saw.
type Seen = Arc<Mutex<Vec<String>>>;

/// A server on this machine; its threads end with the test's process.
fn serve() -> (u16, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Seen::default();
    let kept = seen.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let seen = kept.clone();
            std::thread::spawn(move || drop(answer(stream.unwrap(), &seen)));
        }
    });
    (port, seen)
}

fn answer(stream: TcpStream, seen: &Seen) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    // Who begins and never asks connects and says nothing.
    if reader.read_line(&mut line)? == 0 {
        return Ok(());
    }
    seen.lock().unwrap().push(line.trim().trim_end_matches(" HTTP/1.1").to_owned());
    let mut head = String::new();
    while reader.read_line(&mut head)? > 2 {}
    let path = line.split(' ').nth(1).unwrap_or_default();
    let (status, more, body) = match path {
        "/whole" => ("200 OK", "", "hello".to_owned()),
        "/lines" => ("200 OK", "", "data: a\r\n\ndata: b".to_owned()),
        "/moved" => ("302 Found", "location: /whole\r\n", String::new()),
        "/parts" => {
            let mut chunks = String::new();
            while !chunks.ends_with("\r\n0\r\n\r\n") {
                let mut byte = [0];
                reader.read_exact(&mut byte)?;
                chunks.push(char::from(byte[0]));
            }
            let letters: String = chunks.chars().filter(char::is_ascii_alphabetic).collect();
            ("200 OK", "", letters)
        }
        // Takes everything and says nothing.
        _ => return std::io::copy(&mut reader, &mut std::io::sink()).map(|_| ()),
    };
    let length = body.len();
    write!(&stream, "HTTP/1.1 {status}\r\n{more}content-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

/// What the plugin says of each task.
fn said(guest: &str, kind: &str, tasks: &str, allowed: &str) -> Vec<String> {
    let workspace = Workspace::new(tasks);
    let guests = workspace.admit_guest(guest, allowed);
    let policy = workspace.operator().join("policy.toml");
    let text = std::fs::read_to_string(&policy).unwrap();
    std::fs::write(&policy, text + "\n[egress]\nsent_mib = 1\n").unwrap();
    let config = workspace
        .read("config.yaml")
        .replace("executors: {", &format!("executors: {{{kind}: demo/{guest}, "));
    workspace.write("config.yaml", &config);
    workspace.run(&["--plugins", guests.to_str().unwrap(), "--jobs", "1"], 0);
    let ended = workspace.events().into_iter().filter_map(|event| match event {
        Event::AttemptFinished(finished) => Some((finished.task, finished.ending)),
        _ => None,
    });
    let mut ended: Vec<_> = ended.collect();
    ended.sort_by_key(|(task, _)| *task);
    let summary = |(_, ending)| match ending {
        Ending::Done { summary } => summary,
        other => panic!("{other:?}"),
    };
    ended.into_iter().map(summary).collect()
}

fn allowed(port: u16, methods: &str, path: &str) -> String {
    format!(
        "log = {{}}\nhttp = [{{ scheme = \"http\", hosts = [\"127.0.0.1:{port}\"], methods = [{methods}], paths = [\"{path}\"] }}]\n"
    )
}

#[test]
fn what_is_asked_through_the_client_comes_back_whole_in_lines_and_behind_a_redirect() {
    let (port, seen) = serve();
    let tasks = format!(
        "- {{id: a, kind: call, description: 'whole GET http://127.0.0.1:{port}/whole'}}\n\
         - {{id: b, kind: call, description: 'lines GET http://127.0.0.1:{port}/lines'}}\n\
         - {{id: c, kind: call, description: 'parts POST http://127.0.0.1:{port}/parts letters'}}\n\
         - {{id: d, kind: call, description: 'whole POST http://127.0.0.1:{port}/moved text'}}\n"
    );
    let said = said("calls-out", "call", &tasks, &allowed(port, "\"GET\", \"POST\"", "/"));
    assert_eq!(said, ["200 hello", "200 [\"data: a\", \"\", \"data: b\"]", "200 letters", "200 hello"]);
    let mut seen = seen.lock().unwrap().clone();
    seen.sort();
    assert_eq!(seen, ["GET /lines", "GET /whole", "GET /whole", "POST /moved", "POST /parts"]);
}

#[test]
fn who_asks_elsewhere_does_not_listen_or_sends_without_end_is_told_so_by_name() {
    let (port, seen) = serve();
    let tasks = format!(
        "- {{id: elsewhere, kind: misuse, description: '127.0.0.1:{port}', priority: 3}}\n\
         - {{id: endless, kind: misuse, description: '127.0.0.1:{port}', priority: 2}}\n\
         - {{id: unread, kind: misuse, description: '127.0.0.1:{port}', priority: 1}}\n"
    );
    let said = said("calls-elsewhere", "misuse", &tasks, &allowed(port, "\"POST\"", "/allowed/"));
    let denied = "no rule of the permission `http` allows it";
    let none = "the URL is none that may be asked";
    let forbidden = "a header is the host's own to set";
    let by_rules = [denied, denied, denied, none, none, denied, denied, denied, denied];
    let expected = [&by_rules[..], &[forbidden; 4]].concat();
    assert_eq!(said[0].split("; ").collect::<Vec<_>>(), expected);
    assert!(said[1].ends_with("more than 1048576 bytes"), "{}", said[1]);
    assert_eq!(said[2], "64 begun");
    until(|| !seen.lock().unwrap().is_empty());
    let seen = seen.lock().unwrap();
    assert!(seen.iter().all(|line| line == "POST /allowed/"), "{seen:?}");
}
