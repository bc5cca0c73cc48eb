//! An author's test of a finished component: a call, the host's answers, what must come back.
//!
//! In -> out: `cases/*.json`, and the recordings that they name -> [`Case`]s.
//! Limits: 4 MiB a file.
//! Invariant: unknown fields are refused, so that a misspelt expectation is no expectation that always holds.
//! Not here: what the host has and answers (`script.rs`, `exchange.rs`), bytes (`content.rs`), calls (`call.rs` and a file for each role), running them
//! (`run.rs`, with less than is asked for `denied.rs`), comparing (`expectation.rs`), making recordings (`recording.rs`).

pub mod auditor;
mod call;
mod content;
pub mod denied;
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
mod scripted_model;
pub mod service;
pub mod verifier;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::authored;
pub use call::Call;
pub use expectation::Expectation;
pub use script::Script;

const CASE_BYTES_MAX: u64 = 4 << 20;
/// What a case may have, as JSON Schema: for editors, and for the keys that a case is refused for.
pub const SCHEMA: &str = include_str!("../case.schema.json");
/// Where a new project has it.
pub const SCHEMA_FILE: &str = "orch/case.schema.json";

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
    #[error("`{path}` has the key `{found}` at `{place}`, which no case has")]
    Key { path: PathBuf, place: String, found: String, meant: Option<String> },
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
            Self::Key { .. } => "case-key",
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
            Self::Filtered { .. } => "without `--filter` every case is named".to_owned(),
            Self::Key { meant: Some(meant), .. } => format!("is `{meant}` meant?"),
            Self::Form { .. } | Self::Key { .. } => {
                format!("`{SCHEMA_FILE}` of a new project has all that a case may have, for editors too")
            }
            _ => return None,
        })
    }
}

/// One test.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// For editors: where [`SCHEMA`] lies.
    #[serde(rename = "$schema")]
    pub schema: Option<String>,
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
    let schema: Value = serde_json::from_str(SCHEMA).unwrap_or_default();
    let mut cases: Vec<(String, Case)> = Vec::new();
    for name in names {
        let path = folder.join(&name);
        check_keys(&path, &schema)?;
        let mut case: Case = read(&path)?;
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

/// Succeeds if each object has only keys that cases have there, those of tasks too.
fn check_keys(path: &Path, schema: &Value) -> Result<(), CaseError> {
    let written: Value = read(path)?;
    match authored::unknown_key(&written, schema, schema, "") {
        None => Ok(()),
        Some((place, found, meant)) => {
            Err(CaseError::Key { path: path.to_owned(), place: authored::named(&place), found, meant })
        }
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
        let edited = good.replace("\"about\"", "\"$schema\": \"../orch/case.schema.json\", \"about\"");
        assert_eq!(code(&[("a.json", &edited)]).unwrap(), 1);
        let key = |text: &str| match code(&[("a.json", text)]) {
            Err(CaseError::Key { place, found, meant, .. }) => (place, found, meant),
            other => panic!("{other:?}"),
        };
        let said = |place: &str, found: &str, meant: Option<&str>| {
            (place.to_owned(), found.to_owned(), meant.map(str::to_owned))
        };
        assert_eq!(key(&good.replace("answer", "anwser")), said("/expect", "anwser", Some("answer")));
        assert_eq!(key(&good.replace("reflect", "dreams")), said("/call", "dreams", None));
        let task = good.replace(
            "\"reflect\": {}",
            r#""execute": {"task": {"id": "a", "kind": "b", "descripton": "c"}}"#,
        );
        assert_eq!(key(&task), said("/call/execute/task", "descripton", Some("description")));
        let wrong = good.replace("\"it\"", "1");
        assert!(matches!(code(&[("a.json", &wrong)]), Err(CaseError::Form { .. })));
    }

    /// Every case of the project's own plugins and templates.
    fn own_cases() -> Vec<PathBuf> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut found = Vec::new();
        for parent in ["plugins", "sdk/templates"] {
            for plugin in fs::read_dir(root.join(parent)).unwrap() {
                let Ok(cases) = fs::read_dir(plugin.unwrap().path().join("cases")) else { continue };
                let paths = cases.map(|entry| entry.unwrap().path());
                found.extend(paths.filter(|path| path.extension().is_some_and(|it| it == "json")));
            }
        }
        assert!(found.len() > 50, "{found:?}");
        found
    }

    /// Every object of a value, by its place.
    fn objects(value: &Value, place: String, out: &mut Vec<String>) {
        match value {
            Value::Object(inner) => {
                out.push(place.clone());
                inner.iter().for_each(|(key, value)| {
                    objects(value, format!("{place}/{}", key.replace('/', "~1")), out)
                });
            }
            Value::Array(inner) => {
                inner
                    .iter()
                    .enumerate()
                    .for_each(|(nth, value)| objects(value, format!("{place}/{nth}"), out));
            }
            _ => {}
        }
    }

    /// What editors say of a case is what the reader says: with a key more, or one less, at each place of every case.
    #[test]
    fn the_schema_says_what_the_reader_says() {
        let schema: Value = serde_json::from_str(SCHEMA).unwrap();
        let judge = jsonschema::validator_for(&schema).unwrap();
        let (mut refused, mut tried) = (0, 0);
        for path in own_cases() {
            let text = fs::read_to_string(&path).unwrap().replace("{{name}}", "name");
            let case: Value = serde_json::from_str(&text).unwrap();
            let said: Vec<String> = judge
                .iter_errors(&case)
                .map(|error| format!("{error} at {}", error.instance_path()))
                .collect();
            assert!(said.is_empty(), "{}: {said:?}", path.display());
            let reads = |case: &Value| {
                authored::unknown_key(case, &schema, &schema, "").is_none()
                    && serde_json::from_value::<Case>(case.clone()).is_ok()
            };
            assert!(reads(&case), "{}", path.display());
            let mut places = Vec::new();
            objects(&case, String::new(), &mut places);
            for place in places {
                let mut changed = vec![case.clone()];
                changed[0].pointer_mut(&place).unwrap()["unknown-to-all"] = true.into();
                let keys: Vec<String> =
                    case.pointer(&place).unwrap().as_object().unwrap().keys().cloned().collect();
                for key in keys {
                    let mut less = case.clone();
                    less.pointer_mut(&place).unwrap().as_object_mut().unwrap().remove(&key);
                    changed.push(less);
                }
                for changed in changed {
                    tried += 1;
                    let valid = judge.is_valid(&changed);
                    refused += usize::from(!valid);
                    // How many endings are expected is for the run to say, and models are judged by their own reader.
                    if !place.starts_with("/expect")
                        && !place.contains("models")
                        && !place.contains("ask-model")
                    {
                        assert_eq!(valid, reads(&changed), "{} at `{place}`: {changed}", path.display());
                    }
                }
            }
        }
        assert!(refused > 200 && tried > refused, "{refused} of {tried}");
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
