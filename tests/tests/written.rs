//! Files that plugins change themselves: in a tree of their own kept whole or gone, in the workspace an effect, and never by who
//! only looks.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::fs::File;
use std::process::Command;

use orch_journal::Event;
use orch_journal::event::{Ending, FileChange};
use orch_tests::isolated::Bench;
use orch_tests::kill::{self, Moment};
use orch_tests::{Workspace, binary, err, out, packages, root};

const ALLOWED: &str = "log = {}\nfiles = { read = [\"**\"], write = [\"**\"] }\n";

const CHANGES: &str = "\
- id: changes
  kind: write
  description: |
    write new/one.txt one
    append new/one.txt two
    append a.txt more
    truncate src/b.txt 0
    folder empty
    rename new/one.txt new/two.txt
    remove .gitignore
    rename a.txt new/two.txt
    write tasks.yml x
    write sub/.git/config x
    write git~1/hooks/x x
    write .ORCH/state.db x
    write ../out x
    read new/two.txt
";
const ANSWERS: &str = "ok ok ok ok ok ok ok invalid denied denied denied denied invalid onetwo";

/// Binds the plugin as the executor of `write`; gives the folder of its package.
fn bind(workspace: &Workspace, verifies: bool) -> String {
    let root = workspace.admit_guest("writes-files", ALLOWED);
    let mut config = workspace.read("config.yaml");
    config = config.replace("executors: {", "executors: {write: demo/writes-files, ");
    if verifies {
        config = config.replace("executors: {", "verifiers: [demo/writes-files]\n  executors: {");
    }
    workspace.write("config.yaml", &config);
    root.to_str().unwrap().to_owned()
}

fn isolated(tasks: &str) -> (Bench, String) {
    let bench = Bench::new(tasks);
    let root = bind(&bench.0, false);
    bench.git(&["commit", "--quiet", "--all", "--message=bound"]);
    (bench, root)
}

/// Path, what was done to it and whether in a tree, of each change.
fn changes(workspace: &Workspace) -> Vec<(String, FileChange, bool)> {
    let change = |event| match event {
        Event::FileWritten { path, change, in_tree, .. } => Some((path, change, in_tree)),
        _ => None,
    };
    workspace.events().into_iter().filter_map(change).collect()
}

fn endings(workspace: &Workspace) -> Vec<Ending> {
    let ending = |event| match event {
        Event::AttemptFinished(finished) => Some(finished.ending),
        _ => None,
    };
    workspace.events().into_iter().filter_map(ending).collect()
}

fn summary(workspace: &Workspace) -> String {
    match &endings(workspace)[..] {
        [Ending::Done { summary }] => summary.clone(),
        _ => String::new(),
    }
}

#[test]
fn in_its_own_tree_what_a_plugin_changed_is_kept_whole_and_nothing_is_in_doubt() {
    let (bench, root) = isolated(CHANGES);
    let before = bench.of_the_person();
    bench.0.run(&["--plugins", &root], 0);
    assert_eq!(summary(&bench.0), ANSWERS);
    assert_eq!(bench.of_the_person(), before);
    assert_eq!(bench.on_branch("new/two.txt").unwrap(), "onetwo");
    assert_eq!(bench.on_branch("a.txt").unwrap(), "one\ntwo\nthree\nmore");
    assert_eq!(bench.on_branch("src/b.txt").unwrap(), "");
    assert_eq!((bench.on_branch("new/one.txt"), bench.on_branch(".gitignore")), (None, None));
    assert!(changes(&bench.0).iter().all(|(_, _, in_tree)| *in_tree));
    let run = bench.run_id();
    assert_eq!(bench.0.reader().artifacts(&run).unwrap().len(), 0, "of a tree nothing is the workspace's");
    bench.is_sound();
}

#[test]
fn of_an_attempt_that_fails_or_traps_nothing_is_kept_and_nothing_is_in_doubt() {
    let (bench, root) = isolated(
        "- {id: fails, kind: write, description: write new x}\n- {id: traps, kind: write, description: write new x}\n",
    );
    let before = bench.of_the_person();
    bench.0.run(&["--plugins", &root], 1);
    assert_eq!((bench.of_the_person(), bench.commits()), (before, 0));
    let endings = endings(&bench.0);
    assert_eq!(endings.len(), 2);
    assert!(endings.iter().any(|ending| matches!(ending, Ending::Failed { message, .. } if message == "ok")));
    assert!(endings.iter().any(|ending| matches!(ending, Ending::Broken { .. })), "{endings:?}");
    bench.is_sound();
}

#[test]
fn in_the_workspace_a_change_is_an_effect_with_its_intent_first() {
    let workspace = Workspace::new(CHANGES);
    workspace.write("a.txt", "one\ntwo\nthree\n");
    workspace.write("src/b.txt", "b\n");
    workspace.write(".gitignore", "x\n");
    let root = bind(&workspace, false);
    workspace.run(&["--plugins", &root], 0);
    assert_eq!(summary(&workspace), ANSWERS);
    assert_eq!(workspace.read("new/two.txt"), "onetwo");
    assert!(workspace.path().join("empty").is_dir() && !workspace.path().join(".gitignore").exists());
    let events = workspace.events();
    let is_intent =
        |event: &Event| matches!(event, Event::IntentRecorded { effect, .. } if effect == "files-write");
    let is_change = |event: &Event| matches!(event, Event::FileWritten { .. });
    let (intent, change) = (events.iter().position(is_intent), events.iter().position(is_change));
    assert!(intent.unwrap() < change.unwrap());
    assert_eq!(events.iter().filter(|event| is_intent(event)).count(), 1);
    let done: Vec<_> = changes(&workspace)
        .into_iter()
        .map(|(path, change, in_tree)| {
            assert!(!in_tree);
            (path, change)
        })
        .collect();
    let expected = [
        ("new/one.txt", FileChange::Written),
        ("new/one.txt", FileChange::Written),
        ("a.txt", FileChange::Written),
        ("src/b.txt", FileChange::Written),
        ("empty", FileChange::FolderMade),
        ("new/one.txt", FileChange::Removed),
        ("new/two.txt", FileChange::Written),
        (".gitignore", FileChange::Removed),
    ];
    assert_eq!(done, expected.map(|(path, change)| (path.to_owned(), change)));
    let run = workspace.reader().runs().unwrap()[0].id.clone();
    let made = workspace.reader().artifacts(&run).unwrap();
    assert!(made.iter().any(|row| row.path == "new/two.txt" && row.size == Some(6)));
    workspace.host(&["db", "check"], 0);
    workspace.host(&["audit", "verify"], 0);
}

#[test]
fn a_trap_after_a_change_of_the_workspace_is_in_doubt() {
    let workspace = Workspace::new("- {id: traps, kind: write, description: write new x}\n");
    let root = bind(&workspace, false);
    workspace.run(&["--plugins", &root], 6);
    assert!(matches!(&endings(&workspace)[..], [Ending::InDoubt { .. }]));
    assert_eq!(workspace.read("new"), "x");
}

#[test]
fn a_kill_while_a_plugin_writes_runs_again_in_a_tree_and_is_in_doubt_in_the_workspace() {
    let tasks = "- {id: writes, kind: write, description: append a.txt more}\n";
    let (bench, root) = isolated(tasks);
    let before = bench.of_the_person();
    let said = File::create(bench.0.outside().join("said")).unwrap();
    let args = ["--plugins", root.as_str()];
    assert!(kill::run_and_kill(&bench.0, &args, Moment::At("before-edits", 1), &said));
    assert_eq!(bench.of_the_person(), before);
    bench.0.run(&args, 0);
    assert_eq!(bench.on_branch("a.txt").unwrap(), "one\ntwo\nthree\nmore");
    bench.is_sound();

    let workspace = Workspace::new(tasks);
    let root = bind(&workspace, false);
    let said = File::create(workspace.outside().join("said")).unwrap();
    let args = ["--plugins", root.as_str()];
    assert!(kill::run_and_kill(&workspace, &args, Moment::At("after-intent", 1), &said));
    workspace.run(&args, 6);
    assert!(matches!(&endings(&workspace)[..], [Ending::InDoubt { .. }]));
}

#[test]
fn whoever_only_looks_changes_nothing_whatever_is_granted() {
    let workspace = Workspace::new("- {id: writes, kind: write, description: write b.txt b}\n");
    workspace.write("a.txt", "a\n");
    let root = bind(&workspace, true);
    workspace.run(&["--plugins", &root], 0);
    let found = workspace.events().into_iter().find_map(|event| match event {
        Event::Called(called) if called.call == "verify" => called.writes.findings.first().cloned(),
        _ => None,
    });
    assert_eq!(found.unwrap().message, "denied denied denied denied denied denied");
    assert!(!workspace.path().join("out").exists() && workspace.read("a.txt") == "a\n");
    let denied =
        |event: &Event| matches!(event, Event::Denied { what, .. } if what == "files: write `out/v`");
    assert!(workspace.events().iter().any(denied));
}

#[test]
fn case_files_say_what_a_workspace_has_afterwards() {
    for guest in ["writes-files", "makes-artifacts"] {
        let built = packages().join("demo").join(guest).join("0.1.0");
        let mut test = Command::new(binary("orch-plugin"));
        test.arg("test").arg(root().join("tests/guests").join(guest)).arg("--built").arg(built);
        let output = test.output().unwrap();
        assert!(output.status.success(), "{}{}", out(&output), err(&output));
        assert!(out(&output).contains("1 of 1 cases passed"), "{}", out(&output));
    }
}
