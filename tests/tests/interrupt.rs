//! A run that a person interrupts: what runs ends first, a second word ends it, and the next run goes on.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail loudly")]

use std::process::Stdio;

use orch_tests::hears::Hears;
use orch_tests::{Workspace, until};
use rustix::process::Signal;

/// Interrupts a run during its first task with that signal; gives what standard error says at the end.
fn interrupted(signal: Signal) -> (Workspace, String) {
    let workspace = Workspace::new(
        "- {id: a, command: [sh, -c, 'touch begun; until test -e go; do sleep 0.05; done']}\n\
         - {id: b, command: [sh, -c, 'touch b'], dependencies: [a]}\n",
    );
    let mut host = workspace.command(&["run", "--trust-workspace"]);
    let mut host = host.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let hears = Hears::to(&mut host);
    until(|| workspace.path().join("begun").exists());
    hears.interrupt(signal);
    assert!(host.try_wait().unwrap().is_none(), "the task that runs is let end");
    workspace.write("go", "");
    let said = hears.end();
    assert_eq!(host.wait().unwrap().code(), Some(130), "{said}");
    (workspace, said)
}

#[test]
fn a_first_signal_lets_tasks_end_says_so_and_the_next_run_goes_on() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let (workspace, said) = interrupted(signal);
        assert!(said.contains("running tasks end first; a second interrupt ends them"), "{signal:?}: {said}");
        let statuses = workspace.statuses();
        assert_eq!(
            statuses.values().map(String::as_str).collect::<Vec<_>>(),
            ["done", "pending"],
            "{signal:?}"
        );
        workspace.run(&[], 0);
        assert!(workspace.path().join("b").exists());
    }
}
