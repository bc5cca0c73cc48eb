//! Guards: asked before a task starts; what they say holds, and what they cannot say holds the task up.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use orch_journal::Event;
use orch_journal::event::Change;
use orch_task::Status;
use orch_tests::{Workspace, out};

fn guarded(key: &str) -> (Workspace, String) {
    let tasks = "- {id: allow, kind: note}\n- {id: refuse, kind: note}\n- {id: escalate, kind: note}\n\
                 - {id: fail, kind: note}\n- {id: after, kind: note, dependencies: [refuse]}\n";
    let workspace = Workspace::new(tasks);
    let root = workspace.admit_hostile("judges-by-id").to_str().unwrap().to_owned();
    let bound = format!("roles:\n  guards: {{'{key}': demo/judges-by-id}}\n");
    let config = workspace.read("config.yaml").replacen("roles:\n", &bound, 1);
    workspace.write("config.yaml", &config);
    (workspace, root)
}

fn moved(events: &[Event], wanted: u32) -> Vec<String> {
    let why = |event: &Event| match event {
        Event::TaskMoved { task, why, .. } if *task == wanted => Some(why.clone()),
        _ => None,
    };
    events.iter().filter_map(why).collect()
}

#[test]
fn a_guard_lets_pass_holds_up_or_ends_and_a_person_decides_what_it_escalates() {
    for key in ["note", "*"] {
        let (workspace, root) = guarded(key);
        workspace.run(&["--plugins", &root], 6);
        let statuses = workspace.statuses();
        for (task, status) in [
            ("allow", "done"),
            ("refuse", "failed"),
            ("escalate", "waiting_approval"),
            ("fail", "waiting_approval"),
        ] {
            assert_eq!(statuses[task], status, "{task}");
        }
        assert_ne!(statuses["after"], "done");
        let events = workspace.events();
        assert_eq!(moved(&events, 1), ["guard `demo/judges-by-id` refused it: too dangerous"]);
        assert_eq!(moved(&events, 2), ["guard `demo/judges-by-id` asks (high risk): somebody should look"]);
        assert_eq!(moved(&events, 3), ["guard `demo/judges-by-id` could not judge it"]);
        let begun = |event: &Event| matches!(event, Event::AttemptStarted { task, .. } if *task != 0);
        assert!(!events.iter().any(begun), "nothing begins that a guard holds up");

        let listed = out(&workspace.host(&["approvals", "list"], 0));
        assert!(listed.contains("escalate"), "{listed}");
        workspace.host(&["approvals", "approve", "escalate"], 0);
        workspace.run(&["--plugins", &root], 6);
        assert_eq!(workspace.statuses()["escalate"], "done", "a person's yes outweighs what was escalated");
        workspace.host(&["approvals", "approve", "fail"], 0);
        workspace.run(&["--plugins", &root], 1);
        assert_eq!(workspace.statuses()["fail"], "done");
    }
}

#[test]
fn what_a_guard_holds_up_costs_nothing_and_leaves_its_slot_to_others() {
    let tasks = "- {id: refuse, kind: note, cost: 5, priority: 9}\n- {id: escalate, kind: note, cost: 5, priority: 8}\n\
                 - {id: allow, kind: note, cost: 5}\n";
    let (workspace, root) = guarded("note");
    workspace.write("tasks.yml", tasks);
    let config = workspace.read("config.yaml") + "budget: {limit: 5}\n";
    workspace.write("config.yaml", &config);
    workspace.run(&["--plugins", &root, "--jobs", "1"], 6);
    let statuses = workspace.statuses();
    assert_eq!((&*statuses["refuse"], &*statuses["escalate"]), ("failed", "waiting_approval"));
    assert_eq!(statuses["allow"], "done");
    let held = |event: &Event| match event {
        Event::Observed { changes } => changes.contains(&Change::Finished(0, Status::Failed)),
        _ => false,
    };
    assert!(workspace.events().iter().any(held), "the planner hears that what it started is over");
}

#[test]
fn a_kind_without_a_guard_starts_unjudged() {
    let (workspace, root) = guarded("shell");
    workspace.run(&["--plugins", &root], 0);
    assert!(workspace.statuses().values().all(|status| status == "done"));
    assert!(!workspace.events().iter().any(|event| matches!(event, Event::CallStarted { .. })));
}
