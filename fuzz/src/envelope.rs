//! Payloads that a trusted key signed: what a publisher or a certifier with bad intent can say.

use orch_trust::admission::{Step, explain};
use orch_trust::authority::Level;
use orch_trust::certificate::{self, Certificate, CheckResult, CheckStatus, required_checks};
use orch_trust::digest::Sha256Digest;
use orch_trust::dsse::Statement;
use orch_trust::key::{SecretKey, base64_encode};
use orch_trust::package::PackageBytes;
use orch_trust::release::{self, Release};

use crate::package::{NOW, good};

const STATEMENT: &str = "application/vnd.in-toto+json";

/// The canonical envelope of any payload, written without the code under test.
pub(crate) fn envelope(payload_type: &str, payload: &[u8], key: &SecretKey) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    let signature = key.sign(&[head.as_bytes(), payload].concat());
    let (payload, signature) = (base64_encode(payload), base64_encode(&signature));
    let id = key.public().id();
    let text = format!(
        r#"{{"payloadType":"{payload_type}","payload":"{payload}","signatures":[{{"keyid":"{id}","sig":"{signature}"}}]}}"#
    );
    format!("{text}\n").into_bytes()
}

/// Asserts that a bit changed here or there is refused; where, hangs on the bytes.
pub(crate) fn assert_bound(bytes: &[u8], is_taken: impl Fn(&[u8]) -> bool) {
    for dice in Sha256Digest::of(bytes).as_bytes().chunks_exact(8).take(3) {
        let place = u32::from_le_bytes([dice[0], dice[1], dice[2], dice[3]]) as usize % bytes.len();
        let mut changed = bytes.to_vec();
        changed[place] ^= 1 << (dice[4] % 8);
        assert!(!is_taken(&changed), "byte {place} can be changed");
    }
}

/// True if the package with this file comes past that step of admission.
fn passes(name: &str, envelope: &[u8], step: Step) -> bool {
    let mut files = good().files.clone();
    files.insert(name.to_owned(), envelope.into());
    let package = PackageBytes::new(files).unwrap();
    explain(&package, &good().rules, NOW).passed.contains(&step)
}

/// A release that is taken is about this plugin now, and is the one text of what it says.
pub(crate) fn release(payload: &[u8]) -> bool {
    let bytes = envelope(STATEMENT, payload, &good().publisher);
    if !passes("release.dsse.json", &bytes, Step::Release) {
        return false;
    }
    let release = serde_json::from_slice::<Statement<Release>>(payload).expect("a statement").predicate;
    assert_eq!((&release.id, &release.version), (&good().manifest.id, &good().manifest.version));
    assert!(release.not_after >= NOW && release.issued_at <= NOW.plus(300));
    assert_subjects(payload);
    assert_bound(&bytes, |changed| passes("release.dsse.json", changed, Step::Release));
    assert_eq!(release::sign(&good().package, release, &good().publisher).unwrap(), bytes, "one text");
    true
}

/// A certificate that is taken has every check of our own list, passed, once, in time.
pub(crate) fn certificate(payload: &[u8]) -> bool {
    let bytes = envelope(STATEMENT, payload, &good().certifier);
    let name = format!("certificates/{}.dsse.json", good().certifier.public().id().short());
    if !passes(&name, &bytes, Step::Certificate) {
        return false;
    }
    let found = serde_json::from_slice::<Statement<Certificate>>(payload).expect("a statement").predicate;
    let manifest = &good().manifest;
    assert_eq!((&found.id, &found.version, found.level), (&manifest.id, &manifest.version, Level::Local));
    assert_eq!((found.certifier.name.as_str(), found.results()), ("orch-certify", found.result_digest));
    assert!(
        found.valid_until >= NOW && found.finished_at <= found.signed_at && found.signed_at <= NOW.plus(300)
    );
    assert!(found.valid_until.0 - found.finished_at.0 <= 7 * 86_400);
    for required in required_checks(Level::Local, &manifest.roles) {
        let checks: Vec<_> = found.checks.iter().filter(|check| check.id == required.id).collect();
        assert_eq!(checks.len(), 1, "{}", required.id);
        let counts = |check: &CheckResult| check.status == CheckStatus::Pass && check.looked_at > 0;
        assert!(checks.iter().all(|check| counts(check) && check.version >= 1), "{checks:?}");
    }
    let bad = |status| matches!(status, CheckStatus::Fail | CheckStatus::Error);
    assert!(found.checks.iter().all(|check| !bad(check.status)));
    assert_subjects(payload);
    assert_bound(&bytes, |changed| passes(&name, changed, Step::Certificate));
    assert_eq!(
        certificate::sign(&good().package, found, &good().certifier).unwrap(),
        (name, bytes),
        "one text"
    );
    true
}

/// The subjects are the files, each once, with their digests.
fn assert_subjects(payload: &[u8]) {
    let value: serde_json::Value = serde_json::from_slice(payload).unwrap();
    let named = |entry: &serde_json::Value| {
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        (text(&entry["name"]), text(&entry["digest"]["sha256"]))
    };
    let mut subjects: Vec<_> = value["subject"].as_array().unwrap().iter().map(named).collect();
    subjects.sort();
    let plain = good().files.iter().filter(|(name, _)| !name.ends_with(".dsse.json"));
    let files: Vec<_> =
        plain.map(|(name, bytes)| (name.clone(), Sha256Digest::of(bytes).to_string())).collect();
    assert_eq!(subjects, files);
}

pub(crate) fn valid_release() -> Vec<(&'static str, Vec<u8>)> {
    let statement = Statement::new(good().package.subjects(), good().release.clone());
    vec![("valid", serde_json::to_vec(&statement).unwrap())]
}

pub(crate) fn valid_certificate() -> Vec<(&'static str, Vec<u8>)> {
    let statement = Statement::new(good().package.subjects(), good().certificate.clone());
    vec![("valid", serde_json::to_vec(&statement).unwrap())]
}
