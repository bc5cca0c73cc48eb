//! Children that crash, hang or lie: every check of theirs is `error`, and nothing is certified.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use orch_certify::check::Group;
use orch_certify::examine::examine;
use orch_certify::issue::assemble;
use orch_certify::sandbox::Sandbox;
use orch_host::package;
use orch_trust::authority::Level;
use orch_trust::certificate::{CheckStatus, required_checks};
use orch_trust::manifest::Role;
use orch_trust::time::UnixSeconds;

use crate::guest::guest;
use crate::package::Package;

fn sound() -> Package {
    Package::new(Role::Executor, &guest(Role::Executor, "", &[]), |_| {})
}

fn sandbox(folder: &Path, script: &str) -> Sandbox {
    let (text, program) = (folder.join("child.sh"), folder.join("child"));
    std::fs::write(&text, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&text, std::fs::Permissions::from_mode(0o700)).unwrap();
    // Written by another process: while this one has it open, a test beside that starts a program keeps it busy.
    assert!(std::process::Command::new("cp").arg(&text).arg(&program).status().unwrap().success());
    let wall = Duration::from_millis(700);
    Sandbox { static_wall: wall, conformance_wall: wall, ..Sandbox::new(program) }
}

/// Every check of the group ended in `error`, whose reason begins so.
#[track_caller]
fn ends_in_error(script: &str, reason: &str) {
    let package = sound();
    let read = package::read(&package.folder()).unwrap();
    let sandbox = sandbox(package.home.path(), script);
    let report = sandbox.run(Group::Component, &package.folder(), &read, package.home.path());
    let (results, measured) = (report.results, report.measured);
    let ids: Vec<&str> = results.iter().map(|result| result.id.as_str()).collect();
    assert_eq!(ids, Group::Component.checks());
    for result in &results {
        assert_eq!(result.status, CheckStatus::Error, "{script}");
        assert!(result.findings[0].starts_with(reason), "{script}: {:?}", result.findings);
    }
    assert_eq!(measured, Default::default());
}

fn pass_of(id: &str) -> String {
    let digest = "0".repeat(64);
    format!(
        r#"{{"id":"{id}","version":1,"tool":{{"name":"orch-certify","version":"1"}},"status":"pass","lookedAt":1,"durationMs":1,"evidenceSha256":"{digest}"}}"#
    )
}

fn report_of(ids: &[String]) -> String {
    let results: Vec<String> = ids.iter().map(|id| pass_of(id)).collect();
    format!(
        r#"{{"results":[{}],"measured":{{"fuelMax":0,"memoryBytesMax":0,"hostCallsMax":0,"compileMs":0}}}}"#,
        results.join(",")
    )
}

/// Every check of the group that these children are asked for.
fn all() -> Vec<String> {
    Group::Component.checks()
}

#[test]
fn a_child_that_does_not_end_well_is_an_error() {
    ends_in_error("exit 0", "child-output");
    ends_in_error("exit 7", "child-crashed: exit code 7");
    ends_in_error("kill -SEGV $$", "child-crashed: signal 11");
    ends_in_error("echo oh no >&2; exit 5", "child-crashed: exit code 5: oh no");
    ends_in_error(&format!("echo '{}'; exit 1", report_of(&all())), "child-crashed");
    ends_in_error("exec yes", "child-");
}

#[test]
fn a_child_that_hangs_is_ended() {
    let started = Instant::now();
    ends_in_error("exec sleep 60", "child-timeout");
    assert!(started.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_report_must_be_whole_and_about_its_group() {
    let whole = report_of(&all());
    ends_in_error(&format!("printf '%s' '{}'", &whole[..whole.len() - 1]), "child-output");
    ends_in_error(&format!("echo '{}'", report_of(&all()[1..])), "child-output");
    ends_in_error(&format!("echo '{}'", report_of(&vec![all()[0].clone(); all().len()])), "child-output");
    let empty = whole.replacen("\"lookedAt\":1", "\"lookedAt\":0", 1);
    ends_in_error(&format!("echo '{empty}'"), "child-output: a check passed that looked at nothing");
    // Fields are named, at every level.
    for (object, array) in [
        (r#"{"name":"orch-certify","version":"1"}"#, r#"["orch-certify","1"]"#),
        (r#"{"fuelMax":0,"memoryBytesMax":0,"hostCallsMax":0,"compileMs":0}"#, "[0,0,0,0]"),
    ] {
        let arrays = whole.replace(object, array);
        assert_ne!(arrays, whole);
        ends_in_error(&format!("echo '{arrays}'"), "child-output: line 1");
    }
    let digest = "0".repeat(64);
    let of_fields = |id: &String| {
        let array = format!(r#"["{id}",1,{{"name":"orch-certify","version":"1"}},"pass",1,[],1,"{digest}"]"#);
        whole.replace(&pass_of(id), &array)
    };
    ends_in_error(&format!("echo '{}'", of_fields(&all()[0])), "child-output: line 1");
    let fields = whole.replace(r#"{"results":["#, "[[").replace(r#"],"measured":"#, "],");
    ends_in_error(&format!("echo '{},null,{{}}]'", &fields[..fields.len() - 1]), "child-output: line 1");
    // The whole report is believed, so that the cases above say something.
    let package = sound();
    let read = package::read(&package.folder()).unwrap();
    let sandbox = sandbox(package.home.path(), &format!("cat >/dev/null; echo '{whole}'"));
    let results = sandbox.run(Group::Component, &package.folder(), &read, package.home.path()).results;
    assert!(results.iter().all(|result| result.status == CheckStatus::Pass), "{results:?}");
}

#[test]
fn nothing_is_certified_when_children_crash() {
    let package = sound();
    let read = package::read(&package.folder()).unwrap();
    let sandbox = sandbox(package.home.path(), "exit 9");
    let examination = examine(&package.folder(), &read, Level::Local, &sandbox).unwrap();
    assert!(!examination.passed());
    assert_eq!(examination.unmet.len(), required_checks(Level::Local, &[Role::Executor]).len());
    let now = UnixSeconds(1_700_000_000);
    assert_eq!(assemble(&read, examination, now, now).unwrap_err().code(), "statement-check");
}

#[test]
fn a_program_that_is_not_there_is_an_error() {
    let package = sound();
    let read = package::read(&package.folder()).unwrap();
    let sandbox = Sandbox::new(PathBuf::from("/no/such/program"));
    let results = sandbox.run(Group::Package, &package.folder(), &read, package.home.path()).results;
    assert!(results.iter().all(|result| result.status == CheckStatus::Error));
    assert!(results[0].findings[0].starts_with("child-not-started"));
}

#[test]
fn a_package_that_changes_under_a_child_is_an_error() {
    let package = sound();
    let read = package::read(&package.folder()).unwrap();
    package.write("sbom.cdx.json", b"{ }");
    let sandbox = Sandbox::new(PathBuf::from(env!("CARGO_BIN_EXE_orch-certify")));
    let results = sandbox.run(Group::Package, &package.folder(), &read, package.home.path()).results;
    assert!(results.iter().all(|result| result.status == CheckStatus::Error));
    assert!(results[0].findings[0].contains("package changed"), "{:?}", results[0].findings);
}

/// The hard limits of a child of that group while it waits for its order.
fn limits_of(group: &str) -> impl Fn(&str) -> String {
    let home = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_orch-certify"))
        .args(["check", group, "package"])
        .current_dir(home.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    // It waits for its order, which never comes; by then the last limit is set.
    let limits = loop {
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
        let address = limits.lines().find(|line| line.starts_with("Max address space")).unwrap();
        if !address.contains("unlimited") || Instant::now() > deadline {
            break limits;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    child.kill().unwrap();
    child.wait().unwrap();
    move |name| {
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
        line[name.len()..].split_whitespace().nth(1).unwrap().to_owned()
    }
}

#[test]
fn a_child_limits_itself_before_it_reads_anything() {
    let hard = limits_of("conformance/executor");
    assert_eq!(hard("Max core file size"), "0");
    assert_eq!(hard("Max data size"), (1536u64 << 20).to_string());
    assert_eq!(hard("Max address space"), (512u64 << 30).to_string());
    assert_eq!(hard("Max cpu time"), "120");
    assert_eq!(hard("Max file size"), (16u64 << 20).to_string());
}

#[test]
fn children_that_only_read_have_little_memory() {
    for group in ["package", "component", "contents", "compatibility"] {
        let hard = limits_of(group);
        assert_eq!(hard("Max core file size"), "0");
        assert_eq!(hard("Max data size"), (448u64 << 20).to_string());
        assert_eq!(hard("Max address space"), (2u64 << 30).to_string());
        assert_eq!(hard("Max cpu time"), "60");
        assert_eq!(hard("Max file size"), "0");
    }
}

#[test]
fn children_get_an_empty_environment() {
    // `env` prints what it has; sh adds PWD and the like by itself.
    let script = "cat >/dev/null; env | grep -v -e ^PWD= -e ^SHLVL= -e ^_= -e ^OLDPWD= >&2; exit 3";
    ends_in_error(script, "child-crashed: exit code 3: PATH=/usr/bin:/bin");
    let package = sound();
    let read = package::read(&package.folder()).unwrap();
    let sandbox = sandbox(package.home.path(), script);
    let results = sandbox.run(Group::Package, &package.folder(), &read, package.home.path()).results;
    assert_eq!(results[0].findings, ["child-crashed: exit code 3: PATH=/usr/bin:/bin"]);
}

#[test]
fn another_certificate_meanwhile_is_no_change_and_any_other_file_is() {
    let package = sound();
    let read = package::read(&package.folder()).unwrap();
    let put = |name: &str| {
        let path = package.folder().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "{}").unwrap();
    };
    let status = || {
        let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_orch-certify").into());
        let report = sandbox.run(Group::Package, &package.folder(), &read, package.home.path());
        report.results[0].status
    };
    put("certificates/0123456789abcdef.dsse.json");
    assert_eq!(status(), CheckStatus::Pass);
    put("release.dsse.json");
    assert_eq!(status(), CheckStatus::Error);
}
