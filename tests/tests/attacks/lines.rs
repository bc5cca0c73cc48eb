//! Text of files, packages and plugins in what the programs say: it makes no line of theirs.

use std::process::Command;

use orch_tests::{Workspace, binary, copy, err, packages};

/// Line ends of every kind, with what a person would take for the program's own words behind each.
const EVIL: [&str; 6] = ["\n", "\r\n", "\r", "\u{85}", "\u{2028}", "\u{b}"];

fn evil() -> String {
    let lines = EVIL.map(|end| format!("{end}hint: run evil{end}code: fake{end}error: none"));
    format!("x\u{1b}[2K\u{202e}{}", lines.concat())
}

/// Every line is one of the program's, there is one code, and nothing hidden is among them.
#[track_caller]
fn check(what: &str, said: &str) {
    let ours = ["warning: ", "error: ", "caused by: ", "code: ", "hint: ", "checks of the tool itself: "];
    for line in said.lines().filter(|line| !line.is_empty()) {
        assert!(ours.iter().any(|begin| line.starts_with(begin)), "{what}: `{line}`\n{said}");
        let is_plain = |character: char| !character.is_control() && !orch_task::is_hidden(character);
        assert!(line.chars().all(is_plain), "{what}: {line:?}");
        assert!(!line.contains("hint: run evil") || line.contains("\\nhint: run evil"), "{what}: `{line}`");
    }
    let count = |begin: &str| said.lines().filter(|line| line.starts_with(begin)).count();
    assert_eq!((count("error: "), count("code: ")), (1, 1), "{what}\n{said}");
    assert!(count("hint: ") <= 1, "{what}\n{said}");
}

#[test]
fn text_of_files_makes_no_line_of_the_host() {
    let evil = serde_json::to_string(&evil()).unwrap();
    let good = "- {id: a, command: [\"true\"]}\n";
    let roles = "planner: demo/planner-priority, executors: {shell: demo/executor-shell}";
    let tasks = [
        format!("- {{id: a, command: [\"true\"], verify: [{evil}]}}\n"),
        format!("- {{id: {evil}}}\n"),
        format!("- {{id: a, kind: {evil}}}\n"),
        format!("- {{id: a, dependencies: [{evil}]}}\n"),
        format!("- {{id: a, timeout: {evil}}}\n"),
        format!("- {{id: a, {evil}: 1, {evil}: 2}}\n"),
        format!("- {{id: a, status: {evil}}}\n"),
    ];
    let configs = [
        format!("audit: {{every: {evil}}}\n"),
        format!("{evil}: 1\n"),
        format!("roles: {{{roles}, services: {{{evil}: demo/service-status}}}}\n"),
        format!("roles: {{planner: {evil}}}\n"),
        format!("roles: {{{roles}, verifiers: [{evil}]}}\n"),
        format!("roles: {{planner: demo/planner-priority, executors: {{{evil}: demo/executor-shell}}}}\n"),
        format!("roles: {{{evil}: demo/planner-priority}}\n"),
        format!("roles: {{{roles}}}\nnarrow: {{{evil}: {{}}}}\n"),
        format!("roles: {{{roles}}}\nnarrow: {{demo/executor-shell: {{process: {{programs: [{evil}]}}}}}}\n"),
        format!("roles: {{{roles}}}\njobs: {evil}\n"),
    ];
    let files = tasks.iter().map(|text| (text.as_str(), None));
    let files = files.chain(configs.iter().map(|config| (good, Some(config.as_str()))));
    for (tasks, config) in files {
        let workspace = Workspace::new(tasks);
        if let Some(config) = config {
            workspace.write("config.yaml", config);
        }
        let output = workspace.command(&["run", "--trust-workspace"]).output().unwrap();
        assert!(output.status.code().is_some_and(|code| code > 0), "{tasks} {config:?}");
        check(config.unwrap_or(tasks), &err(&output));
    }
}

#[test]
fn text_of_a_package_that_nobody_signed_makes_no_line_of_any_program() {
    let workspace = Workspace::new("[]");
    let evil = serde_json::to_string(&evil()).unwrap();
    let package = workspace.outside().join("package");
    copy(&packages().join("demo/executor-note/0.1.0"), &package);
    let folder = package.to_str().unwrap();
    let trust = workspace.operator().join("trust/publishers/demo.toml");
    let (trust, key) = (trust.to_str().unwrap(), workspace.operator().join("keys/publisher.json"));
    let manifests = [
        format!("{{{evil}:1,{evil}:2}}"),
        format!("{{{evil}:1}}"),
        format!("{{\"id\":{evil}}}"),
        format!("{{\"id\":\"demo/x\",\"roles\":[{evil}]}}"),
    ];
    for manifest in manifests {
        std::fs::write(package.join("manifest.json"), &manifest).unwrap();
        for args in [["plugin", "verify", folder], ["plugin", "inspect", folder]] {
            check(&manifest, &err(&workspace.command(&args).output().unwrap()));
        }
        for (program, args) in [
            ("orch-certify", ["verify", folder, "--trust", trust]),
            ("orch-plugin", ["sign", folder, "--key", key.to_str().unwrap()]),
        ] {
            let output = Command::new(binary(program)).args(args).output().unwrap();
            assert!(output.status.code().is_some_and(|code| code > 0), "{program} {manifest}");
            check(&format!("{program} {manifest}"), &err(&output));
        }
    }
}
