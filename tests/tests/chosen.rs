//! Which tasks a run is asked for, and what happens to the others.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

use std::process::Stdio;

use orch_journal::Event;
use orch_tests::{Workspace, err, out, until};

/// Each task adds its id to `ran`.
fn workspace(more: &str) -> Workspace {
    let task = |id: &str, dependencies: &str, more: &str| {
        format!(
            "- {{id: {id}, command: [sh, -c, 'echo {id} >> ran'], dependencies: [{dependencies}]{more}}}\n"
        )
    };
    let tasks = [
        task("fetch", "", ", tags: [net]"),
        task("build", "fetch", ""),
        task("lint", "", ", tags: [fast]"),
        task("test", "build", ", tags: [fast, slow]"),
        task("deploy", "'test', lint", ""),
    ];
    Workspace::new(&(tasks.concat() + more))
}

/// What ran since it was asked last, in order.
fn ran(workspace: &Workspace) -> String {
    let ran = std::fs::read_to_string(workspace.path().join("ran")).unwrap_or_default();
    workspace.write("ran", "");
    ran.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_task_runs_with_what_it_depends_on_and_the_others_stay_as_they_are() {
    let workspace = workspace("");
    let output = workspace.run(&["--jobs", "1", "--task", "test"], 0);
    assert_eq!(ran(&workspace), "fetch build test");
    assert!(out(&output).contains("completed: what was asked for is done"), "{}", out(&output));
    assert!(out(&output).contains("left out: 2, as was asked"), "{}", out(&output));
    assert_eq!(workspace.statuses()["deploy"], "pending");
    assert!(!workspace.read("tasks.yml").contains("id: deploy, status: done"));
    // It is in the journal who asked for what.
    let chosen = |event: &Event| matches!(event, Event::TasksChosen { choice, who, .. } if choice.tasks == ["test"] && who.pid > 0);
    assert!(workspace.events().iter().any(chosen));
    // What is done is done; `--force` does it again, alone.
    workspace.run(&["--task", "test"], 0);
    assert_eq!(ran(&workspace), "");
    workspace.run(&["--task", "test", "--force"], 0);
    assert_eq!(ran(&workspace), "test");
    // Without a word the rest is done.
    workspace.run(&["--jobs", "1"], 0);
    assert_eq!(ran(&workspace), "lint deploy");
    workspace.run(&["--force", "--jobs", "1", "--exclude", "lint"], 0);
    assert_eq!(ran(&workspace), "fetch build test deploy", "what is left out is done already");
}

#[test]
fn tasks_are_chosen_by_tag_from_one_on_and_alone() {
    let workspace = workspace("");
    workspace.run(&["--jobs", "1", "--tag", "fast"], 0);
    assert_eq!(ran(&workspace), "fetch build lint test");
    workspace.run(&["--jobs", "1", "--from", "build"], 0);
    assert_eq!(ran(&workspace), "build test deploy", "all that depends on it, again");
    workspace.run(&["--jobs", "1", "--from", "fetch", "--exclude", "slow"], 0);
    assert_eq!(ran(&workspace), "fetch build deploy");

    let other = self::workspace("");
    let output = other.run(&["--only", "--task", "deploy", "--task", "lint", "--jobs", "1"], 0);
    assert_eq!(
        ran(&other),
        "lint deploy",
        "what else it depends on is taken as it is, their own order is kept"
    );
    let passed = "passed-over: `--only` takes as it is, though it is not done: `test` (pending), which `deploy` depends on";
    assert!(out(&output).contains(passed), "{}", out(&output));
    let output = self::workspace("").run(&["--only", "--task", "fetch"], 0);
    assert!(!out(&output).contains("passed-over"), "{}", out(&output));
    let output = other.run(&["--exclude", "net"], 0);
    assert_eq!(ran(&other), "", "what depends on what is left out does not start");
    assert!(out(&output).contains("left out: 3, as was asked"), "{}", out(&output));
}

#[test]
fn what_failed_is_tried_again_when_it_is_named_or_asked_for() {
    let workspace = Workspace::new(
        "- {id: a, command: [cat, ready]}\n- {id: b, command: [cat, ready], dependencies: [a]}\n- {id: c, command: [cat, never]}\n",
    );
    workspace.run(&[], 1);
    assert_eq!(workspace.statuses()["b"], "blocked");
    workspace.write("ready", "");
    workspace.run(&[], 1);
    assert_eq!(workspace.statuses()["a"], "failed", "a run without a word does not repeat what failed");
    // Naming what depends on it is enough.
    workspace.run(&["--task", "b"], 0);
    assert_eq!(workspace.statuses()["b"], "done");
    assert_eq!(workspace.statuses()["c"], "failed");
    workspace.write("never", "");
    workspace.run(&["--retry-failed"], 0);
    assert!(workspace.statuses().values().all(|status| status == "done"));
}

#[test]
fn a_first_failure_ends_the_run_but_for_what_cleans_up() {
    let workspace = Workspace::new(
        "- {id: a, command: ['false'], priority: 9}\n- {id: b, command: [sh, -c, 'touch b'], priority: 5}\n- {id: c, command: [sh, -c, 'touch c'], dependencies: [b]}\n\
         - {id: clean, command: [sh, -c, 'touch clean'], always: true, dependencies: [a, c]}\n",
    );
    let output = workspace.run(&["--jobs", "1", "--fail-fast"], 1);
    assert!(out(&output).contains("it was to end with the first failure"), "{}", out(&output));
    assert!(!workspace.path().join("b").exists() && workspace.path().join("clean").exists());
    assert_eq!(workspace.statuses()["b"], "pending");
    workspace.run(&["--jobs", "1"], 1);
    assert!(workspace.path().join("c").exists());
    // What cleans up does so again after what is tried again.
    std::fs::remove_file(workspace.path().join("clean")).unwrap();
    workspace.run(&["--retry-failed"], 1);
    assert!(workspace.path().join("clean").exists());
}

#[test]
fn what_cleans_up_does_so_again_behind_what_was_left_out_before() {
    let workspace = Workspace::new(
        "- {id: up, command: [sh, -c, 'echo up >> ran']}\n- {id: t, command: [sh, -c, 'echo t >> ran'], dependencies: [up]}\n\
         - {id: down, command: [sh, -c, 'echo down >> ran'], always: true, dependencies: [t]}\n",
    );
    workspace.run(&["--exclude", "t"], 0);
    assert_eq!(ran(&workspace), "up down");
    workspace.run(&[], 0);
    assert_eq!(ran(&workspace), "t down");
}

#[test]
fn what_cleans_up_does_so_behind_what_nobody_could_look_at() {
    let workspace = Workspace::new(
        "- {id: a, command: ['true'], verify: [demo/verifier-command]}\n- {id: b, command: [sh, -c, 'echo b >> ran'], dependencies: [a]}\n\
         - {id: clean, command: [sh, -c, 'echo clean >> ran'], always: true, dependencies: [a]}\n",
    );
    let check = "checks: [{name: unit, category: test, format: plain, command: [no-such-program]}]";
    let config = workspace.read("config.yaml");
    workspace.write(
        "config.yaml",
        &format!(
            "{config}  verifiers: [demo/verifier-command]\nsettings:\n  demo/verifier-command: {{{check}}}\n"
        ),
    );
    workspace.run(&[], 1);
    assert_eq!(ran(&workspace), "clean");
}

#[test]
fn an_allowed_failure_keeps_nothing_from_starting_and_what_always_starts_waits_for_all() {
    let workspace = Workspace::new(
        "- {id: flaky, command: ['false'], allow_failure: true}\n- {id: a, command: [sh, -c, 'touch a'], dependencies: [flaky]}\n\
         - {id: clean, command: [sh, -c, 'test -e a && touch clean'], always: true, dependencies: [a]}\n",
    );
    let output = workspace.run(&[], 0);
    let said = out(&output);
    assert!(said.contains("flaky  (allowed) `false`") && said.contains("allowed to fail: flaky\n"), "{said}");
    assert!(said.contains("2 done, 1 failed"), "{said}");
    assert_eq!(workspace.statuses()["flaky"], "failed");
    assert!(workspace.path().join("clean").exists());

    // Something beyond a failure: the clean-up runs when nothing else can start.
    let workspace = Workspace::new(
        "- {id: a, command: ['false']}\n- {id: b, command: [sh, -c, 'touch b'], dependencies: [a]}\n\
         - {id: clean, command: [sh, -c, 'touch clean'], always: true, dependencies: [b]}\n- {id: after, command: [sh, -c, 'touch after'], dependencies: [clean]}\n",
    );
    workspace.run(&[], 1);
    assert!(!workspace.path().join("b").exists());
    assert!(workspace.path().join("clean").exists() && workspace.path().join("after").exists());
    assert_eq!(workspace.statuses()["b"], "blocked");
    // A failed clean-up is a failure.
    let workspace = Workspace::new(
        "- {id: a, command: ['true']}\n- {id: clean, command: ['false'], always: true, dependencies: [a]}\n",
    );
    workspace.run(&[], 1);
}

#[test]
fn a_choice_of_what_is_not_there_is_refused_before_anything_is_written() {
    let workspace = workspace("");
    for (args, code, says) in [
        (&["--task", "tets"][..], "choice-unknown", "the nearest is `--task test`"),
        (&["--from", "x\u{1b}[2J"], "choice-unknown", "there is no task `x\\u{1b}[2J`"),
        (&["--tag", "none"], "choice-unknown", "no task has the tag `none`"),
        (&["--exclude", "none"], "choice-unknown", "neither a task nor a tag"),
        (&["--only"], "choice-only", "say which with `--task TASK`"),
    ] {
        let output = workspace.run(args, 2);
        assert!(
            err(&output).contains(&format!("code: {code}")) && err(&output).contains(says),
            "{}",
            err(&output)
        );
        assert!(!workspace.path().join(".orch").exists());
    }
    let output = workspace.run(&["--task", "deploy", "--exclude", "fetch"], 2);
    assert!(
        err(&output).contains("task `deploy` depends on `fetch`, which is not done and left out"),
        "{}",
        err(&output)
    );
    let output = workspace.run(&["--tag", "fast", "--exclude", "lint"], 2);
    assert!(err(&output).contains("task `lint` is asked for and left out"), "{}", err(&output));
    // All of them, and those that all others depend on.
    for all in [&["fetch", "lint", "build", "slow", "deploy"][..], &["fetch", "lint"]] {
        let args: Vec<&str> = all.iter().flat_map(|what| ["--exclude", *what]).collect();
        for dry in [&[][..], &["--dry-run"]] {
            let output = workspace.run(&[&args[..], dry].concat(), 2);
            let said = err(&output);
            assert!(said.contains("code: choice-empty") && said.contains("nothing is left"), "{said}");
        }
        assert!(!workspace.path().join(".orch").exists());
    }
    assert_eq!(ran(&workspace), "");
    // A task where a folder is expected is known for what it is.
    let output = workspace.host(&["run", "build"], 2);
    assert!(err(&output).contains("`orch-host run --task build --config-home "), "{}", err(&output));
}

#[test]
fn a_choice_ends_with_its_host_and_what_was_begun_goes_on() {
    let workspace = Workspace::new(
        "- {id: a, command: [sh, -c, 'touch begun; until test -e go; do sleep 0.05; done'], idempotent: true}\n\
         - {id: b, command: [sh, -c, 'touch b'], dependencies: [a]}\n- {id: c, command: [sh, -c, 'touch c']}\n",
    );
    let mut host = workspace.command(&["run", "--trust-workspace", "--task", "b"]);
    let mut host = host.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until(|| workspace.path().join("begun").exists());
    host.kill().unwrap();
    host.wait().unwrap();
    assert!(!workspace.path().join("c").exists());
    workspace.write("go", "");
    workspace.run(&[], 0);
    assert!(workspace.path().join("b").exists() && workspace.path().join("c").exists());
    let choices =
        workspace.events().iter().filter(|event| matches!(event, Event::TasksChosen { .. })).count();
    assert_eq!(choices, 2, "the first host's, and that all are wanted again");
}
