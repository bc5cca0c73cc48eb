//! An author's test of a finished component: a call, the host's answers, what must come back.
//!
//! In -> out: `cases/*.json`, and the recordings that they name -> [`Case`]s.
//! Limits: 4 MiB a file.
//! Invariant: unknown fields are refused, so that a misspelt expectation is no expectation that always holds.
//! Not here: what the host has and answers (`script.rs`, `exchange.rs`), calls (`call.rs` and a file for each role), running them
//! (`run.rs`), comparing (`expectation.rs`), making recordings (`recording.rs`).

pub mod auditor;
mod call;
mod embed;
mod exchange;
pub mod executor;
pub mod expectation;
pub mod guard;
mod llm;
pub mod planner;
mod provider;
mod question;
pub mod recording;
pub mod reflector;
mod retrieve;
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
    #[error("no case has `{filter}` in its file's name or in `about`")]
    Filtered { filter: String },
    #[error("no `*.json` in `{folder}`")]
    None { folder: PathBuf },
    #[error("cannot write `{path}`")]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("`{case}` has {why}")]
    Recording { case: String, why: String },
    #[error("`{case}` has the recording `{recording}`, and there is none")]
    Unrecorded { case: String, recording: String },
}

impl CaseError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "case-io",
            Self::TooLarge { .. } => "case-too-large",
            Self::Form { .. } => "case-form",
            Self::Filtered { .. } => "case-filter",
            Self::None { .. } => "case-none",
            Self::Write { .. } => "case-write",
            Self::Recording { .. } => "case-recording",
            Self::Unrecorded { .. } => "case-unrecorded",
        }
    }
}

impl CaseError {
    /// What the author can do about it, if anything.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unrecorded { .. } => {
                "`orch-plugin test --record HOST:PORT` makes its requests and writes what is answered".to_owned()
            }
            Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                "is this a plugin's project? `orch-plugin new NAME` makes one, `orch-plugin test FOLDER` tests another"
                    .to_owned()
            }
            Self::Form { .. } => "`docs/authoring.md` says what a case may have".to_owned(),
            _ => return None,
        })
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

/// Whose answers a case with a recording gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// Those of the recording, which must be there.
    Recorded,
    /// New ones.
    Real,
}

/// File name and case, sorted by name.
///
/// # Errors
/// `None`: there is no case, which is not the same as all cases holding.
pub fn read_all(folder: &Path, answers: Answers) -> Result<Vec<(String, Case)>, CaseError> {
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
    let mut cases: Vec<(String, Case)> = Vec::new();
    for name in names {
        let mut case: Case = read(&folder.join(&name))?;
        if let Some(recording) = case.host.recording.clone() {
            let wrong = |why: String| CaseError::Recording { case: name.clone(), why };
            let other = cases.iter().find(|(_, other)| other.host.recording.as_ref() == Some(&recording));
            if let Some((other, _)) = other {
                return Err(wrong(format!("the recording of `{other}`, expected one of its own")));
            }
            if !case.host.http.is_empty() {
                return Err(wrong("`http` and a recording, expected one of them".to_owned()));
            }
            // Beside it would be a case.
            if !script::is_inside(&recording) || !recording.contains('/') || !recording.ends_with(".json") {
                let expected = "expected the path of a `.json` in a folder below the cases";
                return Err(wrong(format!("the recording `{recording}`, {expected}")));
            }
            if answers == Answers::Recorded {
                case.host.http = read(&folder.join(&recording)).map_err(|error| match error {
                    CaseError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                        CaseError::Unrecorded { case: name.clone(), recording }
                    }
                    other => other,
                })?;
            }
        }
        cases.push((name, case));
    }
    Ok(cases)
}

/// The cases with that text in their file's name or in `about`.
///
/// # Errors
/// `Filtered`: there is none, which is not the same as all cases holding.
pub fn filtered(cases: Vec<(String, Case)>, filter: &str) -> Result<Vec<(String, Case)>, CaseError> {
    let has = |(name, case): &(String, Case)| name.contains(filter) || case.about.contains(filter);
    let kept: Vec<_> = cases.into_iter().filter(has).collect();
    match kept.is_empty() {
        true => Err(CaseError::Filtered { filter: filter.to_owned() }),
        false => Ok(kept),
    }
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, CaseError> {
    let io = |source| CaseError::Io { path: path.to_owned(), source };
    let found_bytes = fs::metadata(path).map_err(io)?.len();
    if found_bytes > CASE_BYTES_MAX {
        return Err(CaseError::TooLarge { path: path.to_owned(), found_bytes });
    }
    let bytes = fs::read(path).map_err(io)?;
    serde_json::from_slice(&bytes).map_err(|source| CaseError::Form { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(files: &[(&str, &str)]) -> Result<usize, CaseError> {
        let folder = tempfile::tempdir().unwrap();
        files.iter().for_each(|(name, text)| fs::write(folder.path().join(name), text).unwrap());
        read_all(folder.path(), Answers::Recorded).map(|cases| cases.len())
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

    #[test]
    fn a_recording_is_a_file_of_its_own_below_the_cases() {
        let case = |host: &str| {
            format!(
                r#"{{"about": "it", "call": {{"reflect": {{}}}}, "host": {host}, "expect": {{"answer": []}}}}"#
            )
        };
        let recorded = |path: &str| case(&format!(r#"{{"recording": "{path}"}}"#));
        let missing = code(&[("a.json", &recorded("recorded/a.json"))]);
        assert!(matches!(&missing, Err(CaseError::Unrecorded { .. })), "{missing:?}");
        assert!(missing.unwrap_err().hint().unwrap().contains("--record"));
        for wrong in ["../a.json", "/a.json", "b.json", "recorded/../../a.json", "recorded/a.txt", ""] {
            let refused = code(&[("a.json", &recorded(wrong))]);
            assert!(matches!(&refused, Err(CaseError::Recording { .. })), "{wrong}: {refused:?}");
        }
        let both = case(r#"{"recording": "recorded/a.json", "http": [{"fault": "dns"}]}"#);
        assert!(matches!(code(&[("a.json", &both)]), Err(CaseError::Recording { .. })));
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.json", "b.json"] {
            fs::write(folder.path().join(name), recorded("recorded/a.json")).unwrap();
        }
        let shared = read_all(folder.path(), Answers::Real);
        assert!(matches!(&shared, Err(CaseError::Recording { .. })), "{shared:?}");
        fs::remove_file(folder.path().join("b.json")).unwrap();
        assert_eq!(read_all(folder.path(), Answers::Real).unwrap().len(), 1);
        fs::create_dir(folder.path().join("recorded")).unwrap();
        fs::write(folder.path().join("recorded/a.json"), r#"[{"fault": "dns"}]"#).unwrap();
        let read = read_all(folder.path(), Answers::Recorded).unwrap();
        assert_eq!(read[0].1.host.http.len(), 1);
    }
}
