//! Every number of `code-metrics` beside radon's, over many published packages.
//!
//! In -> out: `tests/radon/` with pinned packages -> differences and both times, on standard output.
//! Invariant: what is fetched has the digests of the lists and is run by nobody; nothing is installed into the system.
//! Not here: comparing (`plugins/code-metrics/examples/beside_radon.rs`), what every test run compares
//! (`plugins/code-metrics/tests/radon.rs`).

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use anyhow::Context;

use crate::{python, step};

pub(super) fn run(root: &Path) -> anyhow::Result<()> {
    python::prepare(root, "radon")?;
    let (tools, lists) = (root.join("target/radon"), root.join("tests/radon"));
    let corpus = root.join("target/radon-corpus");
    if !corpus.exists() {
        step::timed("the packages to measure, into target/radon-corpus", || {
            let unfinished = root.join("target/radon-corpus.part");
            let mut pip = Command::new(tools.join("bin/python"));
            pip.args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-deps",
                "--require-hashes",
                "--only-binary",
                ":all:",
            ]);
            pip.args(["--no-compile", "--upgrade", "--target"]).arg(&unfinished);
            step::run("pip", pip.arg("-r").arg(lists.join("corpus.txt")))?;
            fs::rename(&unfinished, &corpus).context("cannot move the packages")
        })?;
    }
    let answers = root.join("target/radon-said.json");
    step::timed("radon, which takes half an hour", || {
        let into = File::create(&answers).with_context(|| format!("cannot write `{}`", answers.display()))?;
        let mut radon = Command::new(tools.join("bin/python"));
        radon.arg(root.join("plugins/code-metrics/tests/radon/says.py")).arg(&corpus).stdout(into);
        step::run("radon", &mut radon)
    })?;
    step::timed("the same files here", || {
        let mut beside = step::cargo(&root.join("plugins"));
        beside.args(["run", "--quiet", "--release", "-p", "code-metrics", "--example", "beside_radon", "--"]);
        step::run("beside radon", beside.arg(&corpus).arg(&answers))
    })
}
