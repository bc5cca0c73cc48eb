//! Workflows that nobody here wrote: every order of completion is a topological order.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::collections::HashMap;

use orch_journal::Event;
use orch_journal::event::TaskIndex;
use orch_tests::{Workspace, root};

const GRAPHS: [&str; 5] = [
    "1000genome-chameleon-2ch-100k-001",
    "blast-chameleon-medium-002",
    "cycles-chameleon-1l-1c-9p-001",
    "helloworld-chain-5-chameleon",
    "montage-chameleon-2mass-025d-001",
];

fn imported(graph: &str, args: &[&str]) -> Workspace {
    let workspace = Workspace::new("");
    std::fs::remove_file(workspace.path().join("tasks.yml")).unwrap();
    let file = root().join(format!("tests/data/wfinstances/{graph}.json"));
    workspace.host(&[&["import", file.to_str().unwrap()], args].concat(), 0);
    workspace
}

/// Checks the journal: a task starts only when all that it depends on are done. Gives the most running at once.
fn check_order(workspace: &Workspace) -> usize {
    let (mut places, mut dependencies): (HashMap<String, TaskIndex>, Vec<Vec<String>>) = Default::default();
    let (mut done, mut running, mut most) = (Vec::new(), 0usize, 0);
    for event in workspace.events() {
        match event {
            Event::TasksAdded { first, tasks, .. } => {
                for (place, added) in (first..).zip(tasks) {
                    places.insert(added.task.id.to_string(), place);
                    dependencies.push(added.task.dependencies.iter().map(ToString::to_string).collect());
                    done.push(false);
                }
            }
            Event::AttemptStarted { task, .. } => {
                for dependency in &dependencies[task as usize] {
                    assert!(
                        done[places[dependency] as usize],
                        "task {task} started before `{dependency}` was done"
                    );
                }
                running += 1;
                most = most.max(running);
            }
            Event::AttemptFinished(finished) => {
                running -= 1;
                done[finished.task as usize] = true;
            }
            _ => {}
        }
    }
    assert!(done.len() >= 5 && done.iter().all(|done| *done));
    most
}

#[test]
fn every_order_of_completion_is_topological_with_one_job_and_with_eight() {
    for graph in GRAPHS {
        for jobs in ["1", "8"] {
            let workspace = imported(graph, &[]);
            workspace.run(&["--jobs", jobs], 0);
            let most = check_order(&workspace);
            assert!(most <= jobs.parse().unwrap(), "{graph} with {jobs} jobs had {most} at once");
        }
    }
}

#[test]
fn with_sleeps_as_many_run_at_once_as_are_ready_up_to_the_jobs() {
    let workspace = imported("1000genome-chameleon-2ch-100k-001", &["--as", "sleep", "--scale", "0.002"]);
    workspace.run(&["--jobs", "8"], 0);
    assert_eq!(check_order(&workspace), 8);
}
