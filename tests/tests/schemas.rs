//! The schemas that `orch-host schema` prints, beside the readers that have the last word.
//!
//! In -> out: files of people, good and bad -> both say the same; keys of each table -> both have the same.
//! Not here: what a schema cannot say (cycles, names that are not bound, limits of bytes).
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use jsonschema::Validator;
use orch_host::config::workspace::WorkspaceConfig;
use orch_host::schemas::Document;
use orch_task::TaskFile;
use orch_tests::{binary, root};
use orch_trust::policy::Policy;
use serde_json::Value;

use crate::operating::block;

/// As the program prints it.
fn schema(document: &str) -> Value {
    let printed = Command::new(binary("orch-host")).args(["schema", document]).output().unwrap();
    assert!(printed.status.success());
    serde_json::from_slice(&printed.stdout).unwrap()
}

fn validator(document: &str) -> Validator {
    jsonschema::draft202012::new(&schema(document)).unwrap()
}

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

fn toml_of(text: &str) -> Value {
    serde_json::to_value(toml::from_str::<toml::Table>(text).unwrap()).unwrap()
}

#[track_caller]
fn fits(validator: &Validator, value: &Value, what: &str) {
    let faults: Vec<String> =
        validator.iter_errors(value).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
    assert!(faults.is_empty(), "{what}: {faults:?}");
}

/// Files of that name in the checkout's examples.
fn examples(name: &str) -> Vec<PathBuf> {
    fn walk(folder: &Path, name: &str, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => walk(&path, name, found),
                false if path.ends_with(name) => found.push(path),
                false => {}
            }
        }
    }
    let mut found = Vec::new();
    for folder in ["examples", "xtask/demo", "xtask/dist", "deploy"] {
        walk(&root().join(folder), name, &mut found);
    }
    found
}

#[test]
fn what_the_host_reads_fits_its_schema() {
    let (tasks, config, policy) = (validator("tasks"), validator("config"), validator("policy"));
    fits(&tasks, &yaml(&block("tasks.yml")), "the manual");
    fits(&config, &yaml(&block("config.yaml")), "the manual");
    fits(&policy, &toml_of(&block("policy.toml")), "the manual");
    let mut seen = 0;
    for (name, validator) in [("tasks.yml", &tasks), ("config.yaml", &config)] {
        for path in examples(name) {
            fits(validator, &yaml(&std::fs::read_to_string(&path).unwrap()), &path.display().to_string());
            seen += 1;
        }
    }
    for path in examples("policy.toml") {
        fits(&policy, &toml_of(&std::fs::read_to_string(&path).unwrap()), &path.display().to_string());
        seen += 1;
    }
    assert!(seen >= 5, "{seen} examples");
    assert_eq!(schema("manifest"), orch_trust::manifest::schema());
}

#[test]
fn schema_and_reader_refuse_the_same() {
    let check = |document: &str, text: &str, value: &Value, is_read: bool| {
        let fits = validator(document).is_valid(value);
        assert_eq!((fits, is_read), (is_read, fits), "{document}: {text}");
        is_read
    };
    let mut good = 0;
    for text in [
        "[]",
        "tasks: []",
        "- {id: a}",
        "- {id: 7, priority: -3}",
        "- {id: a, command: [x, 1.10, no]}",
        "- {id: a, command: ls, timeout: 0.5, retries: 2, on_doubt: retry}",
        "- {id: a, verify: [p/q, {p/q: [c]}]}",
        "- {id: a, when: {variable: CI, is: yes}, tree: mine}",
        "- {id: a, env: {A: 1}, tags: [b], other: {x: 1}}",
        "- id: a\n  status: done",
        "- {}",
        "- a",
        "- {id: a b}",
        "- {id: a, priority: high}",
        "- {id: a, command: []}",
        "- {id: a, timeout: -1}",
        "- {id: a, timeout: 0}",
        "- {id: a, on_doubt: maybe}",
        "- {id: a, tree: yours}",
        "- {id: a, idempotent: 1}",
        "- {id: a, retries: -1}",
        "- {id: a, status: ready}",
        "- {id: a, when: {is: x}}",
        "- {id: a, when: {}}",
        "- {id: a, verify: [{p/q: []}]}",
        "- {id: a, dependencies: b}",
        "- {id: a, env: [A]}",
    ] {
        let is_read = TaskFile::parse(text.as_bytes()).is_ok();
        good += u32::from(check("tasks", text, &yaml(text), is_read));
    }
    for text in [
        "{}",
        "jobs: 4",
        "roles: {planner: a/b}",
        "roles: {guards: {'*': [a/b]}}",
        "providers: {llm: [a/b, a/c]}",
        "audit: {every: 3}",
        "audit: {every: end}",
        "isolation: worktree",
        "record: full",
        "narrow: {a/b: {process: {programs: []}}}",
        "jobs: 0",
        "jobs: 257",
        "kill_after: 601",
        "audit: {every: often}",
        "audit: {every: 0}",
        "isolation: tree",
        "record: all",
        "roles: {planners: a/b}",
        "roles: {services: {status: a/b}}",
        "providers: {mail: a/b}",
        "budget: {warn_at: 2}",
        "other: 1",
        "settings: {a/b: [1]}",
        "narrow: {a/b: {process: {program: []}}}",
        "roles: {reflectors: a/b}",
        "plugins: {}",
    ] {
        let is_read = WorkspaceConfig::of_text(Path::new("config.yaml"), text).is_ok();
        good += u32::from(check("config", text, &yaml(text), is_read));
    }
    for text in [
        "",
        "minimum_level = 'certified'",
        "[sandbox]\nmode = 'off'\nprocesses = 3",
        "[egress]\nconnections = 1",
        "[worker.allow]\nprocess = { programs = ['sh'] }",
        "[plugins.'a/b'.allow]\nlog = {}",
        "minimum_level = 'best'",
        "[sandbox]\nmode = 'maybe'",
        "[egress]\nconnections = 0",
        "[worker.allow]\nkv = {}",
        "[worker]\nx = 1",
        "[plugins.'a/b'.allow]\nfile = {}",
        "[deny]\ndigests = ['x']",
        "[certificates]\nthreshold = 0",
        "[tasks]\nauto = [{ plugin = 'a/b' }]",
        "other = 1",
    ] {
        good += u32::from(check("policy", text, &toml_of(text), Policy::parse(text).is_ok()));
    }
    assert_eq!(good, 10 + 10 + 6);
}

/// The keys that serde lists where it meets one that it does not know: some readers quote them.
fn listed(said: &str) -> BTreeSet<String> {
    let rest = said.split("expected ").nth(1).unwrap_or_else(|| panic!("{said}"));
    let rest = rest.split('\n').next().unwrap().split(" at line ").next().unwrap();
    let rest = rest.strip_prefix("one of ").unwrap_or(rest);
    rest.split([',', ' '])
        .map(|key| key.trim_matches('`'))
        .filter(|key| !key.is_empty() && *key != "or")
        .map(str::to_owned)
        .collect()
}

/// An error with its sources.
fn chain(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(Some(error), |error| error.source());
    sources.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn keys(table: &Value) -> BTreeSet<String> {
    table["properties"].as_object().unwrap().keys().cloned().collect()
}

#[test]
fn schema_and_reader_have_the_same_keys() {
    let (config, policy) = (Document::Config.schema(), Document::Policy.schema());
    let said = |text: &str| match WorkspaceConfig::of_text(Path::new("config.yaml"), text) {
        Ok(_) => panic!("{text} is read"),
        Err(error) => chain(&error),
    };
    assert_eq!(keys(&config), listed(&said("unknown: 1")));
    for table in ["audit", "budget", "findings", "retry", "notify"] {
        assert_eq!(
            keys(&config["properties"][table]),
            listed(&said(&format!("{table}: {{unknown: 1}}"))),
            "{table}"
        );
    }
    let said = |text: &str| Policy::parse(text).unwrap_err().to_string();
    assert_eq!(keys(&policy), listed(&said("unknown = 1")));
    for table in ["certificates", "default", "deny", "tasks", "serve", "worker", "egress", "sandbox"] {
        assert_eq!(
            keys(&policy["properties"][table]),
            listed(&said(&format!("[{table}]\nunknown = 1"))),
            "{table}"
        );
    }
    let allow = &policy["properties"]["worker"]["properties"]["allow"];
    assert_eq!(keys(allow), listed(&said("[worker.allow]\nunknown = 1")));
}
