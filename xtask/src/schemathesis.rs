//! The program that asks the HTTP interfaces by their own descriptions, in an environment of its own under `target/`.
//!
//! In -> out: `tests/described/requirements.txt` -> `target/schemathesis/bin/st` of that version.
//! Invariant: what is fetched has the digests of that file; nothing is installed into the system.
//! Not here: what is asked (`tests/tests/described.rs`).

use std::fs;
use std::path::Path;

use anyhow::Context;

use crate::{python, step};

/// Makes the environment where there is none of these requirements.
pub(crate) fn prepare(root: &Path) -> anyhow::Result<()> {
    let (folder, requirements) =
        (root.join("target/schemathesis"), root.join("tests/described/requirements.txt"));
    let wanted = fs::read(&requirements).context("cannot read `tests/described/requirements.txt`")?;
    // Written last: what is there was made whole.
    let made = folder.join("requirements.txt");
    if fs::read(&made).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    step::timed("schemathesis, into target/schemathesis", || {
        python::install(&folder, &requirements)?;
        fs::write(&made, &wanted).with_context(|| format!("cannot write `{}`", made.display()))
    })
}
