//! What is behind something that is done again: it waits for that, is looked at then, and is done if that is so.
//!
//! In -> out: tasks that were pending, looked at or running as what they depend on was put back -> what is done, once each.
//! Not here: what is done and put back as a host begins (`again.rs`), the files of one task (`fresh.rs`).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::fs;

use orch_journal::Event;
use orch_journal::event::Change;
use orch_tests::{Workspace, out, until};
use rustix::process::Signal;

use super::again::{begin, edit, ran, run, signal};

fn remove(workspace: &Workspace, name: &str) {
    fs::remove_file(workspace.path().join(name)).unwrap();
}

fn add(workspace: &Workspace, tasks: &str) {
    workspace.write("tasks.yml", &(workspace.read("tasks.yml") + tasks));
}

/// How often the planner was told that it may start that task.
fn announced(workspace: &Workspace, task: u32) -> usize {
    let changes = workspace.events().into_iter().filter_map(|event| match event {
        Event::Observed { changes } => Some(changes),
        _ => None,
    });
    changes.flatten().filter(|change| matches!(change, Change::Ready(ready) if *ready == task)).count()
}

#[test]
fn a_condition_is_asked_after_what_is_done_again_before_its_task() {
    const CHECK: &str =
        "- {id: check, inputs: [i], outputs: [o], command: 'cat i > o; ! grep -q bad i || touch broken'}\n";
    const SHIP: &str = "- {id: ship, dependencies: [check], when: {missing: broken}, command: 'echo ship >> ran; test ! -e flag'}\n";
    // New in the file.
    let workspace = Workspace::new(CHECK);
    workspace.write("i", "1");
    assert_eq!(run(&workspace, &[]), "");
    workspace.write("i", "bad");
    add(&workspace, SHIP);
    let said = out(&workspace.run(&[], 0));
    assert!(said.contains("skipped: `broken` exists"), "{said}");
    assert_eq!(ran(&workspace), "");

    // Failed, mended and tried again.
    let workspace = Workspace::new(&format!("{CHECK}{SHIP}"));
    workspace.write("i", "1");
    workspace.write("flag", "");
    workspace.run(&[], 1);
    assert_eq!(ran(&workspace), "ship");
    remove(&workspace, "flag");
    workspace.write("i", "bad");
    // It was begun, so that leaving it out makes it no more done than before.
    let said = out(&workspace.run(&["--retry-failed"], 1));
    assert!(said.contains("it was begun and not done, and now `broken` exists"), "{said}");
    assert_eq!(ran(&workspace), "");

    // The other way round: it holds once that is done.
    let workspace = Workspace::new("- {id: a, command: 'touch made', outputs: [made]}\n");
    run(&workspace, &[]);
    remove(&workspace, "made");
    add(&workspace, "- {id: b, dependencies: [a], when: {exists: made}, command: 'echo b >> ran'}\n");
    assert_eq!(run(&workspace, &[]), "b");
}

#[test]
fn what_waited_is_up_to_date_only_with_what_is_made_anew_before_it() {
    let workspace = Workspace::new(
        "- {id: a, inputs: [i], outputs: [o], command: 'head -1 i > o; test ! -e flag'}\n\
         - {id: b, dependencies: [a], inputs: [o], outputs: [p], command: 'cat o > p'}\n",
    );
    workspace.write("i", "1\n1\n");
    run(&workspace, &[]);
    workspace.write("i", "1\n2\n");
    workspace.write("flag", "");
    workspace.run(&[], 1);
    remove(&workspace, "flag");
    run(&workspace, &["--task", "a"]);
    workspace.write("i", "2\n2\n");
    run(&workspace, &[]);
    assert_eq!((workspace.read("o").as_str(), workspace.read("p").as_str()), ("2\n", "2\n"));
}

#[test]
fn what_is_tried_again_behind_what_is_made_anew_is_done_once() {
    let workspace = Workspace::new(
        "- {id: a, inputs: [i], outputs: [o], command: 'echo a >> ran; cat i > o'}\n\
         - {id: b, dependencies: [a], inputs: [o], outputs: [p], command: 'echo b >> ran; test ! -e flag && cat o > p'}\n",
    );
    workspace.write("i", "1");
    workspace.write("flag", "");
    workspace.run(&[], 1);
    assert_eq!(ran(&workspace), "a b");
    remove(&workspace, "flag");
    workspace.write("i", "2");
    assert_eq!(run(&workspace, &["--retry-failed"]), "a b");
    assert_eq!(run(&workspace, &[]), "");
}

#[test]
fn what_was_looked_at_is_looked_at_again_behind_a_task_that_a_person_tries_again() {
    let workspace = Workspace::new(
        "- {id: a, allow_failure: true, command: 'test ! -e flag && touch broken'}\n\
         - {id: s, priority: 9, dependencies: [a], command: 'echo s >> ran; touch begun; until test -e go; do sleep 0.05; done'}\n\
         - {id: b, dependencies: [a], inputs: [i], when: {missing: broken}, command: 'echo b >> ran'}\n",
    );
    workspace.write("i", "");
    workspace.write("flag", "");
    let mut host = begin(&workspace, &["--jobs", "1"]);
    until(|| workspace.path().join("begun").exists() && announced(&workspace, 2) == 1);
    remove(&workspace, "flag");
    workspace.host(&["task", "retry", "a"], 0);
    workspace.write("go", "");
    assert!(host.wait().unwrap().success());
    // What ran meanwhile is done again as well, for what it depends on is another now.
    assert_eq!(ran(&workspace), "s s");
    assert_eq!(run(&workspace, &[]), "");
}

#[test]
fn what_was_looked_at_is_looked_at_again_behind_a_dependency_that_it_has_since() {
    let workspace = Workspace::new(
        "- {id: s, priority: 9, command: 'touch begun; until test -e go; do sleep 0.05; done'}\n\
         - {id: b, inputs: [i], when: {missing: broken}, command: 'echo b >> ran'}\n",
    );
    workspace.write("i", "");
    let mut host = begin(&workspace, &["--jobs", "1"]);
    until(|| workspace.path().join("begun").exists() && announced(&workspace, 1) == 1);
    edit(&workspace, "inputs: [i]", "dependencies: [a], inputs: [i]");
    add(&workspace, "- {id: a, command: 'touch broken'}\n");
    until(|| workspace.events().iter().any(|event| matches!(event, Event::TaskEdited { .. })));
    workspace.write("go", "");
    assert!(host.wait().unwrap().success());
    assert_eq!(ran(&workspace), "");
}

#[test]
fn what_a_rule_or_a_person_takes_for_done_waits_for_what_is_done_again_before_it() {
    for rule in ["ask", "done"] {
        let workspace = Workspace::new(&format!(
            "- {{id: a, inputs: [i], outputs: [o], command: 'echo a >> ran; cat i > o'}}\n\
             - {{id: m, dependencies: [a], on_doubt: {rule}, command: 'echo m >> ran; until test -e go; do sleep 0.05; done'}}\n\
             - {{id: b, dependencies: [m], inputs: [o], outputs: [p], command: 'echo b >> ran; cat o > p'}}\n"
        ));
        workspace.write("i", "1");
        let mut host = begin(&workspace, &[]);
        until(|| fs::read_to_string(workspace.path().join("ran")).is_ok_and(|ran| ran.contains('m')));
        signal(&mut host, Signal::KILL);
        ran(&workspace);
        if rule == "ask" {
            workspace.run(&[], 6);
            let run = workspace.reader().runs().unwrap().remove(0).id;
            workspace.host(&["resolve", &run, "m", "--as", "done"], 0);
        }
        workspace.write("i", "2");
        workspace.write("go", "");
        assert_eq!(run(&workspace, &[]), "a m b", "{rule}");
        assert_eq!(workspace.read("p"), "2", "{rule}");
        assert_eq!(run(&workspace, &[]), "", "{rule}");
    }
}

#[test]
fn what_follows_a_task_that_is_tried_again_while_the_run_goes_on_follows_it_again() {
    const SLOW: &str = "- {id: s, command: 'touch begun; until test -e go; do sleep 0.05; done'}\n";
    for (tasks, before, expected) in [
        (
            "- {id: up, command: 'echo up >> ran; test ! -e flag'}\n\
             - {id: down, always: true, dependencies: [up], command: 'echo down >> ran'}\n",
            "up down",
            "up down up down",
        ),
        (
            "- {id: up, allow_failure: true, command: 'echo up >> ran; test ! -e flag'}\n\
             - {id: d, dependencies: [up], command: 'echo d >> ran; touch half'}\n\
             - {id: k, dependencies: [d], inputs: [half], command: 'echo k >> ran'}\n",
            "up d k",
            "up d k up d",
        ),
    ] {
        let workspace = Workspace::new(&format!("{tasks}{SLOW}"));
        workspace.write("flag", "");
        let mut host = begin(&workspace, &["--jobs", "2"]);
        let seen = || fs::read_to_string(workspace.path().join("ran")).unwrap_or_default().replace('\n', " ");
        until(|| workspace.path().join("begun").exists() && seen().trim() == before);
        // The last of them is over, too.
        until(|| workspace.statuses().values().filter(|status| *status == "in_progress").count() == 1);
        remove(&workspace, "flag");
        workspace.host(&["task", "retry", "up"], 0);
        until(|| seen().trim() == expected);
        workspace.write("go", "");
        assert!(host.wait().unwrap().success());
        assert_eq!(ran(&workspace), expected);
        assert_eq!(run(&workspace, &[]), "");
    }
}

#[test]
fn what_a_failure_blocked_follows_what_a_person_takes_for_done_while_the_run_goes_on() {
    let workspace = Workspace::new(
        "- {id: a, command: 'test -e never'}\n- {id: b, dependencies: [a], command: 'echo b >> ran'}\n",
    );
    workspace.run(&[], 1);
    add(&workspace, "- {id: s, command: 'touch begun; until test -e go; do sleep 0.05; done'}\n");
    let mut host = begin(&workspace, &[]);
    until(|| workspace.path().join("begun").exists());
    workspace.host(&["task", "skip", "a"], 0);
    until(|| workspace.has_line("ran"));
    workspace.write("go", "");
    assert!(host.wait().unwrap().success());
    assert_eq!(ran(&workspace), "b");
}

#[test]
fn what_is_tried_again_waits_for_what_began_before_it_and_that_is_done_again() {
    for (tasks, expected) in [
        (
            "- {id: a, allow_failure: true, command: 'echo a >> ran; test ! -e flag && echo new > o'}\n\
             - {id: k, dependencies: [a], command: 'echo k >> ran; cat o > q; touch begun; until test -e go; do sleep 0.05; done'}\n",
            "a k a k",
        ),
        (
            "- {id: a, command: 'echo up >> ran; test ! -e flag && echo new > o'}\n\
             - {id: k, always: true, dependencies: [a], command: 'echo down >> ran; cp o q; touch begun; until test -e go; do sleep 0.05; done'}\n",
            "up down up down",
        ),
    ] {
        let workspace = Workspace::new(tasks);
        workspace.write("o", "old\n");
        workspace.write("flag", "");
        let mut host = begin(&workspace, &["--jobs", "2"]);
        until(|| workspace.path().join("begun").exists());
        remove(&workspace, "flag");
        workspace.host(&["task", "retry", "a"], 0);
        workspace.write("go", "");
        assert!(host.wait().unwrap().success());
        assert_eq!((ran(&workspace).as_str(), workspace.read("q").as_str()), (expected, "new\n"));
        assert_eq!(run(&workspace, &[]), "");
    }
}

#[test]
fn what_a_condition_lets_start_is_done_once_behind_what_another_leaves_out() {
    let workspace = Workspace::new(
        "- {id: migrate, when: {exists: migrations}, command: 'echo migrate >> ran'}\n\
         - {id: deploy, dependencies: [migrate], when: {exists: release}, command: 'echo deploy >> ran'}\n",
    );
    workspace.write("release", "");
    assert_eq!(run(&workspace, &[]), "deploy");
    assert_eq!(run(&workspace, &[]), "");
    workspace.write("migrations", "");
    assert_eq!(run(&workspace, &[]), "migrate deploy");
    assert_eq!(run(&workspace, &["--from", "migrate"]), "migrate deploy");
    assert_eq!(run(&workspace, &[]), "");
}

#[test]
fn a_condition_is_not_asked_of_what_was_begun_and_did_not_end() {
    const DEPLOY: &str =
        "- {id: deploy, dependencies: [install], command: 'test -e mods/whole && echo deploy >> ran'}\n";
    let installs = |more: &str, command: &str| {
        let task = format!(
            "- {{id: install, when: {{missing: mods}}, {more}command: 'echo i >> ran; {command}'}}\n"
        );
        Workspace::new(&(task + DEPLOY))
    };
    const FAILS: &str = "if test -e mods; then touch mods/whole; else mkdir mods; false; fi";
    // Its next attempt.
    let workspace = installs("retries: 1, retry_on: true, ", FAILS);
    assert_eq!(run(&workspace, &[]), "i i deploy");
    assert_eq!(run(&workspace, &[]), "");
    // A person's word, in the run or for the next one: neither does it start, nor is it done.
    for again in [&["run", "--trust-workspace", "--retry-failed"][..], &["task", "retry", "install"]] {
        let workspace = installs("", FAILS);
        workspace.run(&[], 1);
        let is_run = again.contains(&"run");
        let said = out(&workspace.host(again, i32::from(is_run)));
        let said = if is_run { said } else { out(&workspace.run(&[], 1)) };
        assert!(said.contains("it was begun and not done, and now `mods` exists"), "{said}");
        fs::remove_dir(workspace.path().join("mods")).unwrap();
        edit(&workspace, "mkdir mods; false", "mkdir mods; touch mods/whole");
        assert_eq!(run(&workspace, &["--retry-failed"]), "i i deploy", "{again:?}");
    }
    // The end of its host.
    let workspace = installs(
        "idempotent: true, ",
        "if test -e mods; then touch mods/whole; else mkdir mods; sleep 30; fi",
    );
    let mut host = begin(&workspace, &[]);
    until(|| workspace.path().join("mods").exists());
    signal(&mut host, Signal::KILL);
    assert_eq!(run(&workspace, &[]), "i i deploy");
    // What never began is asked for as ever.
    let workspace = installs("", "mkdir mods");
    workspace.write("mods/whole", "");
    assert_eq!(run(&workspace, &[]), "deploy");
}

#[test]
fn what_is_known_of_a_task_is_known_of_the_file_that_it_is_in() {
    let workspace = Workspace::new(
        "- {id: build, inputs: [i], outputs: [o], command: 'cat i > o'}\n\
         - {id: deploy, dependencies: [build], command: 'cat o > deployed'}\n\
         - {id: gate, when: {exists: release}, command: 'echo gate >> ran'}\n",
    );
    workspace.write(
        "other.yml",
        "- {id: deploy, command: 'true'}\n- {id: gate, when: {exists: i}, command: 'true'}\n",
    );
    workspace.write("i", "1");
    run(&workspace, &[]);
    workspace.write("i", "2");
    run(&workspace, &["--task", "build"]);
    run(&workspace, &["--tasks", "other.yml"]);
    workspace.write("release", "");
    assert_eq!(run(&workspace, &[]), "gate");
    assert_eq!(workspace.read("deployed"), "2");
    workspace.host(&["db", "check"], 0);
}

#[test]
fn what_was_only_put_back_is_not_done_again_by_the_host_after_a_kill() {
    let workspace = Workspace::new(
        "- {id: migrate, when: {exists: migrations}, command: 'echo migrate >> ran'}\n\
         - {id: deploy, dependencies: [migrate], command: 'echo deploy >> ran'}\n\
         - {id: after, dependencies: [deploy], when: {missing: never}, command: 'echo after >> ran'}\n",
    );
    assert_eq!(run(&workspace, &[]), "deploy after");
    for commit in 1..=8 {
        let mut killed = workspace.command(&["run", "--trust-workspace"]);
        killed.env("ORCH_FAILPOINT", format!("before-commit:{commit}")).output().unwrap();
        assert_eq!(run(&workspace, &[]), "", "{commit}");
    }
    // Of what is put back as it was, a person's word is another.
    edit(&workspace, "id: deploy, status: done", "id: deploy, status: pending");
    assert_eq!(run(&workspace, &[]), "deploy after");
}

#[test]
fn a_cleanup_follows_what_failed_in_a_run_without_it_and_nothing_that_did_not_start() {
    let workspace = Workspace::new(
        "- {id: up, inputs: [i], command: 'echo up >> ran; test ! -e flag'}\n\
         - {id: down, always: true, dependencies: [up], command: 'echo down >> ran'}\n",
    );
    workspace.write("i", "1");
    assert_eq!(run(&workspace, &[]), "up down");
    workspace.write("i", "2");
    workspace.write("flag", "");
    workspace.run(&["--task", "up"], 1);
    assert_eq!(ran(&workspace), "up");
    for expected in ["down", ""] {
        workspace.run(&[], 1);
        assert_eq!(ran(&workspace), expected);
    }

    let workspace = Workspace::new(
        "- {id: a, command: 'test -e never'}\n- {id: b, dependencies: [a], command: 'true'}\n\
         - {id: down, always: true, dependencies: [b], command: 'echo down >> ran'}\n",
    );
    for expected in ["down", "", ""] {
        workspace.run(&[], 1);
        assert_eq!(ran(&workspace), expected);
    }
}

#[test]
fn what_is_done_again_by_a_run_that_goes_on_is_done_as_its_file_says_now() {
    let workspace = Workspace::new(
        "- {id: a, inputs: [i], command: 'echo old >> ran'}\n\
         - {id: s, dependencies: [a], idempotent: true, command: 'touch begun; until test -e go; do sleep 0.05; done'}\n\
         - {id: d, dependencies: [s], command: 'echo d >> ran'}\n",
    );
    workspace.write("i", "1");
    let mut host = begin(&workspace, &[]);
    until(|| workspace.path().join("begun").exists());
    signal(&mut host, Signal::KILL);
    assert_eq!(ran(&workspace), "old");
    workspace.write("i", "2");
    workspace.write("go", "");
    edit(&workspace, "echo old", "echo new");
    assert_eq!(run(&workspace, &[]), "new d");
    assert_eq!(run(&workspace, &[]), "");
    // While the host is at work, and tried again by a person.
    let workspace = Workspace::new(
        "- {id: a, command: 'echo old >> ran; false'}\n\
         - {id: s, command: 'until test -e go; do sleep 0.05; done'}\n",
    );
    let mut host = begin(&workspace, &["--jobs", "2"]);
    until(|| workspace.has_line("ran"));
    until(|| workspace.statuses().get("a").is_some_and(|status| status == "failed"));
    edit(&workspace, "echo old >> ran; false", "echo new >> ran");
    until(|| workspace.events().iter().any(|event| matches!(event, Event::TaskEdited { .. })));
    workspace.host(&["task", "retry", "a"], 0);
    workspace.write("go", "");
    assert!(host.wait().unwrap().success());
    assert_eq!(ran(&workspace), "old new");
}
