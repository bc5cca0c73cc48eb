//! A real project through plan, execute, verify and reflect, and everything that refuses it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail loudly")]

use std::process::Command;

use orch_tests::{Workspace, copy, err, out, packages, root};

#[test]
fn the_demo_project_goes_through_all_roles() {
    let workspace = Workspace::new("[]\n");
    copy(&root().join("xtask/demo/project"), &workspace.path());
    let output = workspace.run(&[], 1);
    assert!(out(&output).contains("equals your own authority"), "{}", out(&output));
    let statuses = workspace.statuses();
    assert_eq!(statuses["test-totals"], "failed");
    assert_eq!(statuses.values().filter(|status| *status == "done").count(), 6, "{statuses:?}");
    let tasks = workspace.read("tasks.yml");
    assert!(
        tasks.contains("# independent of the tests") && tasks.contains("added_by: demo/reflector-complexity"),
        "{tasks}"
    );
    assert!(tasks.contains("  - id: stamp\n    status: done\n"), "{tasks}");
    assert_eq!(workspace.read("RELEASES"), "release 1\n");
    let run = workspace.reader().runs().unwrap()[0].id.clone();
    let findings = workspace.reader().findings(&run).unwrap();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0].location.as_deref(), Some("ledger/totals.py:16"));
    let log = out(&workspace.host(&["logs", "test-totals"], 0));
    assert!(log.contains("ZeroDivisionError"), "{log}");
    workspace.host(&["audit", "verify"], 0);
    workspace.host(&["db", "check"], 0);
    let report = out(&workspace.host(&["report", "--format", "markdown"], 0));
    assert!(report.contains("| test-totals | failed | shell |"), "{report}");

    // A person mends it, tries it again, and the findings are those of the last look.
    let totals = workspace
        .read("ledger/totals.py")
        .replace("return sum(", "return entries and sum(")
        .replace("len(entries)", "len(entries) or 0");
    workspace.write("ledger/totals.py", &totals);
    workspace.host(&["task", "retry", "test-totals"], 0);
    workspace.run(&[], 0);
    assert_eq!(workspace.statuses()["test-totals"], "done");
    let findings = workspace.reader().findings(&run).unwrap();
    assert!(findings.iter().all(|finding| finding.resolved), "{findings:?}");
    assert_eq!(workspace.read("RELEASES"), "release 1\n", "what was done is not done again");
}

#[test]
fn one_byte_more_in_any_component_refuses_also_when_nothing_is_left_to_do() {
    let workspace = Workspace::new("- {id: a, kind: note}\n");
    workspace.run(&[], 0);
    let mine = workspace.outside().join("packages");
    copy(&packages(), &mine);
    for plugin in ["planner-priority", "executor-shell", "executor-note"] {
        let component = mine.join(format!("demo/{plugin}/0.1.0/component.wasm"));
        let good = std::fs::read(&component).unwrap();
        std::fs::write(&component, [&good[..], b"x"].concat()).unwrap();
        let output = workspace.run(&["--plugins", mine.to_str().unwrap()], 3);
        assert!(err(&output).contains("code: digest-mismatch"), "{}", err(&output));
        std::fs::write(&component, good).unwrap();
    }
    workspace.run(&["--plugins", mine.to_str().unwrap()], 0);
}

#[test]
fn a_workspace_must_be_known_and_cannot_widen() {
    let workspace = Workspace::new("[]\n");
    let output = workspace.host(&["run"], 2);
    assert!(err(&output).contains("code: workspace-unknown"), "{}", err(&output));
    workspace.host(&["init", "."], 0);
    workspace.host(&["run"], 0);
    for key in ["policy", "trust", "grant", "allow", "packages"] {
        workspace.write("config.yaml", &format!("{key}: {{}}\n"));
        let output = workspace.run(&[], 2);
        assert!(err(&output).contains("code: workspace-widens"), "{key}: {}", err(&output));
    }
}

#[test]
fn an_unapproved_plugin_needs_a_decision_and_a_store_from_elsewhere_is_refused() {
    let workspace = Workspace::new("- {id: a, kind: note}\n");
    workspace.run(&[], 0);
    let approval = workspace.operator().join("approvals/demo.executor-note.json");
    std::fs::remove_file(&approval).unwrap();
    let output = workspace.run(&[], 6);
    assert!(err(&output).contains("code: approval-missing"), "{}", err(&output));
    workspace.host(&["plugin", "approve", "demo/executor-note"], 0);
    workspace.run(&[], 0);
    // Another host: another secret.
    std::fs::remove_file(workspace.operator().join("secret")).unwrap();
    let output = workspace.run(&[], 2);
    assert!(err(&output).contains("code: store-foreign"), "{}", err(&output));
}

#[test]
fn bad_task_files_are_refused_by_name_and_nothing_changes() {
    let cases: [(&[u8], &str); 12] = [
        (b"", "task-file-empty"),
        (b"# nothing to do\n", "task-file-empty"),
        (b"- {id: a, cmd: make}\n", "task-unknown-key"),
        (b"- {id: a", "task-file-syntax"),
        (b"- {id: a}\n- {id: a}\n", "task-duplicate-id"),
        (b"- {id: a, dependencies: [b]}\n", "task-unknown-dependency"),
        (b"- {id: a, dependencies: [b]}\n- {id: b, dependencies: [a]}\n", "task-cycle"),
        (b"- {description: x}\n", "task-without-id"),
        (b"- {id: \xff}\n", "task-file-not-utf8"),
        (b"- {id: a, status: ready}\n", "task-unknown-status"),
        (b"- {id: a, kind: nobody}\n", "no-executor"),
        (b"- {id: a, verify: [demo/nobody]}\n", "no-verifier"),
    ];
    for (text, code) in cases {
        let workspace = Workspace::new("");
        std::fs::write(workspace.path().join("tasks.yml"), text).unwrap();
        let output = workspace.run(&[], 2);
        assert!(err(&output).contains(&format!("code: {code}\n")), "{code}: {}", err(&output));
        assert_eq!(std::fs::read(workspace.path().join("tasks.yml")).unwrap(), text);
    }
    let workspace = Workspace::new("");
    std::fs::remove_file(workspace.path().join("tasks.yml")).unwrap();
    assert!(err(&workspace.run(&[], 2)).contains("code: task-file-missing"));
}

#[test]
fn programs_that_the_grant_does_not_name_are_denied() {
    for program in ["ls", "/bin/cat"] {
        let workspace = Workspace::new(&format!("- {{id: a, command: [{program}, /]}}\n"));
        let said = err(&workspace.run(&[], 3));
        assert!(
            said.contains("code: program-not-granted\n") && said.contains(&format!("`{program}`")),
            "{said}"
        );
        assert!(!workspace.path().join(".orch").exists());
        // What nobody knows before it is asked for is denied then.
        let workspace = Workspace::new("[]\n");
        let config = workspace.read("config.yaml");
        let check = format!("{{name: a, category: test, command: [{program}, /]}}");
        let verifier = format!(
            "  verifiers: [demo/verifier-command]\nsettings: {{demo/verifier-command: {{checks: [{check}]}}}}\n"
        );
        workspace.write("config.yaml", &(config + &verifier));
        workspace.run(&[], 1);
        let denied = workspace.events().iter().filter(|event| event.name() == "denied").count();
        assert_eq!(denied, 1);
    }
}

#[test]
fn the_highest_priority_goes_first_and_a_budget_ends_the_run_with_one_warning() {
    let tasks = "- {id: low, kind: note, priority: 1}\n- {id: high, kind: note, priority: 9}\n- {id: mid, kind: note, priority: 5}\n- {id: dear, kind: note, priority: 99, cost: 50}\n";
    let workspace = Workspace::new(tasks);
    let config = workspace.read("config.yaml");
    workspace.write("config.yaml", &format!("{config}budget: {{limit: 2, warn_at: 0.5}}\n"));
    workspace.run(&["--jobs", "1"], 1);
    let events = workspace.events();
    let started: Vec<u32> = events
        .iter()
        .filter_map(|event| match event {
            orch_journal::Event::AttemptStarted { task, .. } => Some(*task),
            _ => None,
        })
        .collect();
    assert_eq!(started, [1, 2]);
    assert_eq!(events.iter().filter(|event| event.name() == "budget_warned").count(), 1);
}

#[test]
fn a_full_disk_ends_the_run_with_what_is_durable_and_the_next_one_goes_on() {
    let description = "x".repeat(400);
    let tasks: String =
        (0..600).map(|task| format!("- {{id: t{task}, kind: note, description: {description}}}\n")).collect();
    let workspace = Workspace::new(&tasks);
    let host = workspace.command(&["run", "--trust-workspace", "--jobs", "1"]);
    // A limit on the size of files is what a full disk is for the store; the signal that comes with it is ignored.
    let mut limited = Command::new("sh");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 1024; exec \"$0\" \"$@\""]).arg(host.get_program());
    limited.args(host.get_args()).current_dir(workspace.path());
    let output = limited.output().unwrap();
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    // The reason is the limit, and no disk.
    let said = err(&output);
    assert!(said.contains("`ulimit -f unlimited`") && !said.contains("full disk"), "{said}");
    let done = workspace.statuses().values().filter(|status| *status == "done").count();
    assert!(done < 600);
    workspace.run(&[], 0);
    assert!(workspace.statuses().values().all(|status| status == "done"));
}

#[test]
fn a_store_that_was_removed_is_said_at_run_and_is_a_fault_of_the_audit() {
    let workspace = Workspace::new("- {id: one, kind: note}\n");
    workspace.run(&[], 0);
    workspace.host(&["audit", "verify"], 0);
    std::fs::remove_dir_all(workspace.path().join(".orch")).unwrap();
    assert!(out(&workspace.host(&["audit", "verify"], 5)).contains("journal-missing: run `"));
    assert!(err(&workspace.run(&[], 0)).contains("warning: the store is gone: run `"));
    // Nor does a new store make it good.
    assert!(out(&workspace.host(&["audit", "verify"], 5)).contains("journal-missing: run `"));
    assert!(!err(&workspace.run(&[], 0)).contains("the store is gone"), "it is there now");
}

#[test]
fn a_package_is_added_without_a_terminal_by_the_digest_that_was_looked_at() {
    let workspace = Workspace::new("- {id: one, kind: note}\n");
    let package = packages().join("demo/executor-note/0.1.0");
    let folder = package.to_str().unwrap();
    workspace.host(&["plugin", "add", folder, "--yes", &"0".repeat(64)], 6);
    assert!(!workspace.operator().join("packages/demo").exists());
    let manifest = std::fs::read(package.join("manifest.json")).unwrap();
    let digest = orch_trust::digest::Sha256Digest::of(&manifest).to_string();
    // The approval of before was for a newer version.
    let approval = workspace.operator().join("approvals/demo.executor-note.json");
    let newer = std::fs::read_to_string(&approval).unwrap().replace("0.1.0", "0.2.0");
    std::fs::write(&approval, newer).unwrap();
    let refused = err(&workspace.host(&["plugin", "add", folder, "--yes", &digest], 3));
    assert!(refused.contains("code: rollback"), "{refused}");
    workspace.host(&["plugin", "add", folder, "--yes", &digest, "--allow-rollback"], 0);
    assert!(workspace.operator().join("packages/demo/executor-note/0.1.0/component.wasm").exists());
    assert!(workspace.read("orch.lock").contains("demo/executor-note"));
}

#[test]
fn a_key_that_nobody_would_read_is_refused_and_a_setting_goes_to_its_executor() {
    for key in ["comand", "run", "needs"] {
        let workspace = Workspace::new(&format!("- {{id: a, {key}: [make]}}\n"));
        let output = workspace.run(&[], 2);
        assert!(err(&output).contains("code: task-unknown-key"), "{}", err(&output));
        assert!(err(&output).contains(&format!("a task has no key `{key}`: ")), "{}", err(&output));
    }
    let output = Workspace::new("- {id: b, color: red, kind: note}\n").run(&[], 2);
    assert!(
        err(&output).contains("which neither the host nor `demo/executor-note` reads"),
        "{}",
        err(&output)
    );
    Workspace::new("- {id: b, command: ['true'], retry_on: true}\n").run(&[], 0);
}

#[test]
fn a_task_of_the_shell_without_a_command_only_joins_others() {
    let workspace = Workspace::new("- {id: a, retry_on: true}\n- {id: b}\n- {id: c, dependencies: [b]}\n");
    let output = workspace.run(&["--jobs", "1"], 1);
    assert!(out(&output).contains("task has no `command`, and nothing ran"), "{}", out(&output));
    let statuses = workspace.statuses();
    assert_eq!(["a", "b", "c"].map(|id| statuses[id].as_str()), ["failed", "done", "done"]);
}

#[test]
fn too_few_open_files_are_said_at_once() {
    let workspace = Workspace::new("[]\n");
    let host = workspace.command(&["run", "--trust-workspace"]);
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -n 8; exec \"$0\" \"$@\""]).arg(host.get_program()).args(host.get_args());
    let output = limited.current_dir(workspace.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    assert!(err(&output).contains("may open 8 files, expected at least 64"), "{}", err(&output));
}

#[test]
fn what_an_auditor_asks_for_at_the_end_is_done_in_the_same_run() {
    let workspace = Workspace::new("- {id: a, command: [\"true\"]}\n");
    let more = "  auditors: [demo/auditor-files]\nsettings: {demo/auditor-files: {lines_max: 3}}\n";
    workspace.write("config.yaml", &(workspace.read("config.yaml") + more));
    workspace.write("x.py", "a\nb\nc\nd\n");
    workspace.run(&[], 0);
    let statuses = workspace.statuses();
    assert_eq!(statuses.len(), 2, "{statuses:?}");
    assert!(statuses.values().all(|status| status == "done"), "{statuses:?}");
    assert_eq!(workspace.reader().runs().unwrap().len(), 1);
}
