//! Packages of Node.js, in a folder of their own.
//!
//! In -> out: a lock file with digests -> a folder with `node_modules/`.
//! Invariant: what is fetched has the digests of the lock file; no script of a package runs, nothing is installed into the system.
//! A machine without `npm` is told so and goes on: what needs it are stand-ins of others beside our own.
//! Not here: which tests need them (`tests/tests/notified_out/slack.rs`, `tests/tests/model_peers/aimock.rs`).

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context;

use crate::step;

const FILES: [&str; 2] = ["package.json", "package-lock.json"];

/// Makes `target/NAME` where there is none of the packages in `tests/NAME/package-lock.json`.
pub(crate) fn prepare(root: &Path, name: &str) -> anyhow::Result<()> {
    let (folder, pins) = (root.join("target").join(name), root.join("tests").join(name));
    // Written last: what is there was made whole.
    let made = folder.join("made");
    let wanted = fs::read_to_string(pins.join(FILES[1]))
        .with_context(|| format!("cannot read `{}`", pins.join(FILES[1]).display()))?;
    if fs::read_to_string(&made).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    if Command::new("npm").arg("--version").output().is_err() {
        println!("no `npm` is there: `{name}` is left out, and so are the tests beside it");
        return Ok(());
    }
    step::timed(&format!("packages of Node.js for `{name}`, into target/{name}"), || {
        fs::create_dir_all(&folder)?;
        for file in FILES {
            fs::copy(pins.join(file), folder.join(file)).with_context(|| format!("cannot copy `{file}`"))?;
        }
        let ci = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"];
        step::run("npm ci", Command::new("npm").args(ci).current_dir(&folder))?;
        fs::write(&made, &wanted).with_context(|| format!("cannot write `{}`", made.display()))
    })
}
