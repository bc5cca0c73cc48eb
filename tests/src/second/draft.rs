//! A package before it is signed, with its operator; and the bends that a case puts into it.
//!
//! In -> out: [`Draft`], one thing of it changed -> [`Case`].
//! Invariant: digests, subjects, facts and signatures are made of what the draft has when it is built, so a change before
//! that is a change that its signers wanted.
//! Not here: good drafts (`good.rs`), what is changed (`attacks/`).

use std::collections::BTreeMap;

use orch_trust::authority::Level;
use orch_trust::certificate::{
    Certificate, CheckResult, CheckStatus, Environment, Measured, SelfCheck, Tool, required_checks,
};
use orch_trust::delegation::{DelegationDocument, file_name};
use orch_trust::digest::Sha256Digest;
use orch_trust::dsse::{Statement, Subject, SubjectDigest};
use orch_trust::facts::Facts;
use orch_trust::manifest::Role;
use orch_trust::name::PluginId;
use orch_trust::release::Release;
use orch_trust::time::UnixSeconds;
use serde_json::{Value, json};

use super::case::{Bytes, Case, Operator};
use super::world::World;

pub use super::sealed::{
    Bend, CERTIFIER, DAY, FRESHNESS, ISSUER, JOB, Keys, NOW, OTHER_CERTIFIER, OTHER_PUBLISHER, Open,
    PUBLISHER, Place, REVOKER, ROOTS, STRANGER, Sealer,
};

/// What is done to something before it is written.
pub type Edit<T> = Box<dyn FnOnce(&mut T)>;

/// A certificate before it is signed.
pub struct Certify {
    pub by: u8,
    pub edits: Vec<Edit<Certificate>>,
    /// The result digest is made before the last edit.
    pub stale_digest: bool,
}

impl Certify {
    pub fn new(by: u8) -> Self {
        Self { by, edits: Vec::new(), stale_digest: false }
    }
}

/// Everything that makes a case.
pub struct Draft {
    pub keys: Keys,
    pub manifest: Value,
    pub component: Vec<u8>,
    /// Every file but manifest, component and envelopes.
    pub documents: BTreeMap<&'static str, Vec<u8>>,
    /// Files as they are when the statements are written, if those say something else.
    pub subjects: Option<Edit<Vec<Subject>>>,
    pub release: Release,
    pub release_by: Vec<u8>,
    pub certificates: Vec<Certify>,
    pub delegations: Vec<(u8, DelegationDocument)>,
    pub operator: Operator,
    pub world: Option<World>,
    pub bends: Vec<(Place, Bend)>,
    /// Of the finished files.
    pub files: Vec<Edit<BTreeMap<String, Vec<u8>>>>,
    pub pinned: bool,
    pub now: UnixSeconds,
}

impl Draft {
    pub fn bend(&mut self, place: Place, bend: Bend) {
        self.bends.push((place, bend));
    }

    pub fn said(&mut self, place: Place, change: impl FnOnce(String) -> String + 'static) {
        self.bend(place, Bend::Said(Box::new(change)));
    }

    pub fn open(&mut self, place: Place, change: impl FnOnce(&mut Open) + 'static) {
        self.bend(place, Bend::Open(Box::new(change)));
    }

    pub fn file(&mut self, place: Place, change: impl FnOnce(Vec<u8>) -> Vec<u8> + 'static) {
        self.bend(place, Bend::File(Box::new(change)));
    }

    /// Changes the finished files.
    pub fn after(&mut self, change: impl FnOnce(&mut BTreeMap<String, Vec<u8>>) + 'static) {
        self.files.push(Box::new(change));
    }

    /// Changes what the certificate of that place says, before its result digest is made.
    pub fn certificate(&mut self, place: usize, change: impl FnOnce(&mut Certificate) + 'static) {
        self.certificates[place].edits.push(Box::new(change));
    }

    pub fn world(&mut self) -> &mut World {
        self.world.as_mut().unwrap()
    }

    /// The finished case.
    pub fn build(self, attack: &'static str, about: String) -> Case {
        let mut sealer = Sealer { keys: self.keys, bends: self.bends };
        let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        let mut manifest = self.manifest;
        if manifest.get("integrity").is_none() {
            manifest["integrity"] = json!({ "files": entries(&self.component, &self.documents) });
        }
        let mut text = manifest.to_string().into_bytes();
        for bend in sealer.take(Place::Manifest) {
            text = match bend {
                Bend::Said(change) => change(String::from_utf8(text).unwrap()).into_bytes(),
                Bend::Raw(change) | Bend::File(change) => change(text),
                _ => panic!("a manifest is no envelope"),
            };
        }
        let facts = Facts::derive(&self.component).unwrap_or_default();
        files.insert("manifest.json".into(), text);
        files.insert("component.wasm".into(), self.component);
        files.extend(self.documents.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)));
        let mut subjects: Vec<Subject> =
            files.iter().map(|(name, bytes)| subject(name, Sha256Digest::of(bytes))).collect();
        if let Some(change) = self.subjects {
            change(&mut subjects);
        }
        let manifest_digest = Sha256Digest::of(&files["manifest.json"]);
        let release = Statement::new(subjects.clone(), self.release.clone());
        let release = sealer.seal(Place::Release, &release, &self.release_by);
        for (place, (seed, mut document)) in self.delegations.into_iter().enumerate() {
            if document.subject == Sha256Digest::of(b"") {
                document.subject = manifest_digest;
            }
            let bytes = sealer.seal(Place::Delegation(place), &document, &[ISSUER]);
            files.insert(file_name(self.keys.id(seed)), bytes);
        }
        let roles: Vec<Role> = serde_json::from_value(manifest["roles"].clone()).unwrap_or_default();
        for (place, certify) in self.certificates.into_iter().enumerate() {
            let mut certificate = good_certificate(&self.release, &facts, &roles);
            let mut edits = certify.edits;
            let last = if certify.stale_digest { edits.pop() } else { None };
            edits.into_iter().for_each(|edit| edit(&mut certificate));
            certificate.result_digest = certificate.results();
            last.into_iter().for_each(|edit| edit(&mut certificate));
            let statement = Statement::new(subjects.clone(), certificate);
            let bytes = sealer.seal(Place::Certificate(place), &statement, &[certify.by]);
            let name = format!("certificates/{}.dsse.json", self.keys.id(certify.by).short());
            files.insert(name, bytes);
        }
        files.insert("release.dsse.json".into(), release);
        let mut operator = self.operator;
        if self.pinned {
            operator.lock = Some(super::case::Pinned {
                id: self.release.id.to_string(),
                version: self.release.version.to_string(),
                manifest: manifest_digest,
                component: Sha256Digest::of(&files["component.wasm"]),
            });
        }
        let anchor = self.world.map(|world| world.build(&mut sealer));
        let left: Vec<Place> = sealer.bends.iter().map(|(place, _)| *place).collect();
        assert!(left.is_empty(), "{attack}: {about}: nothing is at {left:?}");
        self.files.into_iter().for_each(|change| change(&mut files));
        let files = files.into_iter().map(|(name, bytes)| (name, Bytes(bytes))).collect();
        Case { attack, about, files, rules: operator, anchor, now: self.now }
    }
}

pub fn subject(name: &str, sha256: Sha256Digest) -> Subject {
    Subject { name: name.to_owned(), digest: SubjectDigest { sha256 } }
}

/// What a manifest says of its files.
pub fn entries(component: &[u8], documents: &BTreeMap<&'static str, Vec<u8>>) -> Vec<Value> {
    let entry = |path: &str, bytes: &[u8]| {
        let role = match path {
            "component.wasm" => "component",
            "sbom.cdx.json" => "sbom",
            "LICENSE" => "license",
            _ => "readme",
        };
        json!({ "path": path, "role": role, "size": bytes.len(), "sha256": Sha256Digest::of(bytes) })
    };
    let documents = documents.iter().map(|(path, bytes)| entry(path, bytes));
    std::iter::once(entry("component.wasm", component)).chain(documents).collect()
}

fn good_certificate(release: &Release, facts: &Facts, roles: &[Role]) -> Certificate {
    let tool = Tool { name: "orch-certify".into(), version: "0.1.0".into() };
    Certificate {
        id: release.id.clone(),
        version: release.version.clone(),
        level: Level::Local,
        certifier: tool.clone(),
        environment: Environment { wasmtime: "48.0.8".into(), target: "x86_64-unknown-linux-gnu".into() },
        inputs: None,
        facts: facts.clone(),
        checks: checks(Level::Local, roles, &tool),
        measured: Measured::default(),
        self_check: SelfCheck { corpus_sha256: Sha256Digest::of(b"corpus"), rejected: 9, of: 9 },
        result_digest: Sha256Digest::of(b""),
        started_at: NOW.plus(-100),
        finished_at: NOW.plus(-50),
        signed_at: NOW.plus(-45),
        valid_until: NOW.plus(7 * DAY - 50),
    }
}

/// Every check of the host's list for that level, passed.
pub fn checks(level: Level, roles: &[Role], tool: &Tool) -> Vec<CheckResult> {
    let check = |id: String| CheckResult {
        id,
        version: 1,
        tool: tool.clone(),
        status: CheckStatus::Pass,
        looked_at: 3,
        findings: Vec::new(),
        duration_ms: 7,
        evidence_sha256: Sha256Digest::of(b"evidence"),
    };
    required_checks(level, roles).into_iter().map(|required| check(required.id)).collect()
}

/// The id of a plugin.
pub fn plugin(id: &str) -> PluginId {
    PluginId::parse(id).unwrap()
}
