//! A host that serves, and HTTP by hand.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::Workspace;

/// A host that serves a workspace, killed when it is dropped.
pub struct Served {
    pub host: Child,
    pub services: SocketAddr,
    pub operators: SocketAddr,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.host.kill();
        let _ = self.host.wait();
    }
}

/// What somebody was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// In lower case.
    pub head: String,
    pub body: String,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Of a problem.
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// Serves a workspace at free ports.
pub fn serve(workspace: &Workspace, args: &[&str]) -> Served {
    serve_as(
        workspace
            .command(&[&["serve", "--listen", "127.0.0.1:0", "--operators", "127.0.0.1:0"], args].concat()),
    )
}

/// The same with a command of one's own.
pub fn serve_as(mut command: Command) -> Served {
    let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut host = spawned.unwrap();
    let mut lines = BufReader::new(host.stdout.take().unwrap()).lines();
    let (mut services, mut operators) = (None, None);
    while operators.is_none() {
        let line = lines.next().unwrap_or_else(|| panic!("serve ended")).unwrap();
        let (at, path) =
            line.strip_prefix("http://").and_then(|line| line.split_once('/')).unwrap_or_default();
        let at = at.parse().ok();
        match path {
            "metrics" => operators = at,
            _ => services = at.or(services),
        }
    }
    // Whatever a run prints later must find a reader.
    std::thread::spawn(move || lines.for_each(drop));
    Served { host, services: services.unwrap(), operators: operators.unwrap() }
}

impl Served {
    /// A request of its own connection.
    pub fn ask(&self, method: &str, path: &str, token: Option<&str>, body: &str) -> Answer {
        let token = token.map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
        let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
        let length = body.len();
        raw(
            self.services,
            &format!(
                "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{token}{kind}Content-Length: {length}\r\n\r\n{body}"
            ),
        )
    }

    pub fn get(&self, path: &str, token: Option<&str>) -> Answer {
        self.ask("GET", path, token, "")
    }

    /// The same at the operators' address.
    pub fn operators(&self, path: &str) -> Answer {
        raw(self.operators, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
    }

    /// Signals the host; gives how it ended.
    pub fn signal(&mut self, signal: rustix::process::Signal) -> i32 {
        let pid = rustix::process::Pid::from_child(&self.host);
        rustix::process::kill_process(pid, signal).unwrap();
        self.host.wait().unwrap().code().unwrap_or(-1)
    }
}

/// Sends these very bytes and reads until the other end is through.
pub fn raw(at: SocketAddr, request: &str) -> Answer {
    answer(&exchange(at, request).unwrap())
}

/// The same; what was read so far is nothing.
pub fn exchange(at: SocketAddr, request: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(at)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.write_all(request.as_bytes())?;
    let mut text = Vec::new();
    stream.read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// What was read.
pub fn answer(text: &str) -> Answer {
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
}

/// The same, if all of it was read.
pub fn whole_answer(text: &str) -> Option<Answer> {
    let found = text.contains("\r\n\r\n").then(|| answer(text))?;
    let length = found.head.lines().find_map(|line| line.strip_prefix("content-length: "))?;
    (length.parse() == Ok(found.body.len())).then_some(found)
}
