//! A trust root for the demo's keys, with its lists: what a company's security team would keep.
//!
//! In -> out: the operator's keys -> signed documents, in files outside the workspace.
//! Invariant: publisher and certifier are those whose packages `cargo xtask packages` made; the root has keys of its own.
//! Not here: what a host makes of them (`tests/tests/trust_root.rs`).

use std::path::PathBuf;

use orch_signer::key_file::{self, Purpose};
use orch_signer::passphrase::Passphrases;
use orch_trust::authority::{Level, Publisher};
use orch_trust::digest::Sha256Digest;
use orch_trust::dsse::Payload;
use orch_trust::freshness::{self, FreshnessDocument, Pinned};
use orch_trust::key::{KeyId, PublicKey, SecretKey, Signer};
use orch_trust::manifest::Role;
use orch_trust::revocation::{self, Action, Entry, RevocationsDocument, What};
use orch_trust::root::document::{
    Algorithm, CertifierRoleText, CertifierText, FreshnessRoleText, KeyText, NamespaceText, RoleText,
    RolesText, RootDocument,
};
use orch_trust::root::{self};
use orch_trust::time::UnixSeconds;

use crate::Workspace;

/// The keepers of a root.
pub struct Keepers {
    pub root: SecretKey,
    pub second: SecretKey,
    pub revoker: SecretKey,
    pub freshness: SecretKey,
    now: UnixSeconds,
    document: RootDocument,
}

impl Keepers {
    /// Of the keys that the workspace's operator has.
    pub fn of(workspace: &Workspace) -> Self {
        let read = |name: &str, purpose| {
            key_file::open(&workspace.operator().join("keys").join(name), purpose, &Passphrases::Terminal)
                .unwrap()
        };
        let publisher = read("publisher.json", Purpose::Publisher);
        let certifier = read("certifier.json", Purpose::Certifier);
        let [root, second, revoker, freshness] =
            [11, 12, 13, 14].map(|seed| SecretKey::from_seed(&[seed; 32]));
        let now = orch_host::clock::now();
        let id = |key: &SecretKey| key.public().id();
        let text = |key: &SecretKey, owner: &str| {
            let public = key.public().to_base64();
            KeyText {
                alg: Algorithm::Ed25519,
                public,
                owner: owner.to_owned(),
                custody: None,
                not_before: None,
                not_after: None,
            }
        };
        let role = |threshold, keys: &[&SecretKey]| RoleText {
            threshold,
            keyids: keys.iter().map(|key| id(key)).collect(),
        };
        let everything = serde_json::from_str(
            r#"{"log":{},"settings":{},"kv":{"labels":["*"],"bytes":1048576},"files":{"read":["**"],"write":["**"]},
                "process":{"programs":["*"],"env":["HOME","LANG","PATH"]},"tasks":{"read":true,"add":1000,"kinds":["*"]},"findings":{},"metrics":{},
                "wasi":{"clocks":true,"random":true,"http_types":true}}"#,
        );
        let document = RootDocument {
            kind: RootDocument::KIND.to_owned(),
            version: 1,
            previous_sha256: None,
            issued: now.plus(-3600),
            expires: now.plus(100 * UnixSeconds::DAY),
            keys: [
                (id(&root), text(&root, "security")),
                (id(&second), text(&second, "security")),
                (id(&revoker), text(&revoker, "security")),
                (id(&freshness), text(&freshness, "security")),
                (id(&publisher), text(&publisher, "demo")),
                (id(&certifier), text(&certifier, "checks")),
            ]
            .into(),
            roles: RolesText {
                root: role(2, &[&root, &second]),
                certifier: CertifierRoleText {
                    threshold: 1,
                    independent: false,
                    keys: vec![CertifierText { keyid: id(&certifier), level: Level::Local }],
                    jobs: Vec::new(),
                },
                revoker: role(1, &[&revoker]),
                freshness: FreshnessRoleText {
                    threshold: 1,
                    keyids: vec![id(&freshness)],
                    max_age: serde_json::from_str("\"P7D\"").unwrap(),
                    offline_grace: serde_json::from_str("\"P30D\"").unwrap(),
                },
                ci_issuer: None,
            },
            namespaces: vec![NamespaceText {
                prefix: "demo/".to_owned(),
                publisher: role(1, &[&publisher]),
                terminating: true,
                roles: Role::ALL.to_vec(),
                max_permissions: everything.unwrap_or_else(|error| panic!("permissions: {error}")),
                jobs: Vec::new(),
            }],
        };
        Self { root, second, revoker, freshness, now, document }
    }

    /// A root that these keys signed, after a change.
    pub fn root(&self, change: impl FnOnce(&mut RootDocument), signers: &[&SecretKey]) -> Vec<u8> {
        let mut document = self.document.clone();
        change(&mut document);
        let signers: Vec<&dyn Signer> = signers.iter().map(|key| *key as &dyn Signer).collect();
        root::sign(&document, &signers).unwrap()
    }

    /// The first root as it should be, and its SHA-256.
    pub fn first(&self) -> (Vec<u8>, String) {
        let bytes = self.root(|_| {}, &[&self.root, &self.second]);
        let digest = Sha256Digest::of(&bytes).to_string();
        (bytes, digest)
    }

    /// A revocation list of that version, and the freshness document that names it. `issued`: seconds from now.
    pub fn lists(&self, version: u64, entries: Vec<Entry>, issued: i64) -> (Vec<u8>, Vec<u8>) {
        let issued = self.now.plus(issued);
        let list = RevocationsDocument {
            kind: RevocationsDocument::KIND.to_owned(),
            version,
            issued,
            expires: issued.plus(60 * UnixSeconds::DAY),
            entries,
        };
        let list = revocation::sign(&list, &[&self.revoker]).unwrap();
        let fresh = FreshnessDocument {
            kind: FreshnessDocument::KIND.to_owned(),
            version,
            issued,
            expires: issued.plus(30 * UnixSeconds::DAY),
            revocations: Pinned { version, sha256: Sha256Digest::of(&list) },
        };
        (list, freshness::sign(&fresh, &[&self.freshness]).unwrap())
    }

    /// The public file of the publisher's key.
    pub fn publisher_file(&self) -> String {
        let keyid = self.document.namespaces[0].publisher.keyids[0];
        let key = PublicKey::from_base64(&self.document.keys[&keyid].public).unwrap();
        Publisher::new(key, "demo".to_owned(), vec!["demo/".to_owned()]).render()
    }

    /// The id of the key that certified.
    pub fn certifier(&self) -> KeyId {
        self.document.roles.certifier.keys[0].keyid
    }
}

/// An entry about every version of a plugin.
pub fn entry(id: &str, action: Action) -> Entry {
    let what = What::Release {
        id: orch_trust::name::PluginId::parse(id).unwrap(),
        versions: serde_json::from_str("\">=0.0.1\"").unwrap(),
    };
    Entry { what, action, reason: "it was seen to misbehave".to_owned() }
}

/// Writes a file beside the workspace; gives its path.
pub fn beside(workspace: &Workspace, name: &str, bytes: &[u8]) -> PathBuf {
    let path = workspace.outside().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}
