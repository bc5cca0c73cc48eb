//! Verifiers that tasks name: they look beside other tasks, gate what depends on theirs, and are not forgotten.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use orch_journal::Event;
use orch_tests::{Workspace, until};

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
    host.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
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
                 - {id: c, command: [sleep, '0.3']}\n- {id: d, command: [sleep, '0.3']}\n- {id: e, kind: note}\n";
    let workspace = workspace(tasks, "[sh, -c, 'sleep 1.5']");
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
    let alive = || {
        let lines = std::fs::read_dir("/proc").unwrap();
        let lines = lines.filter_map(|entry| std::fs::read(entry.ok()?.path().join("cmdline")).ok());
        lines.filter(|line| String::from_utf8_lossy(line).contains(marker)).count()
    };
    until(|| alive() > 0);
    let interrupt = || {
        let pid = host.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    };
    interrupt();
    std::thread::sleep(Duration::from_millis(200));
    assert!(alive() > 0, "a first interrupt lets it end by itself");
    interrupt();
    assert_eq!(host.wait().unwrap().code(), Some(130));
    until(|| alive() == 0);
    bind(&workspace, "['true']");
    workspace.run(&[], 0);
}
