//! Verifiers that tasks name: they look beside other tasks, gate what depends on theirs, and are not forgotten.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::process::{Child, Stdio};

use orch_journal::Event;
use orch_journal::event::{Actor, RunStatus};
use orch_tests::hears::Hears;
use orch_tests::{Workspace, err, out, until};
use rustix::process::Signal;

/// A verifier whose one check is this command.
fn workspace(tasks: &str, check: &str) -> Workspace {
    let workspace = Workspace::new(tasks);
    bind(&workspace, check);
    workspace
}

fn bind(workspace: &Workspace, check: &str) {
    workspace.write(
        "config.yaml",
        &format!(
            "roles:\n  planner: demo/planner-priority\n  executors: {{shell: demo/executor-shell, note: demo/executor-note}}\n  \
             verifiers: [demo/verifier-command]\nsettings:\n  demo/verifier-command:\n    checks:\n      \
             - {{name: look, category: test, command: {check}}}\n"
        ),
    );
}

fn spawn(workspace: &Workspace) -> Child {
    let mut host = workspace.command(&["run", "--trust-workspace", "--jobs", "2"]);
    host.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

fn place(events: &[Event], wanted: impl Fn(&Event) -> bool) -> usize {
    events.iter().position(wanted).unwrap()
}

fn looks_at(event: &Event, at: Option<u32>) -> bool {
    matches!(event, Event::CallStarted { call, task, .. } if call == "verify" && *task == at)
}

fn looked_at(event: &Event, at: Option<u32>) -> bool {
    matches!(event, Event::Called(called) if called.call == "verify" && called.task == at)
}

fn starts(event: &Event, wanted: u32) -> bool {
    matches!(event, Event::AttemptStarted { task, .. } if *task == wanted)
}

#[test]
fn a_look_holds_up_what_depends_on_its_task_and_nothing_else() {
    let tasks = "- {id: a, kind: note, priority: 9, verify: [demo/verifier-command]}\n\
                 - {id: b, kind: note, dependencies: [a]}\n\
                 - {id: c, command: ['true']}\n- {id: d, command: ['true']}\n- {id: e, command: [sh, -c, 'echo > e']}\n";
    // Half a minute at most, if nothing else starts.
    let workspace =
        workspace(tasks, "[sh, -c, 'for i in $(seq 600); do test ! -e e || break; sleep 0.05; done']");
    workspace.run(&["--jobs", "2"], 0);
    let events = workspace.events();
    let (begun, over) =
        (place(&events, |event| looks_at(event, Some(0))), place(&events, |event| looked_at(event, Some(0))));
    for beside in [3, 4] {
        let at = place(&events, |event| starts(event, beside));
        assert!(begun < at && at < over, "task {beside} at {at}, the look from {begun} to {over}");
    }
    assert!(place(&events, |event| starts(event, 1)) > over);
    assert!(place(&events, |event| looks_at(event, None)) > over, "the look at the run comes last");
}

#[test]
fn a_look_that_a_crash_cut_off_is_made_again_by_the_next_run() {
    let tasks =
        "- {id: a, kind: note, verify: [demo/verifier-command]}\n- {id: b, kind: note, dependencies: [a]}\n";
    let workspace = workspace(tasks, "[sleep, '30']");
    let mut host = spawn(&workspace);
    until(|| workspace.has_run());
    until(|| workspace.events().iter().any(|event| looks_at(event, Some(0))));
    host.kill().unwrap();
    host.wait().unwrap();
    bind(&workspace, "['true']");
    workspace.run(&[], 0);
    let events = workspace.events();
    let again = events.iter().find_map(|event| match event {
        Event::Called(called) if called.call == "verify" && called.task == Some(0) => Some(called.rerun),
        _ => None,
    });
    assert_eq!(again, Some(true));
    assert!(events.iter().any(|event| starts(event, 1)), "what depends on it went on");
    workspace.host(&["db", "check"], 0);
}

#[test]
fn a_second_interrupt_ends_a_look_with_its_command() {
    let marker = "29.4170355";
    let workspace = workspace("- {id: a, kind: note}\n", &format!("[sleep, '{marker}']"));
    let mut host = spawn(&workspace);
    let hears = Hears::to(&mut host);
    let alive = || {
        let lines = std::fs::read_dir("/proc").unwrap();
        let lines = lines.filter_map(|entry| std::fs::read(entry.ok()?.path().join("cmdline")).ok());
        lines.filter(|line| String::from_utf8_lossy(line).contains(marker)).count()
    };
    until(|| alive() > 0);
    hears.interrupt(Signal::INT);
    assert!(alive() > 0, "a first interrupt lets it end by itself");
    hears.interrupt_again(Signal::INT);
    assert_eq!(host.wait().unwrap().code(), Some(130));
    until(|| alive() == 0);
    bind(&workspace, "['true']");
    workspace.run(&[], 0);
}

/// Where the looks of a run left their commands' output.
fn logs_of_looks(workspace: &Workspace) -> Vec<String> {
    let entries = std::fs::read_dir(workspace.path().join("logs")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("verify-")).collect()
}

fn looks(events: &[Event]) -> usize {
    events.iter().filter(|event| matches!(event, Event::Called(called) if called.call == "verify")).count()
}

#[test]
fn looks_that_begin_together_are_all_made_and_none_of_their_gates_opens() {
    let pair = |n: u32| {
        format!(
            "- {{id: build-{n}, kind: note, verify: [demo/verifier-command]}}\n\
             - {{id: deploy-{n}, command: [sh, -c, 'echo > deployed-{n}'], dependencies: [build-{n}]}}\n"
        )
    };
    let workspace = workspace(&(1..=8).map(pair).collect::<String>(), "[sh, -c, 'sleep 0.5; exit 1']");
    let said = out(&workspace.run(&["--jobs", "8"], 1));
    assert!(!said.contains("could not verify"), "{said}");
    // Each as it is found, and once more at the end.
    let (as_found, at_the_end) = said.split_once("\n\n").unwrap();
    for part in [as_found, at_the_end] {
        assert_eq!(part.matches("major finding  ").count(), 8, "{said}");
    }
    assert!(said.contains("findings: 8 major, 0 medium, 0 minor\n"), "{said}");
    let statuses = workspace.statuses();
    for n in 1..=8 {
        assert_eq!(statuses[&format!("build-{n}")], "failed");
        assert_eq!(statuses[&format!("deploy-{n}")], "blocked");
        assert!(!workspace.path().join(format!("deployed-{n}")).exists());
    }
    assert_eq!(logs_of_looks(&workspace).len(), 8);
}

#[test]
fn every_look_at_many_fast_tasks_is_made_and_has_a_log_of_its_own() {
    let task = |n: u32| format!("- {{id: t{n}, kind: note, verify: [demo/verifier-command]}}\n");
    let workspace = workspace(&(0..40).map(task).collect::<String>(), "['true']");
    let said = out(&workspace.run(&["--jobs", "8"], 0));
    assert!(!said.contains("could not verify"), "{said}");
    // At each task and at the run, unless the last look at a task was one at the run as it ended.
    let events = workspace.events();
    let kept = events.iter().filter(|event| matches!(event, Event::LookKept { .. })).count();
    assert_eq!((looks(&events) + kept, kept <= 1), (41, true));
    let logs = logs_of_looks(&workspace);
    assert_eq!(logs.len() + kept, 41);
    for n in 0..40 {
        let start = format!("verify-t{n}-verifier-command-");
        assert_eq!(logs.iter().filter(|name| name.starts_with(&start)).count(), 1, "{logs:?}");
    }
}

#[test]
fn a_task_that_keeps_its_verifier_from_looking_is_not_verified_and_what_depends_on_it_waits() {
    // The folder of the logs is a link afterwards, which the host refuses.
    let tasks = "- {id: sly, command: [sh, -c, 'mv logs logs.old; ln -s logs.old logs'], verify: [demo/verifier-command]}\n\
                 - {id: after, kind: note, dependencies: [sly]}\n- {id: beside, kind: note}\n";
    let workspace = workspace(tasks, "['true']");
    let said = out(&workspace.run(&["--jobs", "1", "--audit", "every-completion"], 1));
    let why = "`demo/verifier-command` could not look: check `look`: cannot run `true`";
    assert!(said.contains(" waiting: ") && said.contains("; 1 task is not verified\n"), "{said}");
    assert!(said.contains(&format!("not verified: sly, {why}")), "{said}");
    let stands = |workspace: &Workspace| {
        let statuses = workspace.statuses();
        ["sly", "after", "beside"].map(|id| statuses[id].clone())
    };
    assert_eq!(stands(&workspace), ["done", "pending", "done"]);
    assert_eq!(
        looks(&workspace.events()),
        1,
        "it is not tried again and again, and the run is not at its end"
    );
    for format in ["text", "json", "markdown"] {
        let report = out(&workspace.host(&["report", "--format", format], 0));
        assert!(report.contains("sly") && report.replace('\\', "").contains("cannot run `true`"), "{report}");
    }
    assert!(out(&workspace.host(&["status"], 0)).contains("1 task is not verified"));

    // With the link no run begins.
    assert!(err(&workspace.run(&[], 2)).contains("code: folder-is-a-link"));
    std::fs::remove_file(workspace.path().join("logs")).unwrap();
    std::fs::rename(workspace.path().join("logs.old"), workspace.path().join("logs")).unwrap();
    // It still cannot look: it is asked again first, once.
    bind(&workspace, "[no-such-program-at-all]");
    workspace.run(&[], 1);
    assert_eq!((stands(&workspace)[1].as_str(), looks(&workspace.events())), ("pending", 2));

    bind(&workspace, "['true']");
    workspace.run(&[], 0);
    assert_eq!(stands(&workspace), ["done", "done", "done"]);
    let events = workspace.events();
    let verified = |event: &Event| matches!(event, Event::Called(called) if called.task == Some(0) && called.fault.is_none());
    assert!(place(&events, verified) < place(&events, |event| starts(event, 1)));
    assert_eq!(workspace.reader().runs().unwrap().len(), 1, "it was one run all along");
    workspace.host(&["db", "check"], 0);
}

#[test]
fn a_verifier_that_cannot_look_at_the_run_keeps_it_open() {
    let workspace = workspace("- {id: a, kind: note}\n", "[no-such-program]");
    for _ in 0..2 {
        let said = out(&workspace.run(&[], 1));
        assert!(said.contains("waiting: every task is done; the run is not verified\n"), "{said}");
        assert!(
            said.contains("not verified: the run, `demo/verifier-command` could not look: check `look`"),
            "{said}"
        );
    }
    bind(&workspace, "['true']");
    workspace.run(&[], 0);
    assert_eq!(workspace.reader().runs().unwrap().len(), 1);
}

#[test]
fn a_person_may_take_a_task_that_is_not_verified_as_it_is_or_have_it_done_again() {
    let tasks = "- {id: a, kind: note, verify: [demo/verifier-command]}\n- {id: b, kind: note, verify: [demo/verifier-command]}\n\
                 - {id: c, kind: note, dependencies: [a, b]}\n";
    let workspace = workspace(tasks, "[no-such-program]");
    workspace.run(&[], 1);
    let run = workspace.reader().runs().unwrap()[0].id.clone();
    let refused = err(&workspace.host(&["resolve", &run, "a", "--as", "done"], 2));
    assert!(refused.contains("task `a` is done, expected in_doubt"), "{refused}");
    workspace.host(&["task", "skip", "a"], 0);
    workspace.host(&["task", "retry", "b"], 0);
    let refused = err(&workspace.host(&["task", "skip", "a"], 2));
    assert!(refused.contains("task `a` is done, expected"), "{refused}");
    bind(&workspace, "['true']");
    workspace.run(&[], 0);
    let events = workspace.events();
    let attempts = |task| events.iter().filter(|event| starts(event, task)).count();
    assert_eq!([attempts(0), attempts(1), attempts(2)], [1, 2, 1]);
    let looked = |task| events.iter().filter(|event| looked_at(event, Some(task))).count();
    assert_eq!([looked(0), looked(1)], [1, 2]);
}

#[test]
fn a_run_that_findings_end_stays_open_while_a_task_is_not_verified() {
    let tasks = "- {id: a, kind: note, verify: [demo/verifier-command]}\n\
                 - {id: sly, command: [sh, -c, 'until test -e looking; do sleep 0.05; done; mv logs logs.old; ln -s logs.old logs'], verify: [demo/verifier-command]}\n\
                 - {id: after, kind: note, dependencies: [sly]}\n";
    let waits = "[sh, -c, 'touch looking; until test -L logs; do sleep 0.05; done; exit 1']";
    let workspace = workspace(tasks, waits);
    let said = out(&workspace.run(&["--jobs", "2"], 1));
    assert!(
        said.contains(" waiting: too many major findings: 1, at most 0; 1 task is not verified\n"),
        "{said}"
    );
    std::fs::remove_file(workspace.path().join("logs")).unwrap();
    bind(&workspace, "['false']");
    let said = out(&workspace.run(&[], 1));
    assert!(said.contains(" failed: too many major findings: 2, at most 0\n"), "{said}");
    assert_eq!((&*workspace.statuses()["sly"], &*workspace.statuses()["after"]), ("failed", "blocked"));
    assert_eq!(workspace.reader().runs().unwrap().len(), 1);
}

#[test]
fn an_edit_of_the_task_file_during_a_look_opens_no_gate() {
    let tasks =
        "- {id: a, kind: note, verify: [demo/verifier-command]}\n- {id: b, kind: note, dependencies: [a]}\n";
    let workspace = workspace(tasks, "[sh, -c, 'until test -e go; do sleep 0.05; done']");
    let mut host = spawn(&workspace);
    until(|| workspace.has_run());
    until(|| workspace.events().iter().any(|event| looks_at(event, Some(0))));
    workspace
        .write("tasks.yml", &(workspace.read("tasks.yml") + "- {id: c, kind: note, dependencies: [a]}\n"));
    let is_added = |event: &Event| matches!(event, Event::TasksAdded { first: 2, .. });
    until(|| workspace.events().iter().any(is_added));
    workspace.write("go", "");
    assert_eq!(host.wait().unwrap().code(), Some(0));
    let events = workspace.events();
    let added = place(&events, is_added);
    let over = place(&events, |event| looked_at(event, Some(0)));
    assert!(added < over, "the edit came during the look");
    for task in [1, 2] {
        assert!(place(&events, |event| starts(event, task)) > over, "task {task}");
    }
}

#[test]
fn what_a_look_starts_is_in_the_journal() {
    // After the look at the first task another one is done, so the run is looked at for itself.
    let tasks =
        "- {id: a, kind: note, verify: [demo/verifier-command]}\n- {id: b, kind: note, dependencies: [a]}\n";
    let workspace = workspace(tasks, "[sh, -c, 'true']");
    workspace.run(&[], 0);
    let events = workspace.events();
    let at = place(&events, |event| looks_at(event, Some(0)));
    let Event::CallStarted { number, .. } = &events[at] else { unreachable!() };
    assert_eq!(*number as usize, at, "its place names it");
    let by = |event: &Event| match event {
        Event::IntentRecorded { by, .. } | Event::ProcessStarted { by, .. } => Some(*by),
        _ => None,
    };
    let over = place(&events, |event| looked_at(event, Some(0)));
    let of_the_look: Vec<Actor> = events[at..over].iter().filter_map(by).collect();
    assert_eq!(of_the_look, [Actor::Call { number: *number }; 3], "the intent, the command, its supervisor");
    // Another look, at the run, has another number.
    let of_the_run: Vec<Actor> = events[over..].iter().filter_map(by).collect();
    assert_eq!(of_the_run.len(), 3);
    assert!(!of_the_run.contains(&of_the_look[0]));
}

/// A verifier that cannot look, a task that names it, and one behind it.
fn behind_a_closed_gate() -> Workspace {
    let tasks =
        "- {id: a, kind: note, verify: [demo/verifier-command]}\n- {id: b, kind: note, dependencies: [a]}\n";
    workspace(tasks, "[no-such-program-at-all]")
}

const REASON: &str = "the linter's server is down; \u{1b}[2Kseen by hand";

#[track_caller]
fn is_waived(workspace: &Workspace) {
    let waived: Vec<Event> =
        workspace.events().into_iter().filter(|event| event.name() == "looks_waived").collect();
    let [Event::LooksWaived { task: Some(0), verifiers, reason, who, .. }] = waived.as_slice() else {
        panic!("{waived:?}")
    };
    assert_eq!((verifiers.as_slice(), reason.as_str()), (&["demo/verifier-command".to_owned()][..], REASON));
    assert_eq!(who.uid, rustix::process::getuid().as_raw());
    let shown = "a, `demo/verifier-command`, by user";
    let seen = "the linter's server is down; \\x1b[2Kseen by hand";
    for args in [&["status"][..], &["report"]] {
        let said = out(&workspace.host(args, 0));
        assert!(said.contains(shown) && said.contains(seen), "{args:?}: {said}");
    }
    for args in [&["status", "--format", "json"][..], &["report", "--format", "json"]] {
        let said: serde_json::Value = serde_json::from_slice(&workspace.host(args, 0).stdout).unwrap();
        assert_eq!((&said["waived"][0]["task"], &said["waived"][0]["reason"]), (&"a".into(), &REASON.into()));
    }
    assert!(out(&workspace.host(&["report", "--format", "markdown"], 0)).contains("## Waived"));
}

#[test]
fn a_person_opens_a_gate_by_a_waiver_that_every_report_says() {
    let workspace = behind_a_closed_gate();
    let said = workspace.run(&[], 1);
    assert!(err(&said).contains("`orch-host task waive a --reason TEXT "), "{}", err(&said));
    assert!(
        out(&workspace.host(&["status"], 0))
            .contains("not verified  a, `demo/verifier-command` could not look")
    );
    for (args, code) in [
        (["task", "waive", "a", "--reason", " "], "code: reason"),
        (["task", "waive", "b", "--reason", "x"], "code: task-status"),
        (["task", "waive", "c", "--reason", "x"], "code: task-unknown"),
    ] {
        assert!(err(&workspace.host(&args, 2)).contains(code), "{args:?}");
    }
    workspace.host(&["task", "waive", "a", "--reason", REASON], 0);
    is_waived(&workspace);
    workspace
        .write("config.yaml", &workspace.read("config.yaml").replace("[no-such-program-at-all]", "['true']"));
    assert!(out(&workspace.run(&[], 0)).contains("waived: a, `demo/verifier-command`"));
    assert_eq!(workspace.statuses()["b"], "done");
    // It was not looked at meanwhile.
    let looked = |event: &Event| looked_at(event, Some(0));
    assert_eq!(workspace.events().iter().filter(|event| looked(event)).count(), 1);
    is_waived(&workspace);
    workspace.host(&["db", "check"], 0);
    // Tried again, it is looked at again.
    assert!(err(&workspace.host(&["task", "waive", "a", "--reason", "x"], 2)).contains("code: task-status"));
}

#[test]
fn a_waiver_is_heard_while_the_run_goes_on() {
    let tasks = "- {id: a, kind: note, verify: [demo/verifier-command], priority: 9}\n- {id: b, command: [sh, -c, 'touch b'], dependencies: [a]}\n\
                 - {id: slow, command: [sh, -c, 'until test -e go; do sleep 0.05; done']}\n";
    let workspace = workspace(tasks, "[no-such-program-at-all]");
    let mut host = spawn(&workspace);
    until(|| workspace.has_run() && workspace.events().iter().any(|event| looked_at(event, Some(0))));
    workspace.host(&["task", "waive", "a", "--reason", REASON], 0);
    until(|| workspace.path().join("b").exists());
    workspace.write("go", "");
    // The look at the run itself cannot be made either.
    assert_eq!(host.wait().unwrap().code(), Some(1));
    is_waived(&workspace);
}

#[test]
fn findings_of_its_own_verifier_fail_a_task_for_this_run_and_the_next() {
    let tasks = "- {id: a, kind: note, verify: [demo/verifier-command]}\n- {id: b, command: [sh, -c, 'touch b'], dependencies: [a]}\n";
    let workspace = workspace(tasks, "['false']");
    assert!(out(&workspace.run(&[], 1)).contains("too many major findings"));
    assert_eq!(workspace.statuses()["a"], "failed");
    assert!(
        out(&workspace.host(&["report"], 0))
            .contains("its verifiers have too many major findings: 1, at most 0")
    );
    workspace.run(&[], 1);
    assert!(!workspace.path().join("b").exists(), "the next run does not take it for done");
    // So many are allowed.
    let workspace = self::workspace(tasks, "['false']");
    workspace.write("config.yaml", &format!("{}findings: {{max_major: 2}}\n", workspace.read("config.yaml")));
    workspace.run(&[], 0);
    assert_eq!(workspace.statuses()["a"], "done");
}

#[test]
fn medium_findings_warn_or_fail_as_the_workspace_says() {
    let tasks =
        "- {id: a, kind: note, verify: [demo/verifier-command]}\n- {id: b, kind: note, dependencies: [a]}\n";
    let check = "[sh, -c, 'echo x.py:1:1: W1 odd; exit 1'], format: path-line-col";
    for (fails, exit, status) in [("false", 0, "done"), ("true", 1, "failed")] {
        let workspace = workspace(tasks, check);
        workspace.write("x.py", "x\n");
        let config = workspace.read("config.yaml").replace("category: test", "category: lint");
        let more = format!("findings: {{max_medium: 0, medium_fails: {fails}}}\n");
        workspace.write("config.yaml", &(config + &more));
        let said = out(&workspace.run(&[], exit));
        assert_eq!(workspace.statuses()["a"], status, "{said}");
        let medium = workspace
            .events()
            .iter()
            .any(|event| matches!(event, Event::Warned { code, .. } if code == "findings-medium"));
        assert_eq!(medium, fails == "false", "{said}");
    }
}

/// The waiver of the run, in events and in what people read.
#[track_caller]
fn run_is_waived(workspace: &Workspace) {
    let waived: Vec<Event> =
        workspace.events().into_iter().filter(|event| event.name() == "looks_waived").collect();
    let [Event::LooksWaived { task: None, verifiers, reason, who, .. }] = waived.as_slice() else {
        panic!("{waived:?}")
    };
    assert_eq!((verifiers.as_slice(), reason.as_str()), (&["demo/verifier-command".to_owned()][..], REASON));
    assert_eq!(who.uid, rustix::process::getuid().as_raw());
    for args in [&["status"][..], &["report"], &["report", "--format", "markdown"]] {
        let said = out(&workspace.host(args, 0));
        assert!(said.contains("the run, ") && said.contains("by user"), "{args:?}: {said}");
    }
    for args in [&["status", "--format", "json"][..], &["report", "--format", "json"]] {
        let said: serde_json::Value = serde_json::from_slice(&workspace.host(args, 0).stdout).unwrap();
        assert_eq!(said["waived"][0]["task"], serde_json::Value::Null);
        assert_eq!(said["waived"][0]["reason"], REASON);
        assert_eq!(said["unverified"], serde_json::json!([]));
    }
}

#[test]
fn a_person_ends_a_run_by_a_waiver_that_counts_until_something_of_it_starts() {
    let workspace = workspace("- {id: a, kind: note}\n", "[no-such-program]");
    let waive = ["runs", "waive", "--reason", REASON];
    assert!(err(&workspace.run(&[], 1)).contains("`orch-host runs waive --reason TEXT "));
    assert!(err(&workspace.host(&["runs", "waive", "--reason", " "], 2)).contains("code: reason"));
    workspace.host(&waive, 0);
    run_is_waived(&workspace);
    assert!(err(&workspace.host(&waive, 2)).contains("code: run-verified"), "it is waived already");
    let said = out(&workspace.run(&[], 0));
    assert!(said.contains("waived: the run, `demo/verifier-command`, by user"), "{said}");
    run_is_waived(&workspace);
    assert_eq!(looks(&workspace.events()), 1, "it is not asked again");
    workspace.host(&["db", "check"], 0);

    // A run of which something starts afterwards is looked at again.
    let workspace = self::workspace("- {id: a, kind: note}\n", "[no-such-program]");
    workspace.run(&[], 1);
    workspace.host(&waive, 0);
    workspace.write("tasks.yml", &(workspace.read("tasks.yml") + "- {id: b, kind: note}\n"));
    assert!(out(&workspace.run(&[], 1)).contains("the run is not verified"));
    assert_eq!((looks(&workspace.events()), workspace.reader().runs().unwrap().len()), (2, 1));
}

#[test]
fn a_host_that_serves_takes_a_waiver_of_the_run() {
    let workspace = workspace("- {id: a, kind: note}\n", "[no-such-program]");
    workspace.make_known();
    let _served = orch_tests::served::serve(&workspace, &["--run"]);
    until(|| workspace.has_run() && !workspace.events().is_empty());
    until(|| workspace.events().iter().any(|event| matches!(event, Event::RunFinished { .. })));
    workspace.host(&["runs", "waive", "--reason", REASON], 0);
    // Who serves goes on with it at once.
    let completed = |event: &Event| matches!(event, Event::RunFinished { status: RunStatus::Completed, .. });
    until(|| workspace.events().iter().any(completed));
    run_is_waived(&workspace);
}
