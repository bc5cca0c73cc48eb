//! Tasks that are done without an attempt, because nothing changed or their condition does not hold.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

use std::fs;

use orch_journal::Event;
use orch_tests::{Workspace, copy, err, out};

const TASKS: &str = "\
- {id: compile, command: [sh, -c, 'cat src/a src/b > out; echo compile >> ran'], inputs: [src/*], outputs: [out]}
- {id: pack, command: [sh, -c, 'cp out pack; echo pack >> ran'], inputs: [out], outputs: [pack], dependencies: [compile]}
- {id: plain, command: [sh, -c, 'echo plain >> ran'], dependencies: [pack]}
";

fn workspace() -> Workspace {
    let workspace = Workspace::new(TASKS);
    workspace.write("src/a", "1");
    workspace.write("src/b", "2");
    workspace
}

/// Runs, and gives what was done, in order.
#[track_caller]
fn run(workspace: &Workspace, args: &[&str]) -> (String, String) {
    let said = out(&workspace.run(args, 0));
    let ran = fs::read_to_string(workspace.path().join("ran")).unwrap_or_default();
    workspace.write("ran", "");
    (ran.split_whitespace().collect::<Vec<_>>().join(" "), said)
}

#[test]
fn what_did_not_change_is_not_done_again_and_what_did_says_why() {
    let workspace = workspace();
    assert_eq!(run(&workspace, &[]).0, "compile pack plain");
    let (ran, said) = run(&workspace, &[]);
    assert_eq!(ran, "");
    assert!(said.contains("up to date  compile, pack\n"), "{said}");

    for (change, why) in [
        (&(|| workspace.write("src/b", "3")) as &dyn Fn(), "input `src/b` changed"),
        (&|| workspace.write("src/c", ""), "input `src/c` is new"),
        (&|| fs::remove_file(workspace.path().join("src/c")).unwrap(), "input `src/c` is gone"),
        (&|| workspace.write("out", "edited by hand"), "output `out` changed"),
        (&|| fs::remove_file(workspace.path().join("out")).unwrap(), "output `out` does not exist"),
    ] {
        change();
        let (ran, said) = run(&workspace, &[]);
        assert!(ran.starts_with("compile"), "{why}: {ran}");
        assert!(said.contains(&format!("compile  again, since {why}")), "{why}: {said}");
        assert_eq!(run(&workspace, &[]).0, "", "{why}");
    }
    // What an input makes the same again ends there.
    workspace.write("src/a", "1 ");
    workspace.write("src/b", "3");
    let (ran, _) = run(&workspace, &[]);
    assert_eq!(ran, "compile pack plain");
    fs::remove_file(workspace.path().join("out")).unwrap();
    let (ran, said) = run(&workspace, &[]);
    assert_eq!(ran, "compile plain", "the output is what it was, and so is what is made of it: {said}");
    assert!(said.contains("up to date  pack"), "{said}");
}

#[test]
fn what_cleans_up_does_so_again_after_what_is_done_again() {
    let workspace = workspace();
    let clean = "- {id: clean, command: [sh, -c, 'echo clean >> ran'], always: true, dependencies: [pack]}\n";
    workspace.write("tasks.yml", &(TASKS.to_owned() + clean));
    assert_eq!(run(&workspace, &["--jobs", "1"]).0.split(' ').filter(|id| *id == "clean").count(), 1);
    assert_eq!(run(&workspace, &[]).0, "", "nothing was done, so nothing is left behind");
    workspace.write("src/b", "3");
    let (ran, said) = run(&workspace, &[]);
    assert_eq!(
        ran.split(' ').collect::<std::collections::BTreeSet<_>>(),
        ["compile", "pack", "plain", "clean"].into(),
        "{said}"
    );
    // Left out, it stays as it is.
    workspace.write("src/b", "4");
    assert_eq!(run(&workspace, &["--exclude", "clean"]).0, "compile pack plain");
}

#[test]
fn other_times_with_the_same_bytes_are_no_change() {
    let workspace = workspace();
    run(&workspace, &[]);
    let path = workspace.path().join("src/a");
    fs::write(&path, "1").unwrap();
    assert_eq!(run(&workspace, &[]).0, "");
    // Other bytes of the same length in a file with the old times, and put in its place.
    let times = fs::metadata(&path).unwrap();
    workspace.write("src.new", "9");
    let new = fs::File::options().write(true).open(workspace.path().join("src.new")).unwrap();
    new.set_times(fs::FileTimes::new().set_modified(times.modified().unwrap())).unwrap();
    fs::rename(workspace.path().join("src.new"), &path).unwrap();
    assert_eq!(run(&workspace, &[]).0, "compile pack plain");
}

#[test]
fn another_command_executor_grant_or_verifier_does_it_again() {
    let workspace = workspace();
    run(&workspace, &[]);
    // A description is no change, another command is one.
    workspace.write(
        "tasks.yml",
        &workspace.read("tasks.yml").replace("id: compile,", "id: compile, description: x, priority: 3,"),
    );
    assert_eq!(run(&workspace, &[]).0, "");
    workspace.write("tasks.yml", &workspace.read("tasks.yml").replace("cat src/a src/b", "cat src/b src/a"));
    let (ran, said) = run(&workspace, &[]);
    assert_eq!(ran, "compile pack plain");
    assert!(said.contains("compile  again, since what it runs changed"), "{said}");

    // The same plugin that may do something else.
    let policy = workspace.operator().join("policy.toml");
    let before = fs::read_to_string(&policy).unwrap();
    fs::write(&policy, before.replacen("\"true\"", "\"true\", \"head\"", 1)).unwrap();
    assert_ne!(fs::read_to_string(&policy).unwrap(), before);
    let (ran, said) = run(&workspace, &[]);
    assert_eq!(ran, "compile pack plain", "{said}");
    assert!(said.contains("again, since its executor, or what that may do, changed"), "{said}");

    // A verifier that has not seen it.
    workspace.write("config.yaml", &(workspace.read("config.yaml") + "  verifiers: [demo/verifier-command]\nsettings:\n  demo/verifier-command:\n    checks: [{name: ok, category: test, format: plain, command: ['true']}]\n"));
    workspace.write(
        "tasks.yml",
        &workspace
            .read("tasks.yml")
            .replace("outputs: [out]", "outputs: [out], verify: [demo/verifier-command]"),
    );
    let (ran, said) = run(&workspace, &[]);
    assert_eq!(ran, "compile plain", "{said}");
    assert!(said.contains("again, since its verifiers changed"), "{said}");
    assert_eq!(run(&workspace, &[]).0, "");
    workspace.write("config.yaml", &workspace.read("config.yaml").replace("name: ok", "name: other"));
    assert_eq!(run(&workspace, &[]).0, "compile plain");
}

#[test]
fn only_what_was_done_and_verified_counts() {
    let workspace = Workspace::new(
        "- {id: a, command: [sh, -c, 'echo a >> ran; test -e good'], inputs: [in]}\n\
         - {id: b, command: [sh, -c, 'echo b >> ran'], inputs: [in], verify: [demo/verifier-command]}\n",
    );
    workspace.write("config.yaml", &(workspace.read("config.yaml") + "  verifiers: [demo/verifier-command]\nsettings:\n  demo/verifier-command:\n    checks: [{name: ok, category: test, format: plain, command: [sh, -c, test -e fine]}]\n"));
    workspace.write("in", "");
    workspace.run(&[], 1);
    workspace.write("ran", "");
    workspace.write("good", "");
    workspace.write("fine", "");
    workspace.run(&["--retry-failed"], 0);
    assert_eq!(workspace.read("ran").lines().collect::<std::collections::BTreeSet<_>>(), ["a", "b"].into());
    // `--force` and a name do it again.
    workspace.write("ran", "");
    assert_eq!(run(&workspace, &[]).0, "");
    assert_eq!(run(&workspace, &["--task", "a"]).0, "");
    assert_eq!(run(&workspace, &["--task", "a", "--force"]).0, "a");
}

#[test]
fn a_record_of_another_store_counts_for_nothing() {
    let (one, other) = (workspace(), workspace());
    run(&one, &[]);
    for file in ["out", "pack"] {
        fs::copy(one.path().join(file), other.path().join(file)).unwrap();
    }
    other.write("tasks.yml", &one.read("tasks.yml"));
    copy(&one.path().join(".orch"), &other.path().join(".orch"));
    // Taken over by command, which is what it takes for the store to be read at all.
    let output = other.command(&["run", "--trust-workspace"]).output().unwrap();
    assert_ne!(output.status.code(), Some(0), "{}", err(&output));
    fs::remove_dir_all(other.path().join(".orch")).unwrap();
    let (ran, said) = run(&other, &[]);
    assert_eq!(ran, "compile pack plain", "done by the file, and nothing is known of it: {said}");
}

#[test]
fn a_kill_between_the_end_and_its_record_does_it_again() {
    let workspace = workspace();
    workspace
        .write("tasks.yml", &workspace.read("tasks.yml").replace("inputs:", "idempotent: true, inputs:"));
    let mut host = workspace.command(&["run", "--trust-workspace"]);
    host.env("ORCH_FAILPOINT", "before-mark:1");
    assert!(!host.output().unwrap().status.success());
    workspace.write("ran", "");
    // Whether the end of the attempt was kept or not, the record was not: once more it is done, and then never again.
    let before: Vec<String> = (0..2).map(|_| run(&workspace, &[]).0).collect();
    let compiled = before.iter().filter(|ran| ran.starts_with("compile")).count();
    assert_eq!(compiled, 1, "{before:?}");
    assert_eq!(run(&workspace, &[]).0, "");
}

#[test]
fn an_output_that_was_not_made_is_said_and_an_input_that_is_missing_is_no_record() {
    let workspace = Workspace::new(
        "- {id: a, command: ['true'], outputs: [never]}\n- {id: b, command: ['true'], inputs: [nowhere]}\n",
    );
    let said = out(&workspace.run(&[], 0));
    assert!(said.contains("output-missing") && said.contains("`never` does not exist"), "{said}");
    let marked = |event: &Event| matches!(event, Event::TaskMarked { .. });
    assert!(!workspace.events().iter().any(marked));
}

#[test]
fn a_condition_decides_when_the_task_could_start() {
    let workspace = Workspace::new(
        "- {id: make, command: [sh, -c, 'touch made']}\n\
         - {id: use, command: [sh, -c, 'echo use >> ran'], when: {exists: made}, dependencies: [make]}\n\
         - {id: setup, command: [sh, -c, 'echo setup >> ran'], when: {missing: made}, dependencies: [make]}\n\
         - {id: after, command: [sh, -c, 'echo after >> ran'], dependencies: [setup]}\n",
    );
    let (ran, said) = run(&workspace, &["--jobs", "1"]);
    assert_eq!(ran.split(' ').collect::<std::collections::BTreeSet<_>>(), ["use", "after"].into(), "{said}");
    assert!(said.contains("setup  skipped: `made` exists"), "{said}");
    assert_eq!(workspace.statuses()["setup"], "done");

    // A variable that its command would have.
    let workspace = Workspace::new(
        "- {id: ci, command: [sh, -c, 'echo ci >> ran'], when: {variable: MODE, is: release}, env: {MODE: release}}\n\
         - {id: other, command: [sh, -c, 'echo other >> ran'], when: {variable: MODE, is: release}, env: {MODE: debug}}\n\
         - {id: home, command: [sh, -c, 'echo home >> ran'], when: {variable: HOME}}\n\
         - {id: none, command: [sh, -c, 'echo none >> ran'], when: {variable: NO_SUCH}}\n",
    );
    let policy = workspace.operator().join("policy.toml");
    let text = fs::read_to_string(&policy).unwrap();
    fs::write(&policy, text.replace("\"HOME\", ", "\"HOME\", \"MODE\", ")).unwrap();
    let said = out(&workspace.run(&["--task", "none"], 1));
    assert!(said.contains("its condition cannot be asked: no `env` has its variable"), "{said}");
    fs::write(&policy, text.replace("\"HOME\", ", "\"HOME\", \"MODE\", \"NO_SUCH\", ")).unwrap();
    workspace.write("tasks.yml", &workspace.read("tasks.yml").replace("status: failed", "status: pending"));
    let (ran, said) = run(&workspace, &["--jobs", "1"]);
    assert_eq!(ran.split(' ').collect::<std::collections::BTreeSet<_>>(), ["ci", "home"].into(), "{said}");
    assert!(said.contains("other  skipped: `MODE` is not `release`"), "{said}");
    assert!(said.contains("none  skipped: `NO_SUCH` is not set"), "{said}");
}

#[test]
fn what_was_left_out_by_its_condition_is_asked_again_by_the_next_run() {
    let workspace = Workspace::new("- {id: a, command: [sh, -c, 'echo a >> ran'], when: {exists: flag}}\n");
    assert_eq!(run(&workspace, &[]).0, "");
    workspace.write("flag", "");
    assert_eq!(run(&workspace, &[]).0, "a");
    assert_eq!(run(&workspace, &[]).0, "", "it is done");

    // What it depends on makes it hold again: its condition is for when it could start.
    let workspace = Workspace::new(
        "- {id: gen, command: cat i > o, inputs: [i], outputs: [o]}\n\
         - {id: use, command: cat o > u, dependencies: [gen], when: {exists: o}, inputs: [o], outputs: [u]}\n",
    );
    workspace.write("i", "1");
    workspace.run(&[], 0);
    workspace.write("i", "2");
    fs::remove_file(workspace.path().join("o")).unwrap();
    workspace.run(&[], 0);
    assert_eq!(workspace.read("u"), "2");
}

#[test]
fn a_variable_of_the_host_counts_if_the_operator_hands_it_on() {
    let workspace = Workspace::new("- {id: a, command: 'echo $MODE > o', inputs: [i], outputs: [o]}\n");
    workspace.write("i", "");
    let policy = workspace.operator().join("policy.toml");
    let text = fs::read_to_string(&policy).unwrap();
    fs::write(&policy, text.replace("\"HOME\", ", "\"HOME\", \"MODE\", ")).unwrap();
    let with = |mode: &str| {
        let mut host = workspace.command(&["run", "--trust-workspace"]);
        let output = host.env("MODE", mode).output().unwrap();
        assert!(output.status.success(), "{}", err(&output));
        (workspace.read("o").trim().to_owned(), out(&output))
    };
    assert_eq!(with("debug").0, "debug");
    let (made, said) = with("release");
    assert_eq!(made, "release", "{said}");
    assert!(said.contains("again, since its variables changed"), "{said}");
    assert!(with("release").1.contains("up to date  a"));
}

#[test]
fn files_that_cannot_be_compared_are_named_each_time_and_none_is_opened_that_is_no_file() {
    let workspace = Workspace::new(
        "- {id: slip, command: ['true'], inputs: ['srcc/**']}\n- {id: pipe, command: ['true'], inputs: [pipe]}\n\
         - {id: beside, command: ['true'], inputs: ['d/**']}\n- {id: none, command: ['true'], outputs: ['dist/*.whl']}\n",
    );
    workspace.write("d/file", "");
    for pipe in ["pipe", "d/pipe"] {
        let made = std::process::Command::new("mkfifo").arg(workspace.path().join(pipe)).status().unwrap();
        assert!(made.success());
    }
    for _ in 0..2 {
        let said = out(&workspace.run(&["--force"], 0));
        for part in [
            "task `slip` is done each time: its input `srcc/**` matches no file",
            "task `pipe` is done each time: its input `pipe` is no file",
            "task `none` is done, but its output `dist/*.whl` matches no file",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert!(!said.contains("`beside`"), "{said}");
    }
}

#[test]
fn a_program_of_the_workspace_is_part_of_what_the_task_reads() {
    use std::os::unix::fs::PermissionsExt;
    let workspace = Workspace::new("- {id: a, command: [./run.sh], inputs: [i], outputs: [o]}\n");
    let policy = workspace.operator().join("policy.toml");
    let text = fs::read_to_string(&policy).unwrap();
    fs::write(&policy, text.replace("\"true\", ", "\"true\", \"./run.sh\", ")).unwrap();
    workspace.write("i", "");
    for version in ["1", "2", "2"] {
        workspace.write("run.sh", &format!("#!/bin/sh\necho {version} > o\n"));
        fs::set_permissions(workspace.path().join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
        workspace.run(&[], 0);
        assert_eq!(workspace.read("o"), format!("{version}\n"));
    }
}

#[test]
fn a_condition_that_cannot_be_asked_fails_its_task_and_an_allowed_failure_is_tried_by_each_run() {
    let long = "x".repeat(300);
    let workspace = Workspace::new(&format!(
        "- {{id: a, command: [sh, -c, 'echo a >> ran'], when: {{missing: {long}}}}}\n\
         - {{id: lint, command: [sh, -c, 'echo lint >> ran; test -e clean'], allow_failure: true}}\n"
    ));
    // A name that no file system takes: neither there nor not there.
    let said = out(&workspace.run(&[], 1));
    assert!(said.contains("its condition cannot be asked: `xxx"), "{said}");
    assert_eq!(workspace.read("ran"), "lint\n");
    workspace.write("clean", "");
    workspace.run(&[], 1);
    assert_eq!(workspace.read("ran"), "lint\nlint\n");
    workspace.run(&[], 1);
    assert_eq!(workspace.read("ran"), "lint\nlint\n", "it is done");
}

#[test]
fn an_attempt_that_begins_ends_what_is_known_of_its_task() {
    let workspace = Workspace::new("- {id: a, command: 'echo x >> ran; test ! -e flag', inputs: [i]}\n");
    workspace.write("i", "");
    assert_eq!(run(&workspace, &[]).0, "x");
    workspace.write("flag", "");
    workspace.run(&["--force"], 1);
    workspace.write("ran", "");
    // Put back by hand, by command, by name: none of them makes it what it was before.
    let tasks = workspace.read("tasks.yml").replace("status: failed", "status: pending");
    workspace.write("tasks.yml", &tasks);
    workspace.run(&[], 1);
    assert_eq!(workspace.read("ran"), "x\n");
    fs::remove_file(workspace.path().join("flag")).unwrap();
    assert_eq!(run(&workspace, &["--retry-failed"]).0, "x x");
    assert_eq!(run(&workspace, &[]).0, "");
}

#[test]
fn what_is_behind_what_is_done_again_waits_for_it_and_is_done_again_unless_it_says_why_not() {
    let workspace = Workspace::new(
        "- {id: gen, command: 'echo gen >> ran; cat i > o', inputs: [i], outputs: [o]}\n- {id: all, dependencies: [gen]}\n\
         - {id: use, command: 'echo use >> ran; cat o > u', dependencies: [all], inputs: [o], outputs: [u]}\n\
         - {id: ship, command: 'echo ship >> ran', dependencies: [use]}\n",
    );
    workspace.write("i", "1");
    assert_eq!(run(&workspace, &[]).0, "gen use ship");
    workspace.write("i", "2");
    assert_eq!(run(&workspace, &[]).0, "gen use ship");
    assert_eq!(workspace.read("u"), "2");
    assert_eq!(run(&workspace, &[]).0, "");
    // Something before it that was not done yet, too.
    let tasks = workspace.read("tasks.yml").replace("id: gen, status: done", "id: gen, status: pending");
    assert_ne!(tasks, workspace.read("tasks.yml"));
    workspace.write("tasks.yml", &tasks);
    workspace.write("i", "3");
    run(&workspace, &[]);
    assert_eq!(workspace.read("u"), "3");
}

#[test]
fn an_input_that_changes_while_its_task_waits_or_runs_leaves_no_record() {
    let workspace = Workspace::new(
        "- {id: first, command: [sh, -c, 'touch begun; until test -e go; do sleep 0.05; done'], priority: 5}\n\
         - {id: b, command: 'cat i > o', inputs: [i], outputs: [o]}\n",
    );
    workspace.write("i", "1");
    let mut host = workspace.command(&["run", "--trust-workspace", "--jobs", "1"]);
    let mut host = host.stdout(std::process::Stdio::null()).spawn().unwrap();
    orch_tests::until(|| workspace.path().join("begun").exists());
    workspace.write("i", "2");
    workspace.write("go", "");
    assert!(host.wait().unwrap().success());
    assert_eq!(workspace.read("o"), "2");
    workspace.write("i", "1");
    workspace.run(&[], 0);
    assert_eq!(workspace.read("o"), "1");
}

#[test]
fn what_a_person_asked_for_again_is_done_again_after_a_kill() {
    let workspace = Workspace::new(
        "- {id: slow, command: [sh, -c, 'touch begun; sleep 0.3'], idempotent: true}\n\
         - {id: a, command: 'echo a >> ran', dependencies: [slow], inputs: [i]}\n",
    );
    workspace.write("i", "");
    assert_eq!(run(&workspace, &[]).0, "a");
    fs::remove_file(workspace.path().join("begun")).unwrap();
    let mut host = workspace.command(&["run", "--trust-workspace", "--force"]);
    let mut host =
        host.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    orch_tests::until(|| workspace.path().join("begun").exists());
    host.kill().unwrap();
    host.wait().unwrap();
    assert_eq!(run(&workspace, &[]).0, "a");
}
