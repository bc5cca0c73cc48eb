//! A certifier that was fooled: it vouches for a package that no check looked at.
//!
//! In -> out: a signed package -> the same with a certificate of a trusted key, every check `pass`.
//! Invariant: tests only; it shows that the host holds its limits also where certification failed.
//! Not here: what certification finds in such packages (`orch-certify`'s tests).

use std::path::Path;

use orch_signer::key_file::{self, Purpose};
use orch_signer::passphrase::Passphrases;
use orch_trust::authority::Level;
use orch_trust::certificate::{
    Certificate, CheckResult, CheckStatus, Environment, LOCAL_DAYS, Measured, SelfCheck, Tool,
    required_checks, sign,
};
use orch_trust::digest::Sha256Digest;
use orch_trust::facts::Facts;
use orch_trust::inputs::{AdvisoryDb, Inputs};
use orch_trust::manifest::{Manifest, Role};
use orch_trust::package::PackageBytes;
use orch_trust::time::{Day, UnixSeconds};
use serde_json::Value;

/// The commit that [`raise`] says.
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// The certificate at level `certified`: every check of it `pass`, and everything named that was looked at.
pub fn raise(certificate: &mut Certificate, now: UnixSeconds) {
    let Some(check) = certificate.checks.first().cloned() else { panic!("a certificate has checks") };
    let known = |id: &str| certificate.checks.iter().any(|check| check.id == id);
    let roles: Vec<Role> =
        Role::ALL.into_iter().filter(|role| known(&format!("conformance/{}", role.as_str()))).collect();
    let required = required_checks(Level::Certified, &roles);
    certificate.checks =
        required.into_iter().map(|required| CheckResult { id: required.id, ..check.clone() }).collect();
    certificate.level = Level::Certified;
    let today = now.to_string().split('T').next().map(Day::parse);
    certificate.inputs = Some(Inputs {
        cargo_lock_sha256: Some(Sha256Digest::of(b"nothing was looked at")),
        source_commit: Some(COMMIT.to_owned()),
        advisory_db: today.and_then(Result::ok).map(|date| AdvisoryDb {
            sha256: Sha256Digest::of(b"nothing was looked at"),
            date,
            advisories: 1,
            commit: None,
        }),
        ..Inputs::default()
    });
    certificate.result_digest = certificate.results();
}

/// Puts the certificate into the package.
pub fn vouch(package: &Path, key: &Path) {
    vouch_at(package, key, orch_host::clock::now());
}

/// The same with a certificate of that moment.
pub fn vouch_at(package: &Path, key: &Path, now: UnixSeconds) {
    let bytes = orch_host::package::read(package).unwrap();
    let manifest = Manifest::parse(bytes.manifest()).unwrap();
    let certificate =
        certificate(&bytes, &manifest.id.to_string().into(), &manifest.version.to_string().into(), now);
    let key = key_file::open(key, Purpose::Certifier, &Passphrases::Terminal).unwrap();
    let (name, envelope) = sign(&bytes, certificate, &key).unwrap();
    let path = package.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, envelope).unwrap();
}

/// A certificate for these bytes under that id and version, every check `pass`. Roles are the manifest's if it can be
/// read, and an executor's if not; facts are empty if none can be derived.
pub fn certificate(package: &PackageBytes, id: &Value, version: &Value, now: UnixSeconds) -> Certificate {
    let roles = Manifest::parse(package.manifest()).map_or(vec![Role::Executor], |manifest| manifest.roles);
    let tool = Tool { name: "orch-certify".into(), version: env!("CARGO_PKG_VERSION").into() };
    let check = |id: String| CheckResult {
        id,
        version: 1,
        tool: tool.clone(),
        status: CheckStatus::Pass,
        looked_at: 1,
        findings: Vec::new(),
        duration_ms: 1,
        evidence_sha256: Sha256Digest::of(b"nothing was looked at"),
    };
    let mut certificate = Certificate {
        id: serde_json::from_value(id.clone()).unwrap(),
        version: serde_json::from_value(version.clone()).unwrap(),
        level: Level::Local,
        certifier: tool.clone(),
        environment: Environment { wasmtime: "48.0.8".into(), target: "any".into() },
        inputs: None,
        facts: Facts::derive(&package.component()).unwrap_or_default(),
        checks: required_checks(Level::Local, &roles)
            .into_iter()
            .map(|required| check(required.id))
            .collect(),
        measured: Measured::default(),
        self_check: SelfCheck { corpus_sha256: Sha256Digest::of(b"no corpus"), rejected: 1, of: 1 },
        result_digest: Sha256Digest::of(b""),
        started_at: now,
        finished_at: now,
        signed_at: now,
        valid_until: now.plus(LOCAL_DAYS * UnixSeconds::DAY),
    };
    certificate.result_digest = certificate.results();
    certificate
}
