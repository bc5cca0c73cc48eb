//! A new project of each role, as a third party would treat it: made, built, tested, packed and signed without an
//! edit, and the same component from another folder.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test; its helpers are outside of what `clippy.toml` takes for one"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use orch_plugin::embedded::SECTION;
use orch_trust::evidence::{Candidate, Compilable};
use orch_trust::key::base64_encode;
use orch_trust::manifest::Role;
use serde_json::{Value, json};

/// One folder for the guests of all tests, so that what they share is compiled once.
fn target() -> PathBuf {
    static TARGET: OnceLock<PathBuf> = OnceLock::new();
    TARGET.get_or_init(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests")).clone()
}

fn run(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orch-plugin"));
    command.current_dir(folder).args(args).env("CARGO_TARGET_DIR", target()).output().unwrap()
}

#[track_caller]
fn good(folder: &Path, args: &[&str]) -> String {
    let output = run(folder, args);
    let (out, error) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "orch-plugin {args:?}: {}\n{out}\n{error}", output.status);
    out
}

/// Makes, builds, tests, packs and signs; the package's folder comes back.
fn make(folder: &Path, role: Role, name: &str) -> PathBuf {
    good(folder, &["new", &format!("acme/{name}"), "--role", role.as_str()]);
    let project = folder.join(name);
    let tested = good(&project, &["test"]);
    assert!(tested.contains("passed  "), "{tested}");
    good(&project, &["pack"]);
    let package = project.join("target/packages/acme").join(name).join("0.1.0");
    let key = folder.join("publisher.json");
    let text = json!({ "kind": "orch-secret-key", "version": 1, "seed": base64_encode(&[7; 32]) });
    fs::write(&key, text.to_string()).unwrap();
    fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    good(folder, &["sign", package.to_str().unwrap(), "--key", key.to_str().unwrap()]);
    package
}

fn custom_sections(component: &[u8]) -> Vec<String> {
    let payloads = wasmparser::Parser::new(0).parse_all(component);
    let names = payloads.filter_map(|payload| match payload.unwrap() {
        wasmparser::Payload::CustomSection(section) => Some(section.name().to_owned()),
        _ => None,
    });
    names.collect()
}

/// Name and version of each package that cargo itself says the guest is built of, the plugin apart.
fn built_of(project: &Path, plugin: &str) -> BTreeSet<(String, String)> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([
        "tree",
        "--locked",
        "--offline",
        "--target",
        "wasm32-unknown-unknown",
        "--edges",
        "normal,build",
    ]);
    let output = cargo.args(["--prefix", "none", "--format", "{p}"]).current_dir(project).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let packages = text.lines().filter_map(|line| line.split_once(" v"));
    let packages = packages.map(|(name, rest)| (name.to_owned(), rest.split(' ').next().unwrap().to_owned()));
    packages.filter(|(name, _)| name != plugin).collect()
}

fn listed(sbom: &Value) -> BTreeSet<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let components = sbom["components"].as_array().unwrap();
    components.iter().map(|one| (text(&one["name"]), text(&one["version"]))).collect()
}

#[test]
fn a_new_project_of_each_role_becomes_a_package_without_an_edit() {
    let folder = tempfile::tempdir().unwrap();
    for role in Role::ALL {
        let name = format!("new-{}", role.as_str());
        let package = make(folder.path(), role, &name);
        let bytes = orch_host::package::read(&package).unwrap();
        assert!(bytes.release().is_some());
        let candidate = Candidate::examine(&bytes).unwrap_or_else(|refusal| panic!("{role:?}: {refusal}"));
        assert_eq!(candidate.manifest().roles, [role]);
        // No role's exports leak into another's component.
        let exports = &candidate.facts().exports;
        assert_eq!(exports.len(), 1, "{role:?}: {exports:?}");
        let component = fs::read(package.join("component.wasm")).unwrap();
        let lists = custom_sections(&component).iter().filter(|section| *section == SECTION).count();
        assert_eq!(lists, 1, "{role:?}");
        let project = folder.path().join(&name);
        let path = project.to_str().unwrap();
        let found = component.windows(path.len()).any(|window| window == path.as_bytes());
        assert!(!found, "{role:?}: `{path}` is in the component");
        let sbom = serde_json::from_slice(bytes.sbom()).unwrap();
        let expected = built_of(&project, &name);
        assert_eq!(expected.len(), 2, "the SDK and the bindings' runtime: {expected:?}");
        assert_eq!(listed(&sbom), expected);
    }
}

#[test]
fn the_same_sources_give_the_same_component_in_another_folder() {
    let digest = |package: &Path| fs::read(package.join("component.wasm")).unwrap();
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = digest(&make(one.path(), Role::Verifier, "same"));
    let deeper = two.path().join("a/longer/path/than/the/other");
    fs::create_dir_all(&deeper).unwrap();
    assert!(
        first == digest(&make(&deeper, Role::Verifier, "same")),
        "the component depends on where it was built"
    );
}

#[test]
fn a_case_that_does_not_hold_fails_and_says_where() {
    let folder = tempfile::tempdir().unwrap();
    good(folder.path(), &["new", "wrong", "--role", "executor"]);
    let project = folder.path().join("wrong");
    let case = project.join("cases/greets.json");
    let text = fs::read_to_string(&case).unwrap().replace("hello, world", "goodbye");
    fs::write(&case, text).unwrap();
    let output = run(&project, &["test"]);
    assert_eq!(output.status.code(), Some(1));
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(out.contains(r#"answer.summary: expected "goodbye", found "hello, world""#), "{out}");
}

#[test]
fn a_panic_reaches_the_log_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    good(folder.path(), &["new", "panics", "--role", "executor"]);
    let project = folder.path().join("panics");
    let source = project.join("src/lib.rs");
    let text = fs::read_to_string(&source).unwrap();
    fs::write(
        &source,
        text.replace("    format!(\"hello, {description}\")", "    panic!(\"about {description}\")"),
    )
    .unwrap();
    let case = json!({ "about": "it panics", "expect": { "error": "plugin-trap", "log": ["info: task `t1`, attempt 1",
                       "error: panicked at src/lib.rs:18:5:\nabout world"] },
                       "call": { "execute": { "task": { "id": "t1", "kind": "panics", "description": "world" } } } });
    fs::write(project.join("cases/greets.json"), case.to_string()).unwrap();
    let tested = good(&project, &["test"]);
    assert!(tested.contains("1 of 1 cases passed"), "{tested}");
}

#[test]
fn a_changed_lock_file_is_obeyed_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    good(folder.path(), &["new", "locked", "--role", "service"]);
    let project = folder.path().join("locked");
    good(&project, &["build"]);
    let manifest = project.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("version = \"0.1.0\"", "version = \"0.2.0\"")).unwrap();
    let output = run(&project, &["build"]);
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("--locked"), "{error}");
    // The hint helps.
    assert!(error.contains("hint: `cargo update --workspace`"), "{error}");
    let mut cargo = Command::new(env!("CARGO"));
    let update = cargo.args(["update", "--workspace", "--offline"]).current_dir(&project).output().unwrap();
    assert!(update.status.success(), "{}", String::from_utf8_lossy(&update.stderr));
    assert!(good(&project, &["build"]).starts_with("locked 0.2.0: "));
    // And the manifest must follow.
    let output = run(&project, &["pack"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("hint: say the same `version` in `Cargo.toml` and in `plugin.json`"), "{error}");
}
