//! Every file of a workspace and its operator's folder, to say what changed.
//!
//! In -> out: two moments -> lines like `new      logs/task-a.log`.
//! Invariant: links are not followed; contents are compared byte for byte. The state folder is one entry if it is new.

use std::collections::BTreeMap;
use std::path::Path;

use orch_trust::digest::Sha256Digest;

use crate::Workspace;

/// What comes and goes with every reader of a store.
const TRANSIENT: [&str; 5] =
    [".orch/lock", "state.db-wal", "state.db-shm", "vectors.sqlite-wal", "vectors.sqlite-shm"];

/// What is written there says the second: in the same one the same again, and that is written all the same.
const OF_A_SECOND: &str = "operator/approvals/";

/// What lies where: path -> what its content is.
pub(super) struct Disk(BTreeMap<String, String>);

impl Disk {
    pub(super) fn of(workspace: &Workspace) -> Self {
        let mut found = BTreeMap::new();
        look(&workspace.path(), "", &mut found);
        look(&workspace.operator(), "operator/", &mut found);
        Self(found)
    }

    /// What is new, changed or gone since then, sorted.
    pub(super) fn since(&self, before: &Self) -> Vec<String> {
        let mut lines: Vec<(String, &str)> = Vec::new();
        for (path, content) in &self.0 {
            match before.0.get(path) {
                None => lines.push((folded(path), "new")),
                Some(old) if old != content => lines.push((folded(path), "changed")),
                Some(_) => {}
            }
        }
        let gone = before.0.keys().filter(|path| !self.0.contains_key(*path));
        lines.extend(gone.map(|path| (folded(path), "gone")));
        lines.sort();
        // A folder of the host's own is one line; the word is `changed` if it was there before.
        let was = |folder: &str| before.0.keys().any(|path| path.starts_with(folder));
        let mut said: Vec<String> = Vec::new();
        for (path, word) in lines {
            let word = if path.ends_with('/') && was(&path) { "changed" } else { word };
            let line = format!("{word:<8} {path}");
            if !said.contains(&line) {
                said.push(line);
            }
        }
        said
    }
}

/// Files inside these folders are the host's business; that something is in them is what a case shows.
fn folded(path: &str) -> String {
    let folders = [
        ".orch/",
        "operator/cache/",
        "operator/heads/",
        // Named by a digest of the workspace's path.
        "operator/pins/",
        "operator/journal/",
        "operator/packages/",
        "hello/orch/",
    ];
    folders
        .iter()
        .find(|folder| path.starts_with(**folder))
        .map_or_else(|| path.to_owned(), ToString::to_string)
}

fn look(folder: &Path, prefix: &str, found: &mut BTreeMap<String, String>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        let name = format!("{prefix}{}", path.file_name().unwrap().to_string_lossy());
        let kind = path.symlink_metadata().unwrap().file_type();
        if kind.is_dir() {
            look(&path, &format!("{name}/"), found);
        } else if TRANSIENT.iter().any(|end| name.ends_with(end)) {
            continue;
        } else if kind.is_symlink() {
            found.insert(name, format!("link to {}", std::fs::read_link(&path).unwrap().display()));
        } else {
            // A lock or journal file may go while we look.
            let content = std::fs::read(&path).map(|bytes| Sha256Digest::of(&bytes).to_string());
            let written = path.metadata().and_then(|metadata| metadata.modified());
            let content = match name.starts_with(OF_A_SECOND) {
                true => format!("{content:?} of {written:?}"),
                false => content.unwrap_or_default(),
            };
            found.insert(name, content);
        }
    }
}
