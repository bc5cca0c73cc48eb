//! Switches for developers: they do not build where they could harm, and no command has one.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use orch_tests::{binary, root};
use serde_json::Value;

/// Admits what nobody signed, and says so in its crate's first file.
const SWITCH: (&str, &str) = ("trust/src/lib.rs", "dangerous");

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

/// The code of one file without its modules, or what the compiler says of it.
fn compile(file: &str, feature: Option<&str>, assertions: &str) -> Result<Vec<u8>, String> {
    let text = std::fs::read_to_string(root().join(file)).unwrap();
    let module =
        |line: &&str| !["pub mod ", "mod ", "pub use ", "use "].iter().any(|start| line.starts_with(start));
    let text: String = text.lines().filter(module).map(|line| format!("{line}\n")).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lib.rs");
    std::fs::write(&path, text).unwrap();
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(["--edition", "2024", "--crate-type", "lib", "--emit", "obj", "-C", "codegen-units=1", "-o"]);
    rustc.arg(folder.path().join("code")).arg(&path).args(["-C", &format!("debug-assertions={assertions}")]);
    if let Some(feature) = feature {
        rustc.args(["--cfg", &format!("feature=\"{feature}\"")]);
    }
    let output = rustc.stdin(Stdio::null()).output().unwrap();
    match output.status.success() {
        true => Ok(std::fs::read(folder.path().join("code")).unwrap()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

#[test]
fn switches_for_developers_do_not_build_without_debug_assertions() {
    let (file, feature) = SWITCH;
    compile(file, Some(feature), "yes").unwrap();
    compile(file, None, "no").unwrap();
    let error = compile(file, Some(feature), "no").unwrap_err();
    assert!(error.contains(&format!("the feature `{feature}`")), "{error}");
    // No profile turns the assertions on where they are off, and no crate asks for the switch.
    for file in ["Cargo.toml", ".cargo/config.toml"] {
        let text = std::fs::read_to_string(root().join(file)).unwrap();
        assert!(!text.contains("debug-assertions"), "{file}");
    }
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let output = cargo
        .current_dir(root())
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let has_switch = |features: &Value| {
        let names = features.as_array().into_iter().flatten().filter_map(Value::as_str);
        names.filter(|name| name.ends_with(feature)).count() > 0
    };
    let mut packages = 0;
    for package in metadata["packages"].as_array().unwrap() {
        packages += 1;
        assert!(!has_switch(&package["features"]["default"]), "{}", package["name"]);
        for dependency in package["dependencies"].as_array().unwrap() {
            assert!(!has_switch(&dependency["features"]), "{} for {}", dependency["name"], package["name"]);
        }
    }
    assert!(packages >= 12, "{packages} packages");
}

#[test]
fn only_builds_with_debug_assertions_have_failpoints() {
    let file = "journal/src/failpoint.rs";
    let reads = |code: &[u8]| code.windows(14).any(|window| window == b"ORCH_FAILPOINT");
    // By itself, without the crate that ends a process: with assertions it needs that one.
    assert!(!reads(&compile(file, None, "no").unwrap()));
    let error = compile(file, None, "yes").unwrap_err();
    assert!(error.contains("rustix"), "{error}");
    assert!(reads(&std::fs::read(binary("orch-host")).unwrap()), "the host that tests kill has none");
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
    assert_eq!(weak, ["--allow-rollback", "--force", "--trust", "--trust-workspace"]);
}
