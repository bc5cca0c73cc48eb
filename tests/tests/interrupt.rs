//! A run that a person interrupts: what runs ends first, a second word ends it, and the next run goes on.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail loudly")]

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Duration;

use orch_tests::Workspace;

/// Interrupts a run during its first task with that signal; gives what standard error says at the end.
fn interrupted(signal: &str) -> (Workspace, String) {
    let workspace = Workspace::new(
        "- {id: a, command: [sh, -c, 'touch begun; until test -e go; do sleep 0.05; done']}\n\
         - {id: b, command: [sh, -c, 'touch b'], dependencies: [a]}\n",
    );
    let mut host = workspace.command(&["run", "--trust-workspace"]);
    let mut host = host.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    while !workspace.path().join("begun").exists() {
        assert!(host.try_wait().unwrap().is_none(), "the run is over");
        std::thread::sleep(Duration::from_millis(20));
    }
    let pid = host.id().to_string();
    assert!(Command::new("kill").args([&format!("-{signal}"), &pid]).status().unwrap().success());
    std::thread::sleep(Duration::from_millis(200));
    assert!(host.try_wait().unwrap().is_none(), "the task that runs is let end");
    workspace.write("go", "");
    let mut said = String::new();
    host.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(host.wait().unwrap().code(), Some(130), "{said}");
    (workspace, said)
}

#[test]
fn a_first_signal_lets_tasks_end_says_so_and_the_next_run_goes_on() {
    for signal in ["INT", "TERM", "HUP"] {
        let (workspace, said) = interrupted(signal);
        assert!(said.contains("running tasks end first; a second interrupt ends them"), "{signal}: {said}");
        let statuses = workspace.statuses();
        assert_eq!(
            statuses.values().map(String::as_str).collect::<Vec<_>>(),
            ["done", "pending"],
            "{signal}"
        );
        workspace.run(&[], 0);
        assert!(workspace.path().join("b").exists());
    }
}
