//! Programs of Debian, in a folder of their own.
//!
//! In -> out: names, versions and digests of packages -> a folder with `usr/`.
//! Invariant: what is unpacked has the digests of the list; nothing is installed into the system, no script of a package runs.
//! A machine that is no Debian 12 on x86-64, or has no lists of packages, is told so and goes on; with `--full` that is a fault.
//! Not here: which tests need them (`tests/src/registry/debian.rs`).

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use crate::step;

/// Makes `target/NAME` where there is none of the packages in `tests/NAME/debian.txt`.
pub(crate) fn prepare(root: &Path, name: &str, full: bool) -> anyhow::Result<()> {
    let (folder, list) = (root.join("target").join(name), root.join("tests").join(name).join("debian.txt"));
    let wanted = fs::read_to_string(&list).with_context(|| format!("cannot read `{}`", list.display()))?;
    // Written last: what is there was made whole.
    let made = folder.join("made");
    if fs::read_to_string(&made).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    let done = step::timed(&format!("Debian's packages for `{name}`, into target/{name}"), || {
        unpack(&folder, &wanted)?;
        fs::write(&made, &wanted).with_context(|| format!("cannot write `{}`", made.display()))
    });
    match done {
        Err(why) if !full => {
            println!("`{name}` is left out, and so are the tests with it: {why:#}");
            fs::remove_dir_all(&folder).context("cannot remove what was made by half")
        }
        done => done,
    }
}

fn unpack(folder: &Path, wanted: &str) -> anyhow::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).context("cannot remove what was made before")?;
    }
    fs::create_dir_all(folder)?;
    let pins: Vec<(&str, &str)> = wanted
        .lines()
        .map(|line| line.split_once(' ').with_context(|| format!("`{line}` is no `NAME=VERSION SHA256`")))
        .collect::<anyhow::Result<_>>()?;
    let mut download = Command::new("apt-get");
    download.args(["--quiet=2", "download"]).args(pins.iter().map(|(package, _)| package));
    step::run("apt-get download", download.current_dir(folder))?;
    let archives = archives(folder)?;
    let output = Command::new("sha256sum").arg("--").args(&archives).output();
    let output = output.context("cannot start `sha256sum`")?;
    ensure!(output.status.success(), "`sha256sum`: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).context("`sha256sum` wrote no text")?;
    let found: BTreeSet<&str> = text.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let expected: BTreeSet<&str> = pins.iter().map(|(_, digest)| *digest).collect();
    ensure!(found == expected, "what was fetched has other digests than the list: {text}");
    for archive in archives {
        step::run("dpkg-deb", Command::new("dpkg-deb").arg("-x").arg(&archive).arg(folder))?;
        fs::remove_file(&archive)?;
    }
    Ok(())
}

fn archives(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<Vec<_>>>()?;
    Ok(entries.into_iter().filter(|path| path.extension().is_some_and(|end| end == "deb")).collect())
}
