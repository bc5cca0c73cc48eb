//! Misuses requests as its task's id says, at the `host:port` of its description: `elsewhere` asks other hosts, methods and
//! paths than it may, `unread` begins 64 requests and listens to none, `endless` sends a body without end. Ends as: done, with
//! what came of each.

use orch_sdk::http::{self, Outgoing};
use orch_sdk::{Attempt, Completion, Executor, Failure, Task};

const REQUESTS: usize = 64;
const PIECE: [u8; 4096] = [b'x'; 4096];

pub struct CallsElsewhere;

impl Executor for CallsElsewhere {
    fn execute(task: Task, _attempt: Attempt) -> Result<Completion, Failure> {
        let at = |path: &str| format!("http://{}{path}", task.description);
        let said = match task.id.as_str() {
            "unread" => unread(&at("/allowed/")),
            "endless" => endless(&at("/allowed/")),
            _ => elsewhere(&at),
        };
        Ok(Completion::new(said))
    }
}

fn elsewhere(at: &dyn Fn(&str) -> String) -> String {
    let secure = at("/allowed/").replacen("http:", "https:", 1);
    let asked = [
        http::get(at("/allowed/")),
        http::put(at("/allowed/")),
        http::post(at("/other/")),
        http::post(at("/allowed/../other/")),
        http::post(at("/allowed/%2e%2e/other/")),
        http::post(secure),
        http::post("http://example.com/allowed/"),
        http::post("http://169.254.169.254/allowed/"),
        http::post("http://localhost/allowed/"),
    ];
    // What belongs to a connection, or asks for another protocol on it.
    let own = [
        ("host", "example.com"),
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("proxy-authorization", "x"),
    ];
    let own = own.map(|(name, value)| http::post(at("/allowed/")).header(name, value));
    asked.into_iter().chain(own).map(tried).collect::<Vec<_>>().join("; ")
}

fn unread(url: &str) -> String {
    // Held until the end, so that none is given back before.
    let held: Vec<_> = (0..REQUESTS).map(|_| http::post(url).start()).collect();
    format!("{} begun", held.iter().filter(|held| held.is_ok()).count())
}

fn endless(url: &str) -> String {
    let mut upload = match http::post(url).start() {
        Ok(upload) => upload,
        Err(error) => return error.to_string(),
    };
    while upload.write(&PIECE).is_ok() {}
    match upload.finish() {
        Ok(answer) => answer.status.to_string(),
        Err(error) => error.to_string(),
    }
}

fn tried(request: Outgoing) -> String {
    match request.redirects(0).send() {
        Ok(answer) => answer.status.to_string(),
        Err(error) => error.fault.to_string(),
    }
}

orch_sdk::export!(executor: CallsElsewhere);
