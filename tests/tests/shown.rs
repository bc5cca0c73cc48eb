//! What people see of runs: logs, status and report say what is so, and output that is lost is no success.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail loudly")]

use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use orch_tests::{Workspace, copy, err, out, packages};

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn start(mut command: Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn logs_are_those_of_exactly_this_task_and_exactly_this_run() {
    let tasks = |word: &str| {
        format!(
            "- {{id: build, command: [sh, -c, 'echo build {word}'], priority: 9}}\n- {{id: build-3, command: [sh, -c, 'echo other {word}']}}\n- {{id: note, kind: note}}\n"
        )
    };
    let workspace = Workspace::new(&tasks("first"));
    workspace.run(&["--jobs", "1"], 0);
    let old = workspace.reader().runs().unwrap()[0].id.clone();
    workspace.write("tasks.yml", &tasks("second"));
    workspace.run(&["--jobs", "1"], 0);
    assert_eq!(out(&workspace.host(&["logs", "build"], 0)), "build second\n");
    assert_eq!(out(&workspace.host(&["logs", "build-3"], 0)), "other second\n");
    assert_eq!(out(&workspace.host(&["logs", "build", "--run", &old], 0)), "build first\n");
    assert_eq!(out(&workspace.host(&["logs", "build-3", "--run", &old], 0)), "other first\n");
    let output = workspace.host(&["logs", "note"], 0);
    assert_eq!(out(&output), "");
    assert_eq!(err(&output), "attempt 1 at task `note` ran no command\nattempt 1 done: note\n");
}

#[test]
fn bytes_of_a_log_are_not_changed_on_their_way_to_a_pipe() {
    let workspace = Workspace::new("- {id: a, command: [sh, -c, 'printf \"\\033[2J\\377\\r\"']}\n");
    workspace.run(&[], 0);
    assert_eq!(workspace.host(&["logs", "a"], 0).stdout, b"\x1b[2J\xff\r");
}

#[test]
fn a_folder_of_packages_is_one_and_what_follows_is_the_workspace() {
    let workspace = Workspace::new("- {id: a, kind: note}\n");
    workspace.make_known();
    let (mine, project) = (workspace.outside().join("mine"), workspace.path());
    copy(&packages(), &mine);
    let said = |folder: &str| {
        let mut host = workspace.command(&["run", "--plugins", mine.to_str().unwrap(), folder]);
        host.current_dir(workspace.outside()).output().unwrap()
    };
    let output = said(project.to_str().unwrap());
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert_eq!(workspace.statuses()["a"], "done");
    assert_eq!(said("nowhere").status.code(), Some(2));
}

#[test]
fn output_that_cannot_be_written_is_no_success_and_a_reader_that_left_is_no_fault() {
    let workspace = Workspace::new("- {id: a, command: [sh, -c, 'echo x']}\n");
    workspace.run(&[], 0);
    for args in [
        &["report"][..],
        &["status", "--format", "json"],
        &["version"],
        &["--help"],
        &["completions", "bash"],
        &["logs", "a"],
        &["runs", "list"],
    ] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = workspace.command(args).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(5), "{args:?}");
        assert!(err(&output).contains("code: output\n"), "{args:?}: {}", err(&output));
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = workspace.command(args).stdout(writer).output().unwrap();
        assert_eq!((output.status.code(), err(&output).as_str()), (Some(0), ""), "{args:?}");
    }
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = workspace.command(&["logs", "nobody"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "an error of its own stays");
}

#[test]
fn who_does_not_read_keeps_no_host() {
    let workspace = Workspace::new("- {id: a, command: 'yes | head -c 300000'}\n");
    workspace.make_known();
    let (reader, writer) = std::io::pipe().unwrap();
    let mut host = workspace.command(&["run", "--output", "interleaved"]);
    let mut host = host.stdout(writer).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let by = Instant::now() + Duration::from_secs(120);
    let is_done = || out(&workspace.command(&["runs", "list"]).output().unwrap()).contains("completed");
    while !is_done() {
        assert!(Instant::now() < by, "the run does not end");
        std::thread::sleep(Duration::from_millis(100));
    }
    let pid = rustix::process::Pid::from_child(&host);
    let heard = |words: &str, host: &mut std::process::Child| {
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let mut lines = std::io::BufReader::new(host.stderr.as_mut().unwrap());
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            assert!(
                std::io::BufRead::read_line(&mut lines, &mut line).unwrap() > 0,
                "`{words}` was not said"
            );
        }
    };
    heard("interrupted: ", &mut host);
    // The same signal within half a second is an echo.
    std::thread::sleep(Duration::from_millis(700));
    heard("interrupted again", &mut host);
    assert_eq!(host.wait().unwrap().code(), Some(130));
    drop(reader);
    workspace.run(&[], 0);
}

#[test]
fn status_and_report_say_why_a_task_is_not_done() {
    let tasks = "- {id: refused, command: [sh, -c, 'exit 7']}\n- {id: after, kind: note, dependencies: [refused]}\n- {id: good, kind: note}\n";
    let workspace = Workspace::new(tasks);
    workspace.run(&[], 1);
    let why = "attempt 1 failed: `sh -c 'exit 7'` exited with code 7 after ";
    let status = out(&workspace.host(&["status"], 0));
    assert!(status.contains(&format!("failed  refused\n                  {why}")), "{status}");
    assert!(status.contains("\n                  log: logs/task-refused-"), "{status}");
    let json: serde_json::Value =
        serde_json::from_str(&out(&workspace.host(&["status", "--format", "json"], 0))).unwrap();
    assert_eq!(json["attention"][0]["task"], "refused", "{json}");
    assert!(json["attention"][0]["lastAttempt"]["error"].as_str().unwrap().contains("code 7"), "{json}");
    let report = out(&workspace.host(&["report"], 0));
    assert!(report.contains(why) && report.contains("`refused` is not done"), "{report}");
    let report = out(&workspace.host(&["report", "--format", "markdown"], 0));
    assert!(
        report.contains("| attempt 1 failed: \\`sh -c 'exit 7'\\` exited with code 7 after "),
        "{report}"
    );
    assert!(err(&workspace.host(&["logs", "refused"], 0)).contains(why));
    // A word of a person is no success of the task's own.
    workspace.host(&["task", "skip", "refused"], 0);
    let report: serde_json::Value =
        serde_json::from_str(&out(&workspace.host(&["report", "--format", "json"], 0))).unwrap();
    let task = &report["tasks"][0];
    assert_eq!((&task["status"], &task["moved"]), (&"done".into(), &"a person skipped it".into()), "{task}");
    let report = out(&workspace.host(&["report"], 0));
    let mut lines = report.lines().skip_while(|line| !line.starts_with("  done  "));
    assert!(lines.next().is_some_and(|line| line.ends_with("s  refused")), "{report}");
    assert_eq!(lines.next(), Some("                              a person skipped it"), "{report}");
}

#[test]
fn following_a_task_waits_for_its_start_and_ends_with_it() {
    let tasks = "- {id: gate, command: [sh, -c, 'until test -e open; do sleep 0.01; done']}\n- {id: late, command: [sh, -c, 'echo one; sleep 0.2; echo two'], dependencies: [gate]}\n- {id: last, command: [sh, -c, 'until test -e out; do sleep 0.01; done'], dependencies: [late]}\n";
    let workspace = Workspace::new(tasks);
    let mut host = start(workspace.command(&["run", "--trust-workspace"]));
    let is_begun = || {
        let status = workspace.command(&["status"]).output().unwrap();
        out(&status).contains("in_progress  gate")
    };
    wait_until("the run does not begin", is_begun);
    assert!(!out(&workspace.host(&["status"], 0)).contains("no host"), "a host is at work");
    let mut follower = start(workspace.command(&["logs", "-f", "late"]));
    std::thread::sleep(Duration::from_millis(300));
    assert!(follower.try_wait().unwrap().is_none(), "the task has not started");
    workspace.write("open", "");
    let output = follower.wait_with_output().unwrap();
    assert_eq!((out(&output).as_str(), err(&output).as_str()), ("one\ntwo\n", ""));
    assert!(host.try_wait().unwrap().is_none(), "the run still goes on");
    workspace.write("out", "");
    assert!(host.wait().unwrap().success());
    assert_eq!(out(&workspace.host(&["logs", "-f", "late"], 0)), "one\ntwo\n");
}

#[test]
fn after_a_kill_nobody_is_said_to_be_at_work() {
    let workspace = Workspace::new("- {id: a, command: [sh, -c, 'echo begun; sleep 600']}\n");
    let mut host = start(workspace.command(&["run", "--trust-workspace"]));
    let is_begun = || out(&workspace.command(&["logs", "a"]).output().unwrap()) == "begun\n";
    wait_until("the command does not begin", is_begun);
    host.kill().unwrap();
    host.wait().unwrap();
    let status = out(&workspace.host(&["status"], 0));
    assert!(status.contains("\nno host is at work; `orch-host run` goes on with it\n"), "{status}");
    assert!(out(&workspace.host(&["report"], 0)).contains("; no host is at work\n"));
    let json = out(&workspace.host(&["status", "--format", "json"], 0));
    assert!(json.contains("\"hostAtWork\":false"), "{json}");
    // It does not wait for nobody, and has what was printed before.
    assert_eq!(out(&workspace.host(&["logs", "-f", "a"], 0)), "begun\n");
}

#[test]
fn output_beyond_the_limit_of_a_log_is_counted_where_people_look() {
    let workspace = Workspace::new("- {id: a, command: [sh, -c, 'head -c 3000000 /dev/zero']}\n");
    workspace.write("config.yaml", &format!("{}log_mib: 1\n", workspace.read("config.yaml")));
    let missed = 3_000_000 - 1048520;
    let said = "1048520 of 3000000 bytes of output are kept, its beginning and its end";
    assert!(out(&workspace.run(&[], 0)).contains(said));
    let output = workspace.host(&["logs", "a"], 0);
    let line = format!("\n[... {missed} bytes are left out here ...]\n");
    let (head, tail) = output.stdout.split_at(1 << 19);
    assert!(head.iter().all(|byte| *byte == 0) && output.stdout.len() <= 1 << 20);
    let tail = tail.strip_prefix(line.as_bytes()).expect("the gap is said");
    assert!(tail.iter().all(|byte| *byte == 0) && tail.len() + head.len() == 1048520);
    assert!(err(&output).contains(said), "{}", err(&output));
    assert!(out(&workspace.host(&["report"], 0)).contains(said));
    let run = workspace.reader().runs().unwrap()[0].id.clone();
    let attempts = workspace.reader().attempts(&run, 0).unwrap();
    assert!(attempts[0].output.as_deref().unwrap().contains(said), "{attempts:?}");
}

#[test]
fn tasks_that_the_file_has_already_are_not_said_to_be_added() {
    let workspace = Workspace::new("- {id: a, kind: note, added_by: demo/somebody}\n");
    let said = out(&workspace.run(&[], 0));
    assert!(said.contains("done  a") && !said.contains("added"), "{said}");
    assert!(said.contains("completed: every task is done\n"), "{said}");
}

#[test]
fn files_that_are_no_text_are_an_input_to_correct() {
    let workspace = Workspace::new("- {id: a, kind: note}\n");
    std::fs::write(workspace.path().join("orch.lock"), b"\xff").unwrap();
    let output = workspace.run(&[], 2);
    assert!(err(&output).contains("orch.lock`\n"), "{}", err(&output));
    std::fs::remove_file(workspace.path().join("orch.lock")).unwrap();
    std::fs::write(workspace.operator().join("policy.toml"), b"\xff").unwrap();
    let output = workspace.run(&[], 2);
    assert!(err(&output).contains("policy.toml`\n"), "{}", err(&output));
}

#[test]
fn a_store_with_damaged_pages_is_named_and_so_is_what_looks_at_it() {
    let workspace = Workspace::new("- {id: a, kind: note}\n");
    workspace.run(&[], 0);
    let path = workspace.path().join(".orch/state.db");
    let mut bytes = std::fs::read(&path).unwrap();
    // The header stays: it is one of our stores, whose first page lists no table any more.
    bytes[100..4096].fill(0xff);
    std::fs::write(&path, bytes).unwrap();
    let output = workspace.host(&["status"], 5);
    let said = err(&output);
    assert!(
        said.contains(".orch/state.db`") && said.contains("`orch-host db check --config-home "),
        "{said}"
    );
}

#[test]
fn a_row_that_cannot_be_read_is_an_error_and_no_empty_value() {
    let workspace = Workspace::new("- {id: a, kind: note}\n- {id: b, kind: note, dependencies: [a]}\n");
    workspace.run(&[], 0);
    let run = workspace.reader().runs().unwrap()[0].id.clone();
    let row = "INSERT INTO metrics VALUES (?1 || '-00000001-0', ?2, NULL, 'demo/x', 'size', 1.0, '1', '{', '', 1, 0)";
    // How the ids of a run's rows begin.
    let key: String = {
        let store = rusqlite::Connection::open(workspace.path().join(".orch/state.db")).unwrap();
        store.query_row("SELECT id FROM phases LIMIT 1", [], |row| row.get(0)).unwrap()
    };
    let key = key.rsplit_once('-').map_or(key.clone(), |(key, _)| key.to_owned());
    let damage = |sql: &str, values: &[&str]| {
        let store = rusqlite::Connection::open(workspace.path().join(".orch/state.db")).unwrap();
        assert_eq!(store.execute(sql, rusqlite::params_from_iter(values)).unwrap(), 1);
    };
    damage(row, &[&key, &run]);
    for args in [&["metrics"][..], &["metrics", "trend"], &["report"]] {
        let said = err(&workspace.host(args, 5));
        assert!(said.contains("`orch-host db check --config-home "), "{args:?}: {said}");
    }
    workspace.host(&["db", "check", "--rebuild"], 0);
    workspace.host(&["metrics", "trend"], 0);
    damage("UPDATE phases SET dependencies = 'a' WHERE name = ?1", &["b"]);
    let said = err(&workspace.host(&["report"], 5));
    assert!(said.contains("`orch-host db check --config-home "), "{said}");
    workspace.host(&["db", "check", "--rebuild"], 0);
    damage("UPDATE runs SET metadata = '' WHERE id = ?1", &[&run]);
    let said = err(&workspace.host(&["status"], 5));
    assert!(said.contains("`orch-host db check --config-home "), "{said}");
    workspace.host(&["db", "check", "--rebuild"], 0);
    workspace.host(&["status"], 0);
}
