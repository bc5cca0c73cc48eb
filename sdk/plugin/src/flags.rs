//! Flags for the compiler that a project's own `.cargo/config.toml` asks for.
//!
//! In -> out: a project in its workspace -> flags, the outermost file's first.
//! Invariant: only files among the sources count, so that who builds these again has the same flags; what would be left out
//! silently is refused by name.
//! Not here: flags of the shell, which are left out and named (`build.rs`).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::target::Target;

const FILES: [&str; 2] = [".cargo/config.toml", ".cargo/config"];

/// Why a project's flags are not known.
#[derive(Debug, thiserror::Error)]
pub enum FlagsError {
    #[error("cannot read `{path}`")]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("`{path}` is not TOML")]
    Form {
        path: PathBuf,
        #[source]
        source: Box<toml::de::Error>,
    },
    #[error("`{path}` has flags in `{key}`, which plugins are not built with")]
    Key { path: PathBuf, key: String },
}

impl FlagsError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "flags-io",
            Self::Form { .. } => "flags-form",
            Self::Key { .. } => "flags-key",
        }
    }

    /// What the author can do about it.
    pub fn hint(&self, target: Target) -> Option<String> {
        let Self::Key { .. } = self else { return None };
        let name = target.as_str();
        Some(format!(
            "write them as a list of texts: `[target.{name}]` with `rustflags = [\"--cfg\", \"x\"]`"
        ))
    }
}

/// The flags, as cargo takes them: those of the target if there are any, else those of `build`.
///
/// # Errors
/// `Key`: flags for a condition (`target.'cfg(..)'`), or in no form that cargo takes.
pub fn of_project(project: &Path, workspace: &Path, target: Target) -> Result<Vec<String>, FlagsError> {
    let inside = project.ancestors().take_while(|folder| folder.starts_with(workspace));
    let folders: Vec<&Path> = inside.collect();
    let (mut general, mut own) = (Vec::new(), Vec::new());
    for folder in folders.into_iter().rev() {
        let Some(path) = FILES.iter().map(|name| folder.join(name)).find(|path| path.is_file()) else {
            continue;
        };
        let text =
            fs::read_to_string(&path).map_err(|source| FlagsError::Io { path: path.clone(), source })?;
        let form = |source| FlagsError::Form { path: path.clone(), source: Box::new(source) };
        let config: toml::Table = text.parse().map_err(form)?;
        if let Some(build) = config.get("build").and_then(toml::Value::as_table) {
            general.extend(list(&path, "build", build)?);
        }
        let targets = config.get("target").and_then(toml::Value::as_table).into_iter().flatten();
        for (name, table) in targets {
            let Some(table) = table.as_table().filter(|table| table.contains_key("rustflags")) else {
                continue;
            };
            if name == target.as_str() {
                own.extend(list(&path, &format!("target.{name}"), table)?);
            } else if name.starts_with("cfg(") {
                return Err(FlagsError::Key { path, key: format!("target.'{name}'.rustflags") });
            }
        }
    }
    Ok(if own.is_empty() { general } else { own })
}

/// One text with spaces, or a list of texts.
fn list(path: &Path, key: &str, table: &toml::Table) -> Result<Vec<String>, FlagsError> {
    let wrong = || FlagsError::Key { path: path.to_owned(), key: format!("{key}.rustflags") };
    match table.get("rustflags") {
        None => Ok(Vec::new()),
        Some(toml::Value::String(text)) => Ok(text.split_whitespace().map(str::to_owned).collect()),
        Some(toml::Value::Array(list)) => {
            list.iter().map(|flag| flag.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
        }
        Some(_) => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(outer: &str, inner: &str, expected: Result<&[&str], &str>) {
        let top = tempfile::tempdir().unwrap();
        let project = top.path().join("member");
        for (folder, text) in [(top.path(), outer), (&*project, inner)] {
            fs::create_dir_all(folder.join(".cargo")).unwrap();
            fs::write(folder.join(".cargo/config.toml"), text).unwrap();
        }
        let found = of_project(&project, top.path(), Target::Lean);
        let expected = expected.map(|flags| flags.iter().map(|flag| (*flag).to_owned()).collect::<Vec<_>>());
        assert_eq!(found.map_err(|error| error.code()), expected, "{outer} {inner}");
    }

    #[test]
    fn flags_of_the_sources_are_kept_as_cargo_reads_them() {
        let own = "[target.wasm32-unknown-unknown]\nrustflags = [\"--cfg\", \"a\"]\n";
        check("", own, Ok(&["--cfg", "a"]));
        check("[build]\nrustflags = \"-C x\"\n", "", Ok(&["-C", "x"]));
        check("[build]\nrustflags = \"-C x\"\n", own, Ok(&["--cfg", "a"]));
        check(own, "[target.wasm32-unknown-unknown]\nrustflags = \"-b\"", Ok(&["--cfg", "a", "-b"]));
        check("[target.x86_64-unknown-linux-gnu]\nrustflags = [\"-c\"]", "", Ok(&[]));
        check("[build]\njobs = 1\n[target.'cfg(unix)']\nrunner = \"x\"\n", "", Ok(&[]));
    }

    #[test]
    fn flags_that_would_be_left_out_are_refused() {
        check("[target.'cfg(all())']\nrustflags = [\"-c\"]", "", Err("flags-key"));
        check("[build]\nrustflags = 1", "", Err("flags-key"));
        check("[build]\nrustflags = [1]", "", Err("flags-key"));
        check("[build", "", Err("flags-form"));
    }
}
