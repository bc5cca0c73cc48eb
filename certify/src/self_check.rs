//! Check `self-check`: packages that are known to be bad are refused, each by the check that is there for it.
//!
//! In -> out: an empty folder, how a group is run -> result, and how many were refused. Looks at one package for each
//! recipe, and one input for each check that needs something from outside.
//! Invariant: refused means that very check is `fail`, or `warn` beyond its budget, with its code, and every check
//! before it in its group passed; a package that could not be made is an `error`, never counted as refused.
//! Not here: the packages (`self_check/recipes.rs`), the inputs (`parts.rs`), the process around it (`sandbox.rs`).

mod error;
pub mod guest;
mod parts;
mod recipe;
mod recipes;
mod sample;

use std::path::{Path, PathBuf};

use orch_trust::authority::Level;
use orch_trust::certificate::{CheckResult, CheckStatus, RequiredCheck, SelfCheck, required_checks};
use orch_trust::digest::Sha256Digest;
use orch_trust::manifest::Role;
use orch_trust::package::PackageBytes;

use crate::check::{Beside, Group, GroupReport, judged, timed, unfinished};
use error::RecipeError;
use parts::{Judged, PARTS, Part};
use recipes::RECIPES;
use sample::Samples;

const ID: &str = "self-check";

/// How a group of checks is run on a package, at least up to the last that is named.
pub type RunGroup<'a> = &'a dyn Fn(Group, &PackageBytes, &Beside, &Path, Option<&str>) -> GroupReport;

/// Has every known-bad package refused.
pub fn run(workspace: &Path, run_group: RunGroup<'_>) -> (CheckResult, Option<SelfCheck>) {
    run_judging(workspace, run_group, &|part, samples, folder| (part.judge)(samples, folder))
}

/// How a part is judged.
type JudgePart<'a> = &'a dyn Fn(&Part, &Samples, &Path) -> Result<Judged, RecipeError>;

fn run_judging(
    workspace: &Path,
    run_group: RunGroup<'_>,
    judge_part: JudgePart<'_>,
) -> (CheckResult, Option<SelfCheck>) {
    let mut counted = None;
    let result = timed(|| match refuse_all(workspace, run_group, judge_part) {
        Ok((self_check, missed)) => {
            counted = Some(self_check);
            judged(ID, self_check.of, missed)
        }
        Err(why) => unfinished(ID, &why),
    });
    (result, counted)
}

fn refuse_all(
    workspace: &Path,
    run_group: RunGroup<'_>,
    judge_part: JudgePart<'_>,
) -> Result<(SelfCheck, Vec<String>), String> {
    let samples = Samples::default();
    let required = required_checks(Level::Certified, &Role::ALL);
    let (mut corpus, mut missed) = (String::new(), Vec::new());
    for (recipe, place) in RECIPES.iter().zip(0_u32..) {
        let broken = |what: String| format!("recipe for `{}`: {what}", recipe.check);
        let package = recipe.make(&samples).map_err(|error| broken(error.to_string()))?;
        for (name, _, digest) in package.list() {
            corpus.push_str(&format!("{} {} {name} {digest}\n", recipe.check, recipe.code));
        }
        let group = group_of(recipe.check).ok_or_else(|| broken("no group has this check".to_owned()))?;
        let folder = make_folder(workspace, &place.to_string()).map_err(broken)?;
        let beside = recipe.beside(&samples, &folder).map_err(|error| broken(error.to_string()))?;
        let report = run_group(group, &package, &beside, &folder, Some(recipe.check));
        missed.extend(miss((recipe.check, recipe.code), &required, &report.results));
    }
    for part in PARTS {
        let broken = |what: String| format!("recipe for `{}`: {what}", part.check);
        let folder = make_folder(workspace, part.check).map_err(broken)?;
        let judged = judge_part(part, &samples, &folder);
        let Judged { of, result } = judged.map_err(|error| broken(error.to_string()))?;
        corpus.push_str(&format!("{} {} {of}\n", part.check, part.code));
        missed.extend(miss((part.check, part.code), &required, &[result]));
    }
    let of = (RECIPES.len() + PARTS.len()) as u64;
    let rejected = of - missed.len() as u64;
    Ok((SelfCheck { corpus_sha256: Sha256Digest::of(corpus.as_bytes()), rejected, of }, missed))
}

fn make_folder(workspace: &Path, name: &str) -> Result<PathBuf, String> {
    let folder = workspace.join(name);
    std::fs::create_dir(&folder).map_err(|error| error.to_string())?;
    Ok(folder)
}

/// Why these results do not refuse as that check, with that code, must.
fn miss((check, code): (&str, &str), required: &[RequiredCheck], results: &[CheckResult]) -> Option<String> {
    for result in results {
        if result.id != check {
            if matches!(result.status, CheckStatus::Pass | CheckStatus::Warn) {
                continue;
            }
            let (other, status) = (&result.id, result.status.as_str());
            return Some(format!(
                "self-check-other: a package for `{}` is stopped before it: `{other}` is `{status}`",
                check
            ));
        }
        let coded = |finding: &String| finding.split(':').next() == Some(code);
        // A check that only warns refuses by having more findings than its required list allows.
        let wanted = required.iter().find(|wanted| wanted.id == result.id);
        let refuses = wanted.is_some_and(|wanted| wanted.accept(result).is_err());
        return match result.status {
            CheckStatus::Fail | CheckStatus::Warn if refuses && result.findings.iter().any(coded) => None,
            CheckStatus::Fail => Some(format!("self-check-reason: `{}` refuses without `{}`", check, code)),
            status => Some(format!(
                "self-check-missed: `{}` is `{}` on a package that it must refuse with `{}`",
                check,
                status.as_str(),
                code
            )),
        };
    }
    Some(format!("self-check-missed: `{}` said nothing of a package that it must refuse", check))
}

/// The group that has the check of that id.
fn group_of(check: &str) -> Option<Group> {
    Group::of(Level::Certified, &Role::ALL)
        .into_iter()
        .find(|group| group.checks().iter().any(|id| id == check))
}

#[cfg(test)]
mod tests;
