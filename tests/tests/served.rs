//! A host that serves: services whose writes are kept, runs on demand, the control API, and those who would take it away.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use orch_journal::Event;
use orch_tests::served::{answer, raw, serve, serve_as};
use orch_tests::{Workspace, err, out, until};
use serde_json::{Value, json};

const SERVICES: &str = "  services: {/status: demo/service-status, /count: demo/counts-requests}\n";

/// With a service that may change something, a token for all, and what else `config.yaml` says.
pub(crate) fn workspace(tasks: &str, more: &str) -> (Workspace, String) {
    let workspace = Workspace::new(tasks);
    let root = workspace.admit_hostile("counts-requests").to_str().unwrap().to_owned();
    workspace.write("config.yaml", &format!("{}{SERVICES}{more}", workspace.read("config.yaml")));
    workspace.make_known();
    (workspace, root)
}

pub(crate) fn token(workspace: &Workspace, name: &str, scopes: &str) -> String {
    out(&workspace.host(&["token", "add", name, "--scope", scopes], 0)).trim().to_owned()
}

#[test]
fn what_a_service_writes_is_kept_with_its_answer_and_survives_a_kill() {
    let (workspace, root) = workspace("- {id: t, kind: note}\n", "");
    let token = token(&workspace, "all", "run");
    let token = Some(token.as_str());
    let served = serve(&workspace, &["--plugins", &root]);
    for expected in ["1", "2", "3"] {
        let answer = served.ask("POST", "/count/count", token, "");
        assert_eq!((answer.status, answer.body.as_str()), (200, expected), "{answer:?}");
    }
    // What failed keeps nothing.
    assert_eq!(served.ask("POST", "/count/fail", token, "").status, 500);
    assert_eq!(served.get("/count/count", token).body, "3");
    assert_eq!(served.get("/count/bad", token).status, 500, "a status that does not exist");
    drop(served);

    let mut served = serve(&workspace, &["--plugins", &root]);
    assert_eq!(served.get("/count/count", token).body, "3");
    assert_eq!(served.ask("POST", "/count/report", token, "").status, 200);
    assert_eq!(served.get("/count/visits", token).body, "1", "what a call recorded the next one reads");
    assert_eq!(served.signal(rustix::process::Signal::TERM), 0);
    let reader = workspace.reader();
    let stream = reader.stream().unwrap().unwrap();
    let names: Vec<&str> = reader.events(&stream).map(|event| event.unwrap().1.name()).collect();
    let expected = [
        "stream_started",
        "host_attached",
        "called",
        "called",
        "called",
        "host_attached",
        "called",
        "host_detached",
    ];
    assert_eq!(names, expected);
    assert_eq!(reader.metrics(&stream).unwrap()[0].name, "visits");
    assert_eq!(reader.findings(&stream).unwrap()[0].message, "seen");
    // Heads of all workspaces of an operator lie in one folder.
    let other = workspace.outside().join("other").display().to_string();
    std::fs::create_dir(&other).unwrap();
    for name in ["config.yaml", "tasks.yml"] {
        std::fs::copy(workspace.path().join(name), format!("{other}/{name}")).unwrap();
    }
    workspace.host(&["run", &other, "--trust-workspace", "--plugins", &root], 0);
    let mut command = workspace.command(&["serve", &other, "--plugins", &root]);
    command.args(["--listen", "127.0.0.1:0", "--operators", "127.0.0.1:0"]);
    assert_eq!(serve_as(command).signal(rustix::process::Signal::TERM), 0);
    for one in [".", &other] {
        workspace.host(&["audit", "verify", "--workspace", one], 0);
        workspace.host(&["db", "check", "--workspace", one], 0);
    }
}

#[test]
fn tasks_that_a_service_asks_for_are_done_by_the_run_at_work_or_the_next_one() {
    let (workspace, root) = workspace("- {id: t, kind: note}\n", "");
    let token = token(&workspace, "all", "run,read");
    let token = Some(token.as_str());
    let served = serve(&workspace, &["--plugins", &root]);
    // No run is at work: it waits, and survives a kill.
    assert_eq!(served.ask("POST", "/count/task?before", token, "").status, 202);
    drop(served);
    let served = serve(&workspace, &["--plugins", &root, "--run"]);
    until(|| served.get("/status", None).json()["tasks"]["done"] == 2);
    // The run is over; another one begins by itself.
    assert_eq!(served.ask("POST", "/count/task?after", token, "").status, 202);
    until(|| {
        let tasks = workspace.reader().runs().unwrap().into_iter().flat_map(|run| {
            workspace.reader().tasks(&run.id).unwrap().into_iter().map(|task| (task.id, task.status))
        });
        tasks.into_iter().any(|task| task == ("after".to_owned(), "done".to_owned()))
    });
    // What nobody could do is refused when it is asked for.
    let (before, twice) =
        (served.ask("POST", "/count/task?a%20b", token, ""), served.get("/count/count", token));
    assert!(before.status >= 500, "{before:?}");
    assert_eq!(twice.body, "0", "{twice:?}");
}

#[test]
fn a_service_reads_whole_tasks_and_the_path_beneath_its_mount() {
    let tasks = "- {id: t, kind: note, priority: 7, cost: 3, dependencies: [u], out: site/other, added_by: demo/counts-requests}\n- {id: u, kind: note}\n";
    let (workspace, root) = workspace(tasks, "");
    let token = token(&workspace, "all", "run");
    workspace.run(&["--plugins", &root], 0);
    let served = serve(&workspace, &["--plugins", &root]);
    let told = served.get("/count/task?t", Some(&token)).body;
    for part in ["site/other", "priority: 7", "cost: 3"] {
        assert!(told.contains(part), "{part} in {told}");
    }
    let told = served.get("/count/a/b?c", Some(&token)).body;
    assert_eq!(told, "/a/b under /count, token false");
    let status = served.get("/status", None).json();
    assert_eq!((&status["total"], &status["tasks"]["done"]), (&json!(2), &json!(2)), "{status}");
}

#[test]
fn a_connection_is_kept_and_a_signal_lets_what_was_asked_be_answered() {
    let (workspace, root) = workspace("- {id: t, kind: note}\n", "");
    let mut served = serve(&workspace, &["--plugins", &root]);
    let mut stream = TcpStream::connect(served.services).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    for _ in 0..3 {
        stream.write_all(b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let (mut line, mut length) = (String::new(), 0);
        reader.read_line(&mut line).unwrap();
        assert!(line.starts_with("HTTP/1.1 200"), "{line}");
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line).unwrap();
            if let Some(said) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = said.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
    }
    assert_eq!(served.signal(rustix::process::Signal::TERM), 0);
    let log = workspace.read("logs/requests.log");
    assert_eq!(log.matches("GET /status 200").count(), 3, "{log}");
}

#[test]
fn a_request_that_is_wrong_is_refused_by_its_head() {
    let (workspace, root) = workspace("- {id: t, kind: note}\n", "");
    let served = serve(&workspace, &["--plugins", &root]);
    let with = |lines: &str| format!("GET /status HTTP/1.1\r\nConnection: close\r\n{lines}\r\n");
    for (request, status) in [
        (with("Host: localhost\r\n"), 200),
        (with("Host: 127.0.0.1:8000\r\n"), 200),
        (with("Host: LOCALHOST:1\r\nOrigin: http://localhost:1\r\n"), 403),
        (with("Host: localhost:1\r\nOrigin: http://localhost:1\r\n"), 200),
        (with("Host: localhost\r\nOrigin: null\r\n"), 403),
        (with("Host: localhost\r\nOrigin: http://evil.example\r\n"), 403),
        (with("Host: evil.example\r\n"), 421),
        (with("Host: localhost\r\nHost: localhost\r\n"), 400),
        (with("Host: a b\r\n"), 400),
        (with("Host: somebody@localhost\r\n"), 400),
        (with(""), 400),
        (with("Host: localhost\r\n").replace("/status", "http://evil.example/status"), 400),
        (with("Host: localhost\r\n").replace("GET", "G(T"), 400),
        (format!("GET /status HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(64 << 10)), 431),
        (with("Host: localhost\r\nTransfer-Encoding: gzip, chunked\r\n") + "0\r\n\r\n", 501),
        (
            with("Host: localhost\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n")
                + "0\r\n\r\n",
            501,
        ),
        (with("Host: localhost\r\nTransfer-Encoding: Chunked\r\n") + "0\r\n\r\n", 200),
        ("POST /status HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000000\r\n\r\n".to_owned(), 413),
        (
            "POST /v1/runs/x/acts HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000000\r\n\r\n".to_owned(),
            401,
        ),
    ] {
        let answer = raw(served.services, &request);
        assert_eq!(answer.status, status, "{} {answer:?}", &request[..request.len().min(200)]);
    }
    // Of two tokens none counts: who stands between may have looked at the other one.
    let token = token(&workspace, "reads", "read");
    for (shown, status) in [(1, 200), (2, 401)] {
        let shown = format!("Authorization: Bearer {token}\r\n").repeat(shown);
        let asked = with(&format!("Host: localhost\r\n{shown}")).replace("/status", "/v1/runs");
        assert_eq!(raw(served.services, &asked).status, status);
    }
    let mut stream = TcpStream::connect(served.services).unwrap();
    stream.write_all(b"GET /status HTTP/1.1\r\nHost: \xff\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = Vec::new();
    stream.read_to_end(&mut text).unwrap();
    assert_eq!(answer(&String::from_utf8_lossy(&text)).status, 400);
}

#[test]
fn the_control_api_starts_shows_and_changes_runs() {
    let (workspace, root) = workspace(
        "- {id: t, kind: note}\n- {id: f, command: [python3, -c, \"import sys; sys.exit(3)\"]}\n",
        "",
    );
    let root = {
        let more = workspace.admit_hostile("asks-for-approval").to_str().unwrap().to_owned();
        assert_eq!(more, root);
        more
    };
    workspace.write(
        "config.yaml",
        &format!("{}  reflectors: [demo/asks-for-approval]\n", workspace.read("config.yaml")),
    );
    let token = token(&workspace, "all", "read,run,approve");
    let all = Some(token.as_str());
    let mut served = serve(&workspace, &["--plugins", &root]);
    let started = served.ask("POST", "/v1/runs", all, "");
    assert_eq!(started.status, 202, "{started:?}");
    let run = started.json()["run"].as_str().unwrap().to_owned();
    let of_run = |path: &str| format!("/v1/runs/{run}{path}");
    until(|| served.get(&of_run(""), all).json()["status"] == "waiting");

    let tasks = served.get(&of_run("/tasks?limit=2"), all).json();
    assert_eq!((tasks["tasks"].as_array().unwrap().len(), &tasks["next"]), (2, &json!(2)), "{tasks}");
    let rest = served.get(&of_run("/tasks?from=2"), all).json();
    assert_eq!((&rest["tasks"][0]["id"], &rest["next"]), (&json!("wanted"), &Value::Null), "{rest}");
    let failed = served.get(&of_run("/tasks?status=failed"), all).json();
    assert_eq!(failed["tasks"][0]["id"], "f", "{failed}");
    for (path, status) in [
        ("/tasks?status=none", 400),
        ("/tasks?limit=0", 400),
        ("/tasks?limit=1001", 400),
        ("/tasks?from=-1", 400),
        ("/tasks/nobody", 404),
        ("/approvals/t", 404),
    ] {
        assert_eq!(served.get(&of_run(path), all).status, status, "{path}");
    }
    assert_eq!(served.get("/v1/runs/nobody", all).status, 404);
    assert_eq!(served.get("/v1/runs?from=nobody", all).status, 404);
    let one = served.get(&of_run("/tasks/f"), all).json();
    assert_eq!(one["tried"][0]["status"], "failed", "{one}");

    // Approved with what was seen, and the run goes on by itself.
    let approval = served.get(&of_run("/approvals"), all).json()["approvals"][0].clone();
    assert_eq!(
        (&approval["task"], &approval["addedBy"]),
        (&json!("wanted"), &json!("demo/asks-for-approval"))
    );
    assert_eq!(approval["executor"], "demo/executor-shell", "{approval}");
    let acts = of_run("/acts");
    let act = |act: Value| served.ask("POST", &acts, all, &act.to_string());
    let wrong = act(json!({"act": "approve", "task": "wanted", "digest": "00"}));
    assert_eq!((wrong.status, wrong.code().as_str()), (409, "task-changed"), "{wrong:?}");
    // As the command does, it compares what would run with what the task file says.
    until(|| workspace.read("tasks.yml").contains("wanted"));
    let written = workspace.read("tasks.yml");
    workspace.write("tasks.yml", &written.replace("approved", "something-else"));
    let right = json!({"act": "approve", "task": "wanted", "digest": approval["digest"]});
    let differs = act(right.clone());
    assert_eq!((differs.status, differs.code().as_str()), (409, "task-differs"), "{differs:?}");
    workspace.write("tasks.yml", &written);
    for (body, status) in [
        ("", 415),
        ("{", 400),
        ("[]", 400),
        ("null", 400),
        ("{\"act\": \"dance\"}", 422),
        ("[\"stop\"]", 400),
        ("{\"act\": \"stop\", \"act\": \"stop\"}", 422),
        ("{\"act\": \"stop\", \"more\": 1}", 422),
    ] {
        let refused = served.ask("POST", &acts, all, body);
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (status, "body-malformed"),
            "{body}: {refused:?}"
        );
    }
    for body in ["[]", "null", "{\"jobs\": 1, \"jobs\": 1}", "{\"jobs\": 1.5}"] {
        let refused = served.ask("POST", "/v1/runs", all, body);
        assert_eq!(refused.code(), "body-malformed", "{body}: {refused:?}");
    }
    let right = act(right);
    assert_eq!(right.status, 201, "{right:?}");
    until(|| workspace.path().join("approved").exists());
    until(|| served.get("/v1", all).json()["run"] == Value::Null);
    let whose = workspace.events().into_iter().find_map(|event| match event {
        Event::TaskApproved { who, .. } => who.unwrap().token,
        _ => None,
    });
    assert_eq!(whose.as_deref(), Some("all"));

    // Every event, from any one on, and then nothing more until there is more.
    let mut stream = TcpStream::connect(served.services).unwrap();
    let head = format!(
        "GET {} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\r\n",
        of_run("/events?from=1"),
        token
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let lines = BufReader::new(stream).lines();
    let sent: Vec<Value> = lines
        .map_while(Result::ok)
        .filter_map(|line| line.strip_prefix("data: ").map(|data| serde_json::from_str(data).unwrap()))
        .take(workspace.events().len() - 1)
        .collect();
    let ids: Vec<u64> = sent.iter().map(|line| line["seq"].as_u64().unwrap()).collect();
    assert_eq!(ids, (1..workspace.events().len() as u64).collect::<Vec<_>>());
    // Tasks are named by their ids, as `status --follow --format json` names them.
    let names = |kind: &str, key: &str| -> Vec<Value> {
        let of_kind = sent.iter().filter(|line| line["event"]["type"] == kind);
        of_kind.map(|line| line[key].clone()).collect()
    };
    assert_eq!(names("attempt_started", "task"), ["t", "f", "wanted"], "{sent:?}");
    assert_eq!(names("task_approved", "task"), ["wanted"]);
    assert!(names("decided", "tasks").contains(&json!(["t", "f"])), "{sent:?}");
    assert!(sent.iter().all(|line| line["run"] == run.as_str()));
    assert_eq!(served.get("/v1/openapi.json", all).json()["openapi"], "3.1.0");
    // Who still listens is no reason to stay.
    let mut listens = TcpStream::connect(served.services).unwrap();
    listens.write_all(head.as_bytes()).unwrap();
    assert_eq!(served.signal(rustix::process::Signal::TERM), 0);
    let mut rest = String::new();
    listens.read_to_string(&mut rest).unwrap();
    assert!(rest.ends_with("0\r\n\r\n"), "the stream comes to its end: {rest}");
}

#[test]
fn runs_come_in_pages() {
    let workspace = Workspace::new("- {id: t, kind: note}\n");
    workspace.make_known();
    (0..3).for_each(|_| drop(workspace.run(&["--force"], 0)));
    let token = token(&workspace, "all", "read");
    let served = serve(&workspace, &[]);
    let page = |query: &str| served.get(&format!("/v1/runs{query}"), Some(&token)).json();
    let ids = |page: &Value| -> Vec<Value> {
        page["runs"].as_array().unwrap().iter().map(|run| run["id"].clone()).collect()
    };
    let all = ids(&page(""));
    assert_eq!(all.len(), 3);
    let first = page("?limit=2");
    assert_eq!((ids(&first), &first["next"]), (all[..2].to_vec(), &all[2]));
    let rest = page(&format!("?limit=2&from={}", all[2].as_str().unwrap()));
    assert_eq!((ids(&rest), &rest["next"]), (all[2..].to_vec(), &Value::Null));
}

#[test]
fn other_commands_ask_the_host_that_serves() {
    let wait = "import os,time\\nwhile not os.path.exists('go'): time.sleep(0.02)";
    let tasks = format!(
        "- {{id: slow, command: [python3, -c, \"{wait}\"]}}\n- {{id: t, kind: note, dependencies: [slow]}}\n"
    );
    let (workspace, root) = workspace(&tasks, "");
    let not_served = err(&workspace.host(&["runs", "start"], 2));
    assert!(not_served.contains("not-served"), "{not_served}");
    let mut served = serve(&workspace, &["--plugins", &root]);
    assert!(out(&workspace.host(&["runs", "start"], 0)).ends_with("is at work\n"));
    assert!(err(&workspace.host(&["runs", "start"], 2)).contains("at-work"));
    workspace.host(&["task", "cancel", "t"], 0);
    workspace.host(&["runs", "stop"], 0);
    workspace.write("go", "");
    until(|| served.get("/status", None).json()["tasks"]["done"] == 1);
    // Words about a run that is not at work are taken too.
    until(|| workspace.command(&["task", "retry", "t"]).output().unwrap().status.success());
    assert_eq!(workspace.statuses()["t"], "pending");
    // `run` asks the host that serves, shows what it does and ends as it ends.
    let followed = out(&workspace.run(&["--plugins", &root], 0));
    assert!(followed.contains("completed") && followed.contains("done  t"), "{followed}");
    for (args, option) in [(["--jobs", "200"], "jobs"), (["--durability", "power"], "durability")] {
        let refused = err(&workspace.run(&args, 2));
        assert!(refused.contains("option-differs") && refused.contains(option), "{refused}");
    }
    assert_eq!(served.signal(rustix::process::Signal::INT), 0);
}

#[test]
fn metrics_are_text_that_others_read() {
    let (workspace, root) = workspace("- {id: t, kind: note}\n", "");
    let token = token(&workspace, "all", "run");
    workspace.run(&["--plugins", &root], 0);
    let served = serve(&workspace, &["--plugins", &root]);
    served.ask("POST", "/count/report", Some(&token), "");
    served.get("/status", None);
    let text = served.operators("/metrics").body;
    for line in [
        "orch_tasks{status=\"done\"} 1",
        "orch_requests_total{mount=\"/status\",status=\"200\"} 1",
        "orch_recorded{attributes=\"[[\\\"from\\\",\\\"\\\\\\\"here\\\\\\\"\\\"]]\",name=\"visits\",plugin=\"demo/counts-requests\",unit=\"1\"} 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
    // By Prometheus' own library, each with its help and its type.
    let python = orch_tests::root().join("target/receivers/bin/python");
    assert!(python.exists(), "`{}` is missing: run `cargo xtask test`", python.display());
    let file = workspace.outside().join("metrics");
    std::fs::write(&file, &text).unwrap();
    let read = "import sys\nfrom prometheus_client.parser import text_string_to_metric_families as read\n\
                for one in read(open(sys.argv[1]).read()):\n    \
                assert one.documentation and one.type in ('gauge', 'counter', 'histogram'), one\n    print(one.name, len(one.samples))";
    let output = std::process::Command::new(python).args(["-c", read]).arg(file).output().unwrap();
    assert!(output.status.success(), "{}{text}", orch_tests::err(&output));
    let families = orch_tests::out(&output);
    assert!(families.lines().any(|line| line.starts_with("orch_recorded ")), "{families}");
    assert_eq!(served.operators("/health").body, "ok\n");
    assert_eq!(served.operators("/status").status, 404, "services are not here");
    assert_eq!(served.get("/metrics", None).status, 404, "nor this there");
}

#[test]
fn idle_connections_slow_bodies_and_those_who_never_read_shut_nobody_out() {
    let (workspace, root) = workspace("- {id: t, kind: note}\n", "");
    let token = token(&workspace, "all", "run");
    let mut command = workspace.command(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--operators",
        "127.0.0.1:0",
        "--plugins",
        &root,
    ]);
    limit_files(&mut command, 256);
    let served = serve_as(command);
    // More than may be open; those in excess wait outside, and the rest is let go after its time.
    let idle: Vec<TcpStream> = (0..400).filter_map(|_| TcpStream::connect(served.services).ok()).collect();
    let begun = Instant::now();
    assert_eq!(served.operators("/health").body, "ok\n", "who looks after the host is not shut out");
    drop(idle);
    assert_eq!(served.get("/status", None).status, 200);

    let slow: Vec<TcpStream> = (0..64)
        .map(|_| {
            let mut stream = TcpStream::connect(served.services).unwrap();
            let head = format!("POST /count/count HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Length: 9\r\n\r\n1");
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    assert_eq!(served.get("/status", None).status, 200, "slow bodies take no place");
    drop(slow);

    let before = memory_kib(served.host.id());
    let never_read: Vec<TcpStream> = (0..100)
        .map(|_| {
            let mut stream = TcpStream::connect(served.services).unwrap();
            let head = format!(
                "GET /count/large HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    until(|| {
        served.operators("/metrics").body.contains("orch_requests_total{mount=\"/count\",status=\"200\"}")
    });
    assert_eq!(served.get("/status", None).status, 200, "answers that nobody takes shut nobody out");
    let grown = memory_kib(served.host.id()).saturating_sub(before);
    assert!(grown < 320 << 10, "{grown} KiB more, of 100 answers of 2 MiB");
    assert!(begun.elapsed() < Duration::from_secs(60));
    drop(never_read);
    assert_eq!(served.get("/status", None).status, 200);
}

fn limit_files(command: &mut Command, most: u64) {
    use std::os::unix::process::CommandExt;
    let limit = rustix::process::Rlimit { current: Some(most), maximum: Some(most) };
    let set = move || Ok(rustix::process::setrlimit(rustix::process::Resource::Nofile, limit)?);
    // SAFETY: one system call, which allocates nothing.
    unsafe { command.pre_exec(set) };
}

fn memory_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
