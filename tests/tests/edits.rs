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

/// `b` waits for `a`, and `c` for `b`.
const CHAIN: &str = "\
- id: b-to-staging
  command: [sh, -c, 'echo b >> ran']
  dependencies: [a]
- id: c
  command: [sh, -c, 'echo c >> ran']
  dependencies: [b-to-staging]
";

#[test]
fn any_beginning_of_the_file_that_is_there_for_a_while_changes_nothing() {
    let (workspace, host) = waiting_run(CHAIN);
    let whole = workspace.read("tasks.yml");
    let after = |text: &str| whole.find(text).unwrap() + text.len();
    let a_while = || std::thread::sleep(std::time::Duration::from_secs(1));
    for cut in [
        0,
        after("- {id: a"),
        whole.find("- id: b").unwrap(),
        after("- id: b"),
        after("id: b-to-staging"),
        after("echo b >> ran']\n"),
        whole.find("- id: c").unwrap(),
        after("echo c >> ran']"),
    ] {
        workspace.write("tasks.yml", &whole[..cut]);
        a_while();
        workspace.write("tasks.yml", &whole);
        a_while();
    }
    for code in ["task-file-empty", "task-file-syntax", "task-file-cut", "task-removed"] {
        assert!(warned(&workspace, code).is_some(), "{code}: {:?}", workspace.events());
    }
    assert!(!heard(&workspace, "task_edited") && !heard(&workspace, "task_moved"));
    let output = end(&workspace, host);
    assert_eq!(output.status.code(), Some(0), "{}\n{}", out(&output), err(&output));
    assert_eq!(workspace.read("ran"), "b\nc\n");
    assert_eq!(workspace.read("tasks.yml").matches("status: done").count(), 3);
}

#[test]
fn a_task_that_is_removed_does_not_start_until_it_is_back() {
    let (workspace, host) = waiting_run(CHAIN);
    let whole = workspace.read("tasks.yml");
    let without = whole[..whole.find("- id: c").unwrap()].to_owned();
    workspace.write("tasks.yml", &without);
    until(|| warned(&workspace, "task-removed").is_some());
    let output = end(&workspace, host);
    assert_eq!(output.status.code(), Some(6), "{}\n{}", out(&output), err(&output));
    assert!(out(&output).contains("waits for you: c is not in the task file any more"), "{}", out(&output));
    assert!(err(&output).contains("`orch-host task cancel c "), "{}", err(&output));
    assert_eq!(workspace.read("ran"), "b\n");
    // The file is as the host knows it, and the task is still missing.
    workspace.run(&[], 6);
    assert_eq!(workspace.read("ran"), "b\n");
    let now = workspace.read("tasks.yml");
    workspace.write("tasks.yml", &format!("{now}{}", &whole[without.len()..]));
    let output = workspace.run(&[], 0);
    assert!(out(&output).contains("every task is done"), "{}", out(&output));
    assert_eq!(workspace.read("ran"), "b\nc\n");
}

#[test]
fn a_task_that_is_removed_for_good_is_cancelled_by_command() {
    let (workspace, host) = waiting_run(CHAIN);
    let whole = workspace.read("tasks.yml");
    workspace.write("tasks.yml", &whole[..whole.find("- id: c").unwrap()]);
    until(|| warned(&workspace, "task-removed").is_some());
    workspace.host(&["task", "cancel", "c"], 0);
    let output = end(&workspace, host);
    assert_eq!(output.status.code(), Some(0), "{}\n{}", out(&output), err(&output));
    assert!(out(&output).contains("1 cancelled, 2 done"), "{}", out(&output));
    assert_eq!(workspace.read("ran"), "b\n");
}

#[test]
fn a_file_that_was_cut_off_while_no_host_was_at_work_runs_nothing_of_what_it_says() {
    let workspace = Workspace::new(&format!("- {{id: a, command: ['false']}}\n{CHAIN}"));
    workspace.run(&[], 1);
    workspace.host(&["task", "retry", "a"], 0);
    let whole = workspace.read("tasks.yml").replace("'false'", "'false', again");
    for (cut, code) in [("echo b >> ran']\n", 2), ("command: ['false', again", 2), ("dependencies: [a]\n", 6)]
    {
        workspace.write("tasks.yml", &whole[..whole.find(cut).unwrap() + cut.len()]);
        let output = workspace.run(&[], code);
        let is_cut = err(&output).contains("task-file-cut") || err(&output).contains("task-file-syntax");
        assert_eq!(is_cut, code == 2, "{}", err(&output));
    }
    assert!(!workspace.path().join("ran").exists(), "`a` failed again");
}

#[test]
fn what_is_added_while_the_run_is_looked_at_belongs_to_it() {
    let (workspace, host) = waiting_run("");
    let text = workspace.read("tasks.yml");
    // The file is gone as the run could end, and comes back with more.
    std::fs::remove_file(workspace.path().join("tasks.yml")).unwrap();
    workspace.write("go", "");
    until(|| heard(&workspace, "attempt_finished"));
    workspace.write("tasks.yml", &format!("{text}- {{id: b, command: [sh, -c, 'echo b > b']}}\n"));
    let output = host.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}\n{}", out(&output), err(&output));
    assert_eq!(workspace.read("b"), "b\n");
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
