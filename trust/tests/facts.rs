//! What is read from a component's bytes, and what is refused there, from text that says the structure.

#![allow(
    clippy::unwrap_used,
    reason = "what makes a component for a test is no test function, so clippy.toml does not let it"
)]

use orch_trust::engines::EngineFact;
use orch_trust::facts::{Facts, Memory};
use orch_trust::manifest::Role;

type Edit = fn(&mut Facts);

fn component(body: &str) -> Vec<u8> {
    wat::parse_str(format!("(component {body})")).unwrap()
}

#[track_caller]
fn check(body: &str, code: Option<&str>) {
    let found = Facts::derive(&component(body)).err().map(|refusal| refusal.code());
    assert_eq!(found, code, "{body}");
}

/// The code of what the imports need, without regard to a manifest.
#[track_caller]
fn check_inner(import: &str, code: Option<&str>) {
    let body = format!(r#"(component (import "{import}" (instance)))"#);
    let facts = Facts::derive(&component(&body)).unwrap();
    assert_eq!(facts.imports, Vec::<String>::new());
    let manifest = serde_json::json!({
        "schema": "urn:orch:plugin-manifest:v1", "id": "a/b", "version": "1.0.0", "name": "B", "description": "",
        "license": "MIT", "roles": ["verifier"], "host": { "api": "^0.1" },
        "limits": { "memoryMiB": 1, "busyMs": 1, "wallMs": 1, "outputKiB": 1, "hostCalls": 1, "logKiB": 0 },
        "integrity": { "files": [
            { "path": "component.wasm", "role": "component", "size": 0, "sha256": "0".repeat(64) },
            { "path": "sbom.cdx.json", "role": "sbom", "size": 0, "sha256": "0".repeat(64) } ] },
    });
    let manifest = orch_trust::manifest::Manifest::parse(manifest.to_string().as_bytes()).unwrap();
    let found = facts.check_imports(&manifest).err().map(|refusal| refusal.code());
    assert_eq!(found, code, "{import}");
}

#[test]
fn reads_the_structure_at_every_depth() {
    let body = r#"
        (import "orch:log/log@0.1.0" (instance))
        (import "orch:kv/kv@0.1.0" (instance))
        (component
            (import "import-func-run" (func))
            (import "orch:log/log@0.1.0" (instance))
            (core module (memory 2 3) (table 5 funcref) (func) (func $start) (start $start)))
        (core module (memory 1) (table 7 9 funcref) (func))
        (instance $me)
        (export "orch:verifier/verifier@0.1.0" (instance $me))"#;
    let bytes = component(body);
    let facts = Facts::derive(&bytes).unwrap();
    let expected = Facts {
        size_bytes: bytes.len() as u64,
        imports: vec!["orch:kv/kv@0.1.0".into(), "orch:log/log@0.1.0".into()],
        exports: vec!["orch:verifier/verifier@0.1.0".into()],
        inner_imports: vec!["orch:log/log@0.1.0".into()],
        memories: vec![Memory { min: 2 * 65_536, max: Some(3 * 65_536) }, Memory { min: 65_536, max: None }],
        tables: 2,
        table_elements: 12,
        start_functions: 1,
        modules: 2,
        components: 1,
        functions: 3,
        custom_sections: facts.custom_sections.clone(),
        engine: None,
    };
    assert_eq!(facts, expected);
    assert_eq!(facts.difference(&expected), None);
    assert!(facts.check_exports(&[Role::Verifier]).is_ok());
    assert_eq!(facts.check_exports(&[Role::Verifier, Role::Planner]).unwrap_err().code(), "export-missing");
}

#[test]
fn every_fact_that_differs_is_named() {
    let facts = Facts::derive(&component("")).unwrap();
    let edits: [(&str, Edit); 13] = [
        ("sizeBytes", |facts| facts.size_bytes += 1),
        ("imports", |facts| facts.imports.push("x".into())),
        ("exports", |facts| facts.exports.push("x".into())),
        ("innerImports", |facts| facts.inner_imports.push("x".into())),
        ("memories", |facts| facts.memories.push(Memory { min: 0, max: None })),
        ("tables", |facts| facts.tables += 1),
        ("tableElements", |facts| facts.table_elements += 1),
        ("startFunctions", |facts| facts.start_functions += 1),
        ("modules", |facts| facts.modules += 1),
        ("components", |facts| facts.components += 1),
        ("functions", |facts| facts.functions += 1),
        ("customSections", |facts| facts.custom_sections.push("x".into())),
        ("engine", |facts| facts.engine = Some(EngineFact { name: "x".into(), table: 2 })),
    ];
    // Only a component of another language has the last.
    let whole = Facts { engine: Some(EngineFact { name: "x".into(), table: 1 }), ..facts.clone() };
    let names: Vec<String> =
        serde_json::to_value(&whole).unwrap().as_object().unwrap().keys().cloned().collect();
    assert_eq!(names.len(), edits.len(), "a fact has no edit here: {names:?}");
    for (name, edit) in edits {
        let mut other = facts.clone();
        edit(&mut other);
        assert_eq!(facts.difference(&other), Some(name));
    }
}

#[test]
fn imports_are_interfaces_by_their_plain_name() {
    check(r#"(import "orch:log/log@0.1.0" (instance))"#, None);
    check(r#"(import "orch:log/log@0.1.0" (func))"#, Some("import-kind"));
    check(r#"(import "run" (func))"#, Some("import-kind"));
    check(r#"(import "orch:log/log@0.1.0" (component))"#, Some("import-kind"));
    check(r#"(component (import "run" (func)))"#, None);
}

#[test]
fn components_inside_import_nothing_that_no_host_offers() {
    check_inner("orch:log/log@0.1.0", None);
    check_inner("orch:log/log@0.1.1", Some("import-unknown"));
    check_inner("wasi:cli/environment@0.2.0", None);
    check_inner("wasi:keyvalue/store@0.2.0", Some("import-unknown"));
    check_inner("wasi:clocks/wall-clock@0.2.13", Some("import-unknown"));
    check_inner("plain-name", None);
    check_inner("url=<https://a.example/x.wasm>", Some("import-unknown"));
    check_inner("locked-dep=<a:b/c>", Some("import-unknown"));
    check_inner("integrity=<sha256-AAAA>", Some("import-unknown"));
}

#[test]
fn memories_and_tables_are_plain_and_bounded() {
    check("(core module (memory 1 1))", None);
    check("(core module (memory i64 1))", Some("memory-kind"));
    check("(core module (memory 1 1 shared))", Some("memory-kind"));
    check("(core module (table 200000 funcref))", None);
    check("(core module (table 200001 funcref))", Some("structure-too-large"));
    check(
        "(core module (table 200000 funcref)) (core module (table 1 funcref))",
        Some("structure-too-large"),
    );
    check("(core module (table i64 1 funcref))", Some("table-kind"));
    check("(component (core module (table i64 1 funcref)))", Some("table-kind"));
    let many = |count: usize, one: &str| one.repeat(count);
    check(&many(64, "(core module (table 0 funcref))"), None);
    check(&many(65, "(core module (table 0 funcref))"), Some("structure-too-large"));
    check(&many(256, "(core module)"), None);
    check(&many(257, "(core module)"), Some("structure-too-large"));
    check(&many(64, "(component)"), None);
    check(&many(65, "(component)"), Some("structure-too-large"));
    let nested = |levels: usize| format!("{}{}", "(component ".repeat(levels), ")".repeat(levels));
    check(&nested(31), None);
    check(&nested(32), Some("structure-too-large"));
}

#[test]
fn custom_sections_are_those_of_the_list() {
    for name in ["name", "producers", "target_features", ".dep-v0"] {
        check(&format!(r#"(core module (@custom "{name}" "x"))"#), None);
    }
    for name in
        ["signature", "sourceMappingURL", "external_debug_info", "linking", "reloc.CODE", ".debug_info", ""]
    {
        check(&format!(r#"(core module (@custom "{name}" "x"))"#), Some("custom-section"));
    }
}

#[test]
fn other_bytes_are_called_by_what_they_are() {
    let code = |bytes: &[u8]| Facts::derive(bytes).err().map(|refusal| refusal.code());
    let good = component("");
    assert_eq!(code(&good), None);
    assert_eq!(code(b"(component)"), Some("wat-text"));
    assert_eq!(code(b" \n;; a comment\n(module)"), Some("wat-text"));
    assert_eq!(code(&wat::parse_str("(module)").unwrap()), Some("core-module"));
    assert_eq!(code(b""), Some("not-a-component"));
    assert_eq!(code(b"\0asm"), Some("not-a-component"));
    assert_eq!(code(b"\0asm\x0d\0\x02\0"), Some("not-a-component"));
    assert_eq!(code(b"PK\x03\x04"), Some("not-a-component"));
    assert_eq!(code(&[good.clone(), good.clone()].concat()), Some("not-a-component"));
}

#[test]
fn cut_bytes_give_other_facts_or_none_and_changed_ones_never_panic() {
    let whole = component(
        r#"(import "orch:log/log@0.1.0" (instance)) (core module (memory 1) (table 1 funcref) (func))
           (component (core module (func))) (instance $me) (export "orch:verifier/verifier@0.1.0" (instance $me))"#,
    );
    let facts = Facts::derive(&whole).unwrap();
    for end in 0..whole.len() {
        // At the end of a section it is a whole component with less in it; else it is none. The digest tells.
        if let Ok(cut) = Facts::derive(&whole[..end]) {
            assert_ne!(cut, facts, "cut at {end}");
        }
    }
    for place in 0..whole.len() {
        for value in 0..=u8::MAX {
            let mut changed = whole.clone();
            changed[place] = value;
            let _ = Facts::derive(&changed).map(|facts| facts.size_bytes);
        }
    }
}

#[test]
fn a_component_that_ends_inside_a_section_is_none() {
    let whole = component("(core module (memory 1) (func) (func))");
    assert!(Facts::derive(&whole).is_ok());
    // Eight bytes of head, then one section.
    assert!(Facts::derive(&whole[..8]).is_ok());
    for end in 9..whole.len() {
        let code = Facts::derive(&whole[..end]).err().map(|refusal| refusal.code());
        assert_eq!(code, Some("not-a-component"), "cut at {end} of {}", whole.len());
    }
}
