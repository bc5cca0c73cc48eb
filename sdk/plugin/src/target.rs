//! What a plugin is compiled for: nothing but its own imports, or WASI.
//!
//! In -> out: a project, what its author says -> [`Target`].
//! Invariant: who builds the sources again builds them for the same target: it stands in `Cargo.toml`, or it is the lean one.
//! Not here: the compiler for it (`toolchain.rs`).

use std::fs;
use std::path::{Path, PathBuf};

/// A compiler's target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Without a system: imports are what the plugin's code calls.
    Lean,
    /// With WASI 0.2, for crates that want a clock, random numbers or `println!` of the standard library.
    Wasi,
}

/// `Cargo.toml` says no target.
#[derive(Debug, thiserror::Error)]
#[error("`{path}` has `package.metadata.orch.wasi = {found}`, expected `true` or `false`")]
pub struct TargetError {
    path: PathBuf,
    found: String,
}

impl Target {
    /// As compilers name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lean => "wasm32-unknown-unknown",
            Self::Wasi => "wasm32-wasip2",
        }
    }

    /// What that project is for: `[package.metadata.orch] wasi = true`, or who builds it says `wasi`. What cannot be
    /// read here cargo cannot read either, and says why.
    ///
    /// # Errors
    /// The key is there and is no yes or no.
    pub fn wanted(project: &Path, wasi: bool) -> Result<Self, TargetError> {
        let path = project.join("Cargo.toml");
        let text = fs::read_to_string(&path).unwrap_or_default();
        let table = text.parse::<toml::Table>().unwrap_or_default();
        let inner = |table: &toml::Table, key: &str| table.get(key).and_then(|it| it.as_table()).cloned();
        let orch = inner(&table, "package").and_then(|it| inner(&it, "metadata"));
        let said = orch.and_then(|it| inner(&it, "orch")).and_then(|it| it.get("wasi").cloned());
        match said {
            None | Some(toml::Value::Boolean(false)) if !wasi => Ok(Self::Lean),
            None | Some(toml::Value::Boolean(_)) => Ok(Self::Wasi),
            Some(found) => Err(TargetError { path, found: found.to_string() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_says_its_target_and_who_builds_it_may_add_wasi() {
        let folder = tempfile::tempdir().unwrap();
        let wanted = |text: &str, wasi| {
            fs::write(folder.path().join("Cargo.toml"), text).unwrap();
            Target::wanted(folder.path(), wasi).map_err(|error| error.to_string())
        };
        let said =
            |value: &str| format!("[package]\nname = \"a\"\n[package.metadata.orch]\nwasi = {value}\n");
        assert_eq!(wanted("[package]\nname = \"a\"\n", false), Ok(Target::Lean));
        assert_eq!(wanted("[package]\nname = \"a\"\n", true), Ok(Target::Wasi));
        assert_eq!(wanted(&said("true"), false), Ok(Target::Wasi));
        assert_eq!(wanted(&said("false"), false), Ok(Target::Lean));
        assert!(wanted(&said("\"yes\""), false).unwrap_err().contains("expected `true` or `false`"));
        assert_eq!(wanted("no toml", false), Ok(Target::Lean));
    }
}
