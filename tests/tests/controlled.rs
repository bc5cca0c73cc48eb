//! Runs that a service starts and stops: who may, what is kept of it, and what a kill in between leaves.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use orch_journal::Event;
use orch_journal::event::{ServiceAct, WORKSPACE_STREAM, Who};
use orch_tests::served::{Served, raw, serve};
use orch_tests::{Workspace, out, until};
use serde_json::{Value, json};

const API: &str = "demo/service-orchestrator-api";
const SLOW: &str = "- {id: slow, command: [python3, -c, \"import os,time\\nwhile not os.path.exists('go'): time.sleep(0.02)\"]}\n- {id: t, kind: note, dependencies: [slow]}\n";

/// With the API at `/o`, a guest that asks for more than it may at `/odd`, and tokens of scope `run` and `read`.
struct Place {
    workspace: Workspace,
    root: String,
    run: String,
    read: String,
}

impl Place {
    fn new(tasks: &str) -> Self {
        let workspace = Workspace::new(tasks);
        let root = workspace.admit_hostile("starts-and-fails").to_str().unwrap().to_owned();
        let services = format!("  services: {{/o: {API}, /odd: demo/starts-and-fails}}\n");
        workspace.write("config.yaml", &(workspace.read("config.yaml") + &services));
        workspace.make_known();
        let token =
            |name: &str| out(&workspace.host(&["token", "add", name, "--scope", name], 0)).trim().to_owned();
        let (run, read) = (token("run"), token("read"));
        Self { workspace, root, run, read }
    }

    fn serve(&self) -> Served {
        serve(&self.workspace, &["--plugins", &self.root])
    }

    /// Status and code, or the body of what was taken.
    fn post(&self, served: &Served, path: &str, body: &str) -> (u16, String) {
        let answer = served.ask("POST", path, Some(&self.run), body);
        let said = if answer.status < 300 { answer.body.clone() } else { answer.code() };
        (answer.status, said)
    }

    fn status(&self, served: &Served) -> Value {
        served.get("/o/status", Some(&self.run)).json()
    }

    /// Of the workspace, beside its runs.
    fn stream(&self) -> Vec<Event> {
        let reader = self.workspace.reader();
        let stream = reader.stream().unwrap().unwrap();
        assert!(stream.starts_with(WORKSPACE_STREAM));
        reader.events(&stream).map(|event| event.unwrap().1).collect()
    }

    /// What services asked for and what was done of it.
    fn acts(&self) -> (Vec<ServiceAct>, usize) {
        let stream = self.stream();
        let acts = stream.iter().filter_map(|event| match event {
            Event::Called(called) => called.writes.act.clone(),
            _ => None,
        });
        let taken = stream.iter().filter(|event| matches!(event, Event::ActsTaken { .. })).count();
        (acts.collect(), taken)
    }

    /// Who asked for starts and stops of every run, with the calls of services.
    fn asked(&self) -> Vec<(bool, Who, Option<u64>)> {
        let reader = self.workspace.reader();
        let runs = reader.runs().unwrap();
        let events = runs.iter().flat_map(|run| reader.events(&run.id).collect::<Vec<_>>());
        let asked = events.filter_map(|event| match event.unwrap().1 {
            Event::StartAsked { who, call, .. } => Some((true, who, call)),
            Event::StopAsked { who, call, .. } => Some((false, who, call)),
            _ => None,
        });
        asked.collect()
    }
}

#[test]
fn a_run_is_started_seen_and_stopped_and_each_act_names_the_plugin() {
    let place = Place::new(SLOW);
    let served = place.serve();
    let idle = place.status(&served);
    assert_eq!(
        (&idle["running"], &idle["state"], &idle["run"]),
        (&json!(false), &json!("idle"), &Value::Null)
    );
    assert_eq!(place.post(&served, "/o/stop", ""), (409, "not-at-work".to_owned()));

    assert_eq!(place.post(&served, "/o/start", ""), (202, r#"{"state":"starting"}"#.to_owned()));
    until(|| place.status(&served)["current"] == json!(["slow"]));
    let at_work = place.status(&served);
    let run = served.get("/v1", Some(&place.read)).json()["run"].clone();
    assert_eq!((&at_work["running"], &at_work["state"]), (&run, &json!("at-work")), "{at_work}");
    assert_eq!((&at_work["tasks"]["pending"], &at_work["runs"][0]["id"]), (&json!(1), &run), "{at_work}");
    assert_eq!(place.post(&served, "/o/start", ""), (409, "at-work".to_owned()));

    let stopping = (202, r#"{"state":"stopping"}"#.to_owned());
    assert_eq!(place.post(&served, "/o/stop", "{}"), stopping);
    assert_eq!(place.status(&served)["state"], "stopping");
    assert_eq!(place.post(&served, "/o/stop", ""), stopping, "it is stopping already");
    assert_eq!(place.post(&served, "/o/start", ""), (409, "at-work".to_owned()));
    place.workspace.write("go", "");
    until(|| place.status(&served)["state"] == "idle");
    let statuses = place.workspace.statuses();
    assert_eq!((statuses["slow"].as_str(), statuses["t"].as_str()), ("done", "pending"));

    // The open run goes on once somebody says so, not because the host serves again.
    drop(served);
    let served = place.serve();
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(place.status(&served)["state"], "idle");
    assert_eq!(place.post(&served, "/o/start", "").0, 202);
    until(|| place.status(&served)["runs"][0]["status"] == "completed");
    let over = place.status(&served);
    assert_eq!(
        (&over["run"], &over["running"], over["runs"].as_array().unwrap().len()),
        (&run, &json!(false), 1)
    );

    let asked = place.asked();
    let whats: Vec<bool> = asked.iter().map(|(start, ..)| *start).collect();
    assert_eq!(whats, [true, false, true]);
    let stream = place.stream();
    for (start, who, call) in asked {
        assert_eq!((who.plugin.as_deref(), who.token.as_deref()), (Some(API), Some("run")));
        let Event::Called(called) = &stream[call.unwrap() as usize] else { panic!("{call:?} in {stream:?}") };
        assert_eq!((called.plugin.as_str(), called.token.as_deref()), (API, Some("run")));
        assert_eq!(matches!(called.writes.act, Some(ServiceAct::Start { .. })), start);
    }
    let (acts, taken) = place.acts();
    assert_eq!((acts.len(), taken), (3, 3));
    place.workspace.host(&["audit", "verify"], 0);
    place.workspace.host(&["db", "check"], 0);
}

#[test]
fn who_has_no_token_for_it_starts_and_stops_nothing_unless_the_operator_says_public() {
    let place = Place::new("- {id: t, kind: note}\n");
    let served = place.serve();
    for (token, status, code) in [
        (None, 401, "token-missing"),
        (Some("orch_00"), 401, "token-unknown"),
        (Some(place.read.as_str()), 403, "token-scope"),
    ] {
        for (method, path) in [("POST", "/o/start"), ("POST", "/o/stop"), ("GET", "/o/status")] {
            let answer = served.ask(method, path, token, "");
            assert_eq!((answer.status, answer.code().as_str()), (status, code), "{method} {path}");
        }
    }
    drop(served);
    assert!(place.workspace.reader().runs().unwrap().is_empty());
    assert_eq!(place.acts(), (Vec::new(), 0));

    let policy = place.workspace.operator().join("policy.toml");
    let text = std::fs::read_to_string(&policy).unwrap();
    std::fs::write(&policy, format!("{text}\n[serve]\npublic = [\"{API}\"]\n")).unwrap();
    let served = place.serve();
    assert_eq!(served.ask("POST", "/o/start", None, "").status, 202);
    until(|| served.get("/o/status", None).json()["tasks"]["done"] == 1);
    assert!(place.asked().iter().all(|(_, who, _)| who.token.is_none()));
}

#[test]
fn what_is_wrong_is_told_so_and_asks_for_nothing() {
    let place = Place::new("- {id: t, kind: note}\n");
    let served = place.serve();
    for (method, path, body, status, code) in [
        ("GET", "/o/start", "", 405, "method"),
        ("DELETE", "/o/status", "", 405, "method"),
        ("POST", "/o/status", "", 405, "method"),
        ("POST", "/o/start/", "", 404, "path-unknown"),
        ("GET", "/o", "", 404, "path-unknown"),
        ("POST", "/o/start", "{", 400, "body-malformed"),
        ("POST", "/o/start", "[]", 400, "body-malformed"),
        ("POST", "/o/start", "null", 400, "body-malformed"),
        ("POST", "/o/start", r#"{"force": true}"#, 400, "body-malformed"),
        ("POST", "/o/start", r#"{"retryFailed": true}"#, 400, "body-malformed"),
        ("POST", "/o/start", r#"{"only": true, "tasks": ["t"]}"#, 400, "body-malformed"),
        ("POST", "/o/start", r#"{"tasks": ["nobody"]}"#, 409, "choice"),
        ("POST", "/o/start", r#"{"tags": ["none"]}"#, 409, "choice"),
        ("POST", "/o/start", r#"{"tasks": ["t"], "exclude": ["t"]}"#, 409, "choice"),
        ("POST", "/o/stop", r#"{"run": "x"}"#, 400, "body-malformed"),
        ("POST", "/o/stop", "", 409, "not-at-work"),
    ] {
        let answer = served.ask(method, path, Some(&place.run), body);
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (status, code),
            "{method} {path} {body} {answer:?}"
        );
        assert!(answer.head.contains("application/problem+json"), "{answer:?}");
    }
    let text = format!(
        "POST /o/start HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {}\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{{}}",
        place.run
    );
    assert_eq!(raw(served.services, &text).status, 415);
    let described = served.get("/o/openapi.json", Some(&place.run)).json();
    assert_eq!(described["servers"][0]["url"], "/o");

    // Not granted; and what an answer of 5xx, a trap or a second wish takes back.
    let odd = |path: &str| served.ask("POST", path, Some(&place.run), "");
    assert!(odd("/odd/stop").body.contains("Denied(\"`control.stop`\")"));
    assert_eq!((odd("/odd/fail").status, odd("/odd/trap").status), (500, 502));
    assert_eq!(place.status(&served)["state"], "idle");
    assert_eq!(place.acts(), (Vec::new(), 0));
    assert!(place.workspace.reader().runs().unwrap().is_empty());
    assert!(odd("/odd/twice").body.contains("Limit"));
    until(|| place.status(&served)["tasks"]["done"] == 1);
    assert_eq!(place.acts().0.len(), 1);
}

#[test]
fn for_a_request_that_is_wrong_no_instance_is_started() {
    let place = Place::new("- {id: t, kind: note}\n");
    let served = place.serve();
    let token = format!("Authorization: Bearer {}\r\n", place.run);
    let asked = |method: &str, path: &str, lines: &str, body: &str| {
        format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n{lines}\r\n{body}")
    };
    let own = format!("Host: localhost\r\n{token}");
    let with = |line: &str| format!("{own}{line}\r\n");
    let long = format!("X: {}", "x".repeat(64 << 10));
    for (request, status) in [
        (asked("GET", "/odd/x", &token, ""), 400),
        (asked("GET", "/odd/x", &format!("Host: evil.example\r\n{token}"), ""), 421),
        (asked("GET", "/odd/x", &format!("Host: a b\r\n{token}"), ""), 400),
        (asked("GET", "/odd/x", &with("Host: localhost"), ""), 400),
        (asked("GET", "http://evil.example/odd/x", &own, ""), 400),
        (asked("GET", "/odd/x", &with("Origin: http://evil.example"), ""), 403),
        (asked("GET", "/odd/x", &with("Origin: null"), ""), 403),
        (asked("GET", "/odd/x", "Host: localhost\r\n", ""), 401),
        (asked("GET", "/odd/x", "Host: localhost\r\nAuthorization: Basic eDp5\r\n", ""), 401),
        (asked("GET", "/odd/x", "Host: localhost\r\nAuthorization: Bearer orch_00\r\n", ""), 401),
        (
            asked(
                "GET",
                "/odd/x",
                &format!("Host: localhost\r\nAuthorization: Bearer {}\r\n", place.read),
                "",
            ),
            403,
        ),
        (asked("GET", "/oddly", &own, ""), 404),
        (asked("GET", "/", &own, ""), 404),
        (asked("GET", "/%6fdd/x", &own, ""), 404),
        (asked("G(T", "/odd/x", &own, ""), 400),
        (asked("GET", "/odd x", &own, ""), 400),
        (asked("GET", "odd/x", &own, ""), 400),
        (asked("GET", "/odd/x", &with(&long), ""), 431),
        (asked("POST", "/odd/x", &with("Content-Length: 2000000"), ""), 413),
        (asked("POST", "/odd/x", &with("Content-Length: x"), ""), 400),
        (asked("POST", "/odd/x", &with("Content-Length: 1\r\nContent-Length: 2"), "ab"), 400),
        (asked("POST", "/odd/x", &with("Transfer-Encoding: gzip"), ""), 400),
        (asked("POST", "/odd/x", &with("Transfer-Encoding: chunked"), "x\r\n"), 400),
    ] {
        let answer = raw(served.services, &request);
        assert_eq!(answer.status, status, "{} {answer:?}", &request[..request.len().min(200)]);
    }
    assert_eq!(raw(served.services, &asked("GET", "/odd/seen", &own, "")).status, 404);
    drop(served);
    let log = place.workspace.read("logs/run-serve.log");
    let called: Vec<&str> = log.lines().filter(|line| line.contains("called")).collect();
    assert!(called.len() == 1 && called[0].contains("/seen"), "{log}");
}

#[test]
fn a_run_is_started_with_the_tasks_that_were_asked_for() {
    let place =
        Place::new("- {id: a, kind: note, tags: [x]}\n- {id: b, kind: note}\n- {id: c, kind: note}\n");
    let served = place.serve();
    assert_eq!(place.post(&served, "/o/start", r#"{"tags": ["x"], "exclude": ["c"]}"#).0, 202);
    until(|| {
        let status = place.status(&served);
        status["state"] == "idle" && !status["run"].is_null()
    });
    let statuses = place.workspace.statuses();
    assert_eq!(["a", "b", "c"].map(|id| statuses[id].as_str()), ["done", "pending", "pending"]);
    let chosen = place.workspace.events().into_iter().find_map(|event| match event {
        Event::TasksChosen { choice, who, .. } => Some((choice.tags, choice.exclude, who.plugin)),
        _ => None,
    });
    let expected = (vec!["x".to_owned()], vec!["c".to_owned()], Some(API.to_owned()));
    assert_eq!(chosen, Some(expected));
}

#[test]
fn of_many_who_start_at_once_one_does() {
    let place = Place::new(SLOW);
    let served = place.serve();
    let answered: Vec<(u16, String)> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..8).map(|_| scope.spawn(|| place.post(&served, "/o/start", ""))).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let taken = answered.iter().filter(|(status, _)| *status == 202).count();
    assert_eq!(taken, 1, "{answered:?}");
    assert!(answered.iter().all(|(status, _)| [202, 409, 503].contains(status)), "{answered:?}");
    place.workspace.write("go", "");
    until(|| place.status(&served)["runs"][0]["status"] == "completed");
    assert_eq!((place.acts().0.len(), place.acts().1), (1, 1));
    assert_eq!(place.workspace.reader().runs().unwrap().len(), 1);
}

#[test]
fn a_start_that_was_answered_is_done_once_whenever_the_host_is_killed() {
    for round in 0..10 {
        let place = Place::new("- {id: t, kind: note}\n");
        let served = place.serve();
        assert_eq!(place.post(&served, "/o/start", "").0, 202);
        // Sooner or later: before the run, at its beginning, in it, after it.
        std::thread::sleep(std::time::Duration::from_millis(round * round));
        drop(served);
        let served = place.serve();
        let (acts, _) = place.acts();
        assert_eq!(acts.len(), 1, "what was answered is in the journal");
        until(|| place.acts().1 == 1);
        let reader = place.workspace.reader();
        until(|| reader.runs().unwrap().len() == 1);
        // A run that had begun goes on without another word.
        until(|| place.status(&served)["runs"][0]["status"] == "completed");
        assert_eq!(place.acts().0.len(), 1);
        assert_eq!(reader.runs().unwrap().len(), 1);
        let calls: Vec<_> = place.asked().into_iter().map(|(_, _, call)| call.unwrap()).collect();
        let mut once = calls.clone();
        once.dedup();
        assert_eq!(calls, once, "no call begins a run twice");
    }
}

#[test]
fn the_cases_of_the_plugin_hold() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/service-orchestrator-api");
    let program = orch_tests::binary("orch-plugin");
    let tested = std::process::Command::new(program).arg("test").arg(&folder).output().unwrap();
    let said = String::from_utf8_lossy(&tested.stdout).into_owned();
    assert!(tested.status.success(), "{said}{}", String::from_utf8_lossy(&tested.stderr));
    let cases = std::fs::read_dir(folder.join("cases")).unwrap().count();
    assert!(said.contains(&format!("{cases} ")), "{said}");
}
