//! Everything that CI runs, in the order in which a fault is cheapest to find.

use std::path::Path;

use crate::{packages, second_verifier, step, tidy};

/// Runs all checks and tests; the first that fails ends it.
pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    step::timed("format", || {
        step::run("format", step::cargo(root).args(["fmt", "--all", "--check"]))?;
        step::run("format of the plugins", plugins(root).args(["fmt", "--all", "--check"]))
    })?;
    step::timed("tidy", || tidy::run(root))?;
    step::timed("clippy", || {
        let lints = ["--all-targets", "--", "-D", "warnings"];
        step::run("clippy", step::cargo(root).args(["clippy", "--workspace"]).args(lints))?;
        step::run("clippy of the plugins", plugins(root).args(["clippy", "--workspace"]).args(lints))
    })?;
    packages::for_tests(root)?;
    second_verifier::prepare(root)?;
    step::timed("tests of the plugins, on this machine", || {
        step::run("tests of the plugins", plugins(root).args(["test", "--workspace"]))
    })?;
    step::timed("tests", || step::run("tests", step::cargo(root).args(["test", "--workspace"])))
}

fn plugins(root: &Path) -> std::process::Command {
    let mut cargo = step::cargo(&root.join("plugins"));
    cargo.env("CARGO_TARGET_DIR", packages::target_folder(root).join("plugins-native"));
    cargo
}
