//! What `run` prints where, and how it ends.

use std::os::fd::AsRawFd;
use std::process::{Command, Output};

use orch_trust::manifest::Role;
use serde_json::Value;

use crate::guest::guest;
use crate::package::{Package, orch_certify};

fn sound() -> Package {
    Package::new(Role::Executor, &guest(Role::Executor, "", &[]), |_| {})
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn progress_goes_to_standard_error_and_results_to_standard_output() {
    let package = sound();
    let output = orch_certify(package.home.path(), &["run", "package"]);
    let (stdout, stderr) = texts(&output);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    let lines: Vec<&str> = stderr.lines().collect();
    assert!(lines.len() >= 10 && lines.iter().all(|line| line.starts_with("pass ")), "{stderr}");
    assert!(lines[0].contains("manifest") && lines[lines.len() - 1].contains("self-check"), "{stderr}");
    assert!(stdout.ends_with("every required check passed; nothing was signed\n"), "{stdout}");
    let quiet = ["run", "package", "--quiet", "--format", "junit"];
    let (stdout, stderr) = texts(&orch_certify(package.home.path(), &quiet));
    assert_eq!(stderr, "");
    assert_eq!(counted(&stdout), lines.len());
}

/// How many cases an XML report has, and says that it has.
fn counted(report: &str) -> usize {
    let document = roxmltree::Document::parse(report).unwrap();
    let cases = document.descendants().filter(|node| node.has_tag_name("testcase")).count();
    assert_eq!(document.root_element().attribute("tests"), Some(&*cases.to_string()));
    cases
}

#[test]
fn a_certificate_that_is_used_again_is_reported_in_every_format() {
    let package = sound();
    let home = package.home.path();
    let made = orch_certify(home, &["keygen", "--out", "cert.key", "--certifier", "local"]);
    assert!(made.status.success());
    let run = |format: &str| {
        let args = ["run", "package", "--key", "cert.key", "--format", format];
        let output = orch_certify(home, &args);
        assert_eq!(output.status.code(), Some(0));
        texts(&output)
    };
    let (first, progress) = run("json");
    let first: Value = serde_json::from_str(&first).unwrap();
    let checks = first["checks"].as_array().unwrap().len();
    assert_eq!((&first["passed"], progress.lines().count()), (&Value::Bool(true), checks));
    let (again, progress) = run("json");
    assert_eq!(progress, "", "nothing ran");
    let again: Value = serde_json::from_str(&again).unwrap();
    assert_eq!((&first["reused"], &again["reused"]), (&Value::Bool(false), &Value::Bool(true)));
    for field in ["checks", "selfCheck", "validUntil"] {
        assert_eq!(first[field], again[field], "{field}");
    }
    let sarif: Value = serde_json::from_str(&run("sarif").0).unwrap();
    let rules = sarif["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap().len();
    assert_eq!(rules, checks);
    assert_eq!(sarif["runs"][0]["results"], serde_json::json!([]));
    assert_eq!(sarif["runs"][0]["invocations"][0]["executionSuccessful"], true);
    assert_eq!(counted(&run("junit").0), checks);
}

#[test]
fn a_refused_package_and_a_broken_tool_end_differently() {
    let bad = Package::new(Role::Executor, b"(component)", |_| {});
    let output = orch_certify(bad.home.path(), &["run", "package", "--format", "sarif", "--quiet"]);
    assert_eq!(output.status.code(), Some(3));
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    let results = value["runs"][0]["results"].as_array().unwrap();
    let text = |result: &&Value| result["message"]["text"].as_str().unwrap().starts_with("wat-text");
    let found = results.iter().find(text).unwrap();
    assert_eq!((&found["ruleId"], &found["level"]), (&"component".into(), &"error".into()));
    // The program starts its children by its own path. Where that is gone, no check comes to an end.
    let package = sound();
    let link = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("gone-{}", std::process::id()));
    std::fs::hard_link(env!("CARGO_BIN_EXE_orch-certify"), &link).unwrap();
    let open = std::fs::File::open(&link).unwrap();
    std::fs::remove_file(&link).unwrap();
    let gone = format!("/proc/{}/fd/{}", std::process::id(), open.as_raw_fd());
    let output = Command::new(gone)
        .args(["run", "package", "--quiet"])
        .current_dir(package.home.path())
        .output()
        .unwrap();
    let (stdout, stderr) = texts(&output);
    assert_eq!(output.status.code(), Some(5), "{stdout}{stderr}");
    assert!(stdout.contains("child-not-started") && stdout.contains("broken: "), "{stdout}");
}

#[test]
fn checks_and_codes_are_explained() {
    let home = tempfile::tempdir().unwrap();
    let explain = |name: &str| {
        let output = orch_certify(home.path(), &["explain", name]);
        (output.status.code().unwrap(), texts(&output).0)
    };
    for (name, says) in [
        ("imports", "what helps  ask for the permission"),
        ("conformance/planner", "check       conformance/*"),
        ("import-shape", "check       imports"),
        ("child-timeout", "never a pass"),
        ("trust-state-missing", "the operator's folder"),
        ("digest-mismatch", "digest of `FILE` is"),
    ] {
        let (exit, said) = explain(name);
        assert_eq!(exit, 0, "{name}");
        assert!(said.contains(says), "{name}: {said}");
    }
    assert_eq!(explain("no-such-thing").0, 2);
}
