//! A good package with everything that it needs to be admitted.

use std::collections::BTreeMap;
use std::sync::Arc;

use orch_trust::admission::Rules;
use orch_trust::approval::Approval;
use orch_trust::authority::{Certifier, Level, Publisher};
use orch_trust::certificate::{
    self, Certificate, CheckResult, CheckStatus, Environment, Measured, SelfCheck, Tool, required_checks,
};
use orch_trust::digest::Sha256Digest;
use orch_trust::facts::Facts;
use orch_trust::key::SecretKey;
use orch_trust::manifest::Role;
use orch_trust::name::PluginId;
use orch_trust::package::PackageBytes;
use orch_trust::policy::Policy;
use orch_trust::release::{self, Release};
use orch_trust::time::UnixSeconds;

pub(crate) const NOW: UnixSeconds = UnixSeconds(1_800_000_000);
pub(crate) const DAY: i64 = UnixSeconds::DAY;

pub(crate) type Files = BTreeMap<String, Arc<[u8]>>;

/// Everything that makes a package; a test changes one thing of it.
pub(crate) struct Make {
    pub(crate) component: Vec<u8>,
    pub(crate) sbom: Vec<u8>,
    pub(crate) manifest: serde_json::Value,
    pub(crate) publisher: SecretKey,
    pub(crate) certifier: SecretKey,
    pub(crate) release: Release,
    pub(crate) certificate: Box<dyn FnOnce(&mut Certificate)>,
    pub(crate) rules: Rules,
}

pub(crate) fn component(import: &str) -> Vec<u8> {
    let text = format!(
        r#"(component (import "{import}" (instance $log)) (core module (memory 1) (func)) (instance $me)
           (export "orch:executor/executor@0.1.0" (instance $me)))"#
    );
    wat::parse_str(text).unwrap()
}

impl Make {
    pub(crate) fn good() -> Self {
        let (publisher, certifier) = (SecretKey::from_seed(&[1; 32]), SecretKey::from_seed(&[2; 32]));
        let id = PluginId::parse("acme/note").unwrap();
        let manifest = serde_json::json!({
            "schema": "urn:orch:plugin-manifest:v1", "id": "acme/note", "version": "1.2.3", "name": "Note",
            "description": "", "license": "MIT", "roles": ["executor"], "kinds": ["note"], "host": { "api": "^0.1" },
            "permissions": { "log": {} },
            "limits": { "memoryMiB": 1, "busyMs": 500, "wallMs": 2000, "outputKiB": 256, "hostCalls": 100, "logKiB": 64 },
        });
        let publishers = vec![Publisher {
            not_after: Some(NOW.plus(DAY)),
            ..Publisher::new(publisher.public(), "acme".into(), vec!["acme/".into()])
        }];
        let certifiers = vec![Certifier {
            not_after: Some(NOW.plus(DAY)),
            ..Certifier::new(certifier.public(), "me".into(), Level::Local)
        }];
        let permissions = serde_json::from_value(manifest["permissions"].clone()).unwrap();
        let approval =
            Approval { id: id.clone(), version: semver::Version::new(1, 2, 3), permissions, at: NOW };
        let release = Release {
            id: id.clone(),
            version: semver::Version::new(1, 2, 3),
            release_counter: 1,
            channel: "stable".into(),
            issued_at: NOW.plus(-DAY),
            not_after: NOW.plus(30 * DAY),
            source: None,
        };
        let rules = Rules {
            publishers,
            certifiers,
            policy: Policy::parse("[namespaces.acme.allow]\nlog = {}\n").unwrap(),
            approvals: [(id, approval)].into(),
            ..Rules::default()
        };
        Self {
            component: component("orch:log/log@0.1.0"),
            sbom: b"{}".to_vec(),
            manifest,
            publisher,
            certifier,
            release,
            certificate: Box::new(|_| {}),
            rules,
        }
    }

    pub(crate) fn build(self) -> (Files, Rules) {
        let sbom = self.sbom;
        let entry = |path: &str, role: &str, bytes: &[u8]| serde_json::json!({ "path": path, "role": role, "size": bytes.len(), "sha256": Sha256Digest::of(bytes) });
        let mut manifest = self.manifest;
        if manifest.get("integrity").is_none() {
            manifest["integrity"] = serde_json::json!({ "files": [
                entry("component.wasm", "component", &self.component), entry("sbom.cdx.json", "sbom", &sbom) ] });
        }
        let facts = Facts::derive(&self.component).unwrap_or_default();
        let mut files: Files = BTreeMap::new();
        files.insert("manifest.json".into(), manifest.to_string().into_bytes().into());
        files.insert("component.wasm".into(), self.component.into());
        files.insert("sbom.cdx.json".into(), sbom.into());
        let package = PackageBytes::new(files.clone()).unwrap();
        files.insert(
            "release.dsse.json".into(),
            release::sign(&package, self.release, &self.publisher).unwrap().into(),
        );
        let tool = Tool { name: "orch-certify".into(), version: "0.1.0".into() };
        let roles = [Role::Executor];
        let check = |id: String| CheckResult {
            id,
            version: 1,
            tool: tool.clone(),
            status: CheckStatus::Pass,
            looked_at: 1,
            findings: vec![],
            duration_ms: 1,
            evidence_sha256: Sha256Digest::of(b"evidence"),
        };
        let mut certificate = Certificate {
            id: PluginId::parse("acme/note").unwrap(),
            version: semver::Version::new(1, 2, 3),
            level: Level::Local,
            certifier: tool.clone(),
            environment: Environment { wasmtime: "48.0.8".into(), target: "x".into() },
            inputs: None,
            facts,
            checks: required_checks(Level::Local, &roles)
                .into_iter()
                .map(|required| check(required.id))
                .collect(),
            measured: Measured::default(),
            self_check: SelfCheck { corpus_sha256: Sha256Digest::of(b"corpus"), rejected: 9, of: 9 },
            result_digest: Sha256Digest::of(b""),
            started_at: NOW,
            finished_at: NOW,
            signed_at: NOW,
            valid_until: NOW.plus(7 * DAY),
        };
        (self.certificate)(&mut certificate);
        if certificate.result_digest == Sha256Digest::of(b"") {
            certificate.result_digest = certificate.results();
        }
        let (name, bytes) = certificate::sign(&package, certificate, &self.certifier).unwrap();
        files.insert(name, bytes.into());
        (files, self.rules)
    }
}
