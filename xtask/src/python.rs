//! Packages of Python, in an environment of their own.
//!
//! In -> out: a list of packages with their digests -> a folder with `bin/`.
//! Invariant: what is fetched has the digests of the list; nothing is installed into the system.

use std::path::Path;
use std::process::Command;

use anyhow::Context;

use crate::step;

/// Makes the environment anew.
pub(crate) fn install(folder: &Path, requirements: &Path) -> anyhow::Result<()> {
    let make = ["-m", "venv", "--clear"];
    step::run("the virtual environment", Command::new("python3").args(make).arg(folder))
        .context("Debian's `python3-venv` makes one possible")?;
    let install = ["-m", "pip", "install", "--quiet", "--require-hashes", "--only-binary", ":all:", "-r"];
    let mut pip = Command::new(folder.join("bin/python"));
    step::run("pip", pip.args(install).arg(requirements))
}
