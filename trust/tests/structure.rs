//! What is refused in a component's bytes and in the list of its files, where `facts.rs` and `admission/` do not look.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what makes a component for a test is no test function, so clippy.toml does not let it"
)]

use std::sync::Arc;

use orch_trust::digest::Sha256Digest;
use orch_trust::facts::Facts;
use orch_trust::lock::{Lock, Pin};
use orch_trust::manifest::Manifest;
use orch_trust::package::PackageBytes;
use orch_trust::refusal::Refusal;
use orch_trust::strict_json::{self, JsonError};

use crate::make::{Files, Make};

/// A component with one more section.
fn with_section(id: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).unwrap();
    [&b"\0asm\x0d\0\x01\0"[..], &[id, length], content].concat()
}

/// One import of an instance, under a name with options beside it.
fn import(options: &[(u8, &str)]) -> Vec<u8> {
    let text = |text: &str| [&[text.len() as u8], text.as_bytes()].concat();
    let mut content = vec![1, if options.is_empty() { 0 } else { 2 }];
    content.extend(text("orch:log/log@0.1.0"));
    if !options.is_empty() {
        content.push(options.len() as u8);
        options.iter().for_each(|(kind, value)| content.extend([&[*kind][..], &text(value)].concat()));
    }
    content.extend([5, 0]);
    with_section(10, &content)
}

#[test]
fn a_name_with_an_annotation_is_refused() {
    assert_eq!(Facts::derive(&import(&[])).unwrap().imports, ["orch:log/log@0.1.0"]);
    for options in
        [&[(0, "orch:kv/kv@0.1.0")][..], &[(1, ".1")], &[(2, "x")], &[(0, "a:b/c"), (1, "1"), (2, "x")]]
    {
        let refusal = Facts::derive(&import(options)).unwrap_err();
        assert_eq!(refusal.code(), "not-a-component");
        assert!(refusal.to_string().contains("`orch:log/log@0.1.0` has an annotation"), "{refusal}");
    }
}

#[test]
fn an_unknown_section_is_refused_by_its_number() {
    let refusal = Facts::derive(&with_section(77, b"x")).unwrap_err();
    assert_eq!(refusal.code(), "not-a-component");
    assert!(refusal.to_string().contains("section 77 is unknown"), "{refusal}");
}

#[test]
fn another_version_of_webassembly_is_called_that() {
    let refusal = Facts::derive(b"\0asm\x0e\0\x01\0").unwrap_err();
    assert_eq!(refusal.code(), "not-a-component");
    assert!(refusal.to_string().contains("its version"), "{refusal}");
}

#[test]
fn a_section_holds_what_it_is_for() {
    let (module, component) = (b"\0asm\x01\0\0\0", b"\0asm\x0d\0\x01\0");
    assert_eq!(Facts::derive(&with_section(1, module)).unwrap().modules, 1);
    assert_eq!(Facts::derive(&with_section(4, component)).unwrap().components, 1);
    for bytes in [with_section(1, component), with_section(4, module)] {
        let refusal = Facts::derive(&bytes).unwrap_err();
        assert_eq!(refusal.code(), "not-a-component");
        assert!(refusal.to_string().contains("the other way round"), "{refusal}");
    }
}

#[test]
fn names_and_counts_end_at_their_limits() {
    let code = |body: &str| {
        let bytes = wat::parse_str(format!("(component {body})")).unwrap();
        Facts::derive(&bytes).err().map(|refusal| refusal.code())
    };
    let named = |bytes: usize| format!(r#"(import "a:b/{}" (instance))"#, "c".repeat(bytes - 4));
    assert_eq!(code(&named(1024)), None);
    assert_eq!(code(&named(1025)), Some("structure-too-large"));
    let imports =
        |count: usize| (0..count).map(|at| format!(r#"(import "a:b/c{at}" (instance))"#)).collect::<String>();
    assert_eq!(code(&imports(256)), None);
    assert_eq!(code(&imports(257)), Some("structure-too-large"));
    assert_eq!(code(&format!("(component {})", imports(256))), None);
    assert_eq!(code(&format!("(component {})", imports(257))), Some("structure-too-large"));
    let exports = |count: usize| {
        let each = (0..count).map(|at| format!(r#"(export "e{at}" (instance $me))"#)).collect::<String>();
        format!("(instance $me) {each}")
    };
    assert_eq!(code(&exports(256)), None);
    assert_eq!(code(&exports(257)), Some("structure-too-large"));
    // What a component inside exports is its own affair.
    assert_eq!(code(&format!("(component {})", exports(257))), None);
    let memories = |count: usize| "(core module (memory 0))".repeat(count);
    assert_eq!(code(&memories(64)), None);
    assert_eq!(code(&memories(65)), Some("structure-too-large"));
    let sections = |count: usize| r#"(@custom "name" "x")"#.repeat(count);
    assert_eq!(code(&sections(4096)), None);
    assert_eq!(code(&sections(4097)), Some("structure-too-large"));
}

#[test]
fn every_start_function_counts() {
    let body = "(core module (func $a) (start $a))";
    let bytes = wat::parse_str(format!("(component {body} {body} (component {body}))")).unwrap();
    assert_eq!(Facts::derive(&bytes).unwrap().start_functions, 3);
}

#[test]
fn a_refusal_shows_a_name_without_its_control_characters() {
    let bytes = wat::parse_str("(component (import \"a\\1bb\" (func)))").unwrap();
    let refusal = Facts::derive(&bytes).unwrap_err();
    assert_eq!(refusal.code(), "import-kind");
    assert!(refusal.to_string().contains("`a\\u{1b}b`"), "{refusal}");
}

#[test]
fn a_component_may_start_with_all_the_memory_that_its_manifest_names() {
    let pages = |pages: u32| {
        let mut make = Make::good();
        let log = r#"(import "orch:log/log@0.1.0" (instance))"#;
        let export = r#"(instance $me) (export "orch:executor/executor@0.1.0" (instance $me))"#;
        make.component = wat::parse_str(format!(
            "(component {log} (core module (memory 1)) (core module (memory {pages})) {export})"
        ))
        .unwrap();
        let (files, _) = make.build();
        let package = PackageBytes::new(files).unwrap();
        let manifest = Manifest::parse(package.manifest()).unwrap();
        Facts::fitting(&package, &manifest).map(|_| ()).map_err(|refusal| refusal.code())
    };
    assert_eq!(pages(15), Ok(()));
    assert_eq!(pages(16), Err("memory-minimum"));
}

fn package(edit: impl FnOnce(&mut Files)) -> Result<PackageBytes, Refusal> {
    let (mut files, _) = Make::good().build();
    edit(&mut files);
    PackageBytes::new(files)
}

#[test]
fn a_package_has_sixteen_certificates_at_most() {
    let with = |count: usize| {
        let made = package(|files| {
            files.retain(|name, _| !name.starts_with("certificates/"));
            files
                .extend((0..count).map(|at| (format!("certificates/{at:016x}.dsse.json"), Arc::from(*b"x"))));
        });
        made.map(|package| package.certificates().count()).map_err(|refusal| refusal.code())
    };
    assert_eq!(with(16), Ok(16));
    assert_eq!(with(17), Err("file-extra"));
}

#[test]
fn a_package_says_what_is_in_it() {
    let (files, _) = Make::good().build();
    let package = PackageBytes::new(files.clone()).unwrap();
    let listed: Vec<_> = package.list().map(|(name, bytes, _)| (name.to_owned(), bytes)).collect();
    let expected: Vec<_> = files.iter().map(|(name, bytes)| (name.clone(), bytes.len() as u64)).collect();
    assert_eq!(listed, expected);
    assert_eq!(package.sbom(), b"{}");
    assert_eq!(package.release(), files.get("release.dsse.json").map(|bytes| &**bytes));
    assert_eq!(package.component_digest(), package.digest("component.wasm").unwrap());
    assert_eq!(
        (&*package.component(), package.manifest()),
        (&*files["component.wasm"], &*files["manifest.json"])
    );
    assert_eq!(package.digest("README.md"), None);
    let names: Vec<String> = package.subjects().into_iter().map(|subject| subject.name).collect();
    assert_eq!(names, ["component.wasm", "manifest.json", "sbom.cdx.json"]);
}

#[test]
fn the_declared_files_are_exactly_those_that_are_there() {
    let code = |edit: fn(&mut serde_json::Value)| {
        let (mut files, _) = Make::good().build();
        let mut manifest: serde_json::Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
        edit(&mut manifest["integrity"]["files"]);
        files.insert("manifest.json".into(), manifest.to_string().into_bytes().into());
        files.insert("LICENSE".into(), Arc::from(*b"MIT"));
        let package = PackageBytes::new(files).unwrap();
        let checked =
            Manifest::parse(package.manifest()).and_then(|manifest| package.check_integrity(&manifest));
        checked.err().map(|refusal| refusal.code())
    };
    fn license(size: u64) -> serde_json::Value {
        let sha256 = Sha256Digest::of(b"MIT");
        serde_json::json!({ "path": "LICENSE", "role": "license", "size": size, "sha256": sha256 })
    }
    fn list(files: &mut serde_json::Value) -> &mut Vec<serde_json::Value> {
        files.as_array_mut().unwrap()
    }
    assert_eq!(code(|files| list(files).push(license(3))), None);
    assert_eq!(code(|_| {}), Some("file-undeclared"));
    assert_eq!(code(|files| list(files).extend([license(3), license(3)])), Some("file-undeclared"));
    assert_eq!(code(|files| list(files).push(license(4))), Some("size-mismatch"));
    assert_eq!(
        code(|files| {
            let component = files[0].clone();
            list(files).extend([license(3), component]);
        }),
        Some("manifest-field")
    );
    assert_eq!(
        code(|files| {
            list(files).push(license(3));
            list(files).remove(1);
        }),
        Some("manifest-field")
    );
    assert_eq!(
        code(|files| {
            let readme = serde_json::json!({ "path": "README.md", "role": "readme", "size": 3, "sha256": "0".repeat(64) });
            list(files).extend([license(3), readme]);
        }),
        Some("file-missing")
    );
}

#[test]
fn a_pin_is_of_a_version_a_manifest_and_a_component() {
    let (files, _) = Make::good().build();
    let package = PackageBytes::new(files).unwrap();
    let manifest = Manifest::parse(package.manifest()).unwrap();
    let mut lock = Lock::default();
    assert!(lock.check(&manifest, &package).is_ok(), "nothing is pinned");
    lock.pin(&manifest, &package);
    assert!(lock.check(&manifest, &package).is_ok());
    let other = Sha256Digest::of(b"other");
    type Edit = fn(&mut Pin, Sha256Digest);
    let edits: [(&str, Edit); 3] = [
        ("version", |pin, _| pin.version = semver::Version::new(9, 9, 9)),
        ("manifest", |pin, other| pin.manifest = other),
        ("component", |pin, other| pin.component = other),
    ];
    for (what, edit) in edits {
        let mut changed = lock.clone();
        edit(changed.plugins.get_mut(&manifest.id).unwrap(), other);
        let refusal = changed.check(&manifest, &package).unwrap_err();
        assert!(matches!(refusal, Refusal::LockMismatch { what: found, .. } if found == what), "{refusal}");
    }
}

#[test]
fn a_manifest_does_not_ask_for_every_label_or_kind() {
    let code = |permissions: &str| {
        let (files, _) = Make::good().build();
        let mut manifest: serde_json::Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
        manifest["permissions"] = serde_json::from_str(permissions).unwrap();
        Manifest::parse(manifest.to_string().as_bytes()).err().map(|refusal| refusal.code())
    };
    assert_eq!(code(r#"{"kv":{"labels":["a"],"bytes":1},"tasks":{"kinds":["note"]}}"#), None);
    assert_eq!(code(r#"{"kv":{"labels":["a*"],"bytes":1}}"#), Some("manifest-field"));
    assert_eq!(code(r#"{"tasks":{"kinds":["*"]}}"#), Some("manifest-field"));
}

#[test]
fn a_manifest_is_of_its_own_version_and_kinds() {
    let code = |field: &str, value: serde_json::Value| {
        let (files, _) = Make::good().build();
        let mut manifest: serde_json::Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
        manifest[field] = value;
        Manifest::parse(manifest.to_string().as_bytes()).err().map(|refusal| refusal.code())
    };
    assert_eq!(code("version", "1.2.3-rc.1".into()), None);
    assert_eq!(code("version", "1.2.3+build".into()), Some("manifest-field"));
    assert_eq!(code("kinds", serde_json::json!(["note", "Note"])), Some("manifest-field"));
    assert_eq!(code("roles", serde_json::json!(["verifier"])), Some("manifest-field"));
}

#[test]
fn json_is_32_levels_deep_at_most_in_objects_too() {
    let deep = |levels: usize| format!("{}1{}", r#"{"a":["#.repeat(levels / 2), "]}".repeat(levels / 2));
    assert!(strict_json::parse::<serde_json::Value>(deep(32).as_bytes()).is_ok());
    let inside = deep(32).replace('1', "{}");
    assert!(matches!(strict_json::parse::<serde_json::Value>(inside.as_bytes()), Err(JsonError::TooDeep)));
    let error = strict_json::parse::<serde_json::Value>(b"{\n  \"a\": tru }").unwrap_err();
    assert!(
        matches!(error, JsonError::Malformed { line: 2, ref message, .. } if message == "expected ident"),
        "{error}"
    );
}

#[test]
fn a_package_names_its_files_its_documents_and_its_envelopes() {
    let (files, _) = Make::good().build();
    let package = PackageBytes::new(files.clone()).unwrap();
    let names = |found: &mut dyn Iterator<Item = (&str, &[u8])>| -> Vec<String> {
        found
            .map(|(name, bytes)| {
                assert_eq!(bytes, &*files[name], "{name}");
                name.to_owned()
            })
            .collect()
    };
    let all: Vec<String> = files.keys().cloned().collect();
    let (envelopes, others): (Vec<String>, Vec<String>) =
        all.iter().cloned().partition(|name| name.ends_with(".dsse.json"));
    assert_eq!(names(&mut package.files()), all);
    assert_eq!(package.list().map(|(name, ..)| name.to_owned()).collect::<Vec<_>>(), all);
    // What people wrote and tools made of it: neither the code nor what is signed.
    let documents: Vec<String> = others.iter().filter(|name| *name != "component.wasm").cloned().collect();
    assert!(documents.len() >= 2 && documents.len() + 1 == others.len(), "{documents:?}");
    assert_eq!(names(&mut package.documents()), documents);
    let certificates = names(&mut package.certificates());
    assert_eq!(certificates.len(), 1);
    assert_eq!(envelopes, [&certificates[..], &["release.dsse.json".to_owned()]].concat());
    assert_eq!(package.delegations().count(), 0);
}
