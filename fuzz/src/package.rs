//! A package with one file changed, from its bytes to admission.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use orch_certify::check::tool;
use orch_certify::issue::WASMTIME;
use orch_trust::admission::{Rules, admit};
use orch_trust::approval::Approval;
use orch_trust::authority::{Certifier, Level, Publisher};
use orch_trust::certificate::{
    self, Certificate, CheckResult, CheckStatus, Environment, Measured, SelfCheck, required_checks,
};
use orch_trust::digest::Sha256Digest;
use orch_trust::facts::Facts;
use orch_trust::key::SecretKey;
use orch_trust::manifest::{Manifest, Role};
use orch_trust::package::PackageBytes;
use orch_trust::policy::Policy;
use orch_trust::release::{self, Release};
use orch_trust::time::UnixSeconds;

pub(crate) const NOW: UnixSeconds = UnixSeconds(1_800_000_000);
const DAY: i64 = UnixSeconds::DAY;

pub(crate) type Files = BTreeMap<String, Arc<[u8]>>;

/// A package that is admitted, and whoever made it so.
pub(crate) struct Good {
    pub(crate) files: Files,
    pub(crate) package: PackageBytes,
    pub(crate) manifest: Manifest,
    pub(crate) certificate: Certificate,
    pub(crate) release: Release,
    pub(crate) rules: Rules,
    pub(crate) publisher: SecretKey,
    pub(crate) certifier: SecretKey,
}

/// The one good package.
pub(crate) fn good() -> &'static Good {
    static GOOD: OnceLock<Good> = OnceLock::new();
    GOOD.get_or_init(make)
}

pub(crate) fn component() -> Vec<u8> {
    let text = r#"(component (import "orch:log/log@0.1.0" (instance $log)) (core module (memory 1 2) (table 1 funcref) (func))
        (instance $me) (export "orch:executor/executor@0.1.0" (instance $me)))"#;
    wat::parse_str(text).unwrap()
}

fn make() -> Good {
    let (publisher, certifier) = (SecretKey::from_seed(&[1; 32]), SecretKey::from_seed(&[2; 32]));
    let (component, sbom) = (component(), b"{}".to_vec());
    let entry = |path: &str, role: &str, bytes: &[u8]| serde_json::json!({ "path": path, "role": role, "size": bytes.len(), "sha256": Sha256Digest::of(bytes) });
    let manifest = serde_json::json!({
        "schema": "urn:orch:plugin-manifest:v1", "id": "acme/note", "version": "1.2.3", "name": "Note",
        "description": "", "license": "MIT", "roles": ["executor"], "kinds": ["note"], "host": { "api": "^0.1" },
        "permissions": { "log": {} },
        "limits": { "memoryMiB": 1, "busyMs": 500, "wallMs": 2000, "outputKiB": 256, "hostCalls": 100, "logKiB": 64 },
        "integrity": { "files": [
            entry("component.wasm", "component", &component), entry("sbom.cdx.json", "sbom", &sbom) ] },
    });
    let bytes = manifest.to_string().into_bytes();
    let manifest = Manifest::parse(&bytes).unwrap();
    let facts = Facts::derive(&component).unwrap();
    let mut files: Files = [
        ("manifest.json".to_owned(), bytes.into()),
        ("component.wasm".to_owned(), component.into()),
        ("sbom.cdx.json".to_owned(), sbom.into()),
    ]
    .into();
    let package = PackageBytes::new(files.clone()).unwrap();
    let release = Release {
        id: manifest.id.clone(),
        version: manifest.version.clone(),
        release_counter: 1,
        channel: "stable".into(),
        issued_at: NOW.plus(-DAY),
        not_after: NOW.plus(30 * DAY),
        source: None,
    };
    let certificate = certificate(&manifest, facts);
    files.insert(
        "release.dsse.json".into(),
        release::sign(&package, release.clone(), &publisher).unwrap().into(),
    );
    let (name, bytes) = certificate::sign(&package, certificate.clone(), &certifier).unwrap();
    files.insert(name, bytes.into());
    let package = PackageBytes::new(files.clone()).unwrap();
    let rules = rules(&manifest, &publisher, &certifier);
    Good { files, package, manifest, certificate, release, rules, publisher, certifier }
}

fn certificate(manifest: &Manifest, facts: Facts) -> Certificate {
    let check = |id: String| CheckResult {
        id,
        version: 1,
        tool: tool(),
        status: CheckStatus::Pass,
        looked_at: 1,
        findings: vec![],
        duration_ms: 1,
        evidence_sha256: Sha256Digest::of(b"evidence"),
    };
    let required = required_checks(Level::Local, &[Role::Executor]);
    let mut certificate = Certificate {
        id: manifest.id.clone(),
        version: manifest.version.clone(),
        level: Level::Local,
        certifier: tool(),
        environment: Environment { wasmtime: WASMTIME.into(), target: "x86_64-unknown-linux-gnu".into() },
        facts,
        checks: required.into_iter().map(|required| check(required.id)).collect(),
        measured: Measured::default(),
        self_check: SelfCheck { corpus_sha256: Sha256Digest::of(b"corpus"), rejected: 9, of: 9 },
        result_digest: Sha256Digest::of(b""),
        started_at: NOW,
        finished_at: NOW,
        valid_until: NOW.plus(7 * DAY),
    };
    certificate.result_digest = certificate.results();
    certificate
}

fn rules(manifest: &Manifest, publisher: &SecretKey, certifier: &SecretKey) -> Rules {
    let (id, version) = (manifest.id.clone(), manifest.version.clone());
    let approval = Approval { id: id.clone(), version, permissions: manifest.permissions.clone(), at: NOW };
    Rules {
        publishers: vec![Publisher::new(publisher.public(), "acme".into(), vec!["acme/".into()])],
        certifiers: vec![Certifier::new(certifier.public(), "me".into(), Level::Local)],
        policy: Policy::parse("[namespaces.acme.allow]\nlog = {}\n").unwrap(),
        approvals: [(id, approval)].into(),
        ..Rules::default()
    }
}

/// The good package with one file put in its place or beside the others. First line: its name; the rest: its bytes.
/// Admitted is the good package alone.
pub(crate) fn admission(bytes: &[u8]) -> bool {
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else { return false };
    let Ok(name) = std::str::from_utf8(&bytes[..end]) else { return false };
    let content = &bytes[end + 1..];
    let mut files = good().files.clone();
    files.insert(name.to_owned(), content.into());
    let Ok(package) = PackageBytes::new(files) else { return false };
    match admit(&package, &good().rules, NOW) {
        Ok(_) => {
            assert!(
                good().files.get(name).is_some_and(|own| **own == *content),
                "`{name}` is not what was signed"
            );
            true
        }
        Err(refusal) => {
            assert!(!refusal.code().is_empty() && !refusal.to_string().is_empty());
            assert!(good().files.get(name).is_none_or(|own| **own != *content), "{refusal}");
            false
        }
    }
}

pub(crate) fn valid() -> Vec<(&'static str, Vec<u8>)> {
    let with = |name: &str| [name.as_bytes(), b"\n", &good().files[name]].concat();
    let certificate = good().files.keys().find(|name| name.starts_with("certificates/")).unwrap();
    vec![
        ("valid-manifest", with("manifest.json")),
        ("valid-component", with("component.wasm")),
        ("valid-release", with("release.dsse.json")),
        ("valid-certificate", with(certificate)),
    ]
}
