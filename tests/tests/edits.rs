//! Somebody edits `tasks.yml` while a run goes on, or between two runs: taken in, or refused by name.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::process::{Child, Output, Stdio};

use orch_journal::Event;
use orch_tests::{Workspace, err, out, until};

/// A run whose first task ends when the file `go` is there.
fn waiting_run(more: &str) -> (Workspace, Child) {
    let workspace = Workspace::new(&format!(
        "- {{id: a, command: ['sh', '-c', 'until test -e go; do sleep 0.05; done']}}\n{more}"
    ));
    let mut host = workspace.command(&["run", "--trust-workspace", "--jobs", "1"]);
    let host = host.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until(|| workspace.has_run());
    until(|| workspace.statuses().get("a").is_some_and(|status| status == "in_progress"));
    (workspace, host)
}

fn heard(workspace: &Workspace, name: &str) -> bool {
    workspace.events().iter().any(|event| event.name() == name)
}

fn warned(workspace: &Workspace, wanted: &str) -> Option<String> {
    workspace.events().into_iter().find_map(|event| match event {
        Event::Warned { code, text } if code == wanted => Some(text),
        _ => None,
    })
}

fn end(workspace: &Workspace, host: Child) -> Output {
    workspace.write("go", "");
    host.wait_with_output().unwrap()
}

#[test]
fn a_pending_task_runs_as_it_was_edited_and_a_new_one_runs_too() {
    let (workspace, host) = waiting_run("- {id: b, command: [sh, -c, 'echo old > b'], dependencies: [a]}\n");
    let text = workspace.read("tasks.yml").replace("echo old", "echo new");
    workspace.write("tasks.yml", &format!("{text}- {{id: c, command: [sh, -c, 'echo c > c']}}\n"));
    until(|| heard(&workspace, "task_edited"));
    let output = end(&workspace, host);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert_eq!((workspace.read("b"), workspace.read("c")), ("new\n".to_owned(), "c\n".to_owned()));
    assert_eq!(workspace.read("tasks.yml").matches("status: done").count(), 3);
}

#[test]
fn a_task_that_has_started_stays_as_it_was_and_the_edit_is_named() {
    let (workspace, host) = waiting_run("");
    let text = workspace.read("tasks.yml");
    workspace.write("tasks.yml", &text.replace("until test", "while ! test"));
    until(|| warned(&workspace, "edit-refused").is_some());
    let text = warned(&workspace, "edit-refused").unwrap();
    assert!(text.contains("`a`") && text.contains("command"), "{text}");
    assert_eq!(end(&workspace, host).status.code(), Some(0));
}

#[test]
fn a_broken_file_stops_nothing_that_runs_and_keeps_the_run_open_until_it_is_mended() {
    let (workspace, host) = waiting_run("- {id: b, command: [sh, -c, 'echo b >> b'], dependencies: [a]}\n");
    let good = workspace.read("tasks.yml");
    workspace.write("tasks.yml", &format!("{good}- {{id: c, command: [\n"));
    until(|| warned(&workspace, "task-file-syntax").is_some());
    let output = end(&workspace, host);
    assert_eq!(output.status.code(), Some(2), "{}\n{}", out(&output), err(&output));
    assert_eq!(workspace.read("b"), "b\n");
    workspace.write("tasks.yml", &good);
    let output = workspace.run(&[], 0);
    assert!(out(&output).contains("2 done"), "{}", out(&output));
    assert_eq!(workspace.read("b"), "b\n", "it ran once");
}

#[test]
fn a_removed_file_keeps_the_run_open_until_it_is_back() {
    let (workspace, host) = waiting_run("- {id: b, command: [sh, -c, 'echo b >> b'], dependencies: [a]}\n");
    let good = workspace.read("tasks.yml");
    std::fs::remove_file(workspace.path().join("tasks.yml")).unwrap();
    let output = end(&workspace, host);
    assert_eq!(output.status.code(), Some(2), "{}\n{}", out(&output), err(&output));
    let output = workspace.run(&[], 2);
    assert!(err(&output).contains("task-file-missing"), "{}", err(&output));
    workspace.write("tasks.yml", &good);
    workspace.run(&[], 0);
    assert_eq!(workspace.read("b"), "b\n", "it ran once");
}

#[test]
fn a_file_that_is_empty_for_a_while_cancels_nothing() {
    let (workspace, host) = waiting_run("- {id: b, command: [sh, -c, 'echo b >> b'], dependencies: [a]}\n");
    let good = workspace.read("tasks.yml");
    workspace.write("tasks.yml", "");
    until(|| warned(&workspace, "task-file-empty").is_some());
    workspace.write("tasks.yml", &good);
    let output = end(&workspace, host);
    assert_eq!(output.status.code(), Some(0), "{}\n{}", out(&output), err(&output));
    assert_eq!(workspace.read("b"), "b\n", "it ran once");
}

#[test]
fn a_file_that_stays_empty_keeps_the_run_open_until_its_tasks_are_back() {
    for text in ["", "# all done\n", "tasks:\n"] {
        let more = "- {id: b, command: [sh, -c, 'echo b >> b'], dependencies: [a]}\n";
        let (workspace, host) = waiting_run(more);
        let good = workspace.read("tasks.yml");
        workspace.write("tasks.yml", text);
        let output = end(&workspace, host);
        assert_eq!(output.status.code(), Some(2), "{}\n{}", out(&output), err(&output));
        let output = workspace.run(&[], 2);
        assert!(err(&output).contains("task-file-empty"), "{}", err(&output));
        workspace.write("tasks.yml", &good);
        workspace.run(&[], 0);
        assert_eq!(workspace.read("b"), "b\n", "it ran once");
    }
}

#[test]
fn a_status_that_was_edited_between_two_runs_is_refused_by_name() {
    let workspace =
        Workspace::new("- {id: a, command: [sh, -c, 'echo a >> a']}\n- {id: b, command: ['false']}\n");
    workspace.run(&["--jobs", "1"], 1);
    let run = workspace.reader().runs().unwrap()[0].id.clone();
    workspace.host(&["task", "retry", "b"], 0);
    let text = workspace.read("tasks.yml").replacen("status: done", "status: pending", 1);
    workspace.write("tasks.yml", &text);
    workspace.run(&["--jobs", "1"], 1);
    assert_eq!(workspace.reader().runs().unwrap()[0].id, run, "the same run goes on");
    let text = warned(&workspace, "edit-refused").unwrap();
    assert!(text.contains("`a`") && text.contains("pending"), "{text}");
    assert_eq!(workspace.read("a"), "a\n", "it did not run again");
    assert!(workspace.read("tasks.yml").contains("status: done"));
}
