//! Defects of packages: each refused by the check that is there for it, and by no other.

use orch_trust::manifest::Role;
use serde_json::json;

use crate::guest::guest;
use crate::listed;
use crate::package::{Package, orch_certify};

fn executor() -> Vec<u8> {
    guest(Role::Executor, "", &[])
}

/// Fails exactly these checks, with that code; conformance is not run.
#[track_caller]
fn refused(package: &Package, checks: &[&str], code: &str) {
    let verdict = package.certify();
    assert_eq!(verdict.with("fail"), checks, "{:?}", verdict.findings);
    assert!(verdict.findings.iter().any(|finding| finding.contains(code)), "{code}: {:?}", verdict.findings);
    assert_eq!(verdict.exit, 3);
    assert_eq!(verdict.with("error"), [""; 0], "{:?}", verdict.findings);
    if let Some(status) = verdict.statuses.get("conformance/executor") {
        assert_eq!(status, "skipped");
    }
}

/// The component with one more custom section at its end.
fn with_section(component: Vec<u8>, name: &str, data: &[u8]) -> Vec<u8> {
    [component, listed::section(name, data)].concat()
}

/// An executor that also imports the function of an interface.
fn importing(interface: &str, function: &str, kind: &str) -> Vec<u8> {
    let text =
        format!("(component (import \"{interface}\" (instance (export \"{function}\" (func {kind})))))");
    wat::parse_str(text).unwrap()
}

#[test]
fn manifests() {
    let component = executor();
    let with = |edit: fn(&mut serde_json::Value)| Package::new(Role::Executor, &component, edit);
    refused(&with(|manifest| manifest["extra"] = 1.into()), &["manifest"], "manifest-schema");
    refused(&with(|manifest| manifest["roles"] = json!(["broker"])), &["manifest"], "manifest-schema");
    refused(&with(|manifest| manifest["id"] = "orch/x".into()), &["manifest"], "manifest-json");
    let twice = with(|_| {});
    let text = std::fs::read_to_string(twice.folder().join("manifest.json")).unwrap();
    twice.write("manifest.json", text.replacen("\"name\"", "\"name\":\"x\",\"name\"", 1).as_bytes());
    refused(&twice, &["manifest"], "manifest-duplicate-key");
}

#[test]
fn names() {
    let component = executor();
    for (id, code) in [("0rch/sample", "name-confusable"), ("demo/-x", "name-hyphens")] {
        let package = Package::new(Role::Executor, &component, |manifest| manifest["id"] = id.into());
        refused(&package, &["names"], code);
    }
}

#[test]
fn names_of_others_that_the_certifier_knows() {
    let package = Package::new(Role::Executor, &executor(), |_| {});
    let with = |known: &str| {
        std::fs::write(package.home.path().join("known"), format!("# others\n\n{known}\n")).unwrap();
        let verdict = package.certify_with(&["--known", "known"]);
        (verdict.exit, verdict.with("fail").join(" "), verdict.with("warn").join(" "))
    };
    assert_eq!(with("demo/sample\nacme/other"), (0, "".into(), "".into()));
    assert_eq!(with("demo/samplo"), (0, "".into(), "names".into()));
    assert_eq!(with("dem0/sample"), (3, "names".into(), "".into()));
    // More warnings than a plugin of its own name would have.
    assert_eq!(with("demo/samplee\ndemo/sampl\ndemo/sampel"), (3, "".into(), "names".into()));
    std::fs::write(package.home.path().join("known"), "no id").unwrap();
    let output = orch_certify(package.home.path(), &["run", "package", "--known", "known"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("known-malformed"));
}

#[test]
fn file_sets() {
    let component = executor();
    let other = Package::new(Role::Executor, &component, |_| {});
    let sbom = std::fs::read_to_string(other.folder().join("sbom.cdx.json")).unwrap();
    other.write("sbom.cdx.json", format!("{sbom}\n").as_bytes());
    refused(&other, &["file-set"], "digest-mismatch");
    let more = Package::new(Role::Executor, &component, |_| {});
    more.write("README.md", b"# More");
    refused(&more, &["file-set"], "file-undeclared");
}

#[test]
fn files_that_are_no_package_do_not_reach_a_check() {
    let component = executor();
    for (name, code) in [("run.sh", "file-extra"), ("component.wasm", "file-not-regular")] {
        let package = Package::new(Role::Executor, &component, |_| {});
        let path = package.folder().join(name);
        let _ = std::fs::remove_file(&path);
        std::os::unix::fs::symlink("manifest.json", &path).unwrap();
        if name == "run.sh" {
            std::fs::remove_file(&path).unwrap();
            std::fs::write(&path, "").unwrap();
        }
        let output = orch_certify(package.home.path(), &["run", "package"]);
        assert_eq!(output.status.code(), Some(3), "{name}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(code), "{name}");
    }
}

#[test]
fn binaries() {
    let refuse = |bytes: &[u8], code: &str| {
        refused(&Package::new(Role::Executor, bytes, |_| {}), &["component"], code);
    };
    refuse(b"(component)", "wat-text");
    refuse(&wat::parse_str("(module)").unwrap(), "core-module");
    refuse(&[executor(), vec![0, 0, 0]].concat(), "not-a-component");
    refuse(b"", "not-a-component");
    // A function body that does not fit its type: structure holds, validation does not.
    let mut invalid = executor();
    let place = invalid.windows(3).rposition(|bytes| bytes == [0x41, 0x80, 0x20]).unwrap();
    invalid[place] = 0x42;
    refuse(&invalid, "component-invalid");
}

#[test]
fn imports() {
    let package = |component: &[u8], permissions: serde_json::Value| {
        Package::new(Role::Executor, component, |manifest| manifest["permissions"] = permissions)
    };
    let unknown = importing("wasi:keyvalue/store@0.2.0", "f", "");
    let verdict = package(&unknown, json!({})).certify();
    assert!(verdict.with("fail").contains(&"imports"), "{:?}", verdict.findings);
    assert!(
        verdict.findings.iter().any(|finding| finding.contains("import-unknown")),
        "{:?}",
        verdict.findings
    );
    let import = r#"(import "orch:settings/settings@0.1.0" "read" (func (param i32)))"#;
    let settings = guest(Role::Executor, import, &[]);
    refused(&package(&settings, json!({})), &["imports"], "import-undeclared");
    assert_eq!(package(&settings, json!({ "settings": {} })).certify().exit, 0);
    let shape = importing("orch:settings/settings@0.1.0", "read", "(param \"x\" u8) (result string)");
    let verdict = package(&shape, json!({ "settings": {} })).certify();
    assert!(
        verdict.findings.iter().any(|finding| finding.contains("import-shape")),
        "{:?}",
        verdict.findings
    );
}

#[test]
fn a_permission_that_nothing_uses_is_said_and_does_not_refuse() {
    let ask = |manifest: &mut serde_json::Value| manifest["permissions"] = json!({ "log": {} });
    let verdict = Package::new(Role::Executor, &executor(), ask).certify();
    assert_eq!(verdict.exit, 0);
    assert_eq!(verdict.findings.len(), 1, "{:?}", verdict.findings);
    assert!(verdict.findings[0].contains("permission-unused: nothing imports what `log` opens"));
}

#[test]
fn exports() {
    let planner = |manifest: &mut serde_json::Value| {
        manifest["roles"] = json!(["planner"]);
        manifest["kinds"] = json!([]);
    };
    refused(&Package::new(Role::Executor, &executor(), planner), &["exports"], "export-missing");
    let shape = r#"(component
        (core module $m (func (export "f")))
        (core instance $i (instantiate $m))
        (func $f (canon lift (core func $i "f")))
        (instance $e (export "execute" (func $f)))
        (export "orch:executor/executor@0.1.0" (instance $e)))"#;
    let shape = wat::parse_str(shape).unwrap();
    refused(&Package::new(Role::Executor, &shape, |_| {}), &["exports"], "export-shape");
}

#[test]
fn memories() {
    let large = guest(Role::Executor, "", &[]);
    let small = |manifest: &mut serde_json::Value| manifest["limits"]["memoryMiB"] = 1.into();
    let many = guest(Role::Executor, "(memory $more 300)", &[]);
    assert_eq!(Package::new(Role::Executor, &large, small).certify().exit, 0);
    refused(&Package::new(Role::Executor, &many, small), &["memory"], "memory-minimum");
    let two = guest(Role::Executor, "(memory $more 1)", &[]);
    refused(&Package::new(Role::Executor, &two, |_| {}), &["memory"], "memory-several");
    for (body, checks, code) in [
        ("(memory i64 1)", &["component", "memory"][..], "memory-kind"),
        ("(memory 1 1 shared)", &["component", "memory"], "memory-kind"),
        ("(table i64 1 funcref)", &["component", "memory"], "table-kind"),
        ("(table 200001 funcref)", &["memory"], "table elements"),
    ] {
        let component = listed::with_module(&executor(), body);
        refused(&Package::new(Role::Executor, &component, |_| {}), checks, code);
    }
}

#[test]
fn custom_sections() {
    for name in ["signature", "sourceMappingURL", "external_debug_info", "x"] {
        let component = with_section(executor(), name, b"1");
        refused(&Package::new(Role::Executor, &component, |_| {}), &["custom-sections"], "custom-section");
    }
    let component =
        with_section(executor(), ".dep-v0", &miniz_oxide::deflate::compress_to_vec_zlib(&[b' '; 3 << 20], 9));
    refused(&Package::new(Role::Executor, &component, |_| {}), &["custom-sections"], "list-bomb");
    for (name, data) in [
        ("description", &b"\xff"[..]),
        ("description", b"a\x1b[2Jb"),
        ("producers", b"\x01\x05other\x00"),
        ("producers", b"\x02\x03sdk\x00\x03sdk\x00"),
        ("producers", b"\x05"),
        ("target_features", b"\x01+\x04simd and more"),
        ("name", b"\x7f\x01x"),
        ("component-name", b"\x7f\x01x"),
    ] {
        let component = match name {
            "component-name" | "description" => with_section(executor(), name, data),
            _ => listed::with_section(&executor(), name, data),
        };
        refused(
            &Package::new(Role::Executor, &component, |_| {}),
            &["custom-sections"],
            "section-unreadable",
        );
    }
    let large = with_section(executor(), "description", &[b'x'; (64 << 10) + 1]);
    refused(&Package::new(Role::Executor, &large, |_| {}), &["custom-sections"], "section-too-large");
    let once = with_section(executor(), "description", b"1");
    assert_eq!(Package::new(Role::Executor, &once, |_| {}).certify().exit, 0);
    let twice = with_section(once, "description", b"2");
    refused(&Package::new(Role::Executor, &twice, |_| {}), &["custom-sections"], "section-twice");
}

#[test]
fn level_certified_skips_what_nobody_gave_it_and_refuses() {
    let package = Package::new(Role::Executor, &executor(), |_| {});
    let output = orch_certify(package.home.path(), &["run", "package", "--profile", "certified"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{said}");
    for check in ["dependency-match", "vulnerabilities", "licences", "reproducible-build", "provenance"] {
        let line = said.lines().find(|line| line.trim_start().starts_with(check)).unwrap();
        assert!(line.contains("skipped"), "{line}");
    }
}
