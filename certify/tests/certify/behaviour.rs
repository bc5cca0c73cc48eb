//! Behaviour: each check passes a sound guest and stops the one that is there for it.

use std::path::PathBuf;

use orch_certify::check::Group;
use orch_certify::sandbox::Sandbox;
use orch_host::package;
use orch_trust::certificate::{CheckResult, CheckStatus, Measured};
use orch_trust::manifest::Role;
use serde_json::{Value, json};

use crate::guest::{NEXT, OBSERVE, OPEN, good_planner, guest, planner};
use crate::package::Package;

fn run(role: Role, component: &[u8], edit: impl FnOnce(&mut Value)) -> (Vec<CheckResult>, Measured) {
    let package = Package::new(role, component, edit);
    let read = package::read(&package.folder()).unwrap();
    let workspace = tempfile::tempdir().unwrap();
    // In a process of its own, as it is meant to be: it counts the files that it has open.
    let sandbox = Sandbox::new(PathBuf::from(env!("CARGO_BIN_EXE_orch-certify")));
    let report = sandbox.run(Group::Behaviour, &package.folder(), &read, workspace.path());
    (report.results, report.measured)
}

/// Only that check does not pass; it ends with that status, and one of its findings holds these words.
#[track_caller]
fn stopped(
    role: Role,
    component: &[u8],
    edit: impl FnOnce(&mut Value),
    id: &str,
    status: CheckStatus,
    words: &str,
) {
    let (results, _) = run(role, component, edit);
    let said: Vec<_> = results.iter().map(|result| (&result.id, result.status, &result.findings)).collect();
    for result in &results {
        let expected = if result.id == id { status } else { CheckStatus::Pass };
        assert_eq!(result.status, expected, "{said:?}");
    }
    assert!(
        results.iter().flat_map(|result| &result.findings).any(|finding| finding.contains(words)),
        "{said:?}"
    );
}

#[track_caller]
fn passes(role: Role, component: &[u8], edit: impl FnOnce(&mut Value)) {
    let (results, _) = run(role, component, edit);
    for result in &results {
        assert_eq!((result.status, result.findings.as_slice()), (CheckStatus::Pass, [].as_slice()));
        assert!(result.looked_at > 0, "{result:?}");
    }
}

/// An executor that does this when the task's description is longer than any of conformance.
fn at_a_long_description(body: &str) -> Vec<u8> {
    let body = format!("(if (i32.eqz (i32.load8_u offset=24 (local.get 0))) (then {body})) (i32.const 4096)");
    guest(Role::Executor, "", &[("execute", &body)])
}

fn nothing(_: &mut Value) {}

#[test]
fn a_guest_that_often_traps_is_a_warning_and_one_that_hangs_is_refused() {
    // Every fourth task of the seed or so has no command; of the first cases of conformance, every one has.
    let trap = at_a_long_description("unreachable");
    stopped(Role::Executor, &trap, nothing, "fuzz", CheckStatus::Warn, "fuzz-traps: executor");
    let hang = at_a_long_description("(loop $again (br $again))");
    let (results, _) = run(Role::Executor, &hang, |manifest| manifest["limits"]["busyMs"] = 100.into());
    let fuzz = &results[0];
    assert_eq!((fuzz.id.as_str(), fuzz.status), ("fuzz", CheckStatus::Fail));
    assert!(fuzz.findings[0].starts_with("fuzz-hang: executor-"), "{:?}", fuzz.findings);
}

#[test]
fn an_answer_against_the_rules_is_found_by_values_that_conformance_does_not_have() {
    // Starts what was withdrawn, if it is task 7: conformance speaks of it only without budget.
    let observe = OBSERVE.replace(
        "(then (call $remove (i32.load offset=8 (local.get $at))))",
        "(then (if (i32.gt_u (i32.load offset=8 (local.get $at)) (i32.const 4))
           (then (nop)) (else (call $remove (i32.load offset=8 (local.get $at))))))",
    );
    assert_ne!(observe, OBSERVE);
    let component = planner(OPEN, &observe, NEXT);
    stopped(Role::Planner, &component, nothing, "fuzz", CheckStatus::Fail, "which is not ready");
    passes(Role::Planner, &good_planner(), nothing);
}

/// Opens the bucket of a label; does this when it is denied.
fn opener(label: &str, denied: &str) -> Vec<u8> {
    let head = format!(
        r#"(import "orch:kv/kv@0.1.0" "[static]bucket.open" (func $open (param i32 i32 i32)))
           (data (i32.const 600) "{label}") (data (i32.const 640) "no")"#
    );
    let body = format!(
        "(call $open (i32.const 600) (i32.const {}) (i32.const 5120))
         (if (i32.load8_u (i32.const 5120)) (then {denied}))
         (i32.const 4096)",
        label.len()
    );
    guest(Role::Executor, &head, &[("execute", &body)])
}

fn of_kv(manifest: &mut Value) {
    manifest["permissions"] = json!({ "kv": { "labels": ["own"], "bytes": 1000 } });
}

/// `err` with a word.
const NO: &str = "(i32.store8 (i32.const 4096) (i32.const 1)) (i32.store (i32.const 4100) (i32.const 640))
                  (i32.store (i32.const 4104) (i32.const 2))";

#[test]
fn a_plugin_fails_in_words_when_a_permission_is_gone_and_asks_for_no_other() {
    passes(Role::Executor, &opener("own", NO), of_kv);
    let traps = opener("own", "unreachable");
    let probe = "permission-probe";
    let fail = CheckStatus::Fail;
    stopped(Role::Executor, &traps, of_kv, probe, fail, "probe-not-closed: without kv.labels: plain: ");
    stopped(
        Role::Executor,
        &opener("other", NO),
        of_kv,
        probe,
        fail,
        "probe-undeclared: plain: kv: label `other`",
    );
}

#[test]
fn limits_must_leave_a_quarter_over() {
    let profile = "resource-profile";
    let limits =
        |name: &'static str, value: u32| move |manifest: &mut Value| manifest["limits"][name] = value.into();
    // 13 of 16 KiB of summary.
    let body = "(memory.fill (i32.const 8192) (i32.const 120) (i32.const 13312)) (i32.store (i32.const 4104) (i32.const 13312)) (i32.store (i32.const 4100) (i32.const 8192)) (i32.const 4096)";
    let long = guest(Role::Executor, "", &[("execute", body)]);
    passes(Role::Executor, &long, limits("outputKiB", 20));
    stopped(
        Role::Executor,
        &long,
        limits("outputKiB", 16),
        profile,
        CheckStatus::Fail,
        "limit-low: `outputKiB`",
    );
    // Grows to 3.5 MiB and is never refused.
    let body = "(if (i32.lt_u (memory.size) (i32.const 56))
                  (then (drop (memory.grow (i32.sub (i32.const 56) (memory.size)))))) (i32.const 4096)";
    let large = guest(Role::Executor, "", &[("execute", body)]);
    passes(Role::Executor, &large, limits("memoryMiB", 5));
    stopped(
        Role::Executor,
        &large,
        limits("memoryMiB", 4),
        profile,
        CheckStatus::Fail,
        "limit-low: `memoryMiB`",
    );
    // About 12,000,000 of fuel: 12 ms of busy time, of which a quarter must be left.
    let body = "(local $left i32) (local.set $left (i32.const 2000000))
                (loop $again (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1))))) (i32.const 4096)";
    let busy = guest(Role::Executor, "", &[("execute", body)]);
    let (_, measured) = run(Role::Executor, &busy, nothing);
    assert!((10_000_000..16_000_000).contains(&measured.fuel_max), "{measured:?}");
}

#[test]
fn findings_are_the_same_in_every_run() {
    let trap = at_a_long_description("unreachable");
    let said = || {
        let (results, _) = run(Role::Executor, &trap, nothing);
        results
            .into_iter()
            .map(|result| (result.id, result.status, result.looked_at, result.findings))
            .collect::<Vec<_>>()
    };
    assert_eq!(said(), said());
}
