//! An author's test of a finished component: a call, the host's answers, what must come back.
//!
//! In -> out: `cases/*.json` -> [`Case`]s.
//! Limits: 4 MiB a file.
//! Invariant: unknown fields are refused, so that a misspelt expectation is no expectation that always holds.
//! Not here: what the host has and answers (`script.rs`, `exchange.rs`), calls (`call.rs` and a file for each role), running them
//! (`run.rs`), comparing (`expectation.rs`).

pub mod auditor;
mod call;
mod exchange;
pub mod executor;
pub mod expectation;
pub mod guard;
pub mod planner;
mod provider;
mod question;
pub mod reflector;
pub mod run;
mod script;
pub mod service;
pub mod verifier;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

pub use call::Call;
pub use expectation::Expectation;
pub use script::Script;

const CASE_BYTES_MAX: u64 = 4 << 20;

/// Why the cases were not read.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    #[error("cannot read `{path}`")]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("`{path}` is {found_bytes} bytes, limit is {CASE_BYTES_MAX}")]
    TooLarge { path: PathBuf, found_bytes: u64 },
    #[error("`{path}` is no case")]
    Form {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
    #[error("no `*.json` in `{folder}`")]
    None { folder: PathBuf },
}

impl CaseError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "case-io",
            Self::TooLarge { .. } => "case-too-large",
            Self::Form { .. } => "case-form",
            Self::None { .. } => "case-none",
        }
    }
}

/// One test.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// A sentence: what must be so.
    pub about: String,
    pub call: Call,
    /// What the host has and answers.
    #[serde(default)]
    pub host: Script,
    pub expect: Expectation,
}

/// File name and case, sorted by name.
///
/// # Errors
/// `None`: there is no case, which is not the same as all cases holding.
pub fn read_all(folder: &Path) -> Result<Vec<(String, Case)>, CaseError> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| CaseError::Io { path, source }
    };
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(at(folder))? {
        let name = entry.map_err(at(folder))?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".json") {
            names.push(name);
        }
    }
    names.sort();
    if names.is_empty() {
        return Err(CaseError::None { folder: folder.to_owned() });
    }
    let read = |name: String| {
        let path = folder.join(&name);
        let found_bytes = fs::metadata(&path).map_err(at(&path))?.len();
        if found_bytes > CASE_BYTES_MAX {
            return Err(CaseError::TooLarge { path, found_bytes });
        }
        let bytes = fs::read(&path).map_err(at(&path))?;
        let case = serde_json::from_slice(&bytes).map_err(|source| CaseError::Form { path, source })?;
        Ok((name, case))
    };
    names.into_iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(files: &[(&str, &str)]) -> Result<usize, CaseError> {
        let folder = tempfile::tempdir().unwrap();
        files.iter().for_each(|(name, text)| fs::write(folder.path().join(name), text).unwrap());
        read_all(folder.path()).map(|cases| cases.len())
    }

    #[test]
    fn reads_every_case_and_refuses_what_it_does_not_know() {
        let good = r#"{"about": "it", "call": {"reflect": {}}, "expect": {"answer": []}}"#;
        assert_eq!(code(&[("a.json", good), ("b.json", good), ("c.txt", "no")]).unwrap(), 2);
        assert!(matches!(code(&[]), Err(CaseError::None { .. })));
        let misspelt = good.replace("answer", "anwser");
        assert!(matches!(code(&[("a.json", &misspelt)]), Err(CaseError::Form { .. })));
        let other = good.replace("reflect", "dream");
        assert!(matches!(code(&[("a.json", &other)]), Err(CaseError::Form { .. })));
    }
}
