//! Running cases: the component as a `Candidate`, in the sandbox that hosts use.
//!
//! In -> out: a package and its cases -> one [`CaseResult`] each.
//! Limits: the manifest's own, and 60 s of wall time a call.
//! Invariant: a fresh instance, host and folder for each case; signatures are not asked for, everything else is.
//! Not here: the calls (`call.rs`), the cases' form (`case.rs`), certification (`orch-certify`).

use std::time::Duration;

use orch_host::capability::log::LogLevel;
use orch_host::engine::{CompileError, Compiled, Engine, EngineError};
use orch_trust::evidence::{Candidate, Compilable};
use orch_trust::package::PackageBytes;
use orch_trust::refusal::Refusal;

use super::Case;
use super::exchange;
use super::expectation::Found;
use super::question::Given;

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
}

impl RunError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::Compile(error) => error.code(),
            Self::Engine(_) => "case-engine",
            Self::Runtime(_) => "case-runtime",
        }
    }

    /// What the author can do about it, if anything.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Refused(refusal) => refusal.hint(),
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
}

/// Runs the cases, one after the other.
///
/// # Errors
/// `Refused`: a host would not take the package even if it were signed and certified.
pub fn run(package: &PackageBytes, cases: &[(String, Case)]) -> Result<Vec<CaseResult>, RunError> {
    let candidate = Candidate::examine(package).map_err(|refusal| RunError::Refused(Box::new(refusal)))?;
    let wall_ms = candidate.manifest().limits.wall_ms.min(WALL_MS_MAX);
    let engine = Engine::certification()?;
    let compiled = engine.compile(candidate)?;
    let trial = Trial { engine, compiled, wall: Duration::from_millis(wall_ms.into()) };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(RunError::Runtime)?;
    let results = cases.iter().map(|(name, case)| {
        let differences = match runtime.block_on(trial.call(case)) {
            Ok(found) => case.expect.differences(&found),
            Err(why) => vec![why],
        };
        CaseResult { name: name.clone(), about: case.about.clone(), differences }
    });
    Ok(results.collect())
}

struct Trial {
    engine: Engine,
    compiled: Compiled<Candidate>,
    wall: Duration,
}

impl Trial {
    /// What came of the case's call; an error says why there was none.
    async fn call(&self, case: &Case) -> Result<Found, String> {
        let none = |error: std::io::Error| format!("no folder for the case: {error}");
        let folder = tempfile::tempdir().map_err(none)?;
        let workspace = folder.path().canonicalize().map_err(none)?;
        case.host.write_files(&workspace)?;
        let fakes = case.host.fakes();
        let context = fakes.context(workspace, &case.host.settings(), self.wall);
        let (engine, compiled) = (&self.engine, self.compiled.clone());
        let found = case.call.make(Given { engine, compiled, context, script: &case.host }).await;
        let log = fakes.log().lines().into_iter().map(line).collect();
        let mut unscripted = fakes.processes().differences();
        unscripted.extend(exchange::differences(&case.host.http, &fakes.http().requests()));
        Ok(Found { log, unscripted, ..found })
    }
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
