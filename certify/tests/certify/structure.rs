//! The structure of a component: starts, sizes, and names of imports.

use orch_certify::check::Group;
use orch_trust::certificate::{CheckResult, CheckStatus};
use orch_trust::manifest::Role;

use crate::guest::guest;
use crate::listed::{length, list, packed, section, with_bare_module, with_list, with_module};
use crate::package::Package;

fn executor() -> Vec<u8> {
    guest(Role::Executor, "", &[])
}

fn package(component: &[u8]) -> Package {
    Package::new(Role::Executor, component, |_| {})
}

fn one(results: Vec<CheckResult>, id: &str) -> CheckResult {
    results.into_iter().find(|result| result.id == id).unwrap()
}

#[test]
fn a_start_of_the_component_is_refused() {
    let text = r#"(component (core module $m (func (export "f"))) (core instance $i (instantiate $m))
        (func $f (canon lift (core func $i "f"))) (start $f))"#;
    let package = package(&wat::parse_str(text).unwrap());
    let result = one(package.look(Group::Component), "start-functions");
    assert_eq!(result.status, CheckStatus::Fail);
    assert_eq!(result.findings, ["start-of-component: component 1 has a start"]);
    let verdict = package.certify();
    assert_eq!((verdict.exit, verdict.with("fail")), (3, vec!["component", "start-functions"]));
}

#[test]
fn start_functions_of_modules_are_warnings_and_many_of_them_refuse() {
    let start = "(func $s) (start $s)";
    let one = guest(Role::Executor, start, &[]);
    let verdict = package(&one).certify();
    assert_eq!((verdict.exit, verdict.with("warn")), (0, vec!["start-functions"]), "{:?}", verdict.findings);
    let two = with_module(&one, start);
    assert_eq!(package(&two).certify().exit, 0);
    let verdict = package(&with_module(&two, start)).certify();
    assert_eq!((verdict.exit, verdict.with("warn")), (3, vec!["start-functions"]), "{:?}", verdict.findings);
    // A start that does not return is ended by the limits of the call.
    let forever = guest(Role::Executor, "(func $s (loop (br 0))) (start $s)", &[]);
    let short = |manifest: &mut serde_json::Value| manifest["limits"]["busyMs"] = 50.into();
    let verdict = Package::new(Role::Executor, &forever, short).certify();
    assert!(verdict.with("fail").contains(&"conformance/executor"), "{:?}", verdict.statuses);
}

/// Passes with so many, and not with one more. `what`: as the finding names it.
#[track_caller]
fn bounded(what: &str, limit: usize, component: impl Fn(usize) -> Vec<u8>) {
    let look = |count: usize| one(package(&component(count)).look(Group::Component), "complexity");
    let within = look(limit);
    assert_eq!((within.status, within.findings.as_slice()), (CheckStatus::Pass, [].as_slice()));
    let beyond = look(limit + 1);
    assert_eq!(beyond.status, CheckStatus::Fail, "{what}");
    let [finding] = beyond.findings.as_slice() else { panic!("{what}: {:?}", beyond.findings) };
    assert!(finding.starts_with("complexity-over: "), "{finding}");
    assert!(finding.ends_with(&format!(" has {} {what}, limit is {limit}", limit + 1)), "{finding}");
}

#[track_caller]
fn bounded_in_a_module(what: &str, limit: usize, body: impl Fn(usize) -> String) {
    let base = executor();
    bounded(what, limit, |count| with_module(&base, &body(count)));
}

#[test]
fn a_module_has_no_more_of_anything_than_plugins_need() {
    let repeat = |one: &str, count: usize| one.repeat(count);
    bounded_in_a_module("types", 10_000, |count| repeat("(type (func))", count));
    bounded_in_a_module("globals", 4_000, |count| repeat("(global i32 (i32.const 0))", count));
    bounded_in_a_module("element segments", 4_000, |count| repeat("(elem funcref)", count));
    bounded_in_a_module("data segments", 4_000, |count| repeat("(data)", count));
    bounded_in_a_module("imports", 1_000, |count| repeat("(import \"\" \"\" (func))", count));
    bounded_in_a_module("exports", 1_000, |count| {
        (0..count).fold("(func)".to_owned(), |body, place| format!("{body}(export \"{place}\" (func 0))"))
    });
}

#[test]
fn a_function_has_no_more_of_anything_than_plugins_need() {
    let func = |body: String| format!("(func {body})");
    bounded_in_a_module("locals", 4_000, |count| func("(local i32)".repeat(count)));
    bounded_in_a_module("levels of nesting", 1_000, |count| {
        func("block ".repeat(count) + &"end ".repeat(count))
    });
    let table = |count: usize| format!("i32.const 0 br_table {} 0 ", "0 ".repeat(count));
    bounded_in_a_module("targets of jump tables", 4_000, |count| func(table(3_000) + &table(count - 3_000)));
    // No locals, one end, the rest does nothing.
    bounded_in_a_module("bytes", 256 << 10, |count| func("nop ".repeat(count - 2)));
    let weighing = |branches: usize| func("(local i32)".repeat(1_000) + &"block end ".repeat(branches));
    let look = |branches| {
        one(package(&with_module(&executor(), &weighing(branches))).look(Group::Component), "complexity")
    };
    assert_eq!(look(2_000).status, CheckStatus::Pass);
    let beyond = look(2_001);
    assert_eq!(beyond.status, CheckStatus::Fail);
    let finding =
        "complexity-over: a function of module 2 has 2001000 locals times branches, limit is 2000000";
    assert_eq!(beyond.findings, [finding]);
}

#[test]
fn a_component_has_no_more_of_anything_than_plugins_need() {
    let base = executor();
    let functions = |count: usize| with_module(&base, &"(func)".repeat(count));
    // The guest's own functions count too.
    let before = wasm_functions(&base);
    bounded("functions", 100_000, |count| functions(count - before));
    let large = |count: usize| {
        let rest = count - with_list(&base).len();
        let module = large_module(rest - 1 - 4);
        let component = with_bare_module(&base, &module);
        assert_eq!(with_list(&component).len(), count);
        component
    };
    bounded("bytes", 32 << 20, large);
    let definitions = |count: usize| {
        let drops = "(core func (canon resource.drop $r))".repeat(count);
        wat::parse_str(format!("(component (core module) (type $r (resource (rep i32))) {drops})")).unwrap()
    };
    bounded("definitions", 20_000, definitions);
}

fn wasm_functions(component: &[u8]) -> usize {
    orch_trust::facts::Facts::derive(component).unwrap().functions as usize
}

/// A module of exactly that many bytes: a list, and data that nobody uses.
fn large_module(bytes: usize) -> Vec<u8> {
    let head = [b"\0asm\x01\0\0\0".as_slice(), &section(".dep-v0", &packed(&list()))].concat();
    // Section, its length, count, kind and length of the segment.
    let data = vec![b'x'; bytes - head.len() - 1 - 4 - 2 - 4];
    let content = [&[1, 1][..], &length(data.len()), &data].concat();
    [head.as_slice(), &[11], &length(content.len()), &content].concat()
}

#[test]
fn a_name_with_an_annotation_is_refused() {
    for import in [
        r#"(import "a" (implements "orch:log/log@0.1.0") (instance))"#,
        r#"(import "orch:log/log@0.1" (version-suffix ".0") (instance))"#,
    ] {
        let Ok(component) = wat::parse_str(format!("(component {import})")) else {
            panic!("{import} is no longer text of a component");
        };
        let verdict = package(&component).certify();
        assert_eq!(verdict.exit, 3);
        assert!(verdict.with("fail").contains(&"component"), "{import}: {:?}", verdict.findings);
    }
}

#[test]
fn imports_that_name_a_place_or_a_compatible_version_are_refused() {
    let inner = |name: &str| format!(r#"(component (component (import "{name}" (instance))))"#);
    let outer = |name: &str| format!(r#"(component (import "{name}" (instance)))"#);
    for (name, code) in [
        ("url=<https://a.example/x.wasm>", "import-foreign"),
        ("integrity=<sha256-bGV0cyBiZSBleGFjdA==>", "import-foreign"),
        ("locked-dep=<a:b/c@1.0.0>", "import-foreign"),
        ("unlocked-dep=<a:b/c>", "import-foreign"),
        ("relative-url=<x.wasm>", "import-foreign"),
        ("orch:log/log@0.1.1", "import-unknown"),
        ("orch:log/log@0.1", "import-unknown"),
        ("orch:log/log", "import-unknown"),
    ] {
        let mut tried = 0;
        for text in [inner(name), outer(name)] {
            // Names that the text format does not take cannot be in a component either.
            let Ok(component) = wat::parse_str(&text) else { continue };
            let results = package(&component).look(Group::Component);
            let component_check = one(results.clone(), "component");
            if component_check.status == CheckStatus::Fail {
                tried += 1;
                continue;
            }
            let imports = one(results, "imports");
            assert_eq!(imports.status, CheckStatus::Fail, "{text}");
            assert!(
                imports.findings.iter().any(|finding| finding.contains(code)),
                "{text}: {:?}",
                imports.findings
            );
            tried += 1;
        }
        assert!(tried > 0, "{name}");
    }
}
