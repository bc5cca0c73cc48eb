//! Trust that ends while a run goes on: no new call of the plugin, what runs ends by itself, nothing is lost.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail loudly")]

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use orch_journal::Event;
use orch_tests::{Workspace, until};

/// A run whose first task waits for the file `go`; the second is for another plugin, the third for the same.
fn begun() -> (Workspace, Child) {
    let workspace = Workspace::new(
        "- {id: a, command: [sh, -c, 'touch begun; until test -e go; do sleep 0.05; done; touch a']}\n\
         - {id: b, kind: note, description: hello, dependencies: [a]}\n\
         - {id: c, command: [sh, -c, 'touch c'], dependencies: [a]}\n",
    );
    let mut host = workspace.command(&["run", "--trust-workspace"]);
    let host = host.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    until(|| workspace.path().join("begun").exists());
    (workspace, host)
}

/// Waits until the journal says that a plugin was withdrawn; gives how long that took.
fn wait_withdrawn(workspace: &Workspace) -> Duration {
    let since = Instant::now();
    until(|| {
        let is = |event: &Event| matches!(event, Event::Warned { code, .. } if code == "plugin-withdrawn");
        workspace.has_run() && workspace.events().iter().any(is)
    });
    since.elapsed()
}

#[test]
fn a_denied_plugin_ends_what_it_does_and_is_not_called_again_until_the_denial_is_lifted() {
    let (workspace, host) = begun();
    let policy = workspace.operator().join("policy.toml");
    let before = std::fs::read_to_string(&policy).unwrap();
    let denied = format!("{before}\n[deny]\nids = [\"demo/executor-shell\"]\n");
    std::fs::write(&policy, denied).unwrap();
    let took = wait_withdrawn(&workspace);
    assert!(took < Duration::from_secs(5), "a change of the operator's folder was seen after {took:?}");
    workspace.write("go", "");
    let output = host.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("denied-by-policy") && said.contains("demo/executor-shell"), "{said}");
    // The task that ran ended by its own answer; the others were not begun.
    assert!(workspace.path().join("a").exists() && !workspace.path().join("c").exists());
    let statuses = workspace.statuses();
    assert_eq!(statuses.values().map(String::as_str).collect::<Vec<_>>(), ["done", "pending", "pending"]);
    assert!(workspace.read("tasks.yml").contains("id: a, status: done"), "{}", workspace.read("tasks.yml"));
    // It is refused at the next start as well, and goes on where it was once the denial is lifted.
    workspace.run(&[], 3);
    std::fs::write(&policy, before).unwrap();
    workspace.run(&[], 0);
    assert!(workspace.path().join("c").exists());
    assert!(workspace.statuses().values().all(|status| status == "done"));
}

#[test]
fn a_folder_of_the_operator_that_cannot_be_read_any_more_withdraws_everything() {
    let (workspace, host) = begun();
    let policy = workspace.operator().join("policy.toml");
    let before = std::fs::read_to_string(&policy).unwrap();
    std::fs::write(&policy, "minimum_level = \"none\"\n").unwrap();
    wait_withdrawn(&workspace);
    workspace.write("go", "");
    let output = host.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("operator-file"), "{said}");
    std::fs::write(&policy, before).unwrap();
    workspace.run(&[], 0);
}

#[test]
fn a_file_that_is_written_in_two_steps_withdraws_nothing() {
    let (workspace, host) = begun();
    let policy = workspace.operator().join("policy.toml");
    let before = std::fs::read_to_string(&policy).unwrap();
    std::fs::write(&policy, "minimum_level = \"none\"\n").unwrap();
    // Long enough to be seen, not long enough to count.
    std::thread::sleep(Duration::from_millis(1500));
    std::fs::write(&policy, before).unwrap();
    std::thread::sleep(Duration::from_millis(2500));
    workspace.write("go", "");
    let output = host.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}
