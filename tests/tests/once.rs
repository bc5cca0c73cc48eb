//! A task at a broker whose host dies after it saw the end and before it recorded it: the command runs once.
//!
//! In -> out: a broker with a worker, a host that is killed there -> what the command left, what the broker's journal has.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::collections::BTreeMap;

use orch_journal::event::Event;
use orch_tests::Workspace;
use orch_tests::kill::{self, Moment};

use crate::brokered::Broker;
use crate::story::let_reach;

const CONFIG: &str = "\
roles:
  planner: demo/planner-priority
  executors: {remote: demo/executor-remote}
settings:
  demo/executor-remote: {broker: 'BROKER', prefix: site}
";

/// A workspace with one task of that command, which goes to the broker.
fn workspace(broker: &Broker, command: &str, more: &str) -> Workspace {
    let task = format!("- {{id: a, kind: remote, on_doubt: retry, command: \"{command}\"{more}}}\n");
    let workspace = Workspace::new(&task);
    workspace.write("config.yaml", &CONFIG.replace("BROKER", &broker.url()));
    let_reach(&workspace, broker);
    workspace
}

fn dies_before_it_records(workspace: &Workspace) {
    let mut host = kill::host(workspace, &["--trust-workspace"], Moment::At("before-answer", 1));
    assert_eq!(kill::wait(&mut host.spawn().unwrap()).code(), None, "it was not killed there");
}

fn ends(broker: &Broker) -> BTreeMap<String, u32> {
    broker.ends()
}

#[test]
fn an_end_that_was_seen_and_not_recorded_is_taken_by_the_next_attempt_and_a_recorded_one_by_none() {
    let broker = Broker::new();
    let ran = broker.workspace.outside().join("ran");
    let workspace = workspace(&broker, &format!("echo ran >> {}; echo out", ran.display()), "");
    let mut worker = broker.worker("w1", &[]);
    let lines = || std::fs::read_to_string(&ran).unwrap().lines().count();

    dies_before_it_records(&workspace);
    assert_eq!((lines(), ends(&broker)), (1, BTreeMap::from([("site.a".to_owned(), 1)])));
    workspace.run(&[], 0);
    assert_eq!(lines(), 1, "the command ran again");
    assert_eq!(ends(&broker), BTreeMap::from([("site.a".to_owned(), 1)]));
    let started =
        workspace.events().iter().filter(|event| matches!(event, Event::AttemptStarted { .. })).count();
    assert_eq!(started, 2, "another attempt took it");
    let run = workspace.reader().runs().unwrap()[0].id.clone();
    let kept = workspace.reader().artifacts(&run).unwrap();
    assert!(kept.iter().any(|artifact| artifact.name == "stdout"), "{kept:?}");

    // Done again in another run, it is done again there.
    workspace.run(&["--force"], 0);
    assert_eq!((lines(), ends(&broker)), (2, BTreeMap::from([("site.a".to_owned(), 2)])));
    assert_eq!(worker.end(), 0);
}

#[test]
fn a_command_that_said_no_runs_again_only_once_that_is_recorded() {
    let broker = Broker::new();
    let ran = broker.workspace.outside().join("ran");
    // The first time it says no.
    let command = format!("echo ran >> {0}; test $(wc -l < {0}) -gt 1", ran.display());
    let workspace = workspace(&broker, &command, "");
    let mut worker = broker.worker("w1", &[]);
    let lines = || std::fs::read_to_string(&ran).unwrap().lines().count();

    dies_before_it_records(&workspace);
    assert_eq!(lines(), 1);
    workspace.run(&[], 1);
    assert_eq!((lines(), workspace.statuses()["a"].as_str()), (1, "failed"));
    workspace.run(&["--retry-failed"], 0);
    assert_eq!((lines(), workspace.statuses()["a"].as_str()), (2, "done"));
    assert_eq!(ends(&broker), BTreeMap::from([("site.a".to_owned(), 2)]));
    assert_eq!(worker.end(), 0);
}
