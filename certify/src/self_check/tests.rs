//! The self-check itself: complete, and it notices a check that does not do its work.

use std::cell::RefCell;
use std::collections::BTreeMap;

use orch_trust::authority::Level;
use orch_trust::certificate::required_checks;

use super::recipes::WITHOUT;
use super::*;
use crate::group;
use crate::outside::Outside;

type Known = RefCell<BTreeMap<Vec<u8>, GroupReport>>;

/// What the group says; each package is looked at once by it.
fn remembered(
    known: &Known,
    group: Group,
    package: &PackageBytes,
    run: impl Fn() -> GroupReport,
) -> GroupReport {
    let name = group.name();
    let key = [name.as_bytes(), package.manifest(), package.sbom(), &package.component()].concat();
    if let Some(report) = known.borrow().get(&key) {
        return report.clone();
    }
    let report = run();
    known.borrow_mut().insert(key, report.clone());
    report
}

/// True in a process that runs the test of that name and no other: checks that call plugins count the files which
/// their process has open, so other tests must not open any meanwhile.
fn alone(test: &str) -> bool {
    const ALONE: &str = "ORCH_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let name = format!("self_check::tests::{test}");
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    let output = child.args(["--exact", &name]).env(ALONE, "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    false
}

fn run_with(broken: &dyn Fn(&mut CheckResult), known: &Known) -> (CheckResult, Option<SelfCheck>) {
    let workspace = tempfile::tempdir().unwrap();
    let run_group = |group, package: &PackageBytes, beside: &Beside, folder: &Path, last: Option<&str>| {
        let run = || group::run_until(group, package, beside, folder, last);
        let mut report = remembered(known, group, package, run);
        report.results.iter_mut().for_each(broken);
        report
    };
    run_judging(workspace.path(), &run_group, &|part, samples, folder| {
        let mut judged = (part.judge)(samples, folder)?;
        broken(&mut judged.result);
        Ok(judged)
    })
}

#[test]
fn each_required_check_has_a_bad_package_or_a_reason() {
    let offered: Vec<String> =
        Group::of(Level::Certified, &Role::ALL).into_iter().flat_map(Group::checks).collect();
    for level in [Level::Local, Level::Certified] {
        for required in required_checks(level, &Role::ALL) {
            // What no group offers cannot pass either: its level is refused before anything runs.
            if !offered.contains(&required.id) {
                assert_eq!(level, Level::Certified, "{}", required.id);
                continue;
            }
            let part = PARTS.iter().any(|part| part.check == required.id);
            let recipe = part || RECIPES.iter().any(|recipe| recipe.check == required.id);
            let reason = WITHOUT.iter().any(|(check, why)| *check == required.id && !why.is_empty());
            assert!(recipe != reason, "`{}` needs a bad package, or a reason why there is none", required.id);
        }
    }
    for id in RECIPES.iter().map(|recipe| recipe.check).chain(PARTS.iter().map(|part| part.check)) {
        assert!(offered.iter().any(|offered| offered == id), "`{id}` is no check");
    }
}

#[test]
fn every_bad_package_is_refused_and_a_check_that_always_passes_is_noticed() {
    if !alone("every_bad_package_is_refused_and_a_check_that_always_passes_is_noticed") {
        return;
    }
    let known = Known::default();
    let (result, counted) = run_with(&|_| {}, &known);
    assert_eq!((result.status, result.findings.as_slice()), (CheckStatus::Pass, [].as_slice()));
    let whole = counted.unwrap();
    let all: Vec<&str> =
        RECIPES.iter().map(|recipe| recipe.check).chain(PARTS.iter().map(|part| part.check)).collect();
    assert_eq!((whole.rejected, whole.of, result.looked_at), (whole.of, all.len() as u64, whole.of));
    for check in &all {
        let passes = |result: &mut CheckResult| {
            if result.id == *check {
                result.status = CheckStatus::Pass;
                result.findings.clear();
            }
        };
        let (result, counted) = run_with(&passes, &known);
        let counted = counted.unwrap();
        assert_eq!(result.status, CheckStatus::Fail, "{check}");
        assert!(!counted.is_complete() && counted.of == whole.of, "{check}");
        assert_eq!(counted.corpus_sha256, whole.corpus_sha256);
        let missed = format!("self-check-missed: `{check}` is `pass`");
        assert!(result.findings.iter().any(|finding| finding.starts_with(&missed)), "{:?}", result.findings);
    }
    // A check that fails whatever it sees is no proof of the ones after it, nor is a failure for another reason.
    let always = |result: &mut CheckResult| {
        if result.id == "manifest" {
            result.status = CheckStatus::Fail;
        }
    };
    let (result, _) = run_with(&always, &known);
    assert!(result.findings.iter().any(|finding| finding.starts_with("self-check-other")));
    let (result, counted) = run_with(&|result| result.findings.clear(), &known);
    // One that only warns has nothing to warn of then, and lets the package pass.
    let reasons = result.findings.iter().filter(|finding| finding.starts_with("self-check-reason")).count();
    assert_eq!(reasons, all.len() - 1, "{:?}", result.findings);
    assert_eq!(counted.map(|counted| counted.rejected), Some(0));
    for status in [CheckStatus::Error, CheckStatus::Skipped] {
        let (result, counted) = run_with(&|result| result.status = status, &known);
        assert_eq!(result.status, CheckStatus::Fail);
        assert_eq!(counted.map(|counted| counted.rejected), Some(0), "{status:?}");
    }
}

#[test]
fn the_corpus_is_the_same_each_time() {
    if !alone("the_corpus_is_the_same_each_time") {
        return;
    }
    let known = Known::default();
    let (_, first) = run_with(&|_| {}, &known);
    let (_, second) = run_with(&|_| {}, &known);
    assert_eq!(first, second);
}

#[test]
fn samples_without_a_defect_pass_every_check() {
    if !alone("samples_without_a_defect_pass_every_check") {
        return;
    }
    let package = Samples::default().executor().unwrap().seal().unwrap();
    for group in [
        Group::Package,
        Group::Component,
        Group::Contents,
        Group::Compatibility,
        Group::Conformance(Role::Executor),
        Group::Behaviour,
    ] {
        let workspace = tempfile::tempdir().unwrap();
        for result in
            group::run(group, &package, &Beside::default(), &Outside::default(), workspace.path()).results
        {
            assert_eq!(result.status, CheckStatus::Pass, "{}: {:?}", result.id, result.findings);
        }
    }
}
