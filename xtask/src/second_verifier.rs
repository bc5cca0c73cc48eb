//! The Python of the second verifier: the system's, or an environment of its own under `target/`.
//!
//! In -> out: `python3` -> one that has the package `cryptography`.
//! Invariant: what is fetched has the digests of `tests/second/requirements.txt`; nothing is installed into the system.
//! Not here: the verifier (`tests/second/`), which Python a test starts (`tests/src/second/python.rs`).

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::{python, step};

/// Makes the environment where the system's Python lacks the package and none is there yet.
pub(crate) fn prepare(root: &Path) -> anyhow::Result<()> {
    let folder = root.join("target/second-verifier");
    if has_package(Path::new("python3"))? || (folder.exists() && has_package(&folder.join("bin/python"))?) {
        return Ok(());
    }
    step::timed("Python's `cryptography` for the second verifier, into target/second-verifier", || {
        python::install(&folder, &root.join("tests/second/requirements.txt"))
            .context("Debian's `python3-cryptography` makes this needless")?;
        match has_package(&folder.join("bin/python"))? {
            true => Ok(()),
            false => bail!("`cryptography` was installed and cannot be imported"),
        }
    })
}

fn has_package(python: &Path) -> anyhow::Result<bool> {
    let mut import = Command::new(python);
    import.args(["-c", "import cryptography"]).stderr(Stdio::null());
    let status = import.status().with_context(|| format!("cannot start `{}`", python.display()))?;
    Ok(status.success())
}
