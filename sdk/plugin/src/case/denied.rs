//! Cases once more, each with a part of what the manifest asks for taken away: an operator may grant less.
//!
//! In -> out: a package, its cases -> [`DeniedTrial`]s.
//! Limits: the first three cases that end in an answer or a failure; parts without which the component could not be linked are left out.
//! Invariant: a plugin that is denied something answers, or fails in words: a trap or a limit is its fault. Certification asks the
//! same with calls of its own.
//! Not here: which parts there are (`orch-trust`'s `Permissions::less`).

use orch_trust::evidence::Compilable;
use orch_trust::interfaces::missing;
use orch_trust::package::PackageBytes;

use super::Case;
use super::expectation::Ending;
use super::run::{RunError, Trial};

const CASES: usize = 3;

/// One call with less.
#[derive(Debug)]
pub struct DeniedTrial {
    /// What was taken away: `files.read`.
    pub without: &'static str,
    /// File name.
    pub case: String,
    /// How it ended, if that is the plugin's fault.
    pub fault: Option<String>,
}

/// Plays the cases with each part of the permissions taken away in turn.
///
/// # Errors
/// Those of [`super::run::call`].
pub fn run(package: &PackageBytes, cases: &[(String, Case)]) -> Result<Vec<DeniedTrial>, RunError> {
    let mut trial = Trial::new(package)?;
    let whole = trial.compiled.clone();
    let manifest = whole.evidence().manifest().clone();
    let imports = whole.evidence().facts().imports.clone();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(RunError::Runtime)?;
    let mut trials = Vec::new();
    for (without, less) in manifest.permissions.less() {
        if missing(&imports, &less).is_some() {
            continue;
        }
        trial.compiled = whole
            .narrowed(&less, manifest.limits)
            .map_err(|excess| RunError::Script(format!("without `{without}`: {excess}")))?;
        for (name, case) in cases.iter().filter(|(_, case)| case.expect.error.is_none()).take(CASES) {
            let (found, _) = runtime.block_on(trial.call(case)).map_err(RunError::Script)?;
            let fault = match found.ending {
                // An answer that the host refuses may be one of too little.
                Ending::Answer(_) | Ending::Failure(_) | Ending::Error("plugin-answer", _) => None,
                Ending::Error(code, message) => Some(format!("{code}: {message}")),
            };
            trials.push(DeniedTrial { without, case: name.clone(), fault });
        }
    }
    Ok(trials)
}
