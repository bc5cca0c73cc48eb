//! What was released stays as it was: interfaces, and components that were built against them.
//!
//! In -> out: `wit/deps`, `tests/data/outlived` -> `xtask/frozen.sha256`, as `sha256sum` writes it; a checkout -> what of it changed.
//! Invariant: a file that is in the list is never written anew, only compared: what changes gets a folder of another version. An
//! interface that has a newer version beside it is in the list. All others change in place until a release.
//! Not here: whether an old component still runs (`tests/tests/outlived.rs`).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};

const LIST: &str = "xtask/frozen.sha256";
const FOLDERS: [&str; 2] = ["wit/deps", "tests/data/outlived"];

/// Adds all that is not in the list yet, or of it what lies in these folders.
///
/// # Errors
/// Something in the list changed since, or nothing lies there.
pub(crate) fn run(root: &Path, only: &[String]) -> anyhow::Result<()> {
    let mut frozen = read(root)?;
    let mut faults = Vec::new();
    compare(root, &frozen, &mut faults)?;
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    let before = frozen.len();
    let mut files = Vec::new();
    for folder in FOLDERS {
        files_below(root, folder, &mut files)?;
    }
    let lies_in =
        |path: &String, folder: &String| path.starts_with(&format!("{}/", folder.trim_end_matches('/')));
    files.retain(|path| only.is_empty() || only.iter().any(|folder| lies_in(path, folder)));
    ensure!(!files.is_empty(), "nothing that can be frozen lies in {}", only.join(", "));
    for (path, digest) in digests(root, &files)? {
        frozen.entry(path).or_insert(digest);
    }
    let lines: String = frozen.iter().map(|(path, digest)| format!("{digest}  {path}\n")).collect();
    fs::write(root.join(LIST), lines).with_context(|| format!("cannot write `{LIST}`"))?;
    println!(
        "{} files are frozen, {} of them now; commit `{LIST}` with the release",
        frozen.len(),
        frozen.len() - before
    );
    Ok(())
}

/// What of the list is not as it was, and which interfaces should be in it.
pub(crate) fn check(root: &Path, faults: &mut Vec<String>) -> anyhow::Result<()> {
    let frozen = read(root)?;
    compare(root, &frozen, faults)?;
    let mut files = Vec::new();
    files_below(root, FOLDERS[0], &mut files)?;
    let package = |path: &str| Some(path.split('/').nth(2)?.split_once('@')?.0.to_owned());
    let version = |path: &str| -> Vec<u64> {
        let version = path
            .split('/')
            .nth(2)
            .and_then(|folder| folder.split_once('@'))
            .map_or("", |(_, version)| version);
        version.split('.').map_while(|number| number.parse().ok()).collect()
    };
    for path in files.iter().filter(|path| !frozen.contains_key(*path)) {
        if files.iter().any(|other| package(other) == package(path) && version(other) > version(path)) {
            faults.push(format!(
                "{path}: has a newer version beside it, and is not frozen: `cargo xtask freeze FOLDER`"
            ));
        }
    }
    Ok(())
}

fn compare(root: &Path, frozen: &BTreeMap<String, String>, faults: &mut Vec<String>) -> anyhow::Result<()> {
    let (there, gone): (Vec<_>, Vec<_>) = frozen.keys().cloned().partition(|path| root.join(path).is_file());
    faults.extend(gone.iter().map(|path| format!("{path}: was released, and is gone")));
    for (path, digest) in digests(root, &there)? {
        if frozen.get(&path) != Some(&digest) {
            faults.push(format!(
                "{path}: was released, and changed: what is new gets a folder of the next version beside it"
            ));
        }
    }
    Ok(())
}

fn read(root: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let text = fs::read_to_string(root.join(LIST)).with_context(|| format!("cannot read `{LIST}`"))?;
    text.lines().map(parse).collect()
}

/// Path and digest of a line.
fn parse(line: &str) -> anyhow::Result<(String, String)> {
    let (digest, path) =
        line.split_once("  ").with_context(|| format!("`{LIST}`: `{line}` is no line of it"))?;
    let is_digest = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    ensure!(is_digest && !path.is_empty(), "`{LIST}`: `{line}` is no line of it");
    Ok((path.to_owned(), digest.to_owned()))
}

fn digests(root: &Path, files: &[String]) -> anyhow::Result<BTreeMap<String, String>> {
    if files.is_empty() {
        return Ok(BTreeMap::new());
    }
    let output = Command::new("sha256sum").current_dir(root).arg("--").args(files).output();
    let output = output.context("cannot start `sha256sum`")?;
    ensure!(output.status.success(), "`sha256sum`: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).context("`sha256sum` wrote no text")?.lines().map(parse).collect()
}

/// Paths of all files below, from the checkout on.
fn files_below(root: &Path, folder: &str, files: &mut Vec<String>) -> anyhow::Result<()> {
    let entries = fs::read_dir(root.join(folder)).with_context(|| format!("cannot read `{folder}`"))?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read `{folder}`"))?;
        names.push((entry.file_name().to_string_lossy().into_owned(), entry.path().is_dir()));
    }
    names.sort();
    for (name, is_folder) in names {
        let path = format!("{folder}/{name}");
        match is_folder {
            true => files_below(root, &path, files)?,
            false => files.push(path),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_frozen_is_compared_and_what_is_new_is_added() {
        let root = std::env::temp_dir().join(format!("orch-frozen-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let faults = || {
            let mut faults = Vec::new();
            check(&root, &mut faults).unwrap();
            faults
        };
        write("wit/deps/a@0.1.0/a.wit", "package orch:a@0.1.0;");
        write("tests/data/outlived/a/component.wasm", "wasm");
        assert!(check(&root, &mut Vec::new()).is_err(), "the list is gone");
        write(LIST, "");
        assert_eq!(faults(), [""; 0]);
        run(&root, &[]).unwrap();
        assert_eq!((read(&root).unwrap().len(), faults().len()), (2, 0));
        // The next version beside it is new; what is there may not change.
        write("wit/deps/a@0.2.0/a.wit", "package orch:a@0.2.0;");
        assert_eq!(faults(), [""; 0]);
        run(&root, &[]).unwrap();
        assert_eq!(read(&root).unwrap().len(), 3);
        // One that is superseded is frozen, alone if that is said; others go on changing in place.
        write("wit/deps/b@0.1.9/b.wit", "package orch:b@0.1.9;");
        assert_eq!(faults(), [""; 0]);
        write("wit/deps/b@0.1.10/b.wit", "package orch:b@0.1.10;");
        let said = faults();
        assert!(
            said.len() == 1 && said[0].contains("b@0.1.9") && said[0].contains("newer version"),
            "{said:?}"
        );
        assert!(run(&root, &["wit/deps/c@0.1.0".to_owned()]).is_err());
        run(&root, &["wit/deps/b@0.1.9/".to_owned()]).unwrap();
        assert_eq!((read(&root).unwrap().len(), faults().len()), (4, 0));
        write("wit/deps/b@0.1.10/b.wit", "package orch:b@0.1.10; // more");
        assert_eq!(faults(), [""; 0]);
        write("wit/deps/a@0.1.0/a.wit", "package orch:a@0.1.0; // more");
        fs::remove_file(root.join("wit/deps/a@0.2.0/a.wit")).unwrap();
        let said = faults();
        assert!(said.len() == 2 && said[0].contains("a@0.2.0") && said[1].contains("a@0.1.0"), "{said:?}");
        assert!(run(&root, &[]).is_err());
        write(LIST, "no line\n");
        assert!(check(&root, &mut Vec::new()).is_err());
        fs::remove_dir_all(&root).unwrap();
    }
}
