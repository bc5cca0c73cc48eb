//! Payloads that a trusted key signed: what a publisher or a certifier with bad intent can say.

use orch_trust::authority::Level;
use orch_trust::certificate::{self, CheckStatus, Sound, required_checks};
use orch_trust::digest::Sha256Digest;
use orch_trust::dsse::Statement;
use orch_trust::key::{SecretKey, base64_encode};
use orch_trust::package::PackageBytes;
use orch_trust::release::{self, Released};

use crate::package::{NOW, good};

const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// The canonical envelope of any payload, written without the code under test.
fn envelope(payload: &[u8], key: &SecretKey) -> Vec<u8> {
    let head = format!("DSSEv1 {} {PAYLOAD_TYPE} {} ", PAYLOAD_TYPE.len(), payload.len());
    let signature = key.sign(&[head.as_bytes(), payload].concat());
    let (payload, signature) = (base64_encode(payload), base64_encode(&signature));
    let id = key.public().id();
    let text = format!(
        r#"{{"payloadType":"{PAYLOAD_TYPE}","payload":"{payload}","signatures":[{{"keyid":"{id}","sig":"{signature}"}}]}}"#
    );
    format!("{text}\n").into_bytes()
}

fn with(name: &str, bytes: &[u8]) -> Option<PackageBytes> {
    let mut files = good().files.clone();
    files.insert(name.to_owned(), bytes.into());
    PackageBytes::new(files).ok()
}

/// A release that is taken is about this plugin now, and is the one text of what it says.
pub(crate) fn release(payload: &[u8]) -> bool {
    let bytes = envelope(payload, &good().publisher);
    let Some(package) = with("release.dsse.json", &bytes) else { return false };
    let Ok(Released { release, .. }) =
        release::verify(&package, &good().manifest, &good().rules.publishers, NOW)
    else {
        return false;
    };
    assert_eq!((&release.id, &release.version), (&good().manifest.id, &good().manifest.version));
    assert!(release.not_after >= NOW && release.issued_at <= NOW.plus(300));
    assert_subjects(payload);
    assert_eq!(
        release::sign(&package, release, &good().publisher).unwrap(),
        bytes,
        "one text for one release"
    );
    true
}

/// A certificate that is taken has every check of our own list, passed, once, over these facts, in time.
pub(crate) fn certificate(payload: &[u8]) -> bool {
    let bytes = envelope(payload, &good().certifier);
    let name = format!("certificates/{}.dsse.json", good().certifier.public().id().short());
    let Some(package) = with(&name, &bytes) else { return false };
    let (manifest, certifiers) = (&good().manifest, &good().rules.certifiers);
    let Ok(sound) = certificate::verify(&package, manifest, certifiers, NOW) else {
        return false;
    };
    let [Sound { certificate: found, .. }] = sound.as_slice() else { return false };
    assert_eq!((&found.id, &found.version, found.level), (&manifest.id, &manifest.version, Level::Local));
    assert_eq!((found.certifier.name.as_str(), found.results()), ("orch-certify", found.result_digest));
    assert!(found.valid_until >= NOW && found.finished_at <= NOW.plus(300));
    assert!(found.valid_until.0 - found.finished_at.0 <= 7 * 86_400);
    for required in required_checks(Level::Local, &manifest.roles) {
        let checks: Vec<_> = found.checks.iter().filter(|check| check.id == required.id).collect();
        assert_eq!(checks.len(), 1, "{}", required.id);
        assert!(checks.iter().all(|check| required.accept(check).is_ok()), "{checks:?}");
    }
    let bad = |status| matches!(status, CheckStatus::Fail | CheckStatus::Error);
    assert!(found.checks.iter().all(|check| !bad(check.status)));
    assert_subjects(payload);
    assert_eq!(
        certificate::sign(&package, found.clone(), &good().certifier).unwrap(),
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
