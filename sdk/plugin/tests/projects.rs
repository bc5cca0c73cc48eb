//! A new project of each role, as a third party would treat it: made, built, tested, packed and signed without an
//! edit, and the same component from another folder.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test; its helpers are outside of what `clippy.toml` takes for one"
)]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

use orch_plugin::embedded::SECTION;
use orch_plugin::template::Template;
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
fn an_agent_a_provider_of_models_and_a_reader_hold_their_cases_without_an_edit() {
    let folder = tempfile::tempdir().unwrap();
    for template in Template::MORE {
        let name = format!("begin-{}", template.as_str());
        good(folder.path(), &["new", &name, "--template", template.as_str()]);
        let project = folder.path().join(&name);
        let tested = good(&project, &["test"]);
        assert!(tested.contains("2 of 2 cases passed") && !tested.contains("failed"), "{tested}");
        good(&project, &["pack"]);
    }
    let both = run(folder.path(), &["new", "both", "--template", "agent", "--role", "executor"]);
    assert_eq!(both.status.code(), Some(2));
}

/// The template's own tests call the plugin, with a host of tests behind it.
#[test]
fn the_tests_of_a_new_project_have_a_host() {
    let folder = tempfile::tempdir().unwrap();
    for (name, args) in [
        ("greets", ["--role", "executor"]),
        ("asks", ["--template", "agent"]),
        ("reads", ["--template", "documents"]),
    ] {
        good(folder.path(), &[&["new", name], &args[..]].concat());
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["test", "--offline", "--lib"]).current_dir(folder.path().join(name));
        let tested = cargo.env("CARGO_TARGET_DIR", target().join("native")).output().unwrap();
        let said = String::from_utf8_lossy(&tested.stdout);
        assert!(tested.status.success(), "{said}{}", String::from_utf8_lossy(&tested.stderr));
        assert!(said.contains("0 failed") && !said.contains(" 0 passed"), "{said}");
    }
}

#[test]
fn what_only_fails_where_plugins_run_is_said_when_it_is_built_and_denials_are_tried() {
    let folder = tempfile::tempdir().unwrap();
    good(folder.path(), &["new", "old-ways", "--role", "executor"]);
    let project = folder.path().join("old-ways");
    let source = project.join("src/lib.rs");
    let text = fs::read_to_string(&source).unwrap();
    let old = "    format!(\"hello, {description}\")";
    let reads = "    let _ = std::fs::read(\"a\");\n    let found = orch_sdk::files::find(\"*\").count();\n    assert!(found < 9 && orch_sdk::files::read(\"in.txt\", 0).is_ok());\n";
    fs::write(&source, text.replace(old, &format!("{reads}{old}"))).unwrap();
    permit(&project, json!({ "log": {}, "files": { "read": ["*"] } }));
    let case = project.join("cases/greets.json");
    let mut value: Value = serde_json::from_slice(&fs::read(&case).unwrap()).unwrap();
    value["host"] = json!({ "files": { "in.txt": "text" } });
    fs::write(&case, value.to_string()).unwrap();
    let output = run(&project, &["test"]);
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(
        error.contains("src/lib.rs:18: `std::fs::read` finds no files: `orch_sdk::files` does"),
        "{error}"
    );
    // The case holds; with less the plugin panics, where an answer or a failure is due.
    assert!(out.contains("1 of 1 cases passed"), "{out}");
    assert!(out.contains("failed  greets.json without `files.read`: plugin-trap: "), "{out}");
    assert!(out.contains("panicked at src/lib.rs:20:5") && output.status.code() == Some(1), "{out}");
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

/// Puts a permission into the project's `plugin.json`, in the place of `log` alone.
fn permit(project: &Path, permissions: Value) {
    let path = project.join("plugin.json");
    let mut manifest: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    manifest["permissions"] = permissions;
    fs::write(path, manifest.to_string()).unwrap();
}

#[test]
fn crates_of_every_day_build_for_wasi_and_find_nothing_of_this_machine() {
    let folder = tempfile::tempdir().unwrap();
    good(folder.path(), &["new", "everyday", "--role", "executor"]);
    let project = folder.path().join("everyday");
    for (name, text) in [
        ("Cargo.toml", include_str!("everyday/Cargo.toml.txt")),
        ("Cargo.lock", include_str!("everyday/Cargo.lock.txt")),
        ("src/lib.rs", include_str!("everyday/lib.rs")),
    ] {
        fs::write(project.join(name), text).unwrap();
    }
    permit(&project, json!({ "log": {}, "wasi": { "clocks": true, "random": true } }));
    let case = |description: &str, expect: Value| {
        json!({ "about": description, "expect": expect,
            "call": { "execute": { "task": { "id": "t1", "kind": "everyday", "description": description } } } })
    };
    // The clock of cases stands at 2020. Nothing is in the environment, and there is no other way in or out.
    let summary = "2020 2020 true true 2 <p><em>it</em></p> 2 2 [0, 0, 0, 0, 0, 0, 0, 0]";
    let log = ["info: printed t1", "warn: without an end"];
    let works = case("works", json!({ "answer": { "summary": summary }, "log": log }));
    let ends = case("exit", json!({ "error": "plugin-exit", "log": [] }));
    fs::write(project.join("cases/greets.json"), works.to_string()).unwrap();
    fs::write(project.join("cases/ends.json"), ends.to_string()).unwrap();
    let tested = run(&project, &["test"]);
    let (said, error) = (String::from_utf8_lossy(&tested.stdout), String::from_utf8_lossy(&tested.stderr));
    // The standard library for WASI comes from rustup alone, which not every machine can ask: then that is said.
    if error.contains("code: toolchain-missing") {
        assert!(error.contains("`rustup target add wasm32-wasip2` gets it, with a network"), "{error}");
        return;
    }
    assert!(tested.status.success() && said.contains("2 of 2 cases passed"), "{said}{error}");
    good(&project, &["pack"]);
    let bytes = orch_host::package::read(&project.join("target/packages/local/everyday/0.1.0")).unwrap();
    let imports = Candidate::examine(&bytes).unwrap().facts().imports.clone();
    // One version of WASI, and what it needs is what was asked for.
    assert!(
        imports.iter().filter(|name| name.starts_with("wasi:")).all(|name| name.ends_with("@0.2.12")),
        "{imports:?}"
    );
    assert!(imports.contains(&"wasi:random/random@0.2.12".to_owned()), "{imports:?}");
    permit(&project, json!({ "log": {} }));
    let output = run(&project, &["pack"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("write it under `permissions` of `plugin.json`: \"wasi\": {"), "{error}");
}

#[test]
fn one_call_shows_all_that_came_of_it() {
    let folder = tempfile::tempdir().unwrap();
    good(folder.path(), &["new", "called", "--role", "executor"]);
    let project = folder.path().join("called");
    let task = json!({ "task": { "id": "t1", "kind": "called", "description": "you" } }).to_string();
    let told = good(&project, &["call", "execute", &task]);
    assert_eq!(told, "log      info: task `t1`, attempt 1\nanswer   {\"summary\":\"hello, you\"}\n");
    let output = run(&project, &["call", "exekute", &task]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && error.contains("code: asked-form"), "{error}");
}

#[test]
fn flags_of_the_project_reach_the_compiler_and_those_of_the_shell_are_named() {
    let folder = tempfile::tempdir().unwrap();
    good(folder.path(), &["new", "flagged", "--role", "executor"]);
    let project = folder.path().join("flagged");
    let source = project.join("src/lib.rs");
    let text = fs::read_to_string(&source).unwrap();
    fs::write(&source, format!("{text}\n#[cfg(not(wanted))]\ncompile_error!(\"the flag is not there\");\n"))
        .unwrap();
    let build = |flags: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orch-plugin"));
        command.current_dir(&project).arg("build").env("CARGO_TARGET_DIR", target()).env("RUSTFLAGS", flags);
        let output = command.output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    let (built, said) = build("--cfg wanted");
    assert!(!built && said.contains("`RUSTFLAGS` of the shell is left out"), "{said}");
    fs::create_dir(project.join(".cargo")).unwrap();
    let config = "[target.wasm32-unknown-unknown]\nrustflags = [\"--cfg\", \"wanted\"]\n";
    fs::write(project.join(".cargo/config.toml"), config).unwrap();
    let (built, said) = build("");
    assert!(built && !said.contains("`RUSTFLAGS` of the shell is left out"), "{said}");
}

#[test]
fn an_edit_is_seen_with_its_panic_and_its_answer() {
    let folder = tempfile::tempdir().unwrap();
    good(folder.path(), &["new", "edited", "--role", "executor"]);
    let project = folder.path().join("edited");
    let task = json!({ "task": { "id": "t1", "kind": "edited", "description": "world" } }).to_string();
    let mut dev = Command::new(env!("CARGO_BIN_EXE_orch-plugin"));
    dev.args(["dev", "--call", "execute", "--argument", &task])
        .current_dir(&project)
        .env("CARGO_TARGET_DIR", target());
    let mut dev = Ended(dev.stdout(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(dev.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut round = || {
        let mut said = Vec::new();
        for line in lines.by_ref() {
            let waits = line.ends_with("waiting for an edit");
            said.push(line);
            if waits {
                break;
            }
        }
        said.join("\n")
    };
    let first = round();
    assert!(
        first.contains("1 of 1 cases passed") && first.contains("answer   {\"summary\":\"hello, world\"}"),
        "{first}"
    );
    assert!(first.contains("all is well"), "{first}");
    let source = project.join("src/lib.rs");
    let text = fs::read_to_string(&source).unwrap();
    fs::write(
        &source,
        text.replace("    format!(\"hello, {description}\")", "    panic!(\"about {description}\")"),
    )
    .unwrap();
    let second = round();
    assert!(second.starts_with("edited   src/lib.rs"), "{second}");
    assert!(
        second.contains("panicked at src/lib.rs:18:5:\\nabout world") && second.contains("something is not"),
        "{second}"
    );
    let manifest = fs::read_to_string(project.join("plugin.json")).unwrap();
    fs::write(project.join("plugin.json"), manifest.replace("wallMs", "wallSeconds")).unwrap();
    let third = round();
    assert!(third.contains("it could not be tried"), "{third}");
}

/// Ended with the test, however that ends.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
