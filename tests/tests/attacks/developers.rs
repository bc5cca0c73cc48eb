//! Switches for developers: they do not build where they could harm, and no command has one.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use orch_tests::root;
use serde_json::Value;

const SWITCHES: [(&str, &str); 2] = [("trust/src/lib.rs", "dangerous"), ("host/src/lib.rs", "failpoints")];

/// Calls `what` with each Rust file below that folder and its text.
pub(crate) fn each_source(folder: &Path, what: &mut dyn FnMut(&Path, &str)) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            each_source(&path, what);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            what(&path, &std::fs::read_to_string(&path).unwrap());
        }
    }
}

/// What the compiler says of a crate's first file without its modules.
fn compile(file: &str, feature: Option<&str>, assertions: &str) -> Result<(), String> {
    let text = std::fs::read_to_string(root().join(file)).unwrap();
    let module =
        |line: &&str| !["pub mod ", "mod ", "pub use ", "use "].iter().any(|start| line.starts_with(start));
    let text: String = text.lines().filter(module).map(|line| format!("{line}\n")).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lib.rs");
    std::fs::write(&path, text).unwrap();
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(["--edition", "2024", "--crate-type", "lib", "--emit", "metadata", "--out-dir"]);
    rustc.arg(folder.path()).arg(&path).args(["-C", &format!("debug-assertions={assertions}")]);
    if let Some(feature) = feature {
        rustc.args(["--cfg", &format!("feature=\"{feature}\"")]);
    }
    let output = rustc.stdin(Stdio::null()).output().unwrap();
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

#[test]
fn switches_for_developers_do_not_build_without_debug_assertions() {
    for (file, feature) in SWITCHES {
        assert_eq!(compile(file, Some(feature), "yes"), Ok(()), "{file}");
        assert_eq!(compile(file, None, "no"), Ok(()), "{file}");
        let error = compile(file, Some(feature), "no").unwrap_err();
        assert!(error.contains(&format!("the feature `{feature}`")), "{file}: {error}");
    }
    // What is released has no debug assertions, and no crate asks for a switch but for its tests.
    let manifest: toml::Table = std::fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    let release = manifest.get("profile").and_then(|profiles| profiles.get("release"));
    assert!(release.is_none_or(|release| release.get("debug-assertions").is_none()), "{release:?}");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let output = cargo
        .current_dir(root())
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let has_switch = |features: &Value| {
        let names = features.as_array().into_iter().flatten().filter_map(Value::as_str);
        names.filter(|name| SWITCHES.iter().any(|(_, switch)| name.ends_with(switch))).count() > 0
    };
    let (mut packages, mut of_tests) = (0, 0);
    for package in metadata["packages"].as_array().unwrap() {
        packages += 1;
        assert!(!has_switch(&package["features"]["default"]), "{}", package["name"]);
        for dependency in package["dependencies"].as_array().unwrap() {
            let wants = has_switch(&dependency["features"]);
            of_tests += u64::from(wants);
            assert!(!wants || dependency["kind"] == "dev", "{} for {}", dependency["name"], package["name"]);
        }
    }
    assert!(packages >= 12 && of_tests >= 1, "{packages} packages, {of_tests} with a switch for tests");
}

#[test]
fn no_command_has_a_switch_that_skips_a_check() {
    // The golden cases have the help of every command: `tests/cli.rs` says if one is missing.
    let flag = regex::Regex::new(r"--[a-z][a-z-]*").unwrap();
    let mut flags = BTreeSet::new();
    for entry in std::fs::read_dir(root().join("tests/cli")).unwrap() {
        let text = String::from_utf8_lossy(&std::fs::read(entry.unwrap().path()).unwrap()).into_owned();
        flags.extend(flag.find_iter(&text).map(|found| found.as_str().to_owned()));
    }
    assert!(flags.len() > 30, "{flags:?}");
    let words = [
        "unsigned",
        "insecure",
        "dangerous",
        "unsafe",
        "skip",
        "verif",
        "ignore",
        "disable",
        "no-check",
        "without",
        "force",
        "allow",
        "trust",
        "any-",
    ];
    let weak = flags.iter().filter(|flag| words.iter().any(|word| flag.contains(word)));
    // Each of these is one decision of a person about one thing, and none of them leaves a check out.
    let weak: Vec<&str> = weak.map(String::as_str).collect();
    assert_eq!(weak, ["--allow-rollback", "--trust", "--trust-workspace"]);
}
