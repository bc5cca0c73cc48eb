//! Running cases: the component as a `Candidate`, in the sandbox that hosts use.
//!
//! In -> out: a package and its cases -> one [`CaseResult`] each.
//! Limits: the manifest's own, and 60 s of wall time a call.
//! Invariant: a fresh instance, host and folder for each case; signatures are not asked for, everything else is.
//! Not here: the calls (`call.rs`), the cases' form (`case.rs`), certification (`orch-certify`).

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use orch_host::capability::log::LogLevel;
use orch_host::capability::secrets::leaks::Leaks;
use orch_host::engine::{CompileError, Compiled, Engine, EngineError};
use orch_trust::evidence::{Candidate, Compilable};
use orch_trust::package::PackageBytes;
use orch_trust::refusal::Refusal;
use serde_json::{Map, Value};

use super::content::shown;
use super::exchange;
use super::expectation::Found;
use super::question::Given;
use super::recording::{Recorded, Recording, RecordingError};
use super::script::is_inside;
use super::scripted_model;
use super::{Call, Case, Expectation, Script};
use crate::authored;

const WALL_MS_MAX: u32 = 60_000;

/// Why no case was run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("the package would be refused")]
    Refused(#[source] Box<Refusal>),
    #[error("the component does not compile")]
    Compile(#[from] CompileError),
    #[error("no engine for the tests")]
    Engine(#[from] EngineError),
    #[error("no runtime for the tests")]
    Runtime(#[source] std::io::Error),
    #[error("{0}")]
    Script(String),
    #[error(transparent)]
    Recording(#[from] RecordingError),
}

impl RunError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::Compile(error) => error.code(),
            Self::Engine(_) => "case-engine",
            Self::Runtime(_) => "case-runtime",
            Self::Script(_) => "case-script",
            Self::Recording(error) => error.code(),
        }
    }

    /// What the author can do about it, if anything.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Refused(refusal) => authored::line_for(refusal).or_else(|| refusal.hint()),
            _ => None,
        }
    }
}

/// What came of one case.
#[derive(Debug)]
pub struct CaseResult {
    /// File name.
    pub name: String,
    pub about: String,
    /// None: it holds.
    pub differences: Vec<String>,
    /// What it logged.
    pub log: Vec<String>,
    /// What was answered, to be written; also of a case that does not hold.
    pub recorded: Option<Recorded>,
}

/// Runs the cases, one after the other. With a `recording` those that name a file for it make their requests.
///
/// # Errors
/// `Refused`: a host would not take the package even if it were signed and certified.
pub fn run(
    package: &PackageBytes,
    cases: &[(String, Case)],
    recording: Option<&Recording>,
) -> Result<Vec<CaseResult>, RunError> {
    let mut trial = Trial::new(package)?;
    if let Some(recording) = recording {
        let manifest = trial.compiled.evidence().manifest();
        let permissions = recording.permissions(manifest)?;
        let narrowed =
            trial.compiled.narrowed(&permissions, manifest.limits).map_err(RecordingError::Excess)?;
        trial.real = Some(Real { recording, leaks: recording.leaks(manifest)?, compiled: narrowed });
    }
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(RunError::Runtime)?;
    let results = cases.iter().map(|(name, case)| {
        let (differences, log, recorded) = match runtime.block_on(trial.call(case)) {
            Ok((found, recorded)) => (case.expect.differences(&found), found.log, recorded),
            Err(why) => (vec![why], Vec::new(), None),
        };
        CaseResult { name: name.clone(), about: case.about.clone(), differences, log, recorded }
    });
    Ok(results.collect())
}

/// Makes one call, with what its host has.
///
/// # Errors
/// `Refused`: a host would not take the package. `Script`: what its host has cannot be made.
pub fn call(package: &PackageBytes, call: Call, host: Script) -> Result<Found, RunError> {
    let trial = Trial::new(package)?;
    let case = Case { schema: None, about: String::new(), call, host, expect: Expectation::default() };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(RunError::Runtime)?;
    let (found, _) = runtime.block_on(trial.call(&case)).map_err(RunError::Script)?;
    Ok(found)
}

pub(super) struct Trial<'a> {
    engine: Engine,
    pub(super) compiled: Compiled<Candidate>,
    real: Option<Real<'a>>,
    wall: Duration,
}

/// For cases whose requests are made.
struct Real<'a> {
    recording: &'a Recording,
    /// With the hosts that were named.
    compiled: Compiled<Candidate>,
    leaks: Leaks,
}

impl Trial<'_> {
    /// Of a package that a host would take, with nothing real behind it.
    pub(super) fn new(package: &PackageBytes) -> Result<Self, RunError> {
        let candidate =
            Candidate::examine(package).map_err(|refusal| RunError::Refused(Box::new(refusal)))?;
        let wall = Duration::from_millis(candidate.manifest().limits.wall_ms.min(WALL_MS_MAX).into());
        let engine = Engine::certification()?;
        let compiled = engine.compile(candidate)?;
        Ok(Self { engine, compiled, real: None, wall })
    }

    /// What came of the case's call, and what is to be written of it; an error says why there was none.
    pub(super) async fn call(&self, case: &Case) -> Result<(Found, Option<Recorded>), String> {
        let none = |error: std::io::Error| format!("no folder for the case: {error}");
        let folder = tempfile::tempdir().map_err(none)?;
        let workspace = folder.path().canonicalize().map_err(none)?;
        case.host.write_files(&workspace)?;
        let written = workspace.clone();
        let (fakes, settings) = (case.host.fakes(), case.host.settings());
        let real = self.real.as_ref().zip(case.host.recording.as_ref());
        let recorder = real.map(|(real, _)| real.recording.recorder());
        let (compiled, context) = match (real, &recorder) {
            (Some((real, _)), Some(recorder)) => {
                let (recorder, secrets) = (recorder.clone(), real.recording.secrets());
                let context = fakes.recording_context(workspace, &settings, self.wall, recorder, secrets);
                (&real.compiled, context)
            }
            _ => (&self.compiled, fakes.context(workspace, &settings, self.wall)),
        };
        let given = Given { engine: &self.engine, compiled: compiled.clone(), context, script: &case.host };
        let found = case.call.make(given).await;
        let log = fakes.log().lines().into_iter().map(line).collect();
        let mut unscripted = fakes.processes().differences();
        unscripted.extend(scripted_model::differences(&case.host.models, &fakes.llm().asked()));
        let mut recorded = None;
        match (real, recorder) {
            // What is refused here is no part of what is recorded, and would be let through by every other test.
            (Some(_), Some(_)) if found.denied != case.expect.denied => {
                unscripted.push(
                    "nothing is recorded: something was denied that the case does not expect".to_owned(),
                );
            }
            (Some((real, file)), Some(recorder)) => match Recorded::of(file, &recorder, &real.leaks) {
                Ok(file) => recorded = Some(file),
                Err(why) => unscripted.push(why.to_string()),
            },
            _ => unscripted.extend(exchange::differences(&case.host.http, &fakes.http().requests())),
        }
        let files = files_after(&written, case.expect.files.keys())?;
        Ok((Found { log, files, unscripted, ..found }, recorded))
    }
}

/// What is in these files as they are now; what is none has null. An error says which path leads elsewhere.
fn files_after<'a>(workspace: &Path, paths: impl Iterator<Item = &'a String>) -> Result<Value, String> {
    let mut files = Map::new();
    for path in paths {
        if !is_inside(path) {
            return Err(format!("`{path}` of the expected `files` is not inside the workspace"));
        }
        let text = match std::fs::read(workspace.join(path)) {
            Ok(bytes) => shown(bytes),
            Err(error) if error.kind() == ErrorKind::NotFound => Value::Null,
            // A folder is no text; that it is there is a difference from null too.
            Err(error) => Value::from(format!("({error})")),
        };
        files.insert(path.clone(), text);
    }
    Ok(Value::Object(files))
}

/// A line as an expectation writes it.
fn line((level, text): (LogLevel, String)) -> String {
    let level = match level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
    };
    format!("{level}: {text}")
}
