//! Bombs: components that cost more than they are worth, each stopped.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use orch_certify::check::Group;
use orch_certify::sandbox::Sandbox;
use orch_trust::certificate::CheckStatus;
use orch_trust::manifest::Role;

use crate::guest::guest;
use crate::listed::with_module;
use crate::package::Package;

fn executor() -> Vec<u8> {
    guest(Role::Executor, "", &[])
}

fn package(component: &[u8]) -> Package {
    Package::new(Role::Executor, component, |_| {})
}

/// Refused within seconds, by a check or because the child was stopped, and nothing of it was called.
#[track_caller]
fn stopped(component: &[u8]) -> Vec<String> {
    let started = Instant::now();
    let verdict = package(component).certify();
    assert!(started.elapsed() < Duration::from_secs(60));
    assert_eq!(verdict.exit, 3);
    assert!(!verdict.with("fail").is_empty() || !verdict.with("error").is_empty(), "{:?}", verdict.statuses);
    assert_eq!(verdict.statuses["conformance/executor"], "skipped");
    verdict.findings
}

#[test]
fn bombs_are_stopped() {
    let says = |findings: Vec<String>, code: &str| {
        assert!(findings.iter().any(|finding| finding.contains(code)), "{code}: {findings:?}");
    };
    // One function of a megabyte.
    says(
        stopped(&with_module(&executor(), &format!("(func {})", "nop ".repeat(1 << 20)))),
        "complexity-over",
    );
    // Blocks in blocks.
    let deep = format!("(func {} {})", "block ".repeat(100_000), "end ".repeat(100_000));
    says(stopped(&with_module(&executor(), &deep)), "complexity-over");
    // A type of two to the fortieth fields.
    let doubled = (1..40).fold("(type $t0 (tuple u64 u64))".to_owned(), |types, place| {
        format!("{types}(type $t{place} (tuple $t{0} $t{0}))", place - 1)
    });
    says(stopped(&wat::parse_str(format!("(component {doubled})")).unwrap()), "component-invalid");
    // Ten thousand exports of the component itself.
    let exports =
        (0..10_000).fold(String::new(), |text, place| format!("{text}(export \"e{place}\" (instance 0))"));
    says(
        stopped(&wat::parse_str(format!("(component (instance) {exports})")).unwrap()),
        "structure-too-large",
    );
}

/// Branches everywhere, over thousands of locals: what makes a compiler remember most.
fn compile_bomb() -> String {
    let step = |place: usize| {
        let local = |seed: usize| (place * seed) % 4_000;
        let (a, b, c) = (local(7_919), local(104_729), local(1_299_709));
        match place % 4 {
            0 if place < 4_000 => "loop ".to_owned(),
            1 => format!("local.get {a} br_if {} ", place % (place.min(3_999) / 4 + 1)),
            _ => format!("local.get {a} local.get {b} i32.add local.set {c} "),
        }
    };
    let steps: String = (0..28_000).map(step).collect();
    format!("(func {} {steps} {})", "(local i32)".repeat(4_000), "end ".repeat(1_000))
}

#[test]
fn a_compile_bomb_is_refused_before_it_is_compiled_and_stopped_when_it_is() {
    let component = with_module(&executor(), &compile_bomb());
    let findings = stopped(&component);
    assert!(findings.iter().any(|finding| finding.contains("locals times branches")), "{findings:?}");
    // If no other check had looked: the child ends, and not the parent.
    let package = package(&component);
    let read = orch_host::package::read(&package.folder()).unwrap();
    let mut sandbox = Sandbox::new(PathBuf::from(env!("CARGO_BIN_EXE_orch-certify")));
    sandbox.conformance_wall = Duration::from_secs(2);
    let started = Instant::now();
    let group = Group::Conformance(Role::Executor);
    let results = sandbox.run(group, &package.folder(), &read, package.home.path()).results;
    assert!(started.elapsed() < Duration::from_secs(20));
    assert_eq!(results[0].status, CheckStatus::Error, "{:?}", results[0].findings);
    let known = ["child-timeout: ", "child-crashed: "];
    assert!(known.iter().any(|how| results[0].findings[0].starts_with(how)), "{:?}", results[0].findings);
}
