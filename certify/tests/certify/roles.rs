//! Each role: a right guest passes, wrong ones are refused at conformance, each at one case.

use orch_certify::conformance;
use orch_host::package;
use orch_trust::certificate::CheckStatus;
use orch_trust::manifest::Role;
use serde_json::{Value, json};

use crate::guest::{NEXT, OBSERVE, OPEN, good_planner, good_service, guest, planner, service};
use crate::package::Package;

/// `err` with an empty message.
const WORDLESS: &str = "(i32.store8 (i32.const 4096) (i32.const 1)) (return (i32.const 4096))";
const FOREVER: &str = "(loop $again (br $again))";
/// `ok` with 4294967295 bytes or entries.
const HUGE: &str = "(i32.store (i32.const 4100) (i32.const 8)) (i32.store (i32.const 4104) (i32.const -1)) (return (i32.const 4096))";

#[track_caller]
fn passes(role: Role, component: &[u8]) {
    let verdict = Package::new(role, component, |_| {}).certify();
    assert_eq!((verdict.exit, verdict.findings.as_slice()), (0, [].as_slice()));
    assert!(verdict.statuses.values().all(|status| status == "pass"), "{:?}", verdict.statuses);
}

/// Short time, and tasks to ask for.
fn edit(role: Role) -> impl Fn(&mut Value) {
    move |manifest: &mut Value| {
        manifest["limits"]["busyMs"] = 200.into();
        if matches!(role, Role::Reflector | Role::Auditor) {
            manifest["permissions"] = json!({ "tasks": { "add": 5, "kinds": ["note"] } });
        }
    }
}

/// Conformance fails, and every finding is about that one case.
#[track_caller]
fn refused_at(role: Role, case: &str, component: &[u8], word: &str) {
    let package = Package::new(role, component, edit(role));
    let read = package::read(&package.folder()).unwrap();
    let workspace = tempfile::tempdir().unwrap();
    let (result, _) = conformance::run(&read, role, workspace.path());
    assert_eq!(result.status, CheckStatus::Fail, "{role:?} {case}");
    for finding in &result.findings {
        assert_eq!(finding.split(": ").nth(1), Some(case), "{role:?}: {:?}", result.findings);
    }
    assert!(result.findings.iter().any(|finding| finding.contains(word)), "{case}: {:?}", result.findings);
}

/// A right guest with the same manifest passes, so that the cases say something.
#[track_caller]
fn right(role: Role, component: &[u8]) {
    let package = Package::new(role, component, edit(role));
    let read = package::read(&package.folder()).unwrap();
    let workspace = tempfile::tempdir().unwrap();
    let (result, _) = conformance::run(&read, role, workspace.path());
    assert_eq!((result.status, result.findings.as_slice()), (CheckStatus::Pass, [].as_slice()));
}

#[test]
fn five_wrong_planners_are_refused_each_at_its_case() {
    right(Role::Planner, &good_planner());
    let next = |more: &str| planner(OPEN, OBSERVE, &NEXT.replace(";; HERE", more));
    let wrong = [
        (
            "settings-no-json",
            planner(
                &format!("(if (i32.eq (local.get 1) (i32.const 9)) (then unreachable)) {OPEN}"),
                OBSERVE,
                NEXT,
            ),
            "plugin-trap",
        ),
        // Names one task twice.
        (
            "most-slots",
            next(
                "(if (i32.and (i32.eq (local.get 1) (i32.const -1)) (i32.gt_u (local.get $picked) (i32.const 1)))
                   (then (i32.store (i32.const 4372) (i32.load (i32.const 4368)))))",
            ),
            "which is not ready",
        ),
        ("next-first", next("(if (i32.eqz (global.get $told)) (then unreachable))"), "plugin-trap"),
        (
            "nothing-ready",
            next(
                "(if (i32.and (i32.eqz (global.get $ever)) (i64.eq (global.get $left) (i64.const 100)))
                   (then (i32.store (i32.const 4356) (i32.const 1))))",
            ),
            "waits while nothing runs",
        ),
        (
            "short-budget",
            planner(
                OPEN,
                &OBSERVE.replace(
                    "(i32.const 4224)",
                    "(if (i64.eq (global.get $left) (i64.const 3)) (then (global.set $left (i64.const 9))))
                     (i32.const 4224)",
                ),
                &NEXT.replace("(i64.le_u (local.get $cost) (global.get $left))", "(i64.ne (global.get $left) (i64.const 0))"),
            ),
            "costs more than is left",
        ),
        ("withdrawn", planner(OPEN, &OBSERVE.replace("(i32.const 1)) (then (call $remove", "(i32.const 7)) (then (call $remove"), NEXT), "task 0, which is not ready"),
    ];
    for (case, component, word) in wrong {
        refused_at(Role::Planner, case, &component, word);
    }
}

/// The first eight bytes of an id, as a guest loads them.
fn word(id: &str) -> i64 {
    let mut bytes = [0; 8];
    for (place, byte) in id.bytes().take(8).enumerate() {
        bytes[place] = byte;
    }
    i64::from_le_bytes(bytes)
}

#[test]
fn five_wrong_executors_are_refused_each_at_its_case() {
    right(Role::Executor, &guest(Role::Executor, "", &[]));
    // The task's record begins with its id: pointer and length.
    let at = |id: &str, body: &str| {
        let body = format!(
            "(if (i64.eq (i64.load (i32.load (local.get 0))) (i64.const {})) (then {body})) (i32.const 4096)",
            word(id)
        );
        guest(Role::Executor, "", &[("execute", &body)])
    };
    for (case, id, body, code) in [
        ("plain", "first", "unreachable", "plugin-trap"),
        ("no-command", "no-command", WORDLESS, "without a word"),
        ("many-arguments", "many-arguments", FOREVER, "limit-busy"),
        ("long-line", "long-line", HUGE, "long-line"),
        ("deep-settings", "deep-settings", "(return (i32.const -4))", "plugin-trap"),
        ("command-killed", "command-killed", "unreachable", "plugin-trap"),
        ("longest-id", "zzzzzzzz", "unreachable", "plugin-trap"),
    ] {
        // `command-` begins seven ids: the one that is meant is as long as its name.
        let body = match id.starts_with("command") {
            true => format!(
                "(if (i32.eq (i32.load offset=4 (local.get 0)) (i32.const {})) (then {body}))",
                id.len()
            ),
            false => body.to_owned(),
        };
        refused_at(Role::Executor, case, &at(id, &body), code);
    }
}

/// One entry of a list at 1024.
const ONE: &str = "(i32.store (i32.const 4100) (i32.const 1024)) (i32.store (i32.const 4104) (i32.const 1)) (return (i32.const 4096))";

/// Tasks that a guest asks for, in memory from 1024 on: id and what it waits for.
fn asked(tasks: &[(&str, Option<&str>)], kind: &str) -> String {
    let (mut records, mut texts) = (Vec::new(), Vec::new());
    let mut text = |text: &str| {
        let at = 2048 + texts.len() as u32;
        texts.extend_from_slice(text.as_bytes());
        texts.resize(texts.len().next_multiple_of(8), 0);
        (at, text.len() as u32)
    };
    for (id, waits_for) in tasks {
        let (id, kind) = (text(id), text(kind));
        let dependencies = waits_for.map(|id| {
            let (at, bytes) = text(id);
            let list = [at.to_le_bytes(), bytes.to_le_bytes()].concat();
            (text(std::str::from_utf8(&list).unwrap()).0, 1)
        });
        let (list, count) = dependencies.unwrap_or((0, 0));
        // Id, description, kind, no command, priority, cost, dependencies, settings.
        let words = [1, id.0, id.1, 0, 0, kind.0, kind.1, 0, 0, 0, 0, 0, 1, list, count, 0, 0];
        records.extend(words.into_iter().flat_map(u32::to_le_bytes));
    }
    let shown = |bytes: &[u8]| bytes.iter().map(|byte| format!("\\{byte:02x}")).collect::<String>();
    format!("(data (i32.const 1024) \"{}\") (data (i32.const 2048) \"{}\")", shown(&records), shown(&texts))
}

#[test]
fn five_wrong_reflectors_are_refused_each_at_its_case() {
    right(Role::Reflector, &guest(Role::Reflector, &asked(&[("a", None)], "note"), &[("reflect", ONE)]));
    // Run id: 0 and 1; how many tasks there are: 2.
    let run_of = |bytes: i32| format!("(i32.eq (local.get 1) (i32.const {bytes}))");
    let tasks = |count: i32| format!("(i32.and {} (i32.eq (local.get 2) (i32.const {count})))", run_of(5));
    let two = ONE.replace("(i32.const 1))", "(i32.const 2))");
    let none = String::new();
    for (case, condition, head, body, said) in [
        ("plain", tasks(3), asked(&[("a", None), ("a", None)], "note"), two.as_str(), "`a` twice"),
        (
            "no-tasks",
            format!("(i32.and {} (i32.eqz (local.get 4)))", tasks(0)),
            asked(&[("a", Some("x"))], "note"),
            ONE,
            "`x`, which is unknown",
        ),
        ("most-tasks", tasks(-1), asked(&[("a", Some("a"))], "note"), ONE, "waits for itself"),
        ("empty-run-id", run_of(0), none.clone(), WORDLESS, "without a word"),
        ("long-run-id", run_of(65536), asked(&[("a", None)], "shell"), ONE, "kind `shell` is not granted"),
        ("boundary-run-id", run_of(128), none.clone(), "unreachable", "plugin-trap"),
        ("store-unavailable", run_of(17), none, HUGE, "store-unavailable"),
    ] {
        let body = format!("(if {condition} (then {body})) (i32.const 4096)");
        refused_at(Role::Reflector, case, &guest(Role::Reflector, &head, &[("reflect", &body)]), said);
    }
}

#[test]
fn five_wrong_auditors_are_refused_each_at_its_case() {
    right(Role::Auditor, &guest(Role::Auditor, "", &[]));
    // A metric `a` of not-a-number: name, value, unit, attributes.
    let nan = r#"(data (i32.const 1024) "\00\08\00\00\01\00\00\00\00\00\00\00\00\00\f8\7f") (data (i32.const 2048) "a")"#;
    let unknown = asked(&[("a", Some("x"))], "note");
    for (case, function, count, head, body, said) in [
        ("analyze-all", "analyze", 0, "", ONE, "name is not 1 to 128"),
        ("analyze-two", "analyze", 2, nan, ONE, "not finite"),
        ("analyze-odd-paths", "analyze", 8, "", FOREVER, "limit-busy"),
        ("analyze-many-paths", "analyze", 1000, "", "unreachable", "plugin-trap"),
        ("audit-none", "audit", 0, unknown.as_str(), ONE, "`x`, which is unknown"),
        ("audit-a-thousand", "audit", 1000, "", WORDLESS, "without a word"),
    ] {
        let body = format!("(if (i32.eq (local.get 1) (i32.const {count})) (then {body})) (i32.const 4096)");
        refused_at(Role::Auditor, case, &guest(Role::Auditor, head, &[(function, &body)]), said);
    }
}

#[test]
fn five_wrong_verifiers_are_refused_each_at_its_case() {
    right(Role::Verifier, &guest(Role::Verifier, "", &[]));
    // Run or task: 0; its id: 1 and 2.
    let run_of =
        |bytes: i32| format!("(i32.and (i32.eqz (local.get 0)) (i32.eq (local.get 2) (i32.const {bytes})))");
    let task = |id: &str| {
        format!("(i32.and (local.get 0) (i64.eq (i64.load (local.get 1)) (i64.const {})))", word(id))
    };
    let many = ONE.replace("(i32.const 1))", "(i32.const 1001))");
    let far = format!(
        "(i32.store8 (i32.const 1036) (i32.const 1)) (i32.store (i32.const 1040) (i32.const 2048))
         (i32.store (i32.const 1044) (i32.const 1025)) {ONE}"
    );
    for (case, condition, body, said) in [
        ("run", run_of(5), "unreachable", "plugin-trap"),
        ("empty-run-id", run_of(0), many.as_str(), "plugin-answer"),
        ("long-run-id", run_of(65536), far.as_str(), "location of 1025 bytes"),
        ("task", task("first"), WORDLESS, "without a word"),
        ("control-characters", task("control-characters"), FOREVER, "limit-busy"),
        ("extreme-numbers", task("extreme-numbers"), HUGE, "extreme-numbers"),
    ] {
        let body = format!("(if {condition} (then {body})) (i32.const 4096)");
        refused_at(Role::Verifier, case, &guest(Role::Verifier, "", &[("verify", &body)]), said);
    }
}

#[test]
fn a_right_provider_passes_and_wrong_ones_are_refused() {
    right(Role::Provider, &guest(Role::Provider, "", &[]));
    let wrong = |body: &str| guest(Role::Provider, "", &[("send", &format!("{body} (i32.const 4096)"))]);
    for (body, word) in [
        ("unreachable", "plugin-trap"),
        (FOREVER, "limit-busy"),
        (HUGE, ": notice: "),
        (WORDLESS, "without a word"),
    ] {
        let package = Package::new(Role::Provider, &wrong(body), edit(Role::Provider));
        let read = package::read(&package.folder()).unwrap();
        let workspace = tempfile::tempdir().unwrap();
        let (result, _) = conformance::run(&read, Role::Provider, workspace.path());
        assert_eq!(result.status, CheckStatus::Fail, "{body}");
        assert!(
            result.findings.iter().any(|finding| finding.contains(word)),
            "{body}: {:?}",
            result.findings
        );
    }
}

#[test]
fn five_wrong_services_are_refused_each_at_its_case() {
    right(Role::Service, &good_service());
    let error = "(call $set (local.get 1) (i32.const 1) (i32.const 0)
                   (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)) (return)";
    let early = "(drop (call $status (local.get $one) (i32.const 103)))";
    for (case, method, first, said) in [
        ("head", 1, "unreachable", "plugin-trap"),
        ("large-body", 2, error, "error instead of a response"),
        ("empty-body", 3, FOREVER, "limit-busy"),
        ("long-path", 4, early, "status 103"),
        ("many-headers", 6, "(call $body (local.get $one) (i32.const 4640))", "a body without an end"),
        ("odd-method", 9, "(return)", "no response"),
    ] {
        let first =
            format!("(if (i32.eq (i32.load8_u (i32.const 4608)) (i32.const {method})) (then {first}))");
        refused_at(Role::Service, case, &service(&first), said);
    }
}

#[test]
fn a_right_guest_of_every_role_passes_every_check() {
    passes(Role::Planner, &good_planner());
    for role in [Role::Executor, Role::Reflector, Role::Auditor, Role::Verifier, Role::Guard] {
        passes(role, &guest(role, "", &[]));
    }
    passes(Role::Service, &good_service());
}

#[test]
fn a_guest_that_fails_its_role_is_not_called_any_further() {
    let component = guest(Role::Executor, "", &[("execute", "unreachable")]);
    let verdict = Package::new(Role::Executor, &component, |_| {}).certify();
    assert_eq!(verdict.with("fail"), ["conformance/executor"], "{:?}", verdict.findings);
    assert_eq!(verdict.with("skipped").len(), 6, "{:?}", verdict.statuses);
    assert_eq!(verdict.exit, 3);
}

#[test]
fn fuel_and_memory_are_measured() {
    for (role, component) in [
        (Role::Executor, guest(Role::Executor, "", &[])),
        (Role::Planner, good_planner()),
        (Role::Service, good_service()),
    ] {
        let measured = Package::new(role, &component, |_| {}).certify().measured;
        assert!(measured["fuelMax"].as_u64().unwrap() > 0, "{role:?} {measured}");
        assert!(measured["memoryBytesMax"].as_u64().unwrap() >= 131_072, "{role:?} {measured}");
        let calls = measured["hostCallsMax"].as_u64().unwrap();
        assert_eq!(calls > 0, role == Role::Service, "{role:?} {measured}");
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
                (i32.store (i32.const 4100) (i32.const 600))
                (i32.store (i32.const 4104) (i32.const 5))
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
            manifest["permissions"] = json!({ "process": { "programs": [program] } });
        })
    };
    let verdict = asking("touch").certify();
    assert_eq!((verdict.exit, verdict.findings.as_slice()), (0, [].as_slice()));
    assert!(!path.exists(), "the command ran");
    // What is not granted is denied in certification as it is in a run, and asking for it all the same is a fault.
    let verdict = asking("true").certify();
    assert_eq!(verdict.with("fail"), ["permission-probe"], "{:?}", verdict.findings);
    assert!(verdict.findings.iter().any(|finding| finding.contains("probe-undeclared: plain: process")));
}
