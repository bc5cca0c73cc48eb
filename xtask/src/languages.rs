//! Plugins in other languages: their toolchains for the tests, and the table of known engines.
//!
//! In -> out: the registries' packages that `orch-plugin` pins -> `target/languages`, a cache with the toolchains and a few
//! components; from these `trust/src/engines/table.rs`.
//! Invariant: nothing is fetched but by `orch-plugin`, which knows the digests. A machine without Node.js is told so and goes on.
//! Not here: which modules make an engine (`trust/examples/engines.rs`).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use crate::{packages, step};

/// As `orch-plugin new --lang` takes it, the program that it needs, and the toolchain as the table names it.
const LANGUAGES: [(&str, &str, &str); 2] =
    [("python", "python3", "componentize-py 0.25.0"), ("javascript", "npm", "componentize-qjs 0.4.5")];
/// Permissions of the components that the table is made of: what they all have is the engine.
const WORLDS: [&str; 3] = [
    r#""log": {}"#,
    r#""log": {}, "files": { "read": ["**"], "write": ["**"] }, "kv": { "labels": ["notes"], "bytes": 65536 }, "tasks": { "read": true }"#,
    r#""settings": {}, "metrics": {}"#,
];

/// Fetches the toolchains of the tests, where they are not there.
pub(crate) fn prepare(root: &Path) -> anyhow::Result<()> {
    for (language, program, toolchain) in LANGUAGES {
        if fetched(root, toolchain).is_dir() {
            continue;
        }
        if Command::new(program).arg("--version").output().is_err() {
            println!("no `{program}` is there: tests of plugins in {language} are left out");
            continue;
        }
        build(root, language, WORLDS[0], "fetched")?;
        ensure!(fetched(root, toolchain).is_dir(), "`orch-plugin` pins another version than `{toolchain}`");
    }
    Ok(())
}

/// Writes the table of known engines.
pub(crate) fn engines(root: &Path) -> anyhow::Result<()> {
    let build_bins = ["build", "--quiet", "--package", "orch-plugin", "--bins"];
    step::run("orch-plugin", step::cargo(root).args(build_bins))?;
    let mut arguments = Vec::new();
    for (language, _, toolchain) in LANGUAGES {
        let mut components = Vec::new();
        for (number, permissions) in WORLDS.into_iter().enumerate() {
            let component = build(root, language, permissions, &format!("world-{number}"))?;
            components.push(component.display().to_string());
        }
        arguments.push(format!("{toolchain}={}", components.join(",")));
    }
    let mut example = step::cargo(root);
    example.args(["run", "--quiet", "--package", "orch-trust", "--example", "engines", "--"]).args(arguments);
    let output = example.output().context("the table is not made")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let table = root.join("trust/src/engines/table.rs");
    fs::write(&table, output.stdout).with_context(|| format!("cannot write `{}`", table.display()))?;
    step::run("format", step::cargo(root).args(["fmt", "--package", "orch-trust"]))
}

fn folder(root: &Path) -> PathBuf {
    root.join("target/languages")
}

fn fetched(root: &Path, toolchain: &str) -> PathBuf {
    folder(root).join("orch").join(toolchain.replace(' ', "-"))
}

/// The component of a template with these permissions, in that language.
fn build(root: &Path, language: &str, permissions: &str, name: &str) -> anyhow::Result<PathBuf> {
    let project = folder(root).join(format!("{name}-{language}"));
    if project.exists() {
        fs::remove_dir_all(&project).context("cannot remove what was built before")?;
    }
    let program = packages::target_folder(root).join("debug/orch-plugin");
    let run = |arguments: &[&str]| {
        let mut command = Command::new(&program);
        command.args(arguments).env("XDG_CACHE_HOME", folder(root));
        step::run("orch-plugin", &mut command)
    };
    let at = project.display().to_string();
    run(&["new", "probe", "--role", "executor", "--lang", language, "--dir", &at])?;
    let manifest = project.join("plugin.json");
    let text = fs::read_to_string(&manifest)?;
    ensure!(
        text.contains(WORLDS[0]),
        "the template of {language} has other permissions than `{}`",
        WORLDS[0]
    );
    fs::write(&manifest, text.replace(WORLDS[0], permissions))?;
    run(&["build", &at])?;
    Ok(project.join("target/plugin/probe/component.wasm"))
}
