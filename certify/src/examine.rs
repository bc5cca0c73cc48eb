//! Examination: every required check of a level, run and judged.
//!
//! In -> out: folder and package -> [`Examination`].
//! Invariant: conformance runs only if the static checks passed, else it is `skipped`, and so is the tool's own check
//! when something was refused before it; a verdict is good only if every
//! required check is there once, passed, and looked at something.
//! Not here: signing (`issue.rs`), the list of required checks (`orch-trust`).

use std::path::Path;

use orch_trust::authority::Level;
use orch_trust::certificate::{
    CheckResult, CheckStatus, Measured, RequiredCheck, SelfCheck, Shortfall, required_checks,
};
use orch_trust::facts::Facts;
use orch_trust::inputs::Inputs;
use orch_trust::package::PackageBytes;

use crate::check::{Group, skipped};
use crate::error::CertifyError;
use crate::sandbox::Sandbox;

const SELF_CHECK: &str = "self-check";

/// What the checks said.
#[derive(Clone, Debug)]
pub struct Examination {
    pub level: Level,
    /// Static checks first, then one for each role, the tool's own last.
    pub results: Vec<CheckResult>,
    pub measured: Measured,
    /// None if it was not run or broke off.
    pub self_check: Option<SelfCheck>,
    /// What was looked at beside the package.
    pub inputs: Inputs,
    /// What was required, and is not a `pass`.
    pub unmet: Vec<Unmet>,
}

/// A required check that refuses the package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmet {
    pub check: String,
    /// Its status, or why it does not count.
    pub found: String,
}

/// What an examination comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every required check passed.
    Passed,
    /// The package is refused.
    Refused,
    /// A check broke off, or this tool did not pass its own check; nothing is said of the package.
    Broken,
}

impl Examination {
    pub fn passed(&self) -> bool {
        self.verdict() == Verdict::Passed
    }

    /// What fails outweighs what broke off: trying again does not help.
    pub fn verdict(&self) -> Verdict {
        let broke = |unmet: &Unmet| {
            unmet.check == SELF_CHECK
                || [CheckStatus::Error, CheckStatus::Skipped]
                    .map(CheckStatus::as_str)
                    .contains(&&*unmet.found)
        };
        let own = |result: &CheckResult| {
            result.status == CheckStatus::Error
                || (result.id == SELF_CHECK && result.status == CheckStatus::Fail)
        };
        match self.unmet.is_empty() {
            true => Verdict::Passed,
            false if self.unmet.iter().all(broke) && self.results.iter().any(own) => Verdict::Broken,
            false => Verdict::Refused,
        }
    }
}

/// Runs the checks of that level without telling anybody.
///
/// # Errors
/// As `examine_telling`.
pub fn examine(
    folder: &Path,
    package: &PackageBytes,
    level: Level,
    sandbox: &Sandbox,
) -> Result<Examination, CertifyError> {
    examine_telling(folder, package, level, sandbox, &|_| {})
}

/// Runs the checks of that level. `tell`: called with each result as its group ends.
///
/// # Errors
/// `Place`; `CheckNotAvailable` for level `certified` of a component with another language's engine.
pub fn examine_telling(
    folder: &Path,
    package: &PackageBytes,
    level: Level,
    sandbox: &Sandbox,
    tell: &dyn Fn(&CheckResult),
) -> Result<Examination, CertifyError> {
    if level == Level::Certified
        && let Ok(Facts { engine: Some(engine), .. }) = Facts::derive(&package.component())
    {
        return Err(CertifyError::CheckNotAvailable { engine: engine.name });
    }
    let roles = package.parse_manifest().map(|manifest| manifest.roles.clone()).unwrap_or_default();
    let required = required_checks(level, &roles);
    let (mut results, mut measured, mut self_check) = (Vec::new(), Measured::default(), None);
    let mut inputs = Inputs::default();
    for group in Group::of(level, &roles) {
        let stopped = match group {
            Group::Source | Group::Conformance(_) | Group::Behaviour | Group::SelfCheck => {
                results.iter().find(|result: &&CheckResult| stops(&required, result))
            }
            Group::Package
            | Group::Component
            | Group::Contents
            | Group::Compatibility
            | Group::Dependencies => None,
        };
        if let Some(result) = stopped {
            let why = format!("not run: `{}` is `{}`", result.id, result.status.as_str());
            let not_run: Vec<CheckResult> = group.checks().iter().map(|id| skipped(id, &why)).collect();
            not_run.iter().for_each(tell);
            results.extend(not_run);
            continue;
        }
        let workspace = tempfile::tempdir().map_err(|source| CertifyError::Place { source })?;
        let report = sandbox.run(group, folder, package, workspace.path());
        report.results.iter().for_each(tell);
        results.extend(report.results);
        measured.fuel_max = measured.fuel_max.max(report.measured.fuel_max);
        measured.memory_bytes_max = measured.memory_bytes_max.max(report.measured.memory_bytes_max);
        measured.host_calls_max = measured.host_calls_max.max(report.measured.host_calls_max);
        measured.compile_ms = measured.compile_ms.max(report.measured.compile_ms);
        inputs = together(inputs, report.inputs);
        self_check = self_check.or(report.self_check);
    }
    let unmet = unmet(&required, &results);
    Ok(Examination { level, results, measured, self_check, inputs, unmet })
}

/// What both say; of what they say differently, nothing.
fn together(one: Inputs, other: Inputs) -> Inputs {
    fn same<T: PartialEq>(one: Option<T>, other: Option<T>) -> Option<T> {
        match (one, other) {
            (Some(one), Some(other)) => (one == other).then_some(one),
            (one, other) => one.or(other),
        }
    }
    Inputs {
        cargo_lock_sha256: same(one.cargo_lock_sha256, other.cargo_lock_sha256),
        source_commit: same(one.source_commit, other.source_commit),
        advisory_db: same(one.advisory_db, other.advisory_db),
        known_ids_sha256: same(one.known_ids_sha256, other.known_ids_sha256),
        previous_manifest_sha256: same(one.previous_manifest_sha256, other.previous_manifest_sha256),
        rustc: same(one.rustc, other.rustc),
    }
}

/// True if the plugin is not to be called after this result.
fn stops(required: &[RequiredCheck], result: &CheckResult) -> bool {
    let wanted = required.iter().find(|wanted| wanted.id == result.id);
    wanted.is_none_or(|wanted| wanted.accept(result).is_err())
}

/// Which of the required checks do not count as passed.
pub fn unmet(required: &[RequiredCheck], results: &[CheckResult]) -> Vec<Unmet> {
    let judge = |wanted: &RequiredCheck| {
        let found = results.iter().filter(|result| result.id == wanted.id).collect::<Vec<_>>();
        let found = match found.as_slice() {
            [] => "absent".to_owned(),
            [one] => match wanted.accept(one) {
                Ok(()) => return None,
                Err(Shortfall::Version) => format!("of version {}", one.version),
                Err(Shortfall::Status) => one.status.as_str().to_owned(),
                Err(Shortfall::Empty) => "empty".to_owned(),
                Err(Shortfall::Warnings) => format!("`warn` with {} findings", one.findings.len()),
            },
            [..] => "there twice".to_owned(),
        };
        Some(Unmet { check: wanted.id.clone(), found })
    };
    required.iter().filter_map(judge).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{failed, passed, unfinished};

    #[track_caller]
    fn check(results: &[CheckResult], expected: Option<&str>) {
        let required = [RequiredCheck { id: "memory".to_owned(), version_min: 1, warnings_max: 0 }];
        let found = unmet(&required, results).into_iter().next().map(|unmet| unmet.found);
        assert_eq!(found.as_deref(), expected);
    }

    #[track_caller]
    fn verdict(results: Vec<CheckResult>, expected: Verdict) {
        let list = |ids: &[&str]| {
            let one = |id: &&str| RequiredCheck { id: (*id).to_owned(), version_min: 1, warnings_max: 0 };
            ids.iter().map(one).collect::<Vec<_>>()
        };
        let unmet = unmet(&list(&["memory", "fuzz", "self-check"]), &results);
        let (level, measured) = (Level::Local, Measured::default());
        let examination =
            Examination { level, results, measured, self_check: None, inputs: Inputs::default(), unmet };
        assert_eq!(examination.verdict(), expected, "{:?}", examination.unmet);
        assert_eq!(examination.passed(), expected == Verdict::Passed);
    }

    #[test]
    fn what_fails_outweighs_what_broke_off() {
        let good = |id: &str| passed(id, 1, Vec::new());
        let bad = |id: &str| failed(id, 1, Vec::new());
        let (broke, not_run) = (|id: &str| unfinished(id, "x"), |id: &str| skipped(id, "x"));
        verdict(vec![good("memory"), good("fuzz"), good("self-check")], Verdict::Passed);
        verdict(vec![bad("memory"), not_run("fuzz"), not_run("self-check")], Verdict::Refused);
        verdict(vec![broke("memory"), bad("fuzz"), not_run("self-check")], Verdict::Refused);
        verdict(vec![broke("memory"), not_run("fuzz"), not_run("self-check")], Verdict::Broken);
        verdict(vec![good("memory"), good("fuzz"), bad("self-check")], Verdict::Broken);
        verdict(vec![good("memory"), good("fuzz"), broke("self-check")], Verdict::Broken);
        verdict(vec![good("memory"), broke("fuzz")], Verdict::Broken);
        verdict(vec![broke("memory"), not_run("self-check")], Verdict::Refused);
        verdict(vec![good("memory"), not_run("fuzz"), not_run("self-check")], Verdict::Refused);
        verdict(vec![good("memory"), passed("fuzz", 0, Vec::new()), broke("self-check")], Verdict::Refused);
    }

    #[test]
    fn only_one_pass_that_looked_at_something_counts() {
        let good = passed("memory", 1, Vec::new());
        check(std::slice::from_ref(&good), None);
        check(&[], Some("absent"));
        check(&[passed("memory", 0, Vec::new())], Some("empty"));
        check(&[failed("memory", 1, Vec::new())], Some("fail"));
        check(&[unfinished("memory", "x")], Some("error"));
        check(&[skipped("memory", "x")], Some("skipped"));
        check(&[good.clone(), good.clone()], Some("there twice"));
        check(&[CheckResult { version: 0, ..good.clone() }], Some("of version 0"));
        check(&[CheckResult { id: "memories".to_owned(), ..good }], Some("absent"));
    }
}
