//! Settings of plugins and keys of tasks: what nobody reads, and what a schema refuses, ends a run before its first task.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use orch_tests::{Workspace, err, out};

const ROLES: &str = "\
roles:
  planner: demo/planner-priority
  executors: {shell: demo/executor-shell, note: demo/executor-note}
  reflectors: [demo/reflector-complexity]
  auditors: [demo/auditor-files]
  verifiers: [demo/verifier-command]
settings:
";
const CHECKS: &str =
    "  demo/verifier-command:\n    checks:\n      - {name: look, category: test, command: ['true']}\n";
const ONE: &str = "- {id: a, command: [sh, -c, 'touch begun']}\n";

/// Runs it, and as a trial; neither starts anything, and both say the same.
#[track_caller]
fn refused(workspace: &Workspace, parts: &[&str]) {
    for args in [&["--dry-run"][..], &[]] {
        let said = err(&workspace.run(args, 2));
        for part in parts {
            assert!(said.contains(part), "{args:?} {part}: {said}");
        }
    }
    if parts.iter().any(|part| part.contains("settings")) {
        let said = out(&workspace.host(&["doctor", "--workspace", "."], 1));
        let parts = parts.iter().filter(|part| !part.contains("code: ") && !part.contains("hint: "));
        for part in parts {
            assert!(said.contains(part), "doctor, {part}: {said}");
        }
    }
    assert!(!workspace.path().join("begun").exists());
    assert!(!workspace.path().join(".orch").exists(), "no run begins");
}

#[test]
fn settings_that_a_schema_refuses_end_the_run_before_its_first_task_and_name_file_line_key_and_what_was_meant()
 {
    for (settings, parts) in [
        // Of each plugin that has settings: a slip, and a value that cannot be.
        (
            "  demo/verifier-command:\n    cheks: []\n",
            &["line 9", "at `cheks`", "the nearest is `checks`"][..],
        ),
        ("  demo/verifier-command: {}\n", &["`checks` is missing"]),
        (
            "  demo/verifier-command:\n    checks:\n      - name: look\n        category: test\n        comand: [x]\n",
            &["line 12", "at `checks[0].comand`", "the nearest is `command`"],
        ),
        (
            "  demo/verifier-command:\n    checks:\n      - {name: look, category: speed, command: [x]}\n",
            &["line 10", "at `checks[0].category`", "`\"speed\"` is not one of"],
        ),
        (
            "  demo/verifier-command:\n    checks:\n      - {name: look, category: test, command: [x], format: xml}\n",
            &["line 10", "at `checks[0].format`"],
        ),
        ("  demo/auditor-files: {line_max: 3}\n", &["line 8", "at `line_max`", "the nearest is `lines_max`"]),
        (
            "  demo/auditor-files:\n    limit: 101\n",
            &["line 9", "at `limit`", "`101` is greater than the maximum of 100"],
        ),
        ("  demo/reflector-complexity: {treshold: 3}\n", &["at `treshold`", "the nearest is `threshold`"]),
        (
            "  demo/reflector-complexity: {threshold: [3]}\n",
            &["at `threshold`", "is not of type \"integer\""],
        ),
        ("  demo/planner-priority: {over_budget: pray}\n", &["at `over_budget`", "is not one of"]),
        (
            "  demo/planner-priority: {overbudget: skip}\n",
            &["at `overbudget`", "the nearest is `over_budget`"],
        ),
    ] {
        let workspace = Workspace::new(ONE);
        let checks = if settings.contains("verifier-command") { "" } else { CHECKS };
        workspace.write("config.yaml", &format!("{ROLES}{settings}{checks}"));
        refused(&workspace, &[&["code: plugin-settings", "`config.yaml`", "hint: "], parts].concat());
    }
    // A plugin that cannot do without settings is asked before the first task as well.
    let workspace = Workspace::new(ONE);
    workspace.write("config.yaml", &format!("{ROLES}  demo/auditor-files: {{}}\n"));
    refused(&workspace, &["code: plugin-settings", "`demo/verifier-command`", "`checks` is missing"]);
}

#[test]
fn settings_that_nobody_reads_are_refused_by_name() {
    for (settings, parts) in [
        (
            "  demo/auditor-fils: {}\n",
            &["line 8", "`demo/auditor-fils`", "binds nowhere", "`demo/auditor-files`"][..],
        ),
        ("  demo/unbound: {a: 1}\n", &["`demo/unbound`", "binds nowhere"]),
        (
            "  demo/executor-shell: {shell: bash}\n",
            &["`demo/executor-shell`", "its manifest does not ask for `settings`"],
        ),
        ("  \"a\\u001b[2Kb\": {}\n", &["a\\u{1b}[2Kb"]),
    ] {
        let workspace = Workspace::new(ONE);
        workspace.write("config.yaml", &format!("{ROLES}{settings}{CHECKS}"));
        refused(&workspace, &[&["code: settings-unread"], parts].concat());
    }
}

#[test]
fn a_narrowing_of_what_is_bound_nowhere_is_refused_by_name() {
    for (narrow, parts) in [
        (
            "narrow: {demo/executor-shel: {process: {programs: []}}}\n",
            &["`demo/executor-shel`", "binds nowhere", "`demo/executor-shell`"][..],
        ),
        ("narrow:\n  demo/unbound: {}\n", &["line 12", "`demo/unbound`", "binds nowhere"]),
    ] {
        let workspace = Workspace::new(ONE);
        workspace.write("config.yaml", &format!("{ROLES}{CHECKS}{narrow}"));
        refused(&workspace, &[&["code: narrow-unread", "hint: "], parts].concat());
    }
}

/// Of what the operator allows, only what is named is less.
#[test]
fn what_a_narrowing_does_not_name_stays() {
    for (narrow, exit) in [("{}", 0), ("{log: {}}", 0), ("{process: {programs: []}}", 3)] {
        let workspace = Workspace::new(ONE);
        let narrow = format!("narrow: {{demo/executor-shell: {narrow}}}\n");
        workspace.write("config.yaml", &format!("{ROLES}{CHECKS}{narrow}"));
        workspace.run(&[], exit);
    }
}

#[test]
fn what_is_not_written_has_the_schemas_default_and_what_is_counts() {
    let workspace = Workspace::new("- {id: a, kind: note}\n");
    workspace.write("config.yaml", &format!("{ROLES}  demo/auditor-files: {{lines_max: 3}}\n{CHECKS}"));
    workspace.write("x.py", "a = 1\nb = 2\nc = 3\nd = 4\n");
    workspace.run(&[], 0);
    assert_eq!(workspace.statuses().keys().collect::<Vec<_>>(), ["a", "split-x.py"]);
}

#[test]
fn a_key_of_a_task_that_its_executors_schema_refuses_ends_the_run_before_its_first_task() {
    for (key, parts) in [
        (
            "retry_on: all",
            &["`retry_on` of task `b`", "`\"all\"` is not what it may be: true, false, or a list"][..],
        ),
        ("retry_on: [0]", &["`retry_on` of task `b`", "exit codes from 1 to 255"]),
        ("retry_on: [256]", &["`retry_on` of task `b`", "exit codes from 1 to 255"]),
        ("directory: 7", &["`directory` of task `b`", "`7` is not of type \"string\""]),
    ] {
        let task = format!("- {{id: b, command: [sh, -c, 'touch begun'], {key}}}\n");
        let workspace = Workspace::new(&format!("{ONE}{task}"));
        refused(&workspace, &[&["code: task-settings", "`demo/executor-shell`", "hint: "], parts].concat());
    }
    let taken = "- {id: b, command: ['true'], retry_on: [1, 255], directory: ''}\n";
    Workspace::new(taken).run(&[], 0);
}

#[test]
fn a_key_of_a_task_that_its_executor_does_not_read_ends_the_run_before_its_first_task() {
    for (key, parts) in [
        ("directry: src", &["`directry`", "`demo/executor-shell`", "the nearest is `directory`"][..]),
        ("color: red", &["`color`", "that plugin reads `directory`, `retry_on`"]),
        ("kind: note, directory: src", &["`directory`", "`demo/executor-note`", "reads no keys of its own"]),
    ] {
        let command = if key.contains("note") { "" } else { "command: [sh, -c, 'touch begun'], " };
        let workspace = Workspace::new(&format!("{ONE}- {{id: b, {command}{key}}}\n"));
        refused(&workspace, &[&["code: task-unknown-key", "task `b`", "hint: "], parts].concat());
    }
}
