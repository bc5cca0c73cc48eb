//! A certifier that was fooled: it vouches for a package that no check looked at.
//!
//! In -> out: a signed package -> the same with a certificate of a trusted key, every check `pass`.
//! Invariant: tests only; it shows that the host holds its limits also where certification failed.
//! Not here: what certification finds in such packages (`orch-certify`'s tests).

use std::path::Path;

use orch_certify::key_file;
use orch_trust::authority::Level;
use orch_trust::certificate::{
    Certificate, CheckResult, CheckStatus, Environment, LOCAL_DAYS, Measured, Tool, required_checks, sign,
};
use orch_trust::digest::Sha256Digest;
use orch_trust::facts::Facts;
use orch_trust::manifest::Manifest;
use orch_trust::time::UnixSeconds;

/// Puts the certificate into the package.
pub fn vouch(package: &Path, key: &Path) {
    let bytes = orch_host::package::read(package).unwrap();
    let manifest = Manifest::parse(bytes.manifest()).unwrap();
    let seconds = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let now = UnixSeconds(i64::try_from(seconds).unwrap());
    let tool = Tool { name: "orch-certify".into(), version: env!("CARGO_PKG_VERSION").into() };
    let check = |id: String| CheckResult {
        id,
        version: 1,
        tool: tool.clone(),
        status: CheckStatus::Pass,
        looked_at: 1,
        findings: Vec::new(),
    };
    let required = required_checks(Level::Local, &manifest.roles);
    let mut certificate = Certificate {
        id: manifest.id,
        version: manifest.version,
        level: Level::Local,
        certifier: tool.clone(),
        environment: Environment { wasmtime: "48.0.8".into(), target: "any".into() },
        facts: Facts::derive(&bytes.component()).unwrap(),
        checks: required.into_iter().map(|required| check(required.id)).collect(),
        measured: Measured::default(),
        result_digest: Sha256Digest::of(b""),
        started_at: now,
        finished_at: now,
        valid_until: now.plus(LOCAL_DAYS * UnixSeconds::DAY),
    };
    certificate.result_digest = certificate.results();
    let (name, envelope) = sign(&bytes, certificate, &key_file::read(key).unwrap());
    let path = package.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, envelope).unwrap();
}
