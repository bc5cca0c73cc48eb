//! Writes what follows from `wit/deps/` and the lists in `orch-trust`, or says whether it is current. Run by
//! `cargo xtask bindings`.
//!
//! In -> out: the checkout -> worlds, guest bindings, lists of carried files.
//! Invariant: what is current keeps its time, so that nothing is built again for it.

mod bindings;
mod carried;
mod worlds;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};

fn main() -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .context("this package lies in no checkout")?;
    match std::env::args().nth(1).as_deref() {
        Some("--check") => check(root),
        _ => write(root),
    }
}

/// Path in the checkout -> text; all but the lists of carried files, which name these files too.
fn generate(root: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let worlds = worlds::make(root)?;
    let mut texts = bindings::generate(&worlds)?;
    texts.insert(worlds::PATH.to_owned(), worlds.text);
    Ok(texts)
}

fn write(root: &Path) -> anyhow::Result<()> {
    let texts = generate(root)?;
    for (path, text) in &texts {
        write_file(&root.join(path), text)?;
    }
    for path in leftovers(root, &texts)? {
        fs::remove_file(root.join(&path)).with_context(|| format!("cannot remove `{path}`"))?;
    }
    write_file(&root.join(carried::PATH), &carried::generate(root)?)
}

fn write_file(path: &Path, text: &str) -> anyhow::Result<()> {
    if fs::read_to_string(path).ok().as_deref() == Some(text) {
        return Ok(());
    }
    fs::write(path, text).with_context(|| format!("cannot write `{}`", path.display()))
}

/// Succeeds if everything committed is what would be written today, and no other file lies beside the bindings.
fn check(root: &Path) -> anyhow::Result<()> {
    let mut texts = generate(root)?;
    if let Some(path) = leftovers(root, &texts)?.first() {
        anyhow::bail!("`{path}` belongs to no world: run `cargo xtask bindings`");
    }
    texts.insert(carried::PATH.to_owned(), carried::generate(root)?);
    for (path, text) in &texts {
        let found = fs::read_to_string(root.join(path)).with_context(|| format!("cannot read `{path}`"))?;
        ensure!(found == *text, "`{path}` is not current: run `cargo xtask bindings`");
    }
    Ok(())
}

/// Files beside the bindings that are none.
fn leftovers(root: &Path, texts: &BTreeMap<String, String>) -> anyhow::Result<Vec<String>> {
    let listed = fs::read_dir(root.join(bindings::FOLDER)).context("cannot read the folder of bindings")?;
    let mut found = Vec::new();
    for entry in listed {
        let path = format!("{}/{}", bindings::FOLDER, entry?.file_name().to_string_lossy());
        if !texts.contains_key(&path) {
            found.push(path);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_committed_bindings_are_current() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
        super::check(root).unwrap();
    }
}
