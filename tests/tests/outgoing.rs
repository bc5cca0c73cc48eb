//! What leaves by HTTP and what does not, in a small internet of its own: a network namespace with names that lead anywhere.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use orch_journal::Event;
use orch_journal::event::{Ending, HttpEnded, HttpRequested};
use orch_tests::{Workspace, err, out};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const TOKEN: &str = "the-token-that-nobody-else-has";

const ALLOWED: &str = r#"log = {}
secrets = { use = [{ name = "token", host = "127.0.0.1:8080" }] }
http = [
    { scheme = "http", hosts = ["*.example:80"], methods = ["GET", "POST"], paths = ["/open/"] },
    { scheme = "http", hosts = ["127.0.0.1:8080"], methods = ["GET", "POST"], paths = ["/"] },
]
"#;

struct World {
    workspace: Workspace,
    packages: String,
}

impl World {
    /// `calls`: the requests of each task, by its id.
    fn new(calls: &[(&str, &str)]) -> Self {
        let tasks: Vec<Value> = calls
            .iter()
            .map(|(id, lines)| json!({"id": id, "kind": "call", "description": lines, "retries": 0}))
            .collect();
        let workspace = Workspace::new(&serde_json::to_string(&tasks).unwrap());
        // One after the other, so that what servers see has an order.
        workspace.write("config.yaml", &(workspace.read("config.yaml") + "jobs: 1\n"));
        let packages = workspace.admit_guest("makes-requests", ALLOWED).to_str().unwrap().to_owned();
        let config = workspace.read("config.yaml");
        workspace
            .write("config.yaml", &config.replace("executors: {", "executors: {call: demo/makes-requests, "));
        let private = |path: &Path, text: &str| {
            fs::write(path, text).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
        };
        let token = workspace.outside().join("token");
        private(&token, TOKEN);
        private(&workspace.operator().join("secrets.toml"), &format!("[secrets.token]\nfile = {token:?}\n"));
        workspace.write("world.py", include_str!("outgoing/world.py"));
        workspace.write("internet.py", include_str!("outgoing/internet.py"));
        Self { workspace, packages }
    }

    fn command(&self, args: &[&str]) -> Command {
        let host = self.workspace.command(&[args, &["--plugins", &self.packages]].concat());
        let mut world = Command::new("unshare");
        world.args(["--user", "--map-root-user", "--net", "--mount", "python3", "world.py"]);
        world.arg(host.get_program()).args(host.get_args()).current_dir(self.workspace.path());
        for (name, value) in host.get_envs() {
            match value {
                Some(value) => world.env(name, value),
                None => world.env_remove(name),
            };
        }
        // Variables of whoever starts the host move nothing.
        for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"] {
            world.env(name, "http://127.0.0.1:80");
        }
        world
    }

    #[track_caller]
    fn run(&self, exit: i32) -> Output {
        let output = self.command(&["run", "--trust-workspace"]).output().unwrap();
        assert_eq!(output.status.code(), Some(exit), "{}{}", out(&output), err(&output));
        output
    }

    /// What the servers saw: address, method and path; and how often names were looked up.
    fn seen(&self) -> (Vec<Value>, Value) {
        let seen: Value = serde_json::from_str(&self.workspace.read("seen.json")).unwrap();
        (seen["seen"].as_array().unwrap().clone(), seen["asked"].clone())
    }

    /// The lines that the task said when it was done.
    fn said(&self, task: u32) -> Vec<String> {
        let said = self.workspace.events().into_iter().find_map(|event| match event {
            Event::AttemptFinished(finished) if finished.task == task => match finished.ending {
                Ending::Done { summary } => Some(summary),
                Ending::Failed { message, .. } => Some(message),
                _ => None,
            },
            _ => None,
        });
        said.unwrap().lines().map(str::to_owned).collect()
    }

    fn requests(&self) -> (Vec<HttpRequested>, Vec<HttpEnded>) {
        let (mut requested, mut ended) = (Vec::new(), Vec::new());
        for event in self.workspace.events() {
            match event {
                Event::HttpRequested(one) => requested.push(*one),
                Event::HttpEnded(one) => ended.push(*one),
                _ => {}
            }
        }
        (requested, ended)
    }
}

fn places(seen: &[Value]) -> Vec<String> {
    let text = |one: &Value, key: &str| one[key].as_str().unwrap().to_owned();
    seen.iter().map(|one| format!("{} {}", text(one, "at"), text(one, "path"))).collect()
}

#[test]
fn each_request_is_an_event_and_goes_where_its_rule_says_whatever_the_environment_does() {
    let world = World::new(&[(
        "calls",
        "GET http://public.example/open/a?q=private\nPOST http://public.example/open/b body=hello",
    )]);
    world.run(0);
    let (seen, _) = world.seen();
    assert_eq!(places(&seen), ["93.184.216.34:80 /open/a?q=private", "93.184.216.34:80 /open/b"]);
    assert_eq!(seen[1]["body"], "hello");
    assert!(seen[1]["headers"]["idempotency-key"].as_str().unwrap().ends_with(".h2"), "{seen:?}");
    let (requested, ended) = world.requests();
    let said: Vec<_> =
        requested.iter().map(|one| format!("{} {}{}", one.method, one.origin, one.path)).collect();
    assert_eq!(said, ["GET http://public.example:80/open/a", "POST http://public.example:80/open/b"]);
    assert!(requested.iter().all(|one| one.plugin == "demo/makes-requests"));
    let exchange = &ended[1].exchange;
    assert_eq!((ended.len(), ended[1].request, exchange.status, &exchange.fault), (2, 2, Some(200), &None));
    let digest = |text: &str| hex::encode(Sha256::digest(text.as_bytes()));
    assert_eq!((exchange.sent, &exchange.sent_sha256), (5, &digest("hello")));
    let body = r#"{"you said": "", "or": "", "hex": ""}"#;
    assert_eq!((exchange.received, &exchange.received_sha256), (body.len() as u64, &digest(body)));
    let intents = world
        .workspace
        .events()
        .into_iter()
        .filter(|event| matches!(event, Event::IntentRecorded { effect, .. } if effect == "http"));
    assert_eq!(intents.count(), 1, "one for an attempt");
}

#[test]
fn no_name_leads_to_this_machine_not_even_the_second_time() {
    let world = World::new(&[(
        "calls",
        "GET http://rebound.example/open/first\nGET http://rebound.example/open/second\nGET http://inside.example/open/x\nGET http://mapped.example/open/x\nGET http://own.example/open/x\nGET http://nowhere.public.example/open/x",
    )]);
    world.run(0);
    let said = world.said(0);
    assert!(said[0].starts_with("200 "), "{said:?}");
    assert_eq!(said[1..5], ["Prohibited"; 4], "{said:?}");
    assert_eq!(said[5], "Denied");
    let (seen, asked) = world.seen();
    assert_eq!(places(&seen), ["93.184.216.34:80 /open/first"]);
    assert_eq!(asked["rebound"], 2, "once for each connection");
    let faults: Vec<_> = world.requests().1.into_iter().filter_map(|one| one.exchange.fault).collect();
    assert!(faults[0].contains("`rebound.example` leads to 127.0.0.1"), "{faults:?}");
    assert!(faults[1].contains("169.254.169.254") && faults[2].contains("::ffff:127.0.0.1"), "{faults:?}");
    assert!(
        faults[3].contains("`own.example` leads to 93.184.216.35: addresses of this machine"),
        "{faults:?}"
    );
}

#[test]
fn what_no_rule_has_is_denied_by_name_and_sent_nowhere() {
    let world = World::new(&[(
        "calls",
        "GET http://public.example/closed\nGET http://public.example:8080/open/x\nGET https://public.example/open/x\nDELETE http://public.example/open/x\nGET http://127.0.0.1/open/x\nGET http://localhost:8080/\nGET http://public.example/open/../closed\nGET http://2130706433:8080/\nGET http://public.example/open/moved",
    )]);
    let output = world.run(0);
    let said = world.said(0);
    assert_eq!(said[..6], ["Denied"; 6]);
    assert!(said[6].starts_with("Invalid") && said[7].starts_with("Invalid"), "{said:?}");
    assert!(said[8].starts_with("200 "), "{said:?}");
    assert_eq!(places(&world.seen().0), ["93.184.216.34:80 /open/moved", "93.184.216.34:80 /open/after"]);
    let denied = world.workspace.events().into_iter().filter_map(|event| match event {
        Event::Denied { plugin, what } => Some(format!("{plugin} {what}")),
        _ => None,
    });
    let denied: Vec<_> = denied.collect();
    let rule =
        r#"{ scheme = "http", hosts = ["public.example:80"], methods = ["GET"], paths = ["/closed"] }"#;
    let wanted = format!(
        "demo/makes-requests http: GET http://public.example:80/closed: manifest and policy would need the rule {rule}"
    );
    assert!(denied.contains(&wanted), "{denied:?}");
    let shown = out(&output) + &err(&output);
    assert!(shown.contains("GET http://public.example:80/closed"), "{shown}");
}

#[test]
fn a_secret_reaches_the_host_that_it_is_for_and_nobody_else_in_no_form() {
    let world = World::new(&[
        (
            "calls",
            "GET http://127.0.0.1:8080/ authorization=Bearer+{token}\nGET http://127.0.0.1:8080/ authorization=Basic+{basic}\nGET http://public.example/open/x authorization=Bearer+{token}\nGET http://127.0.0.1:8080/moved authorization=Bearer+{token} x-key={token}\nPOST http://127.0.0.1:8080/ body={token}",
        ),
        ("fails", "GET http://127.0.0.1:8080/ authorization={token}"),
    ]);
    // Whoever looks for a fault of the host reads all that it and its libraries say of themselves.
    let output = world.command(&["run", "--trust-workspace"]).env("ORCH_LOG", "trace").output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}{}", out(&output), err(&output));
    let (seen, _) = world.seen();
    let header = |at: usize, name: &str| seen[at]["headers"][name].as_str().unwrap_or_default().to_owned();
    assert_eq!(header(0, "authorization"), format!("Bearer {TOKEN}"));
    assert!(header(1, "authorization").starts_with("Basic "));
    // Over plain HTTP by a name, after a redirect, in a body: words, or nothing.
    assert!(header(2, "authorization").starts_with("Bearer orch-secret-"), "{seen:?}");
    assert_eq!(places(&seen)[3..5], ["127.0.0.1:8080 /moved", "93.184.216.34:80 /open/after"]);
    assert_eq!(header(3, "x-key"), TOKEN);
    assert!(!seen[4].to_string().contains(TOKEN), "{seen:?}");
    assert!(seen[5]["body"].as_str().unwrap().starts_with("orch-secret-"), "{seen:?}");
    // The server said it back whole, in base64 and in hex, in a header and in pieces.
    let said = world.said(0);
    assert!(
        said[0].contains(r#"Some("Bearer ***")"#) && said[0].contains(r#""you said": "Bearer ***""#),
        "{said:?}"
    );
    // Nowhere here: not in what was printed, nor in any file but the two that hold it.
    let printed = out(&output) + &err(&output);
    fs::remove_file(world.workspace.path().join("seen.json")).unwrap();
    let mut everything = printed.into_bytes();
    collect(&world.workspace.path(), &mut everything);
    use base64::Engine;
    let encoded = base64::engine::general_purpose::STANDARD.encode(format!("Bearer {TOKEN}"));
    for form in [TOKEN, &hex::encode(TOKEN), &encoded[12..40]] {
        let found = everything.windows(form.len()).any(|part| part == form.as_bytes());
        assert!(!found, "`{form}` is somewhere");
    }
}

fn collect(folder: &Path, found: &mut Vec<u8>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => collect(&entry.path(), found),
            kind if kind.is_file() => found.extend(fs::read(entry.path()).unwrap()),
            _ => {}
        }
    }
}

#[test]
fn a_host_that_is_killed_behind_its_intent_is_in_doubt_and_sends_nothing_again() {
    let world = World::new(&[("calls", "POST http://public.example/open/a body=once")]);
    let killed = world
        .command(&["run", "--trust-workspace"])
        .env("ORCH_FAILPOINT", "after-intent:1")
        .output()
        .unwrap();
    assert_ne!(killed.status.code(), Some(0));
    let second = world.command(&["run"]).output().unwrap();
    assert_eq!(second.status.code(), Some(6), "{}{}", out(&second), err(&second));
    assert!(world.seen().0.is_empty());
}
