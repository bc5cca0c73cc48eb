//! What comes and goes while a task runs, and whose word counts for what.
//!
//! In -> out: files, links and folders that are there for a while, words of people and of rules -> what is known of a task.
//! Not here: files that change and stay changed (`fresh.rs`), what is behind what is done again (`third.rs`).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use orch_host::place::{self, Place};
use orch_journal::Level;
use orch_journal::event::{AddedTask, AttemptFinished, Ending, Event, RunStarted, RunStatus, Writes};
use orch_task::{Kind, Status, Task, TaskId};
use orch_tests::served::{serve, serve_as};
use orch_tests::{Workspace, err, out, until};
use rustix::process::Signal;

use super::again::{begin, edit, ran, run, signal};

/// A command that says that it runs, and is over once it is let go.
const WAITS: &str = "echo a >> ran; touch begun; until test -e go; do sleep 0.02; done; rm begun go";

#[track_caller]
fn sh(workspace: &Workspace, script: &str) {
    let status = Command::new("sh").args(["-ec", script]).current_dir(workspace.path()).status().unwrap();
    assert!(status.success(), "{script}");
}

/// What a run does and says beside which that happens.
#[track_caller]
fn beside(workspace: &Workspace, script: &str) -> String {
    let said = workspace.outside().join("said");
    let mut host = workspace.command(&["run", "--trust-workspace"]);
    let mut host = host.stdout(fs::File::create(&said).unwrap()).spawn().unwrap();
    until(|| workspace.path().join("begun").exists());
    sh(workspace, script);
    workspace.write("go", "");
    assert!(host.wait().unwrap().success(), "{script}");
    fs::read_to_string(said).unwrap()
}

#[test]
fn names_that_come_and_go_while_a_task_runs_leave_no_record() {
    for (inputs, script, what) in [
        ("d/*", "echo 2 > d/j; rm d/j", "d/j"),
        ("d", "mkdir d/e; echo 2 > d/e/j; rm -r d/e", "d/e"),
        ("d/**/*.c", "mkdir -p d/e/f; sleep 0.2; echo 2 > d/e/f/j.c; rm -r d/e", "d/e/f/j.c"),
        // Made beside and put in its place.
        ("d/*", "ln -sfn ../r2/i d/link; ln -sfn ../r1/i d/link", "d/"),
        ("current/*", "ln -sfn r2 current; ln -sfn r1 current", "current"),
        ("current/i", "ln -sfn r2 current; ln -sfn r1 current", "current"),
        ("p/*/i", "ln -s ../r2 p/new; rm p/new", "p/new"),
        ("p/*/i", "ln -sfn ../r2 p/one; ln -sfn ../r1 p/one", "p/"),
        ("d/*", "mv d e; mkdir d; echo 2 > d/i; rm -r d; mv e d", "d"),
        ("d/i", "mv d e; mkdir d; echo 2 > d/i; rm -r d; mv e d", "d"),
        ("**/i", "mv d e; sleep 0.2; mkdir d; echo 2 > d/i; rm -r d; mv e d", "e/i"),
        ("current/i", "mv r1 e; mkdir r1; echo 2 > r1/i; rm -r r1; mv e r1", "r1"),
        ("d/i", "mv d/i j; echo 2 > d/i; mv j d/i", "d/i"),
    ] {
        let tasks =
            format!("- {{id: a, inputs: ['{inputs}'], outputs: [o], command: '{WAITS}; echo 1 > o'}}\n");
        let workspace = Workspace::new(&tasks);
        sh(
            &workspace,
            "mkdir d r1 r2 p; echo 1 > d/i; echo 1 > d/i.c; echo 1 > r1/i; echo 2 > r2/i; ln -s r1 current; \
             ln -s ../r1/i d/link; ln -s ../r1 p/one",
        );
        let said = beside(&workspace, script);
        let told = format!("task `a` is done, but its input `{what}");
        assert!(said.contains(&told), "{inputs}: {script}: {said}");
        ran(&workspace);
        workspace.write("go", "");
        assert_eq!(run(&workspace, &[]), "a", "{inputs}: {script}");
        assert_eq!(run(&workspace, &[]), "", "{inputs}: {script}");
    }
}

#[test]
fn what_comes_and_goes_beside_what_a_task_reads_costs_no_record() {
    for (inputs, script) in [
        ("d/*.c", "echo 2 > d/t; mv d/t d/o; touch d/x.h; rm d/x.h; mkdir d/e; touch d/e/x.c; rm -r d/e"),
        ("*.c", "touch o.tmp; mv o.tmp o; mkdir -p d/e; touch d/e/x.c; rm -r d/e"),
        ("**/*.c", "mkdir -p t/w/e; sleep 1; touch t/w/e/x.o; mv t/w t/f; rm -r t/f/e; rm -r t"),
        ("**/*.c", "mv empty other; sleep 1; rm -r other"),
        ("current/x.c", "touch r1/y.c; rm r1/y.c; touch y; rm y"),
        ("d/x.c", "chmod 755 d; touch d/y.c; rm d/y.c"),
    ] {
        let tasks =
            format!("- {{id: a, inputs: ['{inputs}'], outputs: [d/o], command: 'echo 1 > d/o; {WAITS}'}}\n");
        let workspace = Workspace::new(&tasks);
        sh(
            &workspace,
            "mkdir -p d r1 empty/e; echo 1 > d/x.c; echo 1 > x.c; echo 1 > r1/x.c; ln -s r1 current",
        );
        let said = beside(&workspace, script);
        assert!(!said.contains("is done, but its input"), "{inputs}: {script}: {said}");
        ran(&workspace);
        assert_eq!(run(&workspace, &[]), "", "{inputs}: {script}");
    }
}

#[test]
fn whoever_says_that_a_task_is_done_says_it_of_the_files_as_they_are_then() {
    for (rule, word) in [
        ("done", &["status"][..]),
        ("ask", &["resolve", "RUN", "a", "--as", "done"]),
        ("fail", &["task", "skip", "a"]),
    ] {
        for (script, expected) in [
            ("rm d/j", "a"),
            ("mv d e; mkdir d; cp -p e/i d/i", "a"),
            ("ln -sfn r2 current", "a"),
            ("touch -d 2001-01-01 d/j; echo 3 > o", "a"),
            ("touch d/i", ""),
            ("true", ""),
        ] {
            let workspace = Workspace::new(&format!(
                "- {{id: a, inputs: ['d/*', current/i], outputs: [o], on_doubt: {rule}, command: 'echo 1 > o; {WAITS}'}}\n"
            ));
            sh(
                &workspace,
                "mkdir d r1 r2; echo 1 > d/i; echo 1 > d/j; echo 1 > r1/i; echo 2 > r2/i; ln -s r1 current",
            );
            let mut host = begin(&workspace, &[]);
            until(|| workspace.path().join("begun").exists());
            signal(&mut host, Signal::KILL);
            ran(&workspace);
            let exit = match rule {
                "done" => 0,
                "ask" => 6,
                _ => 1,
            };
            workspace.run(&[], exit);
            let id = workspace.reader().runs().unwrap().remove(0).id;
            let word: Vec<&str> = word.iter().map(|word| if *word == "RUN" { &*id } else { word }).collect();
            workspace.host(&word, 0);
            sh(&workspace, script);
            workspace.write("go", "");
            assert_eq!(run(&workspace, &[]), expected, "{rule}: {script}");
            workspace.write("go", "");
            assert_eq!(run(&workspace, &[]), "", "{rule}: {script}");
        }
    }
}

#[test]
fn a_word_that_is_said_while_a_host_is_at_work_counts_for_what_is_there_then() {
    let workspace = Workspace::new(&format!(
        "- {{id: a, inputs: ['d/*'], outputs: [o], command: 'echo a >> ran; test -e never'}}\n- {{id: s, command: '{}'}}\n",
        WAITS.replace("echo a", "echo s")
    ));
    sh(&workspace, "mkdir d; echo 1 > d/i; echo 1 > d/j; echo 1 > o");
    let mut host = begin(&workspace, &["--jobs", "2"]);
    until(|| workspace.path().join("begun").exists());
    until(|| workspace.statuses().get("a").is_some_and(|status| status == "failed"));
    workspace.host(&["task", "skip", "a"], 0);
    until(|| workspace.events().iter().any(|event| matches!(event, Event::TaskMarked { .. })));
    sh(&workspace, "rm d/j");
    workspace.write("go", "");
    assert!(host.wait().unwrap().success());
    ran(&workspace);
    let said = out(&workspace.run(&[], 1));
    assert!(said.contains("again, since input `d/j` is gone"), "{said}");
    // One whose files cannot be looked at is said to be that, and counts for nothing.
    fs::remove_file(workspace.path().join("o")).unwrap();
    workspace.host(&["task", "skip", "a"], 0);
    ran(&workspace);
    // The run of which it was said goes on with it; the next one does it again.
    assert_eq!(run(&workspace, &[]), "");
    let said = out(&workspace.run(&[], 1));
    assert!(said.contains("a  again, since nothing is known of when it was done"), "{said}");
    assert_eq!(ran(&workspace), "a");
}

/// A run in which `a` failed, of a host whose clock was far ahead.
fn of_tomorrow(workspace: &Workspace) -> String {
    let id = "29991231-000000-0000";
    let at = 32_503_593_600_000;
    let operator = place::operator(Some(&workspace.operator())).unwrap();
    let place = Place::of(&workspace.path(), Path::new(".orch")).unwrap();
    let store = place.store(&operator, Level::Process).unwrap();
    let journal = store.journal(id).unwrap();
    let started = RunStarted {
        run: id.to_owned(),
        goal: "goal".to_owned(),
        goal_said: false,
        plugins: Vec::new(),
        jobs: 1,
        durability: "mixed".to_owned(),
        budget: 0,
        unsigned: false,
        texts: false,
        store: None,
        tasks: Some("tasks.yml".to_owned()),
        at,
        mac: String::new(),
    };
    let task = Task::new(TaskId::parse("a").unwrap(), Kind::shell());
    let added = AddedTask { task, status: Status::Pending, added_by: None, added_for: None, env: None };
    let log = "logs/task-a-29991231-000000.000-1.log";
    let ended = AttemptFinished {
        task: 0,
        attempt: 1,
        ending: Ending::Failed { message: "tomorrow".to_owned(), retriable: false },
        status: Status::Failed,
        not_before: None,
        writes: Writes::default(),
        log: Some(log.to_owned()),
        looked: Vec::new(),
        unkept: None,
        held: None,
        at,
    };
    let why = "1 task is not done".to_owned();
    for event in [
        journal.seal(Event::RunStarted(started)).unwrap(),
        Event::TasksAdded { first: 0, tasks: vec![added], at },
        Event::AttemptStarted { task: 0, attempt: 1, at },
        Event::AttemptFinished(Box::new(ended)),
        Event::RunFinished { status: RunStatus::Failed, why, notices: Vec::new(), at },
    ] {
        journal.append(event).unwrap();
    }
    drop(journal);
    store.close().unwrap();
    workspace.write(log, "tomorrow\n");
    id.to_owned()
}

#[test]
fn the_newest_run_is_the_one_that_was_begun_last_whatever_the_clock_said() {
    let workspace = Workspace::new("- {id: a, command: 'echo today; test -e good'}\n");
    let tomorrow = of_tomorrow(&workspace);
    workspace.run(&[], 1);
    let runs = workspace.reader().runs().unwrap();
    assert_eq!((runs.len(), &runs[1].id), (2, &tomorrow));
    let today = &runs[0].id;
    let page = |from: &str| workspace.reader().newest_runs(Some(from), 9).unwrap().len();
    assert_eq!((page(today), page(&tomorrow)), (2, 1));
    for (command, exit) in [(&["status"][..], 0), (&["report"], 0), (&["runs", "list"], 0)] {
        let said = out(&workspace.host(command, exit));
        assert!(said.lines().next().unwrap().contains(today.as_str()), "{command:?}: {said}");
    }
    assert_eq!(out(&workspace.host(&["logs", "a"], 0)), "today\n");
    workspace.make_known();
    let token = out(&workspace.host(&["token", "add", "one", "--scope", "read"], 0)).trim().to_owned();
    let page = serve(&workspace, &[]).get("/v1/runs?limit=1", Some(&token)).json();
    assert_eq!((&page["runs"][0]["id"], &page["next"]), (&today.as_str().into(), &tomorrow.as_str().into()));

    workspace.host(&["prune", "--keep", "1"], 0);
    let left: Vec<_> = fs::read_dir(workspace.path().join("logs"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(!left.iter().any(|name| name.to_str().unwrap().contains("2999")), "{left:?}");
    assert_eq!(out(&workspace.host(&["logs", "a"], 0)), "today\n");

    workspace.write("good", "");
    workspace.host(&["task", "retry", "a"], 0);
    assert_eq!(workspace.reader().open_run().unwrap().as_ref(), Some(today));
    workspace.run(&[], 0);
    assert_eq!(workspace.reader().runs().unwrap().len(), 2);
    workspace.host(&["audit", "verify"], 0);
    workspace.host(&["db", "check"], 0);
}

#[test]
fn a_run_beside_a_host_that_serves_is_refused_if_its_variables_are_others() {
    let workspace = Workspace::new("- {id: a, when: {variable: CI}, command: 'echo $CI >> ran'}\n");
    let policy = workspace.operator().join("policy.toml");
    let text = fs::read_to_string(&policy).unwrap();
    fs::write(&policy, text.replace("\"HOME\", ", "\"HOME\", \"TERM\", \"CI\", \"MODE\", ")).unwrap();
    workspace.make_known();
    let mut command = workspace.command(&["serve", "--listen", "127.0.0.1:0", "--operators", "127.0.0.1:0"]);
    command.env("CI", "a secret").env("TERM", "dumb").env_remove("MODE");
    let _served = serve_as(command);
    let beside = |variables: &[(&str, &str)]| {
        let mut host = workspace.command(&["run"]);
        host.env_remove("CI").env_remove("MODE").env("TERM", "xterm").envs(variables.iter().copied());
        let output = host.output().unwrap();
        (output.status.code(), err(&output))
    };
    for (variables, said) in [
        (&[][..], "`variable CI` is `set` at the host that serves, `not set` was said"),
        (&[("CI", "other")], "`variable CI` is `set` at the host that serves, `another value` was said"),
        (
            &[("CI", "a secret"), ("MODE", "x")],
            "`variable MODE` is `not set` at the host that serves, `set` was said",
        ),
    ] {
        let (exit, told) = beside(variables);
        assert_eq!(exit, Some(2), "{told}");
        assert!(
            told.contains(said) && told.contains("option-differs") && !told.contains("a secret"),
            "{told}"
        );
    }
    // Those of a session are not compared, nor what no plugin gets; `config.yaml` says its own.
    assert_eq!(beside(&[("CI", "a secret"), ("OTHER", "x")]).0, Some(0));
    assert_eq!(ran(&workspace), "a secret");
}

#[test]
fn a_stream_of_events_ends_with_its_token() {
    let workspace =
        Workspace::new("- {id: a, command: 'touch begun; until test -e go; do sleep 0.02; done'}\n");
    workspace.make_known();
    let tokens = ["one", "two"].map(|name| super::served::token(&workspace, name, "read"));
    let served = serve(&workspace, &["--run"]);
    until(|| workspace.path().join("begun").exists());
    let run = workspace.reader().runs().unwrap().remove(0).id;
    let streams = tokens.map(|token| {
        let stream = std::net::TcpStream::connect(served.services).unwrap();
        let head = format!(
            "GET /v1/runs/{run}/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        (&stream).write_all(head.as_bytes()).unwrap();
        stream
    });
    let heard = streams.map(|stream| {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let all = heard.clone();
        let reads = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = (&stream).read(&mut bytes) {
                all.lock().unwrap().extend_from_slice(&bytes[..read]);
            }
        });
        (heard, reads)
    });
    let text = |heard: &Mutex<Vec<u8>>| String::from_utf8_lossy(&heard.lock().unwrap()).into_owned();
    until(|| heard.iter().all(|(heard, _)| text(heard).contains("attempt_started")));
    workspace.host(&["token", "revoke", "one"], 0);
    // Its last chunk is one of no bytes.
    until(|| text(&heard[0].0).ends_with("\r\n0\r\n\r\n"));
    workspace.write("go", "");
    until(|| text(&heard[1].0).contains("run_finished"));
    assert!(!text(&heard[0].0).contains("run_finished"));
    drop(served);
    for (_, reads) in heard {
        reads.join().unwrap();
    }
}

#[test]
fn streams_of_events_that_nobody_closes_keep_nobody_from_being_answered() {
    let workspace = Workspace::new("- {id: a, kind: note}\n");
    workspace.run(&[], 0);
    let token = super::served::token(&workspace, "reads", "read");
    let served = serve(&workspace, &[]);
    let run = workspace.reader().runs().unwrap().remove(0).id;
    let open = || {
        let stream = std::net::TcpStream::connect(served.services).unwrap();
        stream.set_read_timeout(Some(std::time::Duration::from_secs(30))).unwrap();
        let head = format!(
            "GET /v1/runs/{run}/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        (&stream).write_all(head.as_bytes()).unwrap();
        let mut status = [0; 12];
        (&stream).read_exact(&mut status).unwrap();
        (stream, String::from_utf8_lossy(&status).into_owned())
    };
    let all: Vec<_> = (0..140).map(|_| open()).collect();
    let taken = all.iter().filter(|(_, status)| status.ends_with("200")).count();
    let refused = all.iter().filter(|(_, status)| status.ends_with("503")).count();
    assert_eq!((taken, refused), (128, 12));
    assert_eq!(served.get("/v1/runs", Some(&token)).status, 200);
    // Whoever closes one lets another in.
    drop(all);
    until(|| open().1.ends_with("200"));
}

#[test]
fn a_new_dependency_that_its_condition_leaves_out_does_nothing_again() {
    let workspace = Workspace::new("- {id: deploy, command: 'echo deploy >> ran'}\n");
    assert_eq!(run(&workspace, &[]), "deploy");
    edit(&workspace, "id: deploy,", "id: deploy, dependencies: [n],");
    let tasks = workspace.read("tasks.yml");
    workspace.write(
        "tasks.yml",
        &format!("- {{id: n, when: {{exists: nope}}, command: 'echo n >> ran'}}\n{tasks}"),
    );
    assert_eq!(run(&workspace, &[]), "");
    assert_eq!(run(&workspace, &[]), "");
    workspace.write("nope", "");
    assert_eq!(run(&workspace, &[]), "n deploy");
}

#[test]
fn a_verifier_that_is_named_while_its_task_runs_looks_before_what_waits_for_that() {
    for (inputs, is_fine) in [("", true), ("", false), ("inputs: [i], outputs: [o], ", true)] {
        let workspace = Workspace::new(&format!(
            "- {{id: a, {inputs}command: '{WAITS}; echo 1 > o'}}\n- {{id: ship, dependencies: [a], command: 'echo ship >> ran'}}\n"
        ));
        workspace.write("i", "");
        let check = "checks: [{name: look, category: test, format: plain, command: [sh, -c, test -e fine]}]";
        let config = format!(
            "  verifiers: [demo/verifier-command]\nsettings:\n  demo/verifier-command: {{{check}}}\n"
        );
        workspace.write("config.yaml", &(workspace.read("config.yaml") + &config));
        if is_fine {
            workspace.write("fine", "");
        }
        let mut host = begin(&workspace, &[]);
        until(|| workspace.path().join("begun").exists());
        edit(&workspace, "id: a,", "id: a, verify: [demo/verifier-command],");
        until(|| workspace.events().iter().any(|event| matches!(event, Event::TaskEdited { .. })));
        workspace.write("go", "");
        assert_eq!(host.wait().unwrap().success(), is_fine, "{inputs}");
        let events = workspace.events();
        let refused = |event: &Event| matches!(event, Event::Warned { code, .. } if code == "edit-refused");
        assert!(!events.iter().any(refused), "{events:?}");
        assert_eq!(ran(&workspace), if is_fine { "a ship" } else { "a" });
        if is_fine {
            assert_eq!(run(&workspace, &[]), "", "{inputs}");
        }
    }
}

#[test]
fn what_was_only_put_back_as_a_first_failure_ended_its_run_is_not_done_again() {
    let workspace = Workspace::new(
        "- {id: big, inputs: [big], command: 'echo big >> ran'}\n\
         - {id: deploy, dependencies: [big], command: 'echo deploy >> ran'}\n\
         - {id: bad, inputs: [flag], command: 'grep -q good flag'}\n",
    );
    let big = fs::File::create(workspace.path().join("big")).unwrap();
    big.set_len(256 << 20).unwrap();
    workspace.write("flag", "good");
    assert_eq!(run(&workspace, &[]), "big deploy");
    // Its bytes are what they were, and take long to compare: the failure comes first.
    big.set_modified(std::time::SystemTime::now()).unwrap();
    edit(
        &workspace,
        "{id: big, ",
        "{id: first, when: {exists: never}, command: 'true'}\n- {id: big, dependencies: [first], ",
    );
    workspace.write("flag", "bad");
    workspace.run(&["--fail-fast"], 1);
    assert_eq!(ran(&workspace), "");
    workspace.write("flag", "good");
    assert_eq!(run(&workspace, &["--retry-failed"]), "");
    assert_eq!(run(&workspace, &[]), "");
}
