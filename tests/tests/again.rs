//! What is done again because something that it depends on was, and because a person, a kill or an interrupt came between.
//!
//! In -> out: a workspace with a build and what is made of it, what happened in between -> what the next `run` does.
//! Not here: when the files of one task make it up to date (`fresh.rs`), which tasks a run is asked for (`chosen.rs`).
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::process::{Child, Stdio};

use orch_tests::{Workspace, hears_signals, out, until};
use rustix::process::{Pid, Signal, kill_process};

const BUILD: &str = "\
- {id: build, command: 'echo build >> ran; cat i > o', inputs: [i], outputs: [o]}
- {id: deploy, command: 'echo deploy >> ran; cat o > deployed', dependencies: [build]}
";

#[track_caller]
pub(crate) fn run(workspace: &Workspace, args: &[&str]) -> String {
    out(&workspace.run(args, 0));
    ran(workspace)
}

/// What was done since it was asked last.
pub(crate) fn ran(workspace: &Workspace) -> String {
    let ran = fs::read_to_string(workspace.path().join("ran")).unwrap_or_default();
    workspace.write("ran", "");
    ran.split_whitespace().collect::<Vec<_>>().join(" ")
}

pub(crate) fn edit(workspace: &Workspace, from: &str, to: &str) {
    let tasks = workspace.read("tasks.yml");
    assert!(tasks.contains(from), "{tasks}");
    workspace.write("tasks.yml", &tasks.replace(from, to));
}

pub(crate) fn begin(workspace: &Workspace, args: &[&str]) -> Child {
    let mut host = workspace.command(&["run", "--trust-workspace"]);
    hears_signals(&mut host);
    host.args(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

pub(crate) fn signal(host: &mut Child, signal: Signal) -> Option<i32> {
    kill_process(Pid::from_child(host), signal).unwrap();
    host.wait().unwrap().code()
}

#[test]
fn what_a_selected_run_left_out_is_done_by_the_next_run() {
    for change in [
        &(|workspace: &Workspace| run(workspace, &["--task", "build"])) as &dyn Fn(&Workspace) -> String,
        &|workspace| run(workspace, &["--exclude", "deploy"]),
        &|workspace| run(workspace, &["--force", "--task", "build"]),
        &|workspace| {
            let whole = workspace.read("tasks.yml");
            let deploy = whole.find("- {id: deploy").unwrap();
            workspace.write("tasks.yml", &whole[..deploy]);
            let ran = run(workspace, &[]);
            workspace.write("tasks.yml", &(workspace.read("tasks.yml") + &whole[deploy..]));
            ran
        },
    ] {
        let workspace = Workspace::new(BUILD);
        workspace.write("i", "1");
        assert_eq!(run(&workspace, &[]), "build deploy");
        workspace.write("i", "2");
        assert_eq!(change(&workspace), "build");
        assert_eq!(run(&workspace, &[]), "deploy");
        assert_eq!(workspace.read("deployed"), "2");
        assert_eq!(run(&workspace, &[]), "", "and once only");
    }
}

#[test]
fn what_is_behind_a_task_that_a_person_put_back_or_added_is_done_again() {
    let workspace = Workspace::new(BUILD);
    workspace.write("i", "1");
    run(&workspace, &[]);
    workspace.write("i", "2");
    edit(&workspace, "id: build, status: done", "id: build, status: pending");
    assert_eq!(run(&workspace, &[]), "build deploy");
    assert_eq!(workspace.read("deployed"), "2");

    edit(&workspace, "dependencies: [build]", "dependencies: [build, gen]");
    let tasks = workspace.read("tasks.yml");
    workspace.write("tasks.yml", &format!("- {{id: gen, command: 'echo gen >> ran'}}\n{tasks}"));
    assert_eq!(run(&workspace, &[]), "gen deploy");

    let workspace = Workspace::new(
        "- {id: a, command: 'echo a >> ran; test ! -e flag'}\n- {id: b, command: 'echo b >> ran', dependencies: [a]}\n",
    );
    run(&workspace, &[]);
    workspace.write("flag", "");
    workspace.run(&["--force", "--task", "a"], 1);
    fs::remove_file(workspace.path().join("flag")).unwrap();
    ran(&workspace);
    assert_eq!(run(&workspace, &["--retry-failed"]), "a b");
}

#[test]
fn a_host_that_takes_up_a_run_looks_at_what_was_done() {
    let tasks = BUILD.replace("dependencies: [build]", "dependencies: [slow]")
        + "- {id: slow, command: 'touch begun; until test -e go; do sleep 0.05; done', dependencies: [build]}\n";
    for end in [Signal::TERM, Signal::KILL] {
        let workspace = Workspace::new(&tasks.replace("id: slow", "id: slow, idempotent: true"));
        workspace.write("i", "1");
        let said = workspace.path().join("said");
        let mut host = workspace.command(&["run", "--trust-workspace"]);
        hears_signals(&mut host);
        host.stdout(Stdio::null()).stderr(fs::File::create(&said).unwrap());
        let mut host = host.spawn().unwrap();
        until(|| workspace.path().join("begun").exists());
        kill_process(Pid::from_child(&host), end).unwrap();
        // One that is asked to end lets its task end, once it has heard it.
        let heard = || fs::read_to_string(&said).unwrap().contains("running tasks end first");
        until(|| end == Signal::KILL || heard());
        workspace.write("go", "");
        host.wait().unwrap();
        workspace.write("i", "2");
        assert_eq!(run(&workspace, &[]), "build build deploy", "{end:?}");
        assert_eq!(workspace.read("deployed"), "2", "{end:?}");
    }
}

#[test]
fn a_word_of_a_person_between_two_hosts_is_no_way_around_the_look() {
    let workspace = Workspace::new(
        "- {id: gen, command: 'test ! -e flag && cat i > o', inputs: [i], outputs: [o]}\n\
         - {id: use, command: 'cat o > u', dependencies: [gen], inputs: [o], outputs: [u]}\n",
    );
    workspace.write("i", "1");
    workspace.run(&[], 0);
    workspace.write("i", "2");
    workspace.write("flag", "");
    workspace.run(&["--force", "--task", "gen"], 1);
    fs::remove_file(workspace.path().join("flag")).unwrap();
    workspace.host(&["task", "retry", "gen"], 0);
    workspace.run(&[], 0);
    assert_eq!(workspace.read("u"), "2");
}

#[test]
fn a_host_that_is_killed_or_interrupted_while_it_looks_has_seen_nothing() {
    let workspace = Workspace::new(BUILD);
    workspace.write("i", "1");
    run(&workspace, &[]);
    // Killed before the look counts.
    workspace.write("i", "2");
    let mut killed = workspace.command(&["run", "--trust-workspace"]);
    let killed = killed.env("ORCH_FAILPOINT", "before-commit:2").output().unwrap();
    assert!(!killed.status.success());
    assert_eq!(run(&workspace, &[]), "build deploy");
    assert_eq!(workspace.read("deployed"), "2");
    // Interrupted in the middle of a file that takes some seconds.
    let big = fs::File::create(workspace.path().join("i.big")).unwrap();
    big.set_len(20 << 30).unwrap();
    fs::rename(workspace.path().join("i"), workspace.path().join("i.old")).unwrap();
    fs::rename(workspace.path().join("i.big"), workspace.path().join("i")).unwrap();
    let mut host = begin(&workspace, &[]);
    std::thread::sleep(std::time::Duration::from_millis(1500));
    signal(&mut host, Signal::TERM);
    fs::rename(workspace.path().join("i.old"), workspace.path().join("i")).unwrap();
    assert_eq!(run(&workspace, &[]), "", "nothing changed");
}

#[test]
fn what_cleans_up_does_so_after_what_was_done_again_whatever_it_reads() {
    let workspace = Workspace::new(
        "- {id: up, command: 'echo up >> ran', inputs: [i]}\n\
         - {id: down, command: 'echo down >> ran', dependencies: [up], inputs: [j], always: true}\n",
    );
    workspace.write("i", "1");
    workspace.write("j", "1");
    assert_eq!(run(&workspace, &[]), "up down");
    workspace.write("i", "2");
    assert_eq!(run(&workspace, &[]), "up down");
    assert_eq!(run(&workspace, &["--from", "up", "--exclude", "down"]), "up");
    assert_eq!(run(&workspace, &[]), "down");
}

#[test]
fn a_task_that_says_only_what_it_makes_reads_what_is_made_before_it() {
    let workspace = Workspace::new(
        "- {id: gen, command: 'cat i > o', inputs: [i], outputs: [o]}\n\
         - {id: link, command: 'echo link >> ran; cat o > u', dependencies: [gen], outputs: [u]}\n",
    );
    workspace.write("i", "1");
    run(&workspace, &[]);
    workspace.write("i", "2");
    assert_eq!(run(&workspace, &[]), "link");
    assert_eq!(workspace.read("u"), "2");
    assert_eq!(run(&workspace, &[]), "");
}

#[test]
fn an_input_that_was_another_one_while_its_task_ran_leaves_no_record() {
    let workspace = Workspace::new(
        "- {id: a, command: 'touch begun; until test -e go; do sleep 0.05; done; cat i > o; touch read; until test -e end; do sleep 0.05; done', inputs: [i], outputs: [o]}\n",
    );
    workspace.write("i", "1");
    let mut host = begin(&workspace, &[]);
    until(|| workspace.path().join("begun").exists());
    let (old, input) = (workspace.path().join("i.old"), workspace.path().join("i"));
    fs::rename(&input, &old).unwrap();
    workspace.write("i", "2");
    workspace.write("go", "");
    until(|| workspace.path().join("read").exists());
    fs::rename(&old, &input).unwrap();
    workspace.write("end", "");
    assert!(host.wait().unwrap().success());
    assert_eq!(workspace.read("o"), "2");
    workspace.run(&[], 0);
    assert_eq!(workspace.read("o"), "1");
}

/// The operator hands this on to every command, or to one program's.
fn hand_on(workspace: &Workspace, entry: &str) {
    let policy = workspace.operator().join("policy.toml");
    let text = fs::read_to_string(&policy).unwrap();
    fs::write(&policy, text.replace("\"HOME\", ", &format!("\"HOME\", \"{entry}\", "))).unwrap();
}

#[test]
fn variables_count_as_the_command_gets_them() {
    // Of the file, edited while the task waits for its slot.
    let workspace = Workspace::new(
        "- {id: s, command: 'touch begun; until test -e go; do sleep 0.05; done', priority: 9}\n\
         - {id: a, command: 'echo $MODE > o', env: {MODE: x}, inputs: [i], outputs: [o]}\n",
    );
    hand_on(&workspace, "MODE");
    workspace.write("i", "");
    let mut host = begin(&workspace, &["--jobs", "1"]);
    until(|| workspace.path().join("begun").exists());
    edit(&workspace, "MODE: x", "MODE: y");
    let seen = || {
        let edited = |event: &orch_journal::Event| matches!(event, orch_journal::Event::TaskEdited { .. });
        workspace.events().iter().any(edited)
    };
    until(seen);
    workspace.write("go", "");
    assert!(host.wait().unwrap().success());
    assert_eq!(workspace.read("o"), "y\n");
    edit(&workspace, "MODE: y", "MODE: x");
    workspace.run(&[], 0);
    assert_eq!(workspace.read("o"), "x\n");

    // Of the host, for one program.
    let workspace = Workspace::new(
        "- {id: a, command: 'echo $ONLY > o', inputs: [i], outputs: [o]}\n\
         - {id: b, command: 'echo b >> ran', when: {variable: ONLY}}\n",
    );
    hand_on(&workspace, "ONLY@sh");
    workspace.write("i", "");
    for mode in ["debug", "release"] {
        let mut host = workspace.command(&["run", "--trust-workspace"]);
        assert!(host.env("ONLY", mode).output().unwrap().status.success());
        assert_eq!(workspace.read("o").trim(), mode);
    }
    assert_eq!(ran(&workspace), "b");
}

#[test]
fn a_value_of_the_hosts_that_is_no_text_arrives_byte_for_byte_and_counts() {
    let workspace = Workspace::new(
        "- {id: a, command: 'printf %s \"$ODD\" > o', inputs: [i], outputs: [o]}\n\
         - {id: b, command: 'echo b >> ran', when: {variable: ODD}}\n\
         - {id: c, command: 'echo c >> ran', when: {variable: ODD, is: \"\u{fffd}\"}}\n",
    );
    hand_on(&workspace, "ODD");
    workspace.write("i", "");
    // The second differs from the first only in what no text has.
    for value in [b"\xff", b"\xfe"] {
        let mut host = workspace.command(&["run", "--trust-workspace"]);
        let output = host.env("ODD", OsStr::from_bytes(value)).output().unwrap();
        assert!(output.status.success(), "{}", out(&output));
        assert_eq!(fs::read(workspace.path().join("o")).unwrap(), value, "{}", out(&output));
        assert!(out(&output).contains("`ODD` is not `\u{fffd}`"), "{}", out(&output));
    }
    assert_eq!(ran(&workspace), "b");
}

#[test]
fn what_was_done_with_another_command_stays_done_and_every_run_says_so_until_it_is_done_again() {
    const SAID: &str = "done-otherwise: `a`: done with another command";
    let tasks = "- {id: a, command: 'echo 1 >> ran'}\n\
                 - {id: b, command: 'touch begun; test -e go', dependencies: [a]}\n";
    // Edited between two runs, and between two hosts of one run.
    for is_killed in [false, true] {
        let workspace = Workspace::new(tasks);
        if is_killed {
            let wait = "touch begun; until test -e go; do sleep 0.05; done";
            edit(&workspace, "touch begun; test -e go", wait);
            let mut host = begin(&workspace, &[]);
            until(|| workspace.path().join("begun").exists());
            signal(&mut host, Signal::KILL);
            workspace.host(&["status"], 0);
        }
        workspace.write("go", "");
        if !is_killed {
            assert_eq!(run(&workspace, &[]), "1");
        }
        edit(&workspace, "echo 1", "echo 2");
        if is_killed {
            edit(&workspace, "dependencies: [a]", "dependencies: [a], on_doubt: retry");
            let said = out(&workspace.run(&[], 6));
            assert!(!said.contains("edit-refused: task `a`"), "{said}");
            let id = workspace.reader().runs().unwrap().first().unwrap().id.clone();
            workspace.host(&["resolve", &id, "b", "--as", "done"], 0);
            workspace.run(&[], 0);
            assert_eq!(ran(&workspace), "1");
        }
        for _ in 0..2 {
            let said = out(&workspace.run(&[], 0));
            assert!(said.contains(SAID), "{said}");
            assert_eq!(ran(&workspace), "");
        }
        assert_eq!(run(&workspace, &["--force", "--task", "a"]), "2");
        assert!(!out(&workspace.run(&[], 0)).contains("done-otherwise"));
    }
    // What never ran is no other command's work.
    let workspace = Workspace::new("- {id: a, command: 'echo 1 >> ran', when: {exists: flag}}\n");
    assert_eq!(run(&workspace, &[]), "");
    edit(&workspace, ", when: {exists: flag}", "");
    assert_eq!(run(&workspace, &[]), "1");
}

#[test]
fn what_a_person_asked_for_again_stays_asked_for_after_a_failure() {
    let workspace = Workspace::new(
        "- {id: s, command: 'test ! -e flag'}\n\
         - {id: a, command: 'echo x > o; echo a >> ran', dependencies: [s], inputs: [i], outputs: [o]}\n",
    );
    workspace.write("i", "1");
    assert_eq!(run(&workspace, &[]), "a");
    for again in [&["--force"][..], &["--from", "s"]] {
        workspace.write("flag", "");
        workspace.run(again, 1);
        fs::remove_file(workspace.path().join("flag")).unwrap();
        assert_eq!(run(&workspace, &["--retry-failed"]), "a", "{again:?}");
    }
}

#[test]
fn what_was_left_out_by_its_condition_is_asked_again_also_without_the_store() {
    let workspace = Workspace::new("- {id: deploy, command: 'echo ran >> ran', when: {exists: flag}}\n");
    assert_eq!(run(&workspace, &[]), "");
    fs::remove_dir_all(workspace.path().join(".orch")).unwrap();
    workspace.write("flag", "");
    assert_eq!(run(&workspace, &[]), "ran");
}

#[test]
fn a_word_that_a_task_is_done_counts_for_what_it_reads_too() {
    for rule in ["ask", "done"] {
        let workspace = Workspace::new(&format!(
            "- {{id: a, command: 'echo a >> ran; sleep 5', inputs: [i], on_doubt: {rule}}}\n"
        ));
        workspace.write("i", "1");
        let mut host = begin(&workspace, &[]);
        until(|| workspace.has_line("ran"));
        signal(&mut host, Signal::KILL);
        if rule == "ask" {
            workspace.run(&[], 6);
            let run = workspace.reader().runs().unwrap().remove(0).id;
            workspace.host(&["resolve", &run, "a", "--as", "done"], 0);
        }
        workspace.run(&[], 0);
        assert_eq!(ran(&workspace), "a", "{rule}");
        assert_eq!(run(&workspace, &[]), "", "{rule}");
        workspace.write("i", "2");
        edit(&workspace, "sleep 5", "true");
        assert_eq!(run(&workspace, &[]), "a", "{rule}");
    }
}

#[test]
fn a_failure_by_rule_after_a_kill_frees_what_any_failure_frees() {
    let workspace = Workspace::new(
        "- {id: a, command: 'echo a >> ran; sleep 5', on_doubt: fail, allow_failure: true}\n\
         - {id: b, command: 'echo b >> ran', dependencies: [a]}\n\
         - {id: clean, command: 'echo clean >> ran', dependencies: [b], always: true}\n",
    );
    let mut host = begin(&workspace, &[]);
    until(|| workspace.has_line("ran"));
    signal(&mut host, Signal::KILL);
    assert_eq!(run(&workspace, &[]), "a b clean");
}
