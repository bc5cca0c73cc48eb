//! A good root with a freshness document, a revocation list and a package, of which a test changes one thing.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use orch_trust::admission::{Rules, Steps, explain};
use orch_trust::anchor::{Anchor, AnchorFiles};
use orch_trust::authority::Level;
use orch_trust::digest::Sha256Digest;
use orch_trust::dsse::Payload;
use orch_trust::freshness::{self, FreshnessDocument, Pinned};
use orch_trust::key::{KeyId, SecretKey, Signer};
use orch_trust::manifest::Role;
use orch_trust::package::PackageBytes;
use orch_trust::period::Period;
use orch_trust::refusal::Refusal;
use orch_trust::revocation::{self, Action, Entry, RevocationsDocument, What};
use orch_trust::root::document::{
    Algorithm, CertifierRoleText, CertifierText, Custody, FreshnessRoleText, IssuerRoleText, Job, KeyText,
    NamespaceText, RoleText, RolesText, RootDocument,
};
use orch_trust::root::{self, Root};
use orch_trust::state::TrustState;
use orch_trust::time::UnixSeconds;

use crate::make::{DAY, Files, Make, NOW};

pub(crate) const PUBLISHER: u8 = 1;
pub(crate) const CERTIFIER: u8 = 2;
pub(crate) const OTHER_CERTIFIER: u8 = 3;
pub(crate) const ROOTS: [u8; 3] = [10, 11, 12];
pub(crate) const REVOKER: u8 = 20;
pub(crate) const FRESHNESS: u8 = 21;
pub(crate) const ISSUER: u8 = 22;
pub(crate) const STRANGER: u8 = 99;

pub(crate) fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

pub(crate) fn id(seed: u8) -> KeyId {
    key(seed).public().id()
}

pub(crate) fn key_text(seed: u8, owner: &str) -> KeyText {
    KeyText {
        alg: Algorithm::Ed25519,
        public: key(seed).public().to_base64(),
        owner: owner.to_owned(),
        custody: Some(Custody::File),
        not_before: None,
        not_after: None,
    }
}

pub(crate) fn role(threshold: u32, seeds: &[u8]) -> RoleText {
    RoleText { threshold, keyids: seeds.iter().map(|seed| id(*seed)).collect() }
}

pub(crate) fn job() -> Job {
    Job { repository: "https://git.example/acme".into(), workflow: "release.yml@refs/heads/main".into() }
}

/// Signs a payload with the keys of these seeds.
pub(crate) fn signed<T: Payload>(payload: &T, seeds: &[u8]) -> Vec<u8> {
    let keys: Vec<SecretKey> = seeds.iter().map(|seed| key(*seed)).collect();
    let signers: Vec<&dyn Signer> = keys.iter().map(|key| key as &dyn Signer).collect();
    orch_trust::dsse::sign(payload, &signers).unwrap()
}

/// An envelope as it is spelled, made here once more: payload type, payload, and what stands in the place of signatures.
pub(crate) fn spelled(payload_type: &str, payload: &[u8], signatures: &[(String, String)]) -> Vec<u8> {
    let one = |(keyid, sig): &(String, String)| format!(r#"{{"keyid":"{keyid}","sig":"{sig}"}}"#);
    let signatures: Vec<String> = signatures.iter().map(one).collect();
    let payload = STANDARD.encode(payload);
    let signatures = signatures.join(",");
    let text =
        format!(r#"{{"payloadType":"{payload_type}","payload":"{payload}","signatures":[{signatures}]}}"#);
    format!("{text}\n").into_bytes()
}

/// Key id and signature of that key over a payload, made here once more.
pub(crate) fn signature(payload_type: &str, payload: &[u8], seed: u8) -> (String, String) {
    let mut message = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    message.extend(payload);
    (id(seed).to_string(), STANDARD.encode(key(seed).sign(&message)))
}

/// An envelope of JSON; in the one form if it is a `T`, as it stands if it is not.
pub(crate) fn signed_json<T: Payload>(payload: &serde_json::Value, seeds: &[u8]) -> Vec<u8> {
    let payload = match serde_json::from_value::<T>(payload.clone()) {
        Ok(value) => serde_json::to_vec(&value).unwrap(),
        Err(_) => payload.to_string().into_bytes(),
    };
    let signatures: Vec<_> = seeds.iter().map(|seed| signature(T::PAYLOAD_TYPE, &payload, *seed)).collect();
    spelled(T::PAYLOAD_TYPE, &payload, &signatures)
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Everything; a test changes one thing of it.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) root: RootDocument,
    pub(crate) root_signers: Vec<u8>,
    pub(crate) freshness: FreshnessDocument,
    pub(crate) freshness_signers: Vec<u8>,
    pub(crate) revocations: RevocationsDocument,
    pub(crate) revocations_signers: Vec<u8>,
}

impl World {
    pub(crate) fn good() -> Self {
        let owners = [
            (PUBLISHER, "acme"),
            (CERTIFIER, "lab"),
            (OTHER_CERTIFIER, "institute"),
            (ROOTS[0], "ann"),
            (ROOTS[1], "bob"),
            (ROOTS[2], "cem"),
            (REVOKER, "ops"),
            (FRESHNESS, "ops"),
            (ISSUER, "ci"),
        ];
        let period = |text: &str| Period::parse(text).unwrap();
        let certifier = |seed| CertifierText { keyid: id(seed), level: Level::Local };
        let roles = RolesText {
            root: role(2, &ROOTS),
            certifier: CertifierRoleText {
                threshold: 1,
                independent: false,
                keys: vec![certifier(CERTIFIER), certifier(OTHER_CERTIFIER)],
                jobs: vec![],
            },
            revoker: role(1, &[REVOKER]),
            freshness: FreshnessRoleText {
                threshold: 1,
                keyids: vec![id(FRESHNESS)],
                max_age: period("P7D"),
                offline_grace: period("P30D"),
            },
            ci_issuer: Some(IssuerRoleText {
                threshold: 1,
                keyids: vec![id(ISSUER)],
                max_lifetime: period("PT15M"),
            }),
        };
        let namespace = NamespaceText {
            prefix: "acme/".into(),
            publisher: role(1, &[PUBLISHER]),
            terminating: true,
            roles: vec![Role::Executor],
            max_permissions: serde_json::from_str(r#"{"log":{}}"#).unwrap(),
            jobs: vec![],
        };
        let root = RootDocument {
            kind: "trust-root/v1".into(),
            version: 1,
            previous_sha256: None,
            issued: NOW.plus(-10 * DAY),
            expires: NOW.plus(100 * DAY),
            keys: owners.into_iter().map(|(seed, owner)| (id(seed), key_text(seed, owner))).collect(),
            roles,
            namespaces: vec![namespace],
        };
        let freshness = FreshnessDocument {
            kind: "freshness/v1".into(),
            version: 5,
            issued: NOW.plus(-DAY),
            expires: NOW.plus(50 * DAY),
            revocations: Pinned { version: 3, sha256: Sha256Digest::of(b"") },
        };
        let revocations = RevocationsDocument {
            kind: "revocations/v1".into(),
            version: 3,
            issued: NOW.plus(-2 * DAY),
            expires: NOW.plus(90 * DAY),
            entries: vec![],
        };
        Self {
            root,
            root_signers: vec![ROOTS[0], ROOTS[1]],
            freshness,
            freshness_signers: vec![FRESHNESS],
            revocations,
            revocations_signers: vec![REVOKER],
        }
    }

    pub(crate) fn with(edit: impl FnOnce(&mut Self)) -> Self {
        let mut world = Self::good();
        edit(&mut world);
        world
    }

    /// One with this entry in its list.
    pub(crate) fn revoking(what: What, action: Action) -> Self {
        Self::with(|world| world.revocations.entries = vec![entry(what, action)])
    }

    pub(crate) fn root_bytes(&self) -> Vec<u8> {
        signed(&self.root, &self.root_signers)
    }

    pub(crate) fn revocations_bytes(&self) -> Vec<u8> {
        signed(&self.revocations, &self.revocations_signers)
    }

    /// The document with the pin of this world's list.
    pub(crate) fn freshness_bytes(&self) -> Vec<u8> {
        let mut document = self.freshness.clone();
        let sha256 = Sha256Digest::of(&self.revocations_bytes());
        document.revocations = Pinned { version: self.revocations.version, sha256 };
        signed(&document, &self.freshness_signers)
    }

    pub(crate) fn first_root(&self, now: UnixSeconds) -> Result<Root, Refusal> {
        let bytes = self.root_bytes();
        root::verify_first(&bytes, Sha256Digest::of(&bytes), now)
    }

    /// The root after this world's.
    pub(crate) fn next_root(&self) -> RootDocument {
        RootDocument {
            version: self.root.version + 1,
            previous_sha256: Some(Sha256Digest::of(&self.root_bytes())),
            issued: NOW,
            ..self.root.clone()
        }
    }

    /// The anchor of a host that sees this world for the first time, and its state.
    pub(crate) fn open(&self) -> Result<(Anchor, TrustState), Refusal> {
        let root = self.first_root(NOW)?;
        self.open_after(&TrustState::first(&root, NOW), NOW)
    }

    /// The anchor of a host that has seen something.
    pub(crate) fn open_after(
        &self,
        state: &TrustState,
        now: UnixSeconds,
    ) -> Result<(Anchor, TrustState), Refusal> {
        let (root, freshness, revocations) =
            (self.root_bytes(), self.freshness_bytes(), self.revocations_bytes());
        let files = AnchorFiles { root: &root, freshness: Some(&freshness), revocations: Some(&revocations) };
        Anchor::verify(files, state, now)
    }

    pub(crate) fn code(&self) -> Option<&'static str> {
        self.open().err().map(|refusal| refusal.code())
    }

    /// Every step of admission in this world at that time.
    pub(crate) fn explain(&self, make: Make, now: UnixSeconds) -> Steps {
        let (files, rules) = make.build();
        self.explain_files(files, rules, now)
    }

    pub(crate) fn explain_files(&self, files: Files, mut rules: Rules, now: UnixSeconds) -> Steps {
        rules.anchor = Some(Arc::new(self.open().unwrap().0));
        explain(&PackageBytes::new(files).unwrap(), &rules, now)
    }

    /// The code that a package is refused with in this world.
    pub(crate) fn refused(&self, edit: impl FnOnce(&mut Make)) -> Option<&'static str> {
        let mut make = Make::good();
        edit(&mut make);
        self.explain(make, NOW).outcome.err().map(|(_, refusal)| refusal.code())
    }
}

pub(crate) fn entry(what: What, action: Action) -> Entry {
    Entry { what, action, reason: "test".into() }
}

/// The same as the library's own way to sign.
#[test]
fn what_is_spelled_here_is_what_the_library_writes() {
    let world = World::good();
    let as_json = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).unwrap();
    let payload = serde_json::to_vec(&world.root).unwrap();
    let seeds = &world.root_signers;
    let signatures: Vec<_> =
        seeds.iter().map(|seed| signature(RootDocument::PAYLOAD_TYPE, &payload, *seed)).collect();
    let spelled = spelled(RootDocument::PAYLOAD_TYPE, &payload, &signatures);
    assert_eq!(as_json(&spelled), as_json(&world.root_bytes()));
    assert_eq!(spelled, world.root_bytes());
    let keys = [key(ROOTS[0]), key(ROOTS[1])];
    let signers: [&dyn Signer; 2] = [&keys[0], &keys[1]];
    assert_eq!(root::sign(&world.root, &signers).unwrap(), world.root_bytes());
    let sign = freshness::sign(&world.freshness, &[&key(FRESHNESS)]).unwrap();
    assert_eq!(sign, signed(&world.freshness, &[FRESHNESS]));
    let sign = revocation::sign(&world.revocations, &[&key(REVOKER)]).unwrap();
    assert_eq!(sign, world.revocations_bytes());
}

#[test]
fn the_good_world_admits_the_good_package_and_says_how_new_its_knowledge_is() {
    let world = World::good();
    let (_, state) = world.open().unwrap();
    assert_eq!(state.freshness().unwrap().version, 5);
    assert_eq!(state.revocations().unwrap().version, 3);
    let steps = world.explain(Make::good(), NOW);
    let admitted = steps.outcome.unwrap();
    assert_eq!(admitted.freshness().map(|verdict| verdict.as_str()), Some("fresh"));
    assert!(admitted.notes().is_empty());
    assert_eq!(steps.freshness, admitted.freshness());
    assert_eq!(steps.publisher, Some(("acme".to_owned(), id(PUBLISHER))));
}
