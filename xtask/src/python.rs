//! Packages of Python, in an environment of their own.
//!
//! In -> out: a list of packages with their digests -> a folder with `bin/`.
//! Invariant: what is fetched has the digests of the list; nothing is installed into the system.
//! Not here: which tests need them (`tests/tests/described.rs`, `tests/tests/notified_out.rs`, `tests/tests/io.rs`,
//! `tests/tests/model_peers.rs`).

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context;

use crate::step;

/// Makes `target/NAME` where there is none of the requirements in `tests/NAME/requirements.txt`.
pub(crate) fn prepare(root: &Path, name: &str) -> anyhow::Result<()> {
    let folder = root.join("target").join(name);
    let requirements = root.join("tests").join(name).join("requirements.txt");
    let wanted =
        fs::read(&requirements).with_context(|| format!("cannot read `{}`", requirements.display()))?;
    // Written last: what is there was made whole.
    let made = folder.join("requirements.txt");
    if fs::read(&made).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    step::timed(&format!("Python's packages for `{name}`, into target/{name}"), || {
        install(&folder, &requirements)?;
        fs::write(&made, &wanted).with_context(|| format!("cannot write `{}`", made.display()))
    })
}

/// Makes the environment anew.
pub(crate) fn install(folder: &Path, requirements: &Path) -> anyhow::Result<()> {
    let make = ["-m", "venv", "--clear"];
    step::run("the virtual environment", Command::new("python3").args(make).arg(folder))
        .context("Debian's `python3-venv` makes one possible")?;
    let install = ["-m", "pip", "install", "--quiet", "--require-hashes", "--only-binary", ":all:", "-r"];
    let mut pip = Command::new(folder.join("bin/python"));
    step::run("pip", pip.args(install).arg(requirements))
}
