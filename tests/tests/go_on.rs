//! Every run that did not reach its goal ends with a command that goes on, and it does.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::path::Path;
use std::process::{Command, Output, Stdio};

use orch_tests::hears::Hears;
use orch_tests::{Workspace, binary, err, out, until};
use rustix::process::Signal;

/// Started from elsewhere, as from a script: the folder is said.
fn start(workspace: &Workspace, args: &[&str]) -> Command {
    let mut host = workspace.command(&[&["run", "workspace", "--trust-workspace"], args].concat());
    host.current_dir(workspace.outside()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    host
}

/// The commands of the last hint, in their order.
#[track_caller]
fn commands(output: &Output) -> Vec<String> {
    let said = err(output);
    let last = said.lines().last().unwrap_or_default();
    let hint = last.strip_prefix("hint: ").unwrap_or_else(|| panic!("no hint at the end: {said}"));
    let found =
        hint.split('`').skip(1).step_by(2).filter(|text| text.starts_with("orch-host ")).map(str::to_owned);
    let found: Vec<String> = found.collect();
    assert!(!found.is_empty(), "{hint}");
    found
}

/// What a person's shell makes of a line, with this program in its path.
fn paste(workspace: &Workspace, line: &str) -> Output {
    let tools = binary("orch-host").parent().unwrap().display().to_string();
    let mut shell = Command::new("sh");
    shell.args(["-c", line]).current_dir(workspace.outside()).env("XDG_RUNTIME_DIR", workspace.outside());
    shell.env("PATH", format!("{tools}:{}", std::env::var("PATH").unwrap()));
    shell.output().unwrap()
}

/// Ends as expected; then, once `mend` has mended it, the commands of the last hint are pasted one after the other, and the
/// last one ends well.
#[track_caller]
fn check(workspace: &Workspace, output: &Output, exit: i32, mend: impl Fn(&Workspace)) {
    assert_eq!(output.status.code(), Some(exit), "{}\n{}", out(output), err(output));
    let before = workspace.events().len();
    let run = workspace.reader().runs().unwrap()[0].id.clone();
    mend(workspace);
    let lines = commands(output);
    let (last, first) = lines.split_last().unwrap();
    for line in first {
        let output = paste(workspace, line);
        assert_eq!(output.status.code(), Some(0), "{line}: {}", err(&output));
    }
    let output = paste(workspace, last);
    assert_eq!(output.status.code(), Some(0), "{lines:?}\n{}\n{}", out(&output), err(&output));
    let goes_on = workspace.reader().runs().unwrap()[0].id != run || workspace.events().len() > before;
    assert!(goes_on, "{lines:?}");
    assert!(!err(&output).contains("hint: "), "nothing is left to do: {}", err(&output));
}

/// A run of these tasks that is started and ends by itself.
#[track_caller]
fn ends(tasks: &str, exit: i32, mend: impl Fn(&Workspace)) -> Workspace {
    let workspace = Workspace::new(tasks);
    let output = start(&workspace, &[]).output().unwrap();
    check(&workspace, &output, exit, mend);
    workspace
}

fn make_ready(workspace: &Workspace) {
    workspace.write("ready", "");
}

const UNTIL_READY: &str = "[sh, -c, 'touch begun; until test -e ready; do sleep 0.05; done']";

#[test]
fn tasks_that_failed_are_tried_again_with_what_waits_for_them() {
    let workspace = ends(
        "- {id: a, command: [cat, ready]}\n- {id: b, command: [cat, ready], dependencies: [a]}\n",
        1,
        make_ready,
    );
    assert!(workspace.statuses().values().all(|status| status == "done"));
    let two = "- {id: a, command: [cat, ready]}\n- {id: b, command: [cat, ready]}\n";
    ends(two, 1, make_ready);
    // A run that begins with what failed before says the same.
    let workspace = Workspace::new(two);
    start(&workspace, &[]).output().unwrap();
    let output = start(&workspace, &[]).output().unwrap();
    check(&workspace, &output, 1, make_ready);
}

#[test]
fn a_run_that_was_interrupted_goes_on() {
    let workspace = Workspace::new(&format!(
        "- {{id: a, command: {UNTIL_READY}}}\n- {{id: b, command: [\"true\"], dependencies: [a]}}\n"
    ));
    let mut host = start(&workspace, &[]).spawn().unwrap();
    let hears = Hears::to(&mut host);
    until(|| workspace.path().join("begun").exists());
    hears.interrupt(Signal::INT);
    make_ready(&workspace);
    let output = Output { stderr: hears.end().into(), ..host.wait_with_output().unwrap() };
    check(&workspace, &output, 130, |_| {});
}

#[test]
fn a_task_that_nobody_saw_end_is_asked_for() {
    let workspace = Workspace::new(&format!("- {{id: a, command: {UNTIL_READY}}}\n"));
    let mut host = start(&workspace, &[]).spawn().unwrap();
    until(|| workspace.path().join("begun").exists());
    host.kill().unwrap();
    host.wait().unwrap();
    let output = start(&workspace, &[]).output().unwrap();
    check(&workspace, &output, 6, |_| {});
}

#[test]
fn a_budget_that_is_used_up_is_no_end() {
    let workspace = Workspace::new("- {id: a, kind: note}\n- {id: b, kind: note}\n");
    workspace.write("config.yaml", &format!("{}budget: {{limit: 1}}\n", workspace.read("config.yaml")));
    let output = start(&workspace, &["--jobs", "1"]).output().unwrap();
    check(&workspace, &output, 1, |_| {});
}

#[test]
fn who_waits_for_a_task_that_was_cancelled_is_not_forgotten() {
    let workspace =
        Workspace::new("- {id: a, command: [\"false\"]}\n- {id: b, kind: note, dependencies: [a]}\n");
    start(&workspace, &[]).output().unwrap();
    workspace.host(&["task", "cancel", "a"], 0);
    let output = start(&workspace, &[]).output().unwrap();
    let good = |workspace: &Workspace| {
        workspace.write("tasks.yml", &workspace.read("tasks.yml").replace("\"false\"", "\"true\""));
    };
    check(&workspace, &output, 1, good);
}

#[test]
fn what_a_run_was_asked_for_is_asked_again() {
    let tasks = "- {id: a, command: [cat, ready]}\n- {id: b, command: [sh, -c, 'touch other']}\n";
    let workspace = Workspace::new(tasks);
    let output = start(&workspace, &["--task", "a"]).output().unwrap();
    check(&workspace, &output, 1, make_ready);
    assert!(!workspace.path().join("other").exists());
}

/// The same with one verifier, whose check is that command.
fn verified(tasks: &str, check: &str) -> Workspace {
    let workspace = Workspace::new(tasks);
    let checks = format!(
        "  verifiers: [demo/verifier-command]\nsettings:\n  demo/verifier-command:\n    checks: [{{name: look, category: test, command: {check}}}]\n"
    );
    workspace.write("config.yaml", &format!("{}{checks}", workspace.read("config.yaml")));
    workspace
}

fn check_with(workspace: &Workspace, command: &str) {
    let config = workspace.read("config.yaml");
    let (head, _) = config.split_once("command: ").unwrap();
    workspace.write("config.yaml", &format!("{head}command: {command}}}]\n"));
}

#[test]
fn what_no_verifier_could_look_at_is_asked_for_or_waived() {
    for tasks in ["- {id: a, kind: note, verify: [demo/verifier-command]}\n", "- {id: a, kind: note}\n"] {
        let workspace = verified(tasks, "[not-granted]");
        let output = start(&workspace, &[]).output().unwrap();
        check(&workspace, &output, 1, |workspace| check_with(workspace, "[\"true\"]"));
    }
}

#[test]
fn findings_are_to_be_read_and_mended() {
    for tasks in ["- {id: a, kind: note}\n", "- {id: a, kind: note, verify: [demo/verifier-command]}\n"] {
        let workspace = verified(tasks, "[cat, ready]");
        let output = start(&workspace, &[]).output().unwrap();
        check(&workspace, &output, 1, make_ready);
    }
    // Of the run itself, beside a task that failed.
    let workspace = verified("- {id: a, command: [cat, ready]}\n", "[cat, ready]");
    let output = start(&workspace, &[]).output().unwrap();
    check(&workspace, &output, 1, make_ready);
}

#[test]
fn what_is_mended_may_stand_in_the_task_file() {
    ends("- {id: a, command: [\"false\"]}\n- {id: b, kind: note, dependencies: [a]}\n", 1, |workspace| {
        workspace.write("tasks.yml", &workspace.read("tasks.yml").replace("\"false\"", "\"true\""));
    });
}

#[test]
fn a_task_that_the_file_lost_is_put_back_or_taken_out() {
    let tasks = format!("- {{id: a, command: {UNTIL_READY}}}\n- {{id: b, kind: note, dependencies: [a]}}\n");
    let workspace = Workspace::new(&tasks);
    let host = start(&workspace, &[]).spawn().unwrap();
    until(|| workspace.path().join("begun").exists());
    workspace.write("tasks.yml", workspace.read("tasks.yml").split_inclusive('\n').next().unwrap());
    std::thread::sleep(std::time::Duration::from_secs(1));
    make_ready(&workspace);
    check(&workspace, &host.wait_with_output().unwrap(), 6, |_| {});
}

#[test]
fn a_task_that_asks_to_run_is_shown_and_answered() {
    let workspace = Workspace::new("- {id: a, kind: note}\n");
    let root = workspace.admit_hostile("asks-for-approval");
    let reflectors = "  reflectors: [demo/asks-for-approval]\n";
    workspace.write("config.yaml", &format!("{}{reflectors}", workspace.read("config.yaml")));
    let output = start(&workspace, &["--plugins", root.to_str().unwrap()]).output().unwrap();
    check(&workspace, &output, 6, |_| {});
    assert!(Path::new(&root).exists());
}
