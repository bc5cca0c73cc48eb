//! Each role: a right guest passes, wrong ones are refused at conformance and nowhere else.

use orch_trust::manifest::Role;

use crate::guest::{OBSERVE, OPEN, SESSION, good_service, guest, next_of_a_good_planner, start};
use crate::package::Package;

const TRAP: &str = "unreachable";
/// `err` with an empty message.
const WORDLESS: &str = "(i32.store8 (i32.const 4096) (i32.const 1)) (i32.const 4096)";
const FOREVER: &str = "(loop $again (br $again)) unreachable";
/// A list of 4294967295 entries.
const HUGE: &str =
    "(i32.store (i32.const 4100) (i32.const 8)) (i32.store (i32.const 4104) (i32.const -1)) (i32.const 4096)";

#[track_caller]
fn passes(role: Role, component: &[u8]) {
    let verdict = Package::new(role, component, |_| {}).certify();
    assert_eq!((verdict.exit, verdict.findings.as_slice()), (0, [].as_slice()));
    assert!(verdict.statuses.values().all(|status| status == "pass"), "{:?}", verdict.statuses);
}

#[track_caller]
fn refused(role: Role, component: &[u8], code: &str) {
    let verdict = Package::new(role, component, |_| {}).certify();
    let check = format!("conformance/{}", role.as_str());
    assert_eq!(verdict.with("fail"), [check.as_str()], "{:?}", verdict.findings);
    assert!(verdict.findings.iter().any(|finding| finding.contains(code)), "{code}: {:?}", verdict.findings);
    assert_eq!(verdict.exit, 3);
}

fn planner(next: &str) -> Vec<u8> {
    guest(Role::Planner, SESSION, &[OPEN, OBSERVE, ("[method]session.next", next)])
}

#[test]
fn a_planner_starts_what_is_ready_and_ends() {
    passes(Role::Planner, &planner(&next_of_a_good_planner()));
}

#[test]
fn a_planner_that_breaks_its_rules_is_refused() {
    let next = |answer: String| planner(&format!("{answer} (i32.const 4352)"));
    // The data holds 0, 1, 2, 3, 4, 9.
    refused(Role::Planner, &next(start(532, 1)), "not ready");
    refused(Role::Planner, &next(start(512, 3)), "3 tasks in 2 slots");
    refused(Role::Planner, &next(start(512, 0)), "empty list");
    refused(Role::Planner, &next(start(512, 1)), "task 0, which is not ready");
    let wait = "(i32.store (i32.const 4356) (i32.const 1))";
    refused(Role::Planner, &next(wait.to_owned()), "waits while nothing runs");
    let finished = "(i32.store (i32.const 4356) (i32.const 2))";
    refused(Role::Planner, &next(finished.to_owned()), "there is budget");
    refused(Role::Planner, &planner(TRAP), "plugin-trap");
    // Good at first, and starts with nothing in the purse.
    let spendthrift = next_of_a_good_planner().replace("(i32.eqz (global.get $poor))", "(i32.const 1)");
    refused(Role::Planner, &planner(&spendthrift), "costs more than is left");
}

#[test]
fn an_executor_answers_in_words_and_never_traps() {
    passes(Role::Executor, &guest(Role::Executor, "", &[]));
    refused(Role::Executor, &guest(Role::Executor, "", &[("execute", TRAP)]), "plugin-trap");
    refused(Role::Executor, &guest(Role::Executor, "", &[("execute", WORDLESS)]), "without a word");
    refused(Role::Executor, &guest(Role::Executor, "", &[("execute", FOREVER)]), "limit-busy");
}

#[test]
fn an_executor_that_traps_on_hostile_input_only_is_refused() {
    // The task lies in memory: its record begins with the id, pointer and length; hostile ids are 128 long.
    let body =
        "(if (i32.eq (i32.load offset=4 (local.get 0)) (i32.const 128)) (then unreachable)) (i32.const 4096)";
    refused(Role::Executor, &guest(Role::Executor, "", &[("execute", body)]), "execute a hostile task");
}

#[test]
fn a_reflector_asks_within_its_grant() {
    passes(Role::Reflector, &guest(Role::Reflector, "", &[]));
    refused(Role::Reflector, &guest(Role::Reflector, "", &[("reflect", TRAP)]), "plugin-trap");
    refused(Role::Reflector, &guest(Role::Reflector, "", &[("reflect", WORDLESS)]), "conformance-failure");
    refused(Role::Reflector, &guest(Role::Reflector, "", &[("reflect", HUGE)]), "reflect:");
    // One task without a kind, and no grant to ask for any.
    let one = "(i32.store (i32.const 4100) (i32.const 1024)) (i32.store (i32.const 4104) (i32.const 1)) (i32.const 4096)";
    refused(Role::Reflector, &guest(Role::Reflector, "", &[("reflect", one)]), "plugin-answer");
}

#[test]
fn an_auditor_measures_and_answers() {
    passes(Role::Auditor, &guest(Role::Auditor, "", &[]));
    refused(Role::Auditor, &guest(Role::Auditor, "", &[("analyze", TRAP)]), "plugin-trap");
    refused(Role::Auditor, &guest(Role::Auditor, "", &[("audit", TRAP)]), "plugin-trap");
    // A metric without a name.
    let one = "(i32.store (i32.const 4100) (i32.const 1024)) (i32.store (i32.const 4104) (i32.const 1)) (i32.const 4096)";
    refused(Role::Auditor, &guest(Role::Auditor, "", &[("analyze", one)]), "plugin-answer");
}

#[test]
fn a_verifier_answers_or_says_why_not() {
    passes(Role::Verifier, &guest(Role::Verifier, "", &[]));
    refused(Role::Verifier, &guest(Role::Verifier, "", &[("verify", TRAP)]), "plugin-trap");
    refused(Role::Verifier, &guest(Role::Verifier, "", &[("verify", WORDLESS)]), "without a word");
    let many = "(i32.store (i32.const 4100) (i32.const 1024)) (i32.store (i32.const 4104) (i32.const 1001)) (i32.const 4096)";
    refused(Role::Verifier, &guest(Role::Verifier, "", &[("verify", many)]), "plugin-answer");
}

#[test]
fn a_service_gives_a_response_to_every_request() {
    passes(Role::Service, &good_service());
    refused(Role::Service, &guest(Role::Service, "", &[("handle", "nop")]), "no response");
    refused(Role::Service, &guest(Role::Service, "", &[("handle", TRAP)]), "plugin-trap");
}

#[test]
fn fuel_and_memory_are_measured() {
    for (role, component) in [
        (Role::Executor, guest(Role::Executor, "", &[])),
        (Role::Planner, planner(&next_of_a_good_planner())),
        (Role::Service, good_service()),
    ] {
        let measured = Package::new(role, &component, |_| {}).certify().measured;
        assert!(measured["fuelMax"].as_u64().unwrap() > 0, "{role:?} {measured}");
        assert!(measured["memoryBytesMax"].as_u64().unwrap() >= 131_072, "{role:?} {measured}");
    }
}

/// Runs `touch` on an absolute path; fails without a word if it may not.
fn toucher(path: &str) -> Vec<u8> {
    let import = format!(
        r#"(import "orch:process/process@0.1.0" "run"
            (func $run (param i32 i32 i32 i32 i32 i32 i32 i32 i64 i32 i32)))
          (data (i32.const 600) "touch")
          (data (i32.const 620) "\80\02\00\00\{length:02x}\00\00\00")
          (data (i32.const 640) "{path}")"#,
        length = path.len()
    );
    // One argument: the list at 620 points to 640 (0x280).
    let body =
        "(call $run (i32.const 600) (i32.const 5) (i32.const 620) (i32.const 1) (i32.const 0) (i32.const 0)
                  (i32.const 0) (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 5120))
                (i32.store8 (i32.const 4096) (i32.load8_u (i32.const 5120)))
                (i32.const 4096)";
    guest(Role::Executor, &import, &[("execute", body)])
}

#[test]
fn a_granted_command_meets_a_fake_process_and_nothing_happens() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("touched");
    let component = toucher(path.to_str().unwrap());
    let asking = |program: &'static str| {
        Package::new(Role::Executor, &component, |manifest| {
            manifest["permissions"] = serde_json::json!({ "process": { "programs": [program] } });
        })
    };
    let verdict = asking("touch").certify();
    assert_eq!((verdict.exit, verdict.findings.as_slice()), (0, [].as_slice()));
    assert!(!path.exists(), "the command ran");
    // What is not granted is denied in certification as it is in a run.
    let verdict = asking("true").certify();
    assert_eq!(verdict.with("fail"), ["conformance/executor"], "{:?}", verdict.findings);
}
