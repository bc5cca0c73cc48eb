//! Five recorded instances, and instances that are wrong.
//!
//! In -> out: JSON -> tasks, compared with what the JSON says by another way.
//! Not here: running them (`tests/`).

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::file::TaskFile;
use crate::render::render;

const NO_OP: ImportOptions = ImportOptions { command: ImportCommand::NoOp };

fn sleep(scale: f64) -> ImportOptions {
    ImportOptions { command: ImportCommand::Sleep { scale } }
}

/// File, tasks, edges.
const INSTANCES: [(&str, usize, usize); 5] = [
    ("1000genome-chameleon-2ch-100k-001.json", 52, 76),
    ("blast-chameleon-medium-002.json", 303, 900),
    ("cycles-chameleon-1l-1c-9p-001.json", 67, 97),
    ("helloworld-chain-5-chameleon.json", 5, 4),
    ("montage-chameleon-2mass-025d-001.json", 619, 1641),
];

fn instance(file: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/wfinstances");
    std::fs::read(folder.join(file)).unwrap()
}

#[test]
fn five_recorded_workflows_keep_their_tasks_and_edges() {
    for (file, task_count, edge_count) in INSTANCES {
        let bytes = instance(file);
        let tasks = import_wfformat(&bytes, NO_OP).unwrap();
        assert_eq!(tasks.len(), task_count, "{file}");
        assert!(tasks.iter().all(|task| task.kind.as_str() == "note" && task.command.is_none()));
        let edges: BTreeSet<(String, String)> = tasks
            .iter()
            .flat_map(|task| task.dependencies.iter().map(|on| (on.to_string(), task.id.to_string())))
            .collect();
        assert_eq!(edges.len(), edge_count, "{file}");
        // The instance says each edge a second time, from the other end. Its ids are ours.
        let raw: Value = serde_json::from_slice(&bytes).unwrap();
        let mut children = BTreeSet::new();
        for task in raw["workflow"]["specification"]["tasks"].as_array().unwrap() {
            for child in task["children"].as_array().unwrap() {
                children
                    .insert((task["id"].as_str().unwrap().to_owned(), child.as_str().unwrap().to_owned()));
            }
        }
        assert_eq!(edges, children, "{file}");

        let read = TaskFile::parse(render(&tasks).unwrap()).unwrap();
        assert_eq!(read.tasks().iter().map(|read| read.task.clone()).collect::<Vec<_>>(), tasks);
    }
}

#[test]
fn sleeps_are_the_measured_times() {
    for (file, ..) in INSTANCES {
        let bytes = instance(file);
        let raw: Value = serde_json::from_slice(&bytes).unwrap();
        let tasks = import_wfformat(&bytes, sleep(0.01)).unwrap();
        for executed in raw["workflow"]["execution"]["tasks"].as_array().unwrap() {
            let task = tasks.iter().find(|task| task.id.as_str() == executed["id"]).unwrap();
            let Some(Command::Argv(words)) = &task.command else { panic!("no command") };
            assert_eq!(words[0], "sleep");
            let slept: f64 = words[1].parse().unwrap();
            let expected = executed["runtimeInSeconds"].as_f64().unwrap() * 0.01;
            assert!((slept - expected).abs() <= 0.000_501, "{slept} {expected}");
            assert!(task.kind == Kind::shell() && task.timeout_ms >= TIMEOUT_MS_DEFAULT);
        }
        // In a file, too, a time is a text and not a number.
        assert!(TaskFile::parse(render(&tasks).unwrap()).is_ok());
    }
}

fn with(tasks: Value, runtimes: Value) -> Vec<u8> {
    let workflow = json!({"specification": {"tasks": tasks}, "execution": {"tasks": runtimes}});
    serde_json::to_vec(&json!({"schemaVersion": "1.5", "workflow": workflow})).unwrap()
}

#[test]
fn ids_are_mapped_to_ours_and_stay_apart() {
    let long = "x".repeat(200);
    let tasks = json!([
        {"id": "a b", "parents": []}, {"id": "a-b", "parents": ["a b"]}, {"id": "a/b", "parents": ["a-b", "a-b"]},
        {"id": "", "name": "nothing"}, {"id": long}, {"id": format!("{long}y")},
    ]);
    let tasks = import_wfformat(&with(tasks, json!([])), NO_OP).unwrap();
    let ids: Vec<&str> = tasks.iter().map(|task| task.id.as_str()).collect();
    let (first, second) = ("x".repeat(120), format!("{}-2", "x".repeat(120)));
    assert_eq!(ids, ["a-b-2", "a-b", "a-b-3", "task", &first, &second]);
    assert_eq!(tasks[1].dependencies[0].as_str(), "a-b-2");
    assert_eq!(tasks[2].dependencies.len(), 1);
    assert_eq!(tasks[3].description, "nothing");
}

#[test]
fn a_long_sleep_has_a_longer_timeout() {
    let bytes = with(json!([{"id": "a"}]), json!([{"id": "a", "runtimeInSeconds": 7200.25}]));
    let task = import_wfformat(&bytes, sleep(1.0)).unwrap().remove(0);
    assert_eq!(task.command, Some(Command::Argv(vec!["sleep".to_owned(), "7200.25".to_owned()])));
    assert_eq!(task.timeout_ms, 14_400_500);
}

#[test]
fn what_is_wrong_is_named() {
    #[track_caller]
    fn check(bytes: &[u8], options: ImportOptions, code: &str, says: &str) {
        let error = import_wfformat(bytes, options).unwrap_err();
        assert_eq!((error.code(), error.to_string().as_str()), (code, says));
    }
    let one = || json!([{"id": "a"}]);
    let ran = |seconds: f64| json!([{"id": "a", "runtimeInSeconds": seconds}]);
    check(b"{", NO_OP, "import-not-wfformat", "instance is not WfFormat");
    check(br#"{"schemaVersion": "1.5"}"#, NO_OP, "import-not-wfformat", "instance is not WfFormat");
    check(
        br#"{"schemaVersion": "1.4", "workflow": {"tasks": []}}"#,
        NO_OP,
        "import-version",
        "instance is of WfFormat `1.4`, expected `1.5`",
    );
    let twice = json!([{"id": "a"}, {"id": "a"}]);
    check(&with(twice, json!([])), NO_OP, "import-duplicate-id", "task id `a` is used twice");
    let orphan = json!([{"id": "a", "parents": ["b\u{1b}"]}]);
    check(
        &with(orphan, json!([])),
        NO_OP,
        "import-unknown-parent",
        "task `a` has the parent `b\\u{1b}`, which does not exist",
    );
    let ring = json!([{"id": "a", "parents": ["b"]}, {"id": "b", "parents": ["a"]}]);
    check(&with(ring, json!([])), NO_OP, "import-graph", "tasks depend on each other: `a` -> `b` -> `a`");
    check(&with(one(), json!([])), sleep(1.0), "import-runtime", "task `a` has no run time");
    let says = "task `a` ran for -1 seconds, expected 0 to 31536000 after scaling";
    check(&with(one(), ran(-1.0)), sleep(1.0), "import-runtime", says);
    check(&with(one(), ran(1.0)), sleep(0.0), "import-scale", "scale is 0, expected a positive number");
    check(
        &with(one(), ran(1.0)),
        sleep(f64::NAN),
        "import-scale",
        "scale is NaN, expected a positive number",
    );
    let many: Vec<Value> = (0..=TASKS_MAX).map(|at| json!({"id": at.to_string()})).collect();
    check(
        &with(many.into(), json!([])),
        NO_OP,
        "import-too-many",
        "instance has 200001 tasks, limit is 200000",
    );
}
