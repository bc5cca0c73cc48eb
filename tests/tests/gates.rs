//! Gates: whatever keeps a verifier or a guard from answering leaves its subject unverified or held up.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use orch_journal::Event;
use orch_tests::hears::Hears;
use orch_tests::{Workspace, err, out, until};
use rustix::process::Signal;

const ROLES: &str = "\
roles:
  planner: demo/planner-priority
  executors: {shell: demo/executor-shell, note: demo/executor-note}
  verifiers: [demo/verifier-command]
";
pub(crate) const AT_A_TASK: &str = "- {id: a, command: ['true'], verify: [demo/verifier-command]}\n- {id: behind, command: [sh, -c, 'touch behind'], dependencies: [a]}\n";
pub(crate) const AT_THE_RUN: &str = "- {id: a, command: ['true']}\n";

pub(crate) fn config(check: &str) -> String {
    format!(
        "{ROLES}settings:\n  demo/verifier-command: {{checks: [{{name: look, category: test, {check}}}]}}\n"
    )
}

/// Whether something of the run is unverified, and the gate of the task shut.
#[track_caller]
fn is_shut(workspace: &Workspace, way: &str, at_a_task: bool) {
    let said: serde_json::Value =
        serde_json::from_slice(&workspace.host(&["status", "--format", "json"], 0).stdout).unwrap();
    let unverified = said["unverified"].as_array().unwrap();
    assert_eq!(unverified.len(), 1, "{way}: {said}");
    let expected: serde_json::Value = if at_a_task { "a".into() } else { serde_json::Value::Null };
    assert_eq!(unverified[0]["task"], expected, "{way}: {said}");
    assert!(!workspace.path().join("behind").exists(), "{way}");
    assert_eq!(workspace.statuses()["a"], "done", "{way}");
}

/// A program of the operator's own, which policy lets the verifier run by its path.
fn tool(workspace: &Workspace) -> std::path::PathBuf {
    let tool = workspace.outside().join("tool");
    fs::write(&tool, "#!/bin/sh\nexit 0\n").unwrap();
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
    let policy = workspace.operator().join("policy.toml");
    let text = fs::read_to_string(&policy)
        .unwrap()
        .replace("[\"python3\",", &format!("[\"{}\", \"python3\",", tool.display()));
    fs::write(&policy, text).unwrap();
    tool
}

#[test]
fn a_check_that_ended_with_0_without_its_work_keeps_the_gate_shut() {
    const GREEN: &str = "<testsuite><testcase name=\"x\"/></testsuite>";
    let junit = |script: &str| format!("format: junit, report: 'r/*.xml', command: [sh, -c, \"{script}\"]");
    for (check, why) in [
        ("format: unittest, command: ['true']".to_owned(), "no line `Ran 3 tests in 0.1s`"),
        ("format: pytest, command: ['true']".to_owned(), "its last line, such as `3 passed in 0.1s`"),
        ("format: cargo-test, command: ['true']".to_owned(), "a line `test result: ok.` is not there"),
        (junit("for i in $(seq 501); do cp green r/$i.xml; done"), "1 of its reports were not read"),
        (junit("cp green r/1.xml"), "its report `r/old.xml` is the one that was there before"),
    ] {
        let workspace = Workspace::new(AT_A_TASK);
        workspace.write("config.yaml", &config(&check));
        workspace.write("green", GREEN);
        fs::create_dir(workspace.path().join("r")).unwrap();
        if why.contains("old") {
            workspace.write("r/old.xml", GREEN);
        }
        let text = out(&workspace.run(&[], 1));
        assert!(text.contains(why), "{check}: {text}");
        assert!(!workspace.path().join("behind").exists(), "{check}: {text}");
    }
}

type Spoil = fn(&Path, &Path);

/// Ways in which a check cannot run or its report not be read. What spoils it gets the workspace and the tool.
const WAYS: [(&str, &str, Spoil, &str); 11] = [
    (
        "no such program",
        "command: [no-such-program-at-all]",
        |_, _| {},
        "cannot run `no-such-program-at-all`",
    ),
    ("not granted", "command: [ls]", |_, _| {}, "program `ls` is not granted"),
    (
        "removed since it was granted",
        "command: [TOOL]",
        |_, tool| fs::remove_file(tool).unwrap(),
        "cannot run",
    ),
    (
        "not executable",
        "command: [TOOL]",
        |_, tool| fs::set_permissions(tool, fs::Permissions::from_mode(0o644)).unwrap(),
        "cannot run",
    ),
    (
        "no interpreter",
        "command: [TOOL]",
        |_, tool| fs::write(tool, "#!/no/such/interpreter\n").unwrap(),
        "cannot run",
    ),
    ("no program's bytes", "command: [TOOL]", |_, tool| fs::write(tool, [0; 64]).unwrap(), "cannot run"),
    ("no folder", "command: ['true'], directory: nowhere", |_, _| {}, "cannot run"),
    ("folder outside", "command: ['true'], directory: ..", |_, _| {}, "cannot run"),
    ("empty program", "command: ['']", |_, _| {}, "names no program"),
    ("no report of that form", "command: ['true'], report: r.xml", |_, _| {}, "cannot be read"),
    (
        "report not readable",
        "command: ['true'], format: junit, report: r.xml",
        |workspace, _| {
            fs::write(workspace.join("r.xml"), "<testsuite/>").unwrap();
            fs::set_permissions(workspace.join("r.xml"), fs::Permissions::from_mode(0o000)).unwrap();
        },
        "",
    ),
];

#[test]
fn whatever_keeps_a_check_from_running_leaves_its_subject_unverified_until_it_is_mended() {
    for (way, check, spoil, said) in WAYS {
        for at_a_task in [true, false] {
            let workspace = Workspace::new(if at_a_task { AT_A_TASK } else { AT_THE_RUN });
            let tool = tool(&workspace);
            workspace.write("config.yaml", &config(&check.replace("TOOL", &tool.display().to_string())));
            // Root reads whatever it likes.
            if way == "report not readable" && rustix::process::getuid().is_root() {
                continue;
            }
            spoil(&workspace.path(), &tool);
            let run = workspace.run(&[], 1);
            let text = out(&run);
            let name = if at_a_task { "a" } else { "the run" };
            assert!(
                text.contains(&format!("not verified: {name}, `demo/verifier-command` could not look")),
                "{way}: {text}"
            );
            assert!(text.contains(said), "{way}: {text}");
            is_shut(&workspace, way, at_a_task);
            workspace.write("config.yaml", &config("command: ['true']"));
            workspace.run(&[], 0);
            assert_eq!(workspace.path().join("behind").exists(), at_a_task, "{way}");
        }
    }
}

#[test]
fn one_check_that_cannot_run_keeps_no_other_from_running_and_what_they_found_is_said() {
    let workspace = Workspace::new(AT_A_TASK);
    let checks = "[{name: gone, category: test, command: [no-such-program]}, {name: fails, category: test, command: ['false']}, \
                  {name: lost, category: lint, command: [no-such-linter]}]";
    workspace
        .write("config.yaml", &format!("{ROLES}settings:\n  demo/verifier-command: {{checks: {checks}}}\n"));
    workspace.run(&[], 1);
    // Lines on a screen are cut.
    let report = workspace.host(&["report", "--format", "json"], 0).stdout;
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    let why = report["unverified"][0]["why"].as_str().unwrap();
    for part in
        ["check `gone`: cannot run", "check `lost`: cannot run", "; the other checks found 1; fails: "]
    {
        assert!(why.contains(part), "{part}: {why}");
    }
    is_shut(&workspace, "two of three", true);
}

/// A workspace whose verifier or guard does not answer in that way.
fn silent(role: &str, how: &str, tasks: &str) -> (Workspace, String) {
    let workspace = Workspace::new(tasks);
    let root = workspace.admit_hostile("does-not-answer").display().to_string();
    let bound = if role == "guards" { "{shell: demo/does-not-answer}" } else { "[demo/does-not-answer]" };
    let config = workspace.read("config.yaml");
    workspace.write(
        "config.yaml",
        &format!("{config}  {role}: {bound}\nsettings: {{demo/does-not-answer: {{how: '{how}'}}}}\n"),
    );
    (workspace, root)
}

/// How the plugin does not answer, the exit, and what is said.
const SILENCES: [(&str, i32, &str); 6] = [
    ("trap", 4, "code: plugin-trap"),
    ("busy", 4, "code: limit-busy"),
    ("memory", 4, "code: limit-memory"),
    ("host-calls", 4, "code: limit-host-calls"),
    ("output", 4, "code: limit-output"),
    ("fail", 1, "no idea, `fail`"),
];

#[test]
fn a_verifier_that_breaks_leaves_its_subject_unverified_and_one_that_answers_opens_the_gate() {
    for (how, exit, said) in SILENCES {
        for at_a_task in [true, false] {
            let tasks = if at_a_task { AT_A_TASK } else { AT_THE_RUN };
            let (workspace, root) =
                silent("verifiers", how, &tasks.replace("verifier-command", "does-not-answer"));
            let run = workspace.run(&["--plugins", &root], exit);
            let text = out(&run) + &err(&run);
            assert!(text.contains(said), "{how}: {text}");
            if at_a_task || exit == 1 {
                is_shut(&workspace, how, at_a_task);
            }
            assert!(!workspace.path().join("behind").exists(), "{how}");
            // Again, as it is; then mended.
            workspace.run(&["--plugins", &root], exit);
            workspace.write("config.yaml", &workspace.read("config.yaml").replace(how, "well"));
            workspace.run(&["--plugins", &root], 0);
            assert_eq!(workspace.path().join("behind").exists(), at_a_task, "{how}");
            assert_eq!(workspace.reader().runs().unwrap().len(), 1, "{how}: it was one run all along");
        }
    }
}

#[test]
fn a_guard_that_does_not_answer_lets_nothing_start() {
    let tasks = "- {id: a, command: [sh, -c, 'touch a']}\n- {id: behind, command: [sh, -c, 'touch behind'], dependencies: [a]}\n";
    for (how, exit, said) in SILENCES {
        // What it could not judge waits for a person.
        let exit = if exit == 1 { 6 } else { exit };
        let (workspace, root) = silent("guards", how, tasks);
        let run = workspace.run(&["--plugins", &root], exit);
        let text = out(&run) + &err(&run);
        assert!(text.contains(said), "{how}: {text}");
        for file in ["a", "behind"] {
            assert!(!workspace.path().join(file).exists(), "{how}: {file}");
        }
        let begun = |event: &Event| matches!(event, Event::AttemptStarted { .. });
        assert!(!workspace.events().iter().any(begun), "{how}");
    }
}

#[test]
fn a_verifier_that_is_withdrawn_or_interrupted_as_it_looks_opens_no_gate() {
    for (way, exit) in [("withdrawn", 3), ("interrupted", 130)] {
        let workspace = Workspace::new(AT_A_TASK);
        let waits = "command: [sh, -c, 'touch looking; until test -e go; do sleep 0.05; done']";
        workspace.write("config.yaml", &config(waits));
        let mut host = workspace.command(&["run", "--trust-workspace"]);
        let mut host = host.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let hears = Hears::to(&mut host);
        until(|| workspace.path().join("looking").exists());
        let policy = workspace.operator().join("policy.toml");
        let before = fs::read_to_string(&policy).unwrap();
        if way == "withdrawn" {
            let publisher = format!("{before}\n[deny]\nids = [\"demo/verifier-command\"]\n");
            fs::write(&policy, publisher).unwrap();
            let is =
                |event: &Event| matches!(event, Event::Warned { code, .. } if code == "plugin-withdrawn");
            until(|| workspace.events().iter().any(is));
            workspace.write("go", "");
        } else {
            hears.interrupt(Signal::INT);
            hears.interrupt_again(Signal::INT);
        }
        assert_eq!(host.wait().unwrap().code(), Some(exit), "{way}");
        assert!(!workspace.path().join("behind").exists(), "{way}");
        fs::write(&policy, before).unwrap();
        workspace.write("config.yaml", &config("command: [sh, -c, 'test ! -e behind']"));
        workspace.run(&[], 1);
        // The look at the task came before what depends on it; the look at the run finds it there.
        assert!(workspace.path().join("behind").exists(), "{way}");
    }
}

#[test]
fn a_task_may_name_which_checks_are_meant_and_no_other_runs() {
    let tasks = "- {id: a, kind: note, verify: [{demo/verifier-command: [unit]}]}\n\
                 - {id: b, kind: note, dependencies: [a], verify: [{demo/verifier-command: [lint, unit]}]}\n";
    let workspace = Workspace::new(tasks);
    let check =
        |name: &str| format!("{{name: {name}, category: test, command: [sh, -c, 'echo {name} >> looked']}}");
    let checks = ["lint", "unit", "types"].map(check).join(", ");
    workspace.write(
        "config.yaml",
        &format!("{ROLES}settings:\n  demo/verifier-command: {{checks: [{checks}]}}\n"),
    );
    workspace.run(&["--jobs", "1"], 0);
    assert_eq!(workspace.read("looked"), "unit\nlint\nunit\nlint\nunit\ntypes\n");
    let kept = workspace.read("tasks.yml");
    assert!(kept.contains("verify: [{demo/verifier-command: [unit]}]"), "{kept}");
}

#[test]
fn what_is_done_is_not_verified_before_the_verifiers_that_it_names_now_have_looked() {
    let verified = "- {id: a, command: [sh, -c, 'echo a >> ran'], verify: [demo/verifier-command], status: done}\n\
                    - {id: behind, command: [sh, -c, 'touch behind'], dependencies: [a]}\n";
    let blind = config("command: [no-such-program]");
    let seeing = config("command: [sh, -c, 'echo look >> looked']");
    let begun = || {
        let workspace = Workspace::new("- {id: a, command: [sh, -c, 'echo a >> ran']}\n");
        workspace.write("config.yaml", &seeing);
        workspace.run(&[], 0);
        workspace.write("looked", "");
        workspace
    };
    // Verifiers that were named after it was done, by whatever store.
    for is_same_store in [true, false] {
        let workspace = begun();
        if !is_same_store {
            fs::remove_dir_all(workspace.path().join(".orch")).unwrap();
        }
        workspace.write("tasks.yml", verified);
        workspace.write("config.yaml", &blind);
        assert!(out(&workspace.run(&[], 1)).contains("not verified  a: its verifiers"), "{is_same_store}");
        is_shut(&workspace, "named later", true);
        workspace.write("config.yaml", &seeing);
        workspace.run(&[], 0);
        assert!(workspace.path().join("behind").exists());
        assert_eq!((&*workspace.read("ran"), &*workspace.read("looked")), ("a\n", "look\nlook\n"));
        // Nothing changed: the run is looked at, the task is not.
        workspace.run(&[], 0);
        assert_eq!(workspace.read("looked"), "look\nlook\nlook\n");
        // Others than those who looked.
        fs::remove_file(workspace.path().join("behind")).unwrap();
        workspace.write(
            "tasks.yml",
            &workspace.read("tasks.yml").replace(
                "status: done}\n- {id: behind",
                "status: done}\n- {id: more, kind: note, dependencies: [a]}\n- {id: behind",
            ),
        );
        workspace.write("config.yaml", &blind);
        workspace.run(&[], 1);
        is_shut(&workspace, "set otherwise", true);
        // A person's word stands for them, in later runs as well.
        workspace.host(&["task", "skip", "a"], 0);
        workspace.write("config.yaml", &seeing);
        workspace.write("looked", "");
        workspace.run(&[], 0);
        workspace.run(&[], 0);
        assert_eq!((&*workspace.read("ran"), &*workspace.read("looked")), ("a\n", "look\nlook\n"));
    }
    // What they find fails it, and it is not done again by itself.
    let workspace = begun();
    workspace.write("tasks.yml", verified);
    workspace.write("config.yaml", &config("command: ['false']"));
    workspace.run(&[], 1);
    assert_eq!((&*workspace.statuses()["a"], &*workspace.read("ran")), ("failed", "a\n"));
    assert!(!workspace.path().join("behind").exists());
}

#[test]
fn a_check_that_no_verifier_has_is_refused_before_the_first_task_and_never_a_green_gate() {
    for (named, said) in [
        ("unti", "it has no check `unti`: the nearest is `unit`"),
        ("mypy", "it has no check `mypy`: it has `unit`"),
    ] {
        let workspace = Workspace::new(
            &AT_A_TASK.replace("[demo/verifier-command]", &format!("[{{demo/verifier-command: [{named}]}}]")),
        );
        workspace.write("config.yaml", &config("command: ['true']").replace("name: look", "name: unit"));
        for args in [&["--dry-run"][..], &[]] {
            let text = err(&workspace.run(args, 2));
            assert!(text.contains("code: no-check") && text.contains(said), "{text}");
        }
        assert!(!workspace.path().join(".orch").exists());
    }
    // A check that is renamed while the task is not verified is none that was looked at.
    let workspace =
        Workspace::new(&AT_A_TASK.replace("[demo/verifier-command]", "[{demo/verifier-command: [look]}]"));
    workspace.write("config.yaml", &config("command: [no-such-program]"));
    workspace.run(&[], 1);
    workspace.write("config.yaml", &config("command: ['true']").replace("name: look", "name: other"));
    let text = out(&workspace.run(&[], 1));
    assert!(text.contains("could not look: it has no check `look`: it has `other`"), "{text}");
    is_shut(&workspace, "renamed", true);
    workspace.write("config.yaml", &config("command: ['true']"));
    workspace.run(&[], 0);
}

/// How often the verifier looked, and whether its last look at a task was kept for the run.
fn looks(workspace: &Workspace) -> (usize, bool) {
    let events = workspace.events();
    let looked = |event: &&Event| matches!(event, Event::Called(called) if called.call == "verify");
    let kept = events.iter().any(|event| matches!(event, Event::LookKept { .. }));
    (events.iter().filter(looked).count(), kept)
}

#[test]
fn a_whole_look_at_the_last_task_is_the_runs_and_whatever_is_done_after_it_is_looked_at() {
    const V: &str = "verify: [demo/verifier-command]";
    for (way, tasks, expected) in [
        ("last and alone", format!("- {{id: a, command: ['true'], {V}}}\n"), (1, true)),
        (
            "the last of several",
            format!("- {{id: a, kind: note}}\n- {{id: b, kind: note, dependencies: [a], {V}}}\n"),
            (1, true),
        ),
        (
            "a note behind it",
            format!("- {{id: a, kind: note, {V}}}\n- {{id: b, kind: note, dependencies: [a]}}\n"),
            (2, false),
        ),
        (
            "a command behind it",
            format!("- {{id: a, kind: note, {V}}}\n- {{id: b, command: ['true'], dependencies: [a]}}\n"),
            (2, false),
        ),
        (
            "a part of its checks",
            "- {id: a, kind: note, verify: [{demo/verifier-command: [look]}]}\n".to_owned(),
            (2, false),
        ),
        ("no task names it", "- {id: a, kind: note}\n".to_owned(), (1, false)),
    ] {
        let workspace = Workspace::new(&tasks);
        workspace.write("config.yaml", &config("command: ['true']"));
        let text = out(&workspace.run(&["--jobs", "1"], 0));
        assert_eq!(looks(&workspace), expected, "{way}: {text}");
        assert_eq!(text.contains("demo/verifier-command looked at "), expected.1, "{way}: {text}");
        workspace.host(&["db", "check"], 0);
    }
    // A command that runs beside the look, and ends before it does.
    let tasks = format!(
        "- {{id: beside, command: [sh, -c, 'until test -e looking; do sleep 0.05; done']}}\n- {{id: a, kind: note, {V}}}\n"
    );
    let workspace = Workspace::new(&tasks);
    workspace.write(
        "config.yaml",
        &config("command: [sh, -c, 'touch looking; until test -e more; do sleep 0.05; done']"),
    );
    let mut host = workspace.command(&["run", "--trust-workspace", "--jobs", "2"]);
    let mut host = host.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until(|| workspace.has_run() && workspace.statuses()["beside"] == "done");
    workspace.write("more", "");
    assert!(host.wait().unwrap().success());
    assert_eq!(looks(&workspace), (2, false));
    // An auditor that takes its time before the end.
    let workspace = Workspace::new(&format!("- {{id: a, kind: note, {V}}}\n"));
    workspace.write(
        "config.yaml",
        &config("command: ['true']").replacen("roles:\n", "roles:\n  auditors: [demo/auditor-files]\n", 1),
    );
    workspace.run(&["--jobs", "1"], 0);
    assert_eq!(looks(&workspace), (2, false));
    // A look that a host before this one made says nothing about what was done since.
    let workspace = Workspace::new(&format!("- {{id: a, kind: note, {V}}}\n"));
    workspace.write("config.yaml", &config("command: [no-such-program]"));
    workspace.run(&["--jobs", "1"], 1);
    workspace.write("config.yaml", &config("command: ['true']"));
    workspace.run(&["--jobs", "1"], 0);
    assert_eq!(
        looks(&workspace),
        (3, false),
        "one could not look; the next host looks at the task, and at the run"
    );
    // Findings are judged all the same.
    let workspace = Workspace::new(&format!("- {{id: a, kind: note, {V}}}\n"));
    workspace.write("config.yaml", &config("command: ['false']"));
    workspace.run(&["--jobs", "1"], 1);
    assert_eq!(workspace.statuses()["a"], "failed");
}
