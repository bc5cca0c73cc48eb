//! Which results of a check count, and which of several certificates.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what makes a package for a test is no test function, so clippy.toml does not let it"
)]

use orch_trust::admission::{Rules, admit, explain};
use orch_trust::authority::{Certifier, Level};
use orch_trust::certificate::{self, Certificate, CheckResult, CheckStatus, RequiredCheck, Shortfall, Tool};
use orch_trust::digest::Sha256Digest;
use orch_trust::dsse::Statement;
use orch_trust::evidence::{Compilable, Trust};
use orch_trust::inputs::{AdvisoryDb, Inputs};
use orch_trust::key::{SecretKey, base64_decode};
use orch_trust::manifest::Role;
use orch_trust::package::PackageBytes;
use orch_trust::release::Source;
use orch_trust::time::{Day, UnixSeconds};

use crate::make::{DAY, Files, Make, NOW};

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

/// What the good package's certificate says.
fn certificate_of(files: &Files) -> Certificate {
    let (_, bytes) = files.iter().find(|(name, _)| name.starts_with("certificates/")).unwrap();
    let envelope: serde_json::Value = serde_json::from_slice(bytes).unwrap();
    let payload = base64_decode(envelope["payload"].as_str().unwrap()).unwrap();
    serde_json::from_slice::<Statement<Certificate>>(&payload).unwrap().predicate
}

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// The good package, released of a commit.
fn made() -> (Files, Rules) {
    let mut make = Make::good();
    make.release.source = Some(Source { uri: "https://example.org/note".into(), commit: COMMIT.into() });
    make.build()
}

/// What level `certified` must have looked at.
fn inputs() -> Inputs {
    let sha256 = Sha256Digest::of(b"database");
    // NOW is 2027-01-15.
    let date = Day::parse("2027-01-10").unwrap();
    Inputs {
        cargo_lock_sha256: Some(Sha256Digest::of(b"lock")),
        source_commit: Some(COMMIT.into()),
        advisory_db: Some(AdvisoryDb { sha256, date, advisories: 1, commit: None }),
        ..Inputs::default()
    }
}

/// Puts a certificate beside or in the place of one, with every check that its level asks for.
fn certify(files: &mut Files, mut found: Certificate, key: &SecretKey) {
    let required = certificate::required_checks(found.level, &[Role::Executor]).into_iter();
    let check = |required: RequiredCheck| CheckResult { id: required.id, ..result(CheckStatus::Pass, 0) };
    found.checks = required.map(check).collect();
    found.inputs = (found.level == Level::Certified).then(inputs);
    found.result_digest = found.results();
    let package = PackageBytes::new(files.clone()).unwrap();
    let (name, bytes) = certificate::sign(&package, found, key).unwrap();
    files.insert(name, bytes.into());
}

fn certifier(key: &SecretKey) -> Certifier {
    let key = key.public().to_base64();
    Certifier::parse(&format!("key = \"{key}\"\nowner = \"two\"\nprofile = \"certified\"\n")).unwrap()
}

fn code(files: Files, rules: &Rules) -> Result<Trust, &'static str> {
    let admitted = admit(&PackageBytes::new(files).unwrap(), rules, NOW);
    admitted.map(|admitted| admitted.trust()).map_err(|refusal| refusal.code())
}

/// A second certifier's certificate beside the first, of that many days, and which one counts: until when, and at what
/// level.
fn counts(days: i64, seed: u8, level: Level) -> (UnixSeconds, Trust) {
    let second = SecretKey::from_seed(&[seed; 32]);
    let (mut files, mut rules) = made();
    let mut other = certificate_of(&files);
    (other.level, other.valid_until) = (level, NOW.plus(days * DAY));
    certify(&mut files, other, &second);
    rules.certifiers.push(certifier(&second));
    let steps = explain(&PackageBytes::new(files).unwrap(), &rules, NOW);
    (steps.valid_until.unwrap(), steps.outcome.unwrap().trust())
}

#[test]
fn of_two_certificates_the_higher_level_counts_then_the_longer_life() {
    // Keys whose files come before and after the first one's.
    for seed in 10..20 {
        let longest = (NOW.plus(7 * DAY), Trust::CertifiedLocal);
        assert_eq!(counts(1, seed, Level::Local), longest, "{seed}");
        assert_eq!(counts(1, seed, Level::Certified), (NOW.plus(DAY), Trust::Certified), "{seed}");
    }
}

#[test]
fn a_level_lives_so_many_days_at_most() {
    assert_eq!((certificate::LOCAL_DAYS, certificate::CERTIFIED_DAYS), (7, 90));
    let until = |days: i64| {
        let key = SecretKey::from_seed(&[2; 32]);
        let (mut files, mut rules) = made();
        rules.certifiers = vec![certifier(&key)];
        let mut found = certificate_of(&files);
        (found.level, found.valid_until) = (Level::Certified, NOW.plus(days * DAY));
        certify(&mut files, found, &key);
        code(files, &rules)
    };
    assert_eq!(until(90), Ok(Trust::Certified));
    assert_eq!(until(91), Err("certificate-too-long"));
}

#[test]
fn a_clock_that_is_five_minutes_ahead_is_borne() {
    let signed_at = |seconds: i64| {
        let mut make = Make::good();
        make.certificate = Box::new(move |found| found.signed_at = NOW.plus(seconds));
        let (files, rules) = make.build();
        code(files, &rules)
    };
    assert_eq!(signed_at(300), Ok(Trust::CertifiedLocal));
    assert_eq!(signed_at(301), Err("certificate-not-yet"));
}
