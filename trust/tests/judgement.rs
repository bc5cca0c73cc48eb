//! Which results of a check count, and which of several certificates.

#![allow(
    clippy::unwrap_used,
    reason = "what makes a package for a test is no test function, so clippy.toml does not let it"
)]

#[path = "admission/make.rs"]
mod make;

use orch_trust::agreement::{Wanted, agree};
use orch_trust::authority::{Certifier, Level};
use orch_trust::certificate::{self, Certificate, CheckResult, CheckStatus, RequiredCheck, Shortfall, Tool};
use orch_trust::digest::Sha256Digest;
use orch_trust::key::SecretKey;
use orch_trust::manifest::Manifest;
use orch_trust::package::PackageBytes;
use orch_trust::time::UnixSeconds;

use make::{DAY, Make, NOW};

fn result(status: CheckStatus, findings: usize) -> CheckResult {
    CheckResult {
        id: "names".into(),
        version: 2,
        tool: Tool { name: "orch-certify".into(), version: "0.1.0".into() },
        status,
        looked_at: 1,
        findings: vec!["a finding".into(); findings],
        duration_ms: 0,
        evidence_sha256: Sha256Digest::of(b""),
    }
}

#[test]
fn a_result_counts_if_it_is_new_enough_passed_or_warned_within_bounds_and_looked_at_something() {
    let required =
        |version_min, warnings_max| RequiredCheck { id: "names".into(), version_min, warnings_max };
    let accept = |required: &RequiredCheck, result: &CheckResult| required.accept(result);
    let (none, three) = (required(2, 0), required(2, 3));
    assert_eq!(accept(&none, &result(CheckStatus::Pass, 0)), Ok(()));
    assert_eq!(accept(&none, &result(CheckStatus::Pass, 9)), Ok(()));
    assert_eq!(accept(&none, &result(CheckStatus::Warn, 0)), Err(Shortfall::Status));
    assert_eq!(accept(&three, &result(CheckStatus::Warn, 2)), Ok(()));
    assert_eq!(accept(&three, &result(CheckStatus::Warn, 3)), Ok(()));
    assert_eq!(accept(&three, &result(CheckStatus::Warn, 4)), Err(Shortfall::Warnings));
    for status in [CheckStatus::Fail, CheckStatus::Error, CheckStatus::Skipped] {
        assert_eq!(accept(&three, &result(status, 0)), Err(Shortfall::Status), "{status:?}");
    }
    assert_eq!(accept(&required(3, 0), &result(CheckStatus::Pass, 0)), Err(Shortfall::Version));
    for status in [CheckStatus::Pass, CheckStatus::Warn] {
        let empty = CheckResult { looked_at: 0, ..result(status, 0) };
        assert_eq!(accept(&three, &empty), Err(Shortfall::Empty), "{status:?}");
    }
}

/// A second certifier's certificate beside the first, and which one counts: until when, and at what level.
fn counts(edit: fn(&mut Certificate), seed: u8, level: Level) -> (UnixSeconds, Level) {
    let second = SecretKey::from_seed(&[seed; 32]);
    let (mut files, mut rules) = Make::good().build();
    let package = PackageBytes::new(files.clone()).unwrap();
    let manifest = Manifest::parse(package.manifest()).unwrap();
    let first = certificate::verify(&package, &manifest, &rules.certifiers, NOW).unwrap();
    let mut other = first[0].certificate.clone();
    other.level = level;
    edit(&mut other);
    if level == Level::Certified {
        let more = certificate::required_checks(level, &manifest.roles).into_iter();
        let known: Vec<String> = other.checks.iter().map(|check| check.id.clone()).collect();
        let more = more.filter(|required| !known.contains(&required.id));
        other
            .checks
            .extend(more.map(|required| CheckResult { id: required.id, ..result(CheckStatus::Pass, 0) }));
    }
    other.result_digest = other.results();
    let (name, bytes) = certificate::sign(&package, other, &second).unwrap();
    files.insert(name, bytes.into());
    rules.certifiers.push(Certifier::new(second.public(), "two".into(), Level::Certified));
    let package = PackageBytes::new(files).unwrap();
    let sound = certificate::verify(&package, &manifest, &rules.certifiers, NOW).unwrap();
    let wanted = Wanted { level: Level::Local, threshold: 1, independent: false };
    let found = agree(&sound, &rules.certifiers, wanted, &[], NOW).unwrap();
    (found.valid_until, found.certificate.level)
}

#[test]
fn of_two_certificates_the_higher_level_counts_then_the_longer_life() {
    // Keys whose files come before and after the first one's.
    for seed in 10..20 {
        let longest = (NOW.plus(7 * DAY), Level::Local);
        assert_eq!(counts(|found| found.valid_until = NOW.plus(DAY), seed, Level::Local), longest, "{seed}");
        let certified = counts(|found| found.valid_until = NOW.plus(DAY), seed, Level::Certified);
        assert_eq!(certified, (NOW.plus(DAY), Level::Certified), "{seed}");
    }
}

#[test]
fn a_level_lives_so_many_days_at_most() {
    assert_eq!((certificate::LOCAL_DAYS, certificate::CERTIFIED_DAYS), (7, 90));
    let until = |days: i64| {
        let (mut files, mut rules) = Make::good().build();
        rules.certifiers.iter_mut().for_each(|certifier| certifier.profile = Level::Certified);
        let package = PackageBytes::new(files.clone()).unwrap();
        let manifest = Manifest::parse(package.manifest()).unwrap();
        let sound = certificate::verify(&package, &manifest, &rules.certifiers, NOW).unwrap();
        let mut found = sound[0].certificate.clone();
        found.level = Level::Certified;
        found.valid_until = NOW.plus(days * DAY);
        let required = certificate::required_checks(Level::Certified, &manifest.roles).into_iter();
        let check = |required: RequiredCheck| CheckResult { id: required.id, ..result(CheckStatus::Pass, 0) };
        found.checks = required.map(check).collect();
        found.result_digest = found.results();
        let (name, bytes) = certificate::sign(&package, found, &SecretKey::from_seed(&[2; 32])).unwrap();
        files.insert(name, bytes.into());
        let package = PackageBytes::new(files).unwrap();
        let verified = certificate::verify(&package, &manifest, &rules.certifiers, NOW);
        verified.map(|_| ()).map_err(|refusal| refusal.code())
    };
    assert_eq!(until(90), Ok(()));
    assert_eq!(until(91), Err("certificate-too-long"));
}

#[test]
fn a_clock_that_is_five_minutes_ahead_is_borne() {
    let finished_at = |seconds: i64| {
        let mut make = Make::good();
        make.certificate = Box::new(move |found| found.finished_at = NOW.plus(seconds));
        let (files, rules) = make.build();
        let package = PackageBytes::new(files).unwrap();
        let manifest = Manifest::parse(package.manifest()).unwrap();
        let found = certificate::verify(&package, &manifest, &rules.certifiers, NOW);
        found.map(|_| ()).map_err(|refusal| refusal.code())
    };
    assert_eq!(finished_at(300), Ok(()));
    assert_eq!(finished_at(301), Err("certificate-not-yet"));
}
