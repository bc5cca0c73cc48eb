//! Guests that misbehave, in a real run: it goes on, or ends with an error that names the plugin and the limit.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use orch_journal::Event;
use orch_journal::event::Ending;
use orch_tests::{Workspace, err, out};

/// Runs one hostile executor beside an honest one; gives how the hostile task ended.
fn execute(name: &str) -> (Ending, Vec<Event>) {
    let workspace = Workspace::new("- {id: bad, kind: hostile, priority: 9}\n- {id: good, kind: note}\n");
    let root = workspace.admit_hostile(name);
    let config = workspace
        .read("config.yaml")
        .replace("executors: {", &format!("executors: {{hostile: demo/{name}, "));
    workspace.write("config.yaml", &config);
    let output = workspace
        .command(&["run", "--trust-workspace", "--plugins", root.to_str().unwrap()])
        .output()
        .unwrap();
    assert!(matches!(output.status.code(), Some(0 | 1)), "{name}: {}", err(&output));
    assert_eq!(workspace.statuses()["good"], "done", "{name}: the run goes on");
    let events = workspace.events();
    let ended = events.iter().find_map(|event| match event {
        Event::AttemptFinished(finished) if finished.task == 0 => Some(finished.ending.clone()),
        _ => None,
    });
    (ended.unwrap(), events)
}

#[track_caller]
fn breaks(name: &str, code: &str) {
    match execute(name).0 {
        Ending::Broken { code: found, message } => {
            assert_eq!(found, code, "{name}: {message}");
            assert!(message.contains(&format!("demo/{name}")), "{name}: {message}");
        }
        other => panic!("{name} ended as {other:?}"),
    }
}

#[test]
fn executors_end_at_the_limit_that_they_hit() {
    breaks("loops-for-ever", "limit-busy");
    breaks("allocates-without-end", "limit-memory");
    breaks("calls-the-host-without-end", "limit-host-calls");
    breaks("returns-too-much", "limit-output");
    breaks("traps", "plugin-trap");
}

#[test]
fn a_log_without_end_is_cut_and_the_run_says_so() {
    let (ending, events) = execute("logs-without-end");
    assert!(matches!(ending, Ending::Done { .. }), "{ending:?}");
    assert!(events.iter().any(|event| matches!(event, Event::Warned { code, .. } if code == "log-cut")));
}

/// A workspace whose executor, and verifier, reports as much as one call may; what `run` says, and the bytes of its store.
fn report_without_end(tasks: &str, roles: &str, exit: i32) -> (Workspace, String, u64) {
    let workspace = Workspace::new(tasks);
    let name = "demo/reports-without-end";
    let root = workspace.admit_hostile("reports-without-end");
    let config =
        workspace.read("config.yaml").replace("executors: {", &format!("executors: {{hostile: {name}, "));
    workspace.write("config.yaml", &config.replace("roles:\n", &format!("roles:\n{roles}")));
    let output = workspace.run(&["--plugins", root.to_str().unwrap()], exit);
    let store = workspace.path().join(".orch");
    let files = std::fs::read_dir(store).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len());
    let bytes = files.sum();
    (workspace, out(&output) + &err(&output), bytes)
}

/// Of findings, and of metrics, that one plugin reports in a run.
const REPORTED_BYTES_MAX: u64 = 32 << 20;

#[test]
fn metrics_without_end_are_left_out_and_the_run_says_how_many() {
    let tasks: String =
        (0..8).map(|nth| format!("- {{id: m{nth}, kind: hostile, description: metrics}}\n")).collect();
    let (workspace, _, bytes) = report_without_end(&tasks, "", 0);
    // Rows are beside the events, and what was written goes through a log first.
    assert!(bytes < 3 * REPORTED_BYTES_MAX, "{bytes}");
    let said = |event: &Event| matches!(event, Event::Warned { code, text } if code == "metrics-cut" && text.starts_with("7000 metrics of `demo/reports-without-end` are not kept"));
    assert_eq!(workspace.events().iter().filter(|event| said(event)).count(), 1);
    workspace.host(&["audit", "verify"], 0);
}

#[test]
fn findings_without_end_are_their_plugins_fault_and_never_left_out() {
    let tasks: String =
        (0..8).map(|nth| format!("- {{id: f{nth}, kind: hostile, description: findings}}\n")).collect();
    let (workspace, said, bytes) = report_without_end(&format!("{tasks}- {{id: good, kind: note}}\n"), "", 1);
    assert!(bytes < 3 * REPORTED_BYTES_MAX, "{bytes}");
    let statuses = workspace.statuses();
    assert_eq!(statuses["good"], "done");
    let done = statuses.iter().filter(|(id, status)| id.starts_with('f') && *status == "done").count();
    assert_eq!(done, 1, "{statuses:?}");
    assert!(said.contains("used up its limit `findings` of 32 MiB in a run"), "{said}");
    // What counts is whole: a thousand findings of the call that had room, none of the others.
    let reader = workspace.reader();
    assert_eq!(reader.findings(&reader.runs().unwrap()[0].id).unwrap().len(), 1000);
    workspace.host(&["audit", "verify"], 0);
}

#[test]
fn values_written_again_and_again_end_at_what_a_run_keeps_of_one_plugin() {
    const KV_BYTES_MAX: u64 = 256 << 20;
    let tasks: String =
        (0..27).map(|nth| format!("- {{id: v{nth}, kind: hostile, description: values}}\n")).collect();
    let (workspace, said, bytes) = report_without_end(&format!("{tasks}- {{id: good, kind: note}}\n"), "", 1);
    // The values themselves are rows beside the events, and what was written goes through a log first.
    assert!(bytes < KV_BYTES_MAX + KV_BYTES_MAX / 2, "{bytes}");
    let statuses = workspace.statuses();
    assert_eq!(statuses["good"], "done");
    // Each is 8 MiB, a third more in base64.
    let done = statuses.iter().filter(|(id, status)| id.starts_with('v') && *status == "done").count();
    assert_eq!(done, 23, "{statuses:?}");
    assert!(said.contains("used up its limit `kv` of 256 MiB in a run"), "{said}");
    workspace.host(&["audit", "verify"], 0);
}

#[test]
fn a_verifier_whose_findings_have_no_room_ends_the_run_and_opens_no_gate() {
    let name = "demo/reports-without-end";
    let tasks = format!(
        "- {{id: a, kind: note, verify: [{name}]}}\n- {{id: b, kind: note, verify: [{name}], dependencies: [a]}}\n- {{id: c, kind: note, dependencies: [b]}}\n"
    );
    let (workspace, said, bytes) = report_without_end(&tasks, &format!("  verifiers: [{name}]\n"), 4);
    assert!(said.contains("code: limit-findings") && said.contains("hint: the run is kept"), "{said}");
    assert!(bytes < 3 * REPORTED_BYTES_MAX, "{bytes}");
    assert_ne!(workspace.statuses()["c"], "done");
}

#[track_caller]
fn ends_with(config: impl Fn(&str) -> String, name: &str, exit: i32, code: &str) -> Workspace {
    let workspace = Workspace::new("- {id: good, kind: note}\n");
    let root = workspace.admit_hostile(name);
    workspace.write("config.yaml", &config(&workspace.read("config.yaml")));
    let output = workspace.run(&["--plugins", root.to_str().unwrap()], exit);
    let said = err(&output) + &out(&output);
    assert!(said.contains(code) && said.contains(name), "{said}");
    workspace
}

#[test]
fn a_planner_that_waits_or_names_what_is_not_there_ends_the_run_and_the_run_is_kept() {
    for (name, code) in
        [("waits-for-ever", "code: planner-stalled"), ("names-no-task", "code: planner-answer")]
    {
        let bind = |config: &str| config.replace("demo/planner-priority", &format!("demo/{name}"));
        let workspace = ends_with(bind, name, 4, code);
        assert_eq!(workspace.statuses()["good"], "pending");
        // With an honest planner the same run goes on.
        let config = workspace.read("config.yaml").replace(&format!("demo/{name}"), "demo/planner-priority");
        workspace.write("config.yaml", &config);
        workspace.run(&[], 0);
        assert_eq!(workspace.reader().runs().unwrap().len(), 1);
    }
}

#[test]
fn a_reflector_without_the_kind_in_its_grant_runs_nothing() {
    // The operator would allow `shell`, so it is the manifest that has no `tasks.kinds: [shell]`; and the same command
    // in `tasks.yml` makes the file, so it is not the command that fails.
    let bind = |config: &str| format!("{config}  reflectors: [demo/asks-for-a-shell]\n");
    let workspace = ends_with(bind, "asks-for-a-shell", 4, "code: plugin-answer");
    assert!(!workspace.path().join("owned").exists());
    assert_eq!(workspace.statuses().len(), 1, "the task was not added");
    assert!(!workspace.read("tasks.yml").contains("innocent"));
    let started = workspace.events().iter().filter(|event| event.name() == "attempt_started").count();
    assert_eq!(started, 0, "the answer is refused as a whole, before anything starts");

    let own = Workspace::new("- {id: innocent, command: [python3, -c, \"open('owned', 'w')\"]}\n");
    own.run(&[], 0);
    assert!(own.path().join("owned").exists());
}

#[test]
fn a_plugin_does_not_see_what_another_keeps_under_the_same_label() {
    let tasks = "- {id: first, kind: keep}\n- {id: spy, kind: look, dependencies: [first]}\n- {id: second, kind: keep, dependencies: [spy]}\n";
    let workspace = Workspace::new(tasks);
    workspace.admit_hostile("keeps-a-secret");
    let root = workspace.admit_hostile("looks-for-secrets");
    let bound = "executors: {keep: demo/keeps-a-secret, look: demo/looks-for-secrets, ";
    workspace.write("config.yaml", &workspace.read("config.yaml").replace("executors: {", bound));
    let said = |workspace: &Workspace| -> Vec<String> {
        let endings = workspace.events().into_iter().filter_map(|event| match event {
            Event::AttemptFinished(finished) => Some(finished.ending),
            _ => None,
        });
        endings
            .map(|ending| if let Ending::Done { summary } = ending { summary } else { panic!("{ending:?}") })
            .collect()
    };
    let run = || workspace.run(&["--plugins", root.to_str().unwrap()], 0);
    run();
    // Within one run, where values are not in the store yet.
    let nothing = "secret: None, keys: [], opened: []";
    let keys = r#"keys: ["secret"]"#;
    let first = format!("kept before: None, {keys}");
    assert_eq!(
        said(&workspace),
        [first, nothing.to_owned(), format!("kept before: Some(\"of first\"), {keys}")]
    );
    // In the next run, where they come from the store.
    workspace.write("tasks.yml", "- {id: spy, kind: look}\n- {id: third, kind: keep, dependencies: [spy]}\n");
    run();
    assert_eq!(said(&workspace), [nothing.to_owned(), format!("kept before: Some(\"of second\"), {keys}")]);
}

#[test]
fn a_task_that_would_reach_an_executors_grant_waits_for_a_person() {
    let bind = |config: &str| format!("{config}  reflectors: [demo/asks-for-approval]\n");
    let workspace = ends_with(bind, "asks-for-approval", 6, "waits for you: wanted");
    assert!(!workspace.path().join("approved").exists());
    // What would run is shown whole, by whom it was asked for and by which plugin it would be done.
    let asks = out(&workspace.host(&["approvals", "list"], 0));
    for line in [
        "wanted  shell  by demo/asks-for-approval: a command",
        "  command      \"python3\" \"-c\" \"open('approved', 'w')\"",
        "  executor     demo/executor-shell",
        "  timeout      3600000 ms",
    ] {
        assert!(asks.lines().any(|found| found == line), "{line} in {asks}");
    }
    // A task file that says something else is a question, not an answer.
    let tasks = workspace.read("tasks.yml");
    workspace
        .write("tasks.yml", &tasks.replace("'approved'", "'other'").replace("\"approved\"", "\"other\""));
    assert_ne!(tasks, workspace.read("tasks.yml"), "{tasks}");
    let refused = err(&workspace.host(&["approvals", "approve", "wanted"], 2));
    assert!(refused.contains("code: task-differs") && refused.contains("in `command`"), "{refused}");
    assert_eq!(workspace.statuses()["wanted"], "waiting_approval");
    workspace.write("tasks.yml", &tasks);
    assert_eq!(asks, out(&workspace.host(&["approvals", "approve", "wanted"], 0)).replace(PENDING, ""));
    let root = workspace.outside().join("hostile");
    workspace.run(&["--plugins", root.to_str().unwrap()], 0);
    assert!(workspace.path().join("approved").exists());
    let approved = |event: &Event| matches!(event, Event::TaskApproved { digest, .. } if digest.len() == 64);
    assert_eq!(workspace.events().iter().filter(|event| approved(event)).count(), 1);
}

const PENDING: &str = "task wanted is pending now; `orch-host run` goes on with it\n";

#[test]
fn a_status_in_the_task_file_is_no_approval() {
    let bind = |config: &str| format!("{config}  reflectors: [demo/asks-for-approval]\n");
    let workspace = ends_with(bind, "asks-for-approval", 6, "waits for you: wanted");
    let root = workspace.outside().join("hostile");
    let asked = workspace.read("tasks.yml");
    assert!(asked.contains("status: waiting_approval"), "{asked}");
    for status in ["status: pending", "status: blocked", "status: in_progress, idempotent: true"] {
        // Without its store the run is a new one, and believes the task file in all but this.
        std::fs::remove_dir_all(workspace.path().join(".orch")).unwrap();
        workspace.write("tasks.yml", &asked.replace("status: waiting_approval", status));
        workspace.run(&["--plugins", root.to_str().unwrap()], 6);
        if status.contains("in_progress") {
            // Nobody knows how it ended; to let it run again is not to approve what it runs.
            assert_eq!(workspace.statuses()["wanted"], "in_doubt");
            let run = workspace.reader().runs().unwrap().first().unwrap().id.clone();
            workspace.host(&["resolve", &run, "wanted", "--as", "retry"], 0);
            workspace.run(&["--plugins", root.to_str().unwrap()], 6);
        }
        assert_eq!(workspace.statuses()["wanted"], "waiting_approval", "{status}");
        assert!(!workspace.path().join("approved").exists(), "{status}");
    }
    // Denied, and put back by a word that is meant for failed tasks.
    workspace.host(&["approvals", "deny", "wanted"], 0);
    workspace.host(&["task", "retry", "wanted"], 0);
    workspace.run(&["--plugins", root.to_str().unwrap()], 6);
    assert!(!workspace.path().join("approved").exists());
}

/// Settings that the guest asks for a task with, as JSON.
fn unkeepable() -> [String; 5] {
    [
        r#"{"status": "done"}"#.to_owned(),
        r#"{"added_by": "nobody"}"#.to_owned(),
        format!(r#"{{"x": {}1{}}}"#, "[".repeat(100), "]".repeat(100)),
        format!(r#"{{"{}": 1}}"#, "k".repeat(5_000)),
        // Within the limit as it is said, beyond it as it is written.
        format!(r#"{{"x": [{}1]}}"#, "1e9,".repeat(14_000)),
    ]
}

const UNKEEPABLE: &str = "asks-unkeepably";

fn bound_as(role: &str, settings: &str) -> (Workspace, String) {
    let workspace = Workspace::new("- {id: good, kind: note}\n");
    let root = workspace.admit_hostile(UNKEEPABLE).display().to_string();
    let config = workspace.read("config.yaml");
    let more =
        format!("  {role}: [demo/{UNKEEPABLE}]\nsettings: {{demo/{UNKEEPABLE}: {{text: '{settings}'}}}}\n");
    workspace.write("config.yaml", &(config + &more));
    (workspace, root)
}

#[test]
fn a_task_that_no_file_can_have_is_its_plugins_fault_and_the_workspace_gets_out() {
    for settings in unkeepable() {
        for role in ["reflectors", "auditors"] {
            let (workspace, root) = bound_as(role, &settings);
            let run = || workspace.run(&["--plugins", &root], 4);
            let said = err(&run());
            let names = said.contains("code: plugin-answer") && said.contains(UNKEEPABLE);
            assert!(names && said.contains("task"), "{role} {settings}: {said}");
            assert_eq!(err(&run()), said, "{role} {settings}: it is said again");
            assert_eq!(workspace.statuses().len(), 1, "{role} {settings}");
            let unbound =
                workspace.read("config.yaml").replace(&format!("  {role}: [demo/{UNKEEPABLE}]\n"), "");
            let (unbound, _) = unbound.split_once("settings:").unwrap();
            workspace.write("config.yaml", unbound);
            workspace.run(&[], 0);
            assert_eq!(
                workspace.read("tasks.yml"),
                "- {id: good, status: done, kind: note}\n",
                "{role} {settings}"
            );
        }
    }
}

#[test]
fn an_executor_that_asks_for_what_no_file_can_have_is_told_so() {
    let tasks = "- {id: bad, kind: hostile}\n";
    for (settings, said) in unkeepable()
        .map(|settings| (settings, "Err(Invalid"))
        .into_iter()
        .chain([(r#"{"run": "x"}"#.to_owned(), "Ok(")])
    {
        let (workspace, root) = bound_as("guards", &settings);
        let config = workspace.read("config.yaml").replace(&format!("  guards: [demo/{UNKEEPABLE}]\n"), "");
        let bound = format!("executors: {{hostile: demo/{UNKEEPABLE}, ");
        workspace.write("config.yaml", &config.replace("executors: {", &bound));
        workspace.write("tasks.yml", tasks);
        workspace.run(&["--plugins", &root], 0);
        let is_so = |event: &Event| matches!(event, Event::AttemptFinished(finished) if matches!(&finished.ending, Ending::Done { summary } if summary.starts_with(said)));
        assert_eq!(workspace.events().iter().filter(|event| is_so(event)).count(), 1, "{settings}");
        assert_eq!(workspace.statuses().len(), if said == "Ok(" { 2 } else { 1 }, "{settings}");
    }
}
