//! `prune`: what only grows goes, and nothing else.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::process::Stdio;
use std::time::Duration;

use orch_tests::isolated::Bench;
use orch_tests::{Workspace, err, out, until};

use crate::models::{self, PIECES, events, serve};

fn logs(workspace: &Workspace) -> Vec<String> {
    let entries = std::fs::read_dir(workspace.path().join("logs")).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    // It keeps git out and is no log.
    names.retain(|name| name != ".gitignore");
    names.sort();
    names
}

/// How many heads of runs are kept.
fn heads(workspace: &Workspace) -> usize {
    let kept = std::fs::read_dir(workspace.operator().join("heads")).unwrap();
    kept.filter(|head| head.as_ref().unwrap().file_name() != "operator.json").count()
}

/// A run of one task that prints a word.
fn run(workspace: &Workspace, word: &str) -> String {
    workspace.write("tasks.yml", &format!("- {{id: a, command: [sh, -c, 'echo {word}']}}\n"));
    workspace.run(&[], 0);
    workspace.reader().runs().unwrap()[0].id.clone()
}

#[test]
fn logs_of_the_newest_runs_stay_and_no_event_goes() {
    let workspace = Workspace::new("[]");
    let mut runs = Vec::new();
    for word in ["one", "two", "three"] {
        runs.push(run(&workspace, word));
        std::thread::sleep(Duration::from_millis(1100));
    }
    workspace.write("logs/run-serve.log", "a service\n");
    workspace.write("logs/notes.txt", "mine\n");
    let before = (logs(&workspace), workspace.reader().runs().unwrap(), heads(&workspace));
    assert_eq!(before.0.len(), 8);
    assert_eq!(out(&workspace.host(&["prune", "--keep", "3"], 0)), "0 logs are removed, 0 bytes\n");
    assert_eq!(logs(&workspace), before.0);

    assert!(out(&workspace.host(&["prune", "--keep", "2"], 0)).starts_with("2 logs are removed, "));
    assert!(out(&workspace.host(&["prune", "--keep", "1"], 0)).starts_with("2 logs are removed, "));
    let left = logs(&workspace);
    assert_eq!(left.len(), 4, "{left:?}");
    assert!(left.contains(&format!("run-{}.log", runs[2])) && left.contains(&"notes.txt".to_owned()));
    assert_eq!(out(&workspace.host(&["logs", "a"], 0)), "three\n");
    assert_eq!((workspace.reader().runs().unwrap(), heads(&workspace)), (before.1, before.2));
    workspace.host(&["audit", "verify"], 0);
    workspace.host(&["db", "check"], 0);
}

#[test]
fn heads_of_runs_whose_store_is_gone_are_forgotten_on_demand_and_those_of_others_stay() {
    let workspace = Workspace::new("[]");
    let gone = run(&workspace, "one");
    std::fs::remove_dir_all(workspace.path().join(".orch")).unwrap();
    assert!(out(&workspace.host(&["audit", "verify"], 5)).contains("journal-missing"));
    // One of another store, and one that this host did not sign.
    let kept = workspace.operator().join("heads").join(format!("{gone}.json"));
    let text = std::fs::read_to_string(&kept).unwrap();
    let mut head: serde_json::Value = serde_json::from_str(&text).unwrap();
    head["run"] = "forged".into();
    std::fs::write(workspace.operator().join("heads/forged.json"), head.to_string()).unwrap();
    head["store"] = "0".repeat(64).into();
    std::fs::write(workspace.operator().join("heads/elsewhere.json"), head.to_string()).unwrap();

    let said = out(&workspace.host(&["prune", "--keep", "1"], 0));
    assert!(said.contains(&format!("the kept head of run {gone} is removed")), "{said}");
    assert!(!kept.exists());
    assert!(!workspace.path().join(".orch").exists(), "it makes no store");
    assert_eq!(heads(&workspace), 2, "{said}");
    let found = out(&workspace.host(&["audit", "verify"], 5));
    assert!(!found.contains("journal-missing") && found.contains("head-forged"), "{found}");
}

#[test]
fn nothing_is_removed_while_a_host_is_at_work() {
    let workspace = Workspace::new("[]");
    run(&workspace, "one");
    std::thread::sleep(Duration::from_millis(1100));
    workspace.write(
        "tasks.yml",
        "- {id: a, command: [sh, -c, 'touch begun; until test -e go; do sleep 0.05; done']}\n",
    );
    let mut host = workspace.command(&["run"]);
    let mut host = host.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until(|| workspace.path().join("begun").exists());
    let before = logs(&workspace);
    let output = workspace.host(&["prune", "--keep", "1"], 7);
    assert!(err(&output).contains("code: store-held"), "{}", err(&output));
    assert_eq!(logs(&workspace), before);
    workspace.write("go", "");
    assert!(host.wait().unwrap().success());
    workspace.host(&["prune", "--keep", "0"], 2);
    workspace.host(&["prune"], 2);
}

/// `prune` with these words; what it says.
fn pruned(workspace: &Workspace, args: &[&str]) -> String {
    out(&workspace.host(&[&["prune"][..], args].concat(), 0))
}

#[test]
fn runs_are_taken_out_of_the_store_on_demand_and_what_they_left_stays() {
    let workspace = Workspace::new("[]");
    let text = "y".repeat(4000);
    let mut runs = Vec::new();
    for word in ["one", "two", "three"] {
        // What a journal keeps of tasks is what makes it long.
        let notes: String = (0..150)
            .map(|nth| format!("- {{id: {word}-{nth}, kind: note, description: {text}}}\n"))
            .collect();
        let made = format!(
            "- {{id: made, command: [sh, -c, 'echo {word} >> made; cat in'], inputs: [in], outputs: [made]}}\n"
        );
        workspace.write("in", &format!("{word}\n"));
        workspace.write("tasks.yml", &(made + &notes));
        workspace.run(&[], 0);
        runs.push(workspace.reader().runs().unwrap()[0].id.clone());
    }
    let size = || workspace.path().join(".orch/state.db").metadata().unwrap().len();
    let (before, kept, made) = (size(), heads(&workspace), workspace.read("made"));
    workspace.host(&["prune", "--runs"], 2);
    // Without the word for it no run goes.
    pruned(&workspace, &["--keep", "1"]);
    assert_eq!((size(), workspace.reader().runs().unwrap().len()), (before, 3));

    let said = pruned(&workspace, &["--keep", "1", "--runs"]);
    assert!(said.contains("2 runs are taken out of the store, "), "{said}");
    assert!(size() * 3 < before * 2, "{before} bytes became {}", size());
    let left: Vec<String> = workspace.reader().runs().unwrap().into_iter().map(|run| run.id).collect();
    assert_eq!(left, runs[2..]);
    // Two heads are gone, one of the stream that says so is new.
    assert_eq!(heads(&workspace), kept - 1);
    let audited = out(&workspace.host(&["audit", "verify"], 0));
    for run in &runs[..2] {
        assert!(audited.contains(&format!("run {run}: taken out by `orch-host prune --runs`")), "{audited}");
    }
    workspace.host(&["db", "check"], 0);
    assert_eq!(workspace.read("made"), made);

    // A run goes on from what is known, and the last run that knew it may go then, too.
    workspace.run(&[], 0);
    assert_eq!(workspace.read("made"), made);
    assert!(pruned(&workspace, &["--keep", "1", "--runs"]).contains("1 run is taken out of the store, "));
    workspace.run(&[], 0);
    assert_eq!(workspace.read("made"), made, "it is up to date by a run that is there no more");
    workspace.host(&["audit", "verify"], 0);
    workspace.host(&["db", "check"], 0);
}

#[test]
fn a_run_whose_edits_nobody_decided_about_stays_until_somebody_does() {
    let bench = Bench::new("- {id: a, command: [sh, -c, 'echo a >> a.txt']}\n");
    let workspace = &bench.0;
    let mut runs = Vec::new();
    for command in ["echo a >> a.txt", "echo b >> a.txt"] {
        workspace.write("tasks.yml", &format!("- {{id: a, command: [sh, -c, '{command}']}}\n"));
        workspace.run(&[], 0);
        runs.push(bench.run_id());
    }
    let said = pruned(workspace, &["--keep", "1", "--runs"]);
    let stays = format!("run {} stays: nobody decided about its edits", runs[0]);
    assert!(said.contains(&stays) && said.contains("0 runs are taken out of the store, "), "{said}");
    assert!(!bench.git(&["branch", "--list", &format!("*{}*", runs[0])]).is_empty());
    workspace.host(&["reject", &runs[0]], 0);
    let said = pruned(workspace, &["--keep", "1", "--runs"]);
    assert!(said.contains("1 run is taken out of the store, "), "{said}");
    workspace.host(&["audit", "verify"], 0);
}

#[test]
fn a_run_that_cost_something_stays_as_long_as_that_counts_for_the_limits_of_a_day() {
    let (port, _asked) = serve(vec![events(PIECES)]);
    let bench = models::Bench::new("- {id: asks, kind: ask, description: '- how many?'}\n", port);
    bench.run(0);
    let workspace = &bench.workspace;
    let spent = workspace.reader().runs().unwrap()[0].id.clone();
    for word in ["free", "last"] {
        workspace.write("tasks.yml", &format!("- {{id: {word}, kind: note}}\n"));
        bench.run(0);
    }
    let said = pruned(workspace, &["--keep", "1", "--runs"]);
    let stays = format!("run {spent} stays: what it spent counts for the limits of today");
    assert!(said.contains(&stays) && said.contains("1 run is taken out of the store, "), "{said}");
    let left: Vec<String> = workspace.reader().runs().unwrap().into_iter().map(|run| run.id).collect();
    assert!(left.len() == 2 && left.contains(&spent), "{left:?}");
    // What it cost is still known.
    let costs = out(&workspace.host(&["metrics", "cost", "--all"], 0));
    assert!(costs.contains("0.000520 EUR"), "{costs}");
}
