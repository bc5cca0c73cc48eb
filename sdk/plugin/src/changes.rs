//! What an author edits, seen from outside: a mark of all files that a plugin is made of.
//!
//! In -> out: a project's folder -> [`Mark`], which differs when a file's bytes may have.
//! Limits: 20,000 files; what is beyond them is not seen.
//! Invariant: what builds, tools and hosts write (`target`, `.git`, `.orch`) is not looked at, so that a build is no edit.
//! Not here: what is done about it (`commands/dev.rs`).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

const FILES_MAX: usize = 20_000;
const IGNORED: [&str; 5] = ["target", ".git", ".orch", "node_modules", "__pycache__"];

/// Length and time of each file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mark(BTreeMap<PathBuf, (u64, Option<SystemTime>)>);

impl Mark {
    /// Of the files below that folder. What cannot be read is not there.
    pub fn of(folder: &Path) -> Self {
        let mut mark = Self::default();
        let mut open = vec![folder.to_owned()];
        while let Some(folder) = open.pop() {
            let listed = fs::read_dir(&folder).into_iter().flatten().flatten();
            for entry in listed {
                let Ok(kind) = entry.file_type() else { continue };
                let name = entry.file_name();
                if kind.is_dir() && !IGNORED.iter().any(|ignored| name == *ignored) {
                    open.push(entry.path());
                } else if kind.is_file()
                    && mark.0.len() < FILES_MAX
                    && let Ok(metadata) = entry.metadata()
                {
                    mark.0.insert(entry.path(), (metadata.len(), metadata.modified().ok()));
                }
            }
        }
        // Cargo writes it when it is missing.
        mark.0.remove(&folder.join("Cargo.lock"));
        mark
    }

    /// The first file that differs, as somebody names it in that folder.
    pub fn first_change(&self, before: &Self, folder: &Path) -> Option<String> {
        let differs = |path: &&PathBuf| self.0.get(*path) != before.0.get(*path);
        let changed = self.0.keys().chain(before.0.keys()).find(differs)?;
        Some(changed.strip_prefix(folder).unwrap_or(changed).display().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_is_seen_and_a_build_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        put("src/lib.rs", "a");
        let before = Mark::of(folder.path());
        for built in ["target/release/x.wasm", ".git/index", "__pycache__/plugin.pyc", "Cargo.lock"] {
            put(built, "x");
        }
        assert_eq!(Mark::of(folder.path()).first_change(&before, folder.path()), None);
        put("src/lib.rs", "ab");
        assert_eq!(
            Mark::of(folder.path()).first_change(&before, folder.path()).as_deref(),
            Some("src/lib.rs")
        );
        fs::remove_file(folder.path().join("src/lib.rs")).unwrap();
        assert_eq!(
            Mark::of(folder.path()).first_change(&before, folder.path()).as_deref(),
            Some("src/lib.rs")
        );
    }
}
