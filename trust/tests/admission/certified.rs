//! Certificates of level `certified`: what they must name, and what of it is in their digest.

use orch_trust::authority::Level;
use orch_trust::certificate::{CERTIFIED_DAYS, Certificate, CheckStatus, required_checks};
use orch_trust::digest::Sha256Digest;
use orch_trust::evidence::{Compilable, Trust};
use orch_trust::inputs::{AdvisoryDb, Inputs};
use orch_trust::manifest::Role;
use orch_trust::package::PackageBytes;
use orch_trust::release::Source;
use orch_trust::time::Day;

use super::code_at;
use crate::make::{DAY, Make, NOW};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

fn inputs() -> Inputs {
    Inputs {
        cargo_lock_sha256: Some(Sha256Digest::of(b"lock")),
        source_commit: Some(COMMIT.into()),
        // NOW is 2027-01-15.
        advisory_db: Some(AdvisoryDb {
            sha256: Sha256Digest::of(b"database"),
            date: Day::parse("2027-01-10").unwrap(),
            advisories: 1205,
            commit: Some("ab".repeat(20)),
        }),
        known_ids_sha256: Some(Sha256Digest::of(b"acme/other\n")),
        previous_manifest_sha256: Some(Sha256Digest::of(b"manifest")),
        rustc: Some("rustc 1.95.0".into()),
    }
}

fn certify(certificate: &mut Certificate) {
    let check = certificate.checks[0].clone();
    let required = required_checks(Level::Certified, &[Role::Executor]);
    certificate.checks = required
        .into_iter()
        .map(|required| orch_trust::certificate::CheckResult { id: required.id, ..check.clone() })
        .collect();
    certificate.level = Level::Certified;
    certificate.inputs = Some(inputs());
    certificate.valid_until = NOW.plus(CERTIFIED_DAYS * DAY);
}

/// A package that is admitted at level `certified`, its certificate changed by `edit`.
fn make(edit: impl FnOnce(&mut Certificate) + 'static) -> Make {
    let mut make = Make::good();
    make.rules.certifiers[0].profile = Level::Certified;
    make.rules.policy.minimum_level.0 = Level::Certified;
    make.release.source = Some(Source { uri: "https://example.org/note".into(), commit: COMMIT.into() });
    make.certificate = Box::new(move |certificate| {
        certify(certificate);
        edit(certificate);
    });
    make
}

#[track_caller]
fn check(edit: impl FnOnce(&mut Certificate) + 'static, code: Option<&str>) {
    assert_eq!(code_at(make(edit).build(), NOW), code);
}

/// As `check`, for an edit of what was looked at.
#[track_caller]
fn check_inputs(edit: impl FnOnce(&mut Inputs) + 'static, code: &str) {
    check(move |certificate| edit(certificate.inputs.as_mut().unwrap()), Some(code));
}

#[test]
fn a_certificate_of_level_certified_names_everything_that_was_looked_at() {
    let (files, rules) = make(|_| {}).build();
    let admitted = orch_trust::admission::admit(&PackageBytes::new(files).unwrap(), &rules, NOW).unwrap();
    assert_eq!(admitted.trust(), Trust::Certified);
    check(|certificate| certificate.inputs = None, Some("certificate-inputs"));
    check_inputs(|inputs| inputs.cargo_lock_sha256 = None, "certificate-inputs");
    check_inputs(|inputs| inputs.source_commit = None, "certificate-inputs");
    check_inputs(|inputs| inputs.source_commit = Some("main".into()), "certificate-inputs");
    check_inputs(|inputs| inputs.advisory_db = None, "certificate-inputs");
    check_inputs(|inputs| inputs.advisory_db.as_mut().unwrap().advisories = 0, "certificate-inputs");
}

#[test]
fn a_database_must_have_been_young_when_the_checks_ended() {
    let dated = |date: &str| {
        let date = Day::parse(date).unwrap();
        move |inputs: &mut Inputs| inputs.advisory_db.as_mut().unwrap().date = date
    };
    check(move |certificate| dated("2026-12-17")(certificate.inputs.as_mut().unwrap()), None);
    check_inputs(dated("2026-12-16"), "advisory-db-too-old");
    check_inputs(dated("2027-01-17"), "advisory-db-from-the-future");
}

#[test]
fn the_sources_that_were_looked_at_are_the_released_ones() {
    check_inputs(|inputs| inputs.source_commit = Some("f".repeat(40)), "source-other-commit");
    let mut unsaid = make(|_| {});
    unsaid.release.source = None;
    assert_eq!(code_at(unsaid.build(), NOW), Some("source-other-commit"));
}

#[test]
fn every_check_from_outside_is_asked_for_and_few_may_warn() {
    for (id, warnings) in [
        ("dependency-match", 0),
        ("vulnerabilities", 5),
        ("licences", 0),
        ("dependency-review", 1),
        ("reproducible-build", 0),
        ("provenance", 0),
    ] {
        check(move |found| found.checks.retain(|check| check.id != id), Some("check-missing"));
        let warn = move |found: &mut Certificate, findings: usize| {
            let check = found.checks.iter_mut().find(|check| check.id == id).unwrap();
            check.status = CheckStatus::Warn;
            check.findings = vec!["something".into(); findings];
        };
        let too_many = if warnings == 0 { "check-not-passed" } else { "check-warnings" };
        check(move |found| warn(found, warnings + 1), Some(too_many));
        if warnings > 0 {
            check(move |found| warn(found, warnings), None);
        }
    }
}

#[test]
fn the_digest_covers_what_was_looked_at_and_not_how_it_came_there() {
    let (files, _) = make(|_| {}).build();
    let (name, bytes) = files.iter().find(|(name, _)| name.starts_with("cert")).unwrap();
    let statement = orch_trust::dsse::read_unverified::<Certificate>(name, bytes).unwrap();
    let digest = |edit: fn(&mut Certificate)| {
        let mut certificate = statement.predicate.clone();
        edit(&mut certificate);
        certificate.results()
    };
    let with_database = |edit: fn(&mut AdvisoryDb)| {
        let mut certificate = statement.predicate.clone();
        edit(certificate.inputs.as_mut().unwrap().advisory_db.as_mut().unwrap());
        certificate.results()
    };
    let same = statement.predicate.result_digest;
    assert_ne!(same, with_database(|database| database.sha256 = Sha256Digest::of(b"x")));
    assert_ne!(same, with_database(|database| database.advisories += 1));
    assert_ne!(same, with_database(|database| database.date = Day::parse("2027-01-09").unwrap()));
    assert_eq!(same, with_database(|database| database.commit = None));
    let lock = |found: &mut Certificate| {
        found.inputs.as_mut().unwrap().cargo_lock_sha256 = Some(Sha256Digest::of(b"x"));
    };
    assert_ne!(same, digest(lock));
    assert_ne!(same, digest(|found| found.inputs.as_mut().unwrap().source_commit = None));
    assert_ne!(same, digest(|found| found.inputs = None));
    // Neither compiler, nor times, nor what was measured.
    assert_eq!(same, digest(|found| found.inputs.as_mut().unwrap().rustc = None));
    assert_eq!(same, digest(|found| found.finished_at = NOW.plus(1)));
    assert_eq!(same, digest(|found| found.signed_at = NOW.plus(1)));
    assert_eq!(same, digest(|found| found.checks[0].duration_ms += 1));
    assert_eq!(same, digest(|found| found.measured.fuel_max += 1));
}
