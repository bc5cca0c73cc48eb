//! S0's diagram: one task at a time, and every change of a status is saved before the next step.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail loudly")]

use orch_journal::Event;
use orch_tests::Workspace;

/// The diagram's name of what an event is, written by hand from the diagram.
fn step(event: &Event) -> Option<String> {
    Some(match event {
        Event::TasksAdded { tasks, .. } if tasks.iter().all(|task| task.added_by.is_none()) => {
            "load tasks".to_owned()
        }
        Event::TasksAdded { .. } => "new tasks".to_owned(),
        Event::CallStarted { call, .. } if call == "reflect" => "reflect".to_owned(),
        Event::CallStarted { call, .. } if call == "audit" => "audit".to_owned(),
        Event::TasksSaved { why, .. } if why != "read" => format!("save {why}"),
        Event::Decided { decision: orch_journal::event::Decision::Start(_), .. } => "plan".to_owned(),
        Event::AttemptStarted { .. } => "mark in_progress".to_owned(),
        Event::AttemptFinished(_) => "mark finished".to_owned(),
        _ => return None,
    })
}

#[test]
fn the_order_is_that_of_the_diagram() {
    let workspace =
        Workspace::new("- {id: a, command: [python3, look.py], priority: 2}\n- {id: b, kind: note}\n");
    // What the task itself sees on disk while it runs.
    workspace.write("look.py", "print(open('tasks.yml').read())\n");
    let complex = "def f(a):\n".to_owned() + &"    if a: a = 1\n".repeat(12);
    workspace.write("complex.py", &complex);
    let config = workspace.read("config.yaml");
    workspace.write(
        "config.yaml",
        &format!("{config}  reflectors: [demo/reflector-complexity]\n  auditors: [demo/auditor-files]\n"),
    );
    workspace.run(&["--jobs", "1", "--audit", "every-completion"], 0);
    let steps: Vec<String> = workspace.events().iter().filter_map(step).collect();
    let task = ["plan", "mark in_progress", "save in_progress", "mark finished", "save finished", "audit"];
    let expected: Vec<&str> = ["load tasks", "reflect", "new tasks", "save reflected"]
        .into_iter()
        .chain(task)
        .chain(task)
        .chain(task)
        .collect();
    assert_eq!(steps, expected);
    let logs: Vec<_> = std::fs::read_dir(workspace.path().join("logs"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let seen = logs.iter().find(|path| path.to_string_lossy().contains("task-a-")).unwrap();
    assert!(std::fs::read_to_string(seen).unwrap().contains("id: a, status: in_progress"));
}
