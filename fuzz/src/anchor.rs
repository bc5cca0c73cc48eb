//! What an operator with a trust root goes by: documents that the right keys signed, whatever they say.

use std::sync::OnceLock;

use orch_trust::delegation::{self, DelegationDocument, Purpose};
use orch_trust::digest::Sha256Digest;
use orch_trust::dsse::Payload;
use orch_trust::freshness::{self, Freshness, FreshnessDocument, Pinned, Verdict};
use orch_trust::key::{PublicKey, SecretKey};
use orch_trust::package::PackageBytes;
use orch_trust::revocation::{self, Revocations, RevocationsDocument};
use orch_trust::root::document::{Job, RootDocument};
use orch_trust::root::{self, Root};
use orch_trust::state::TrustState;

use crate::envelope::{assert_bound, envelope};
use crate::package::{DAY, NOW, good};

pub(crate) const MAC_KEY: [u8; 32] = [9; 32];

/// One key a role, and the root that names them.
pub(crate) struct Anchored {
    pub(crate) keys: [SecretKey; 4],
    pub(crate) root: Root,
    pub(crate) document: RootDocument,
}

pub(crate) const ROOT: usize = 0;
pub(crate) const REVOKER: usize = 1;
pub(crate) const FRESHNESS: usize = 2;
const ISSUER: usize = 3;

pub(crate) fn anchored() -> &'static Anchored {
    static ANCHORED: OnceLock<Anchored> = OnceLock::new();
    ANCHORED.get_or_init(|| {
        let keys = [11, 12, 13, 14].map(|seed| SecretKey::from_seed(&[seed; 32]));
        let id = |key: &SecretKey| key.public().id().to_string();
        let text = |key: &SecretKey, owner: &str| {
            (id(key), serde_json::json!({ "alg": "ed25519", "public": key.public().to_base64(), "owner": owner }))
        };
        let named: serde_json::Map<_, _> = [
            text(&keys[ROOT], "root"),
            text(&keys[REVOKER], "revoker"),
            text(&keys[FRESHNESS], "freshness"),
            text(&keys[ISSUER], "issuer"),
            text(&good().publisher, "acme"),
            text(&good().certifier, "me"),
        ]
        .into_iter()
        .collect();
        let role = |key: &SecretKey| serde_json::json!({ "threshold": 1, "keyids": [id(key)] });
        let document = serde_json::json!({
            "_type": RootDocument::KIND, "version": 1, "issued": NOW.plus(-DAY), "expires": NOW.plus(100 * DAY), "keys": named,
            "roles": {
                "root": role(&keys[ROOT]),
                "certifier": { "threshold": 1, "independent": false,
                    "keys": [{ "keyid": id(&good().certifier), "level": "local" }] },
                "revoker": role(&keys[REVOKER]),
                "freshness": { "threshold": 1, "keyids": [id(&keys[FRESHNESS])], "maxAge": "P7D", "offlineGrace": "P30D" },
                "ci-issuer": { "threshold": 1, "keyids": [id(&keys[ISSUER])], "maxLifetime": "PT15M" } },
            "namespaces": [{ "prefix": "acme/", "publisher": role(&good().publisher), "terminating": true,
                "roles": ["executor"], "maxPermissions": { "log": {} },
                "jobs": [{ "repository": "acme/note", "workflow": "release.yml" }] }],
        });
        let document: RootDocument = serde_json::from_value(document).unwrap();
        let bytes = root::sign(&document, &[&keys[ROOT]]).unwrap();
        let root = root::verify_first(&bytes, Sha256Digest::of(&bytes), NOW).unwrap();
        Anchored { keys, root, document }
    })
}

/// A root that may follow is the next version, names the one before, and has one text; its publishers own whole
/// namespaces and are no certifiers, and every role counts distinct keys.
pub(crate) fn trust_root(payload: &[u8]) -> bool {
    let Anchored { keys, root, .. } = anchored();
    let bytes = envelope(RootDocument::PAYLOAD_TYPE, payload, &keys[ROOT]);
    let Ok(next) = root::verify_next(root, &bytes, NOW) else { return false };
    let document = next.document();
    assert_eq!((next.version(), document.previous_sha256), (2, Some(root.sha256())));
    assert_eq!(root::sign(document, &[&keys[ROOT]]).unwrap(), bytes, "one text for one root");
    assert_bound(&bytes, |changed| root::verify_next(root, changed, NOW).is_ok());
    let stored = Root::stored(&bytes, next.sha256()).expect("what was taken is read again");
    assert_eq!(stored.document(), document);
    assert!(root::verify_next(&next, &bytes, NOW).is_err(), "it does not follow itself");
    assert!(next.expires() > next.issued() && next.issued() <= NOW.plus(300));
    for publisher in next.publishers() {
        assert!(
            publisher.namespaces.iter().all(|name| name.ends_with('/') && name.matches('/').count() == 1)
        );
        assert!(next.certifiers().iter().all(|certifier| certifier.id() != publisher.key.id()));
    }
    for role in [next.root_role(), next.certifier_role(), next.revoker_role(), next.freshness_role()] {
        let mut ids: Vec<_> = role.keys().iter().map(|key| key.key.id()).collect();
        ids.sort();
        ids.dedup();
        assert!(role.threshold() >= 1 && role.threshold() as usize <= ids.len(), "{role:?}");
    }
    true
}

/// A freshness document that counts has one text, and its worth only falls as time goes on.
pub(crate) fn freshness(payload: &[u8]) -> bool {
    let Anchored { keys, root, .. } = anchored();
    let bytes = envelope(FreshnessDocument::PAYLOAD_TYPE, payload, &keys[FRESHNESS]);
    let Ok(found) = Freshness::verify(&bytes, root, NOW, |_, _| false) else { return false };
    assert_eq!(freshness::sign(found.document(), &[&keys[FRESHNESS]]).unwrap(), bytes, "one text");
    assert_bound(&bytes, |changed| Freshness::verify(changed, root, NOW, |_, _| false).is_ok());
    assert!(Freshness::verify(&bytes, root, NOW, |_, _| true).is_err(), "by a key that was taken back");
    let worth = |days: i64| match found.verdict(NOW.plus(days * DAY)) {
        Verdict::Fresh { .. } => 0,
        Verdict::OfflineGrace { .. } => 1,
        Verdict::Stale { .. } => 2,
    };
    let course: Vec<_> = [0, 1, 8, 20, 38, 400].map(worth).into();
    assert!(course.is_sorted() && course.last() == Some(&2), "{course:?}");
    true
}

/// The freshness document of a list of that version and those bytes.
fn fresh(version: u64, list: &[u8]) -> Freshness {
    let Anchored { keys, root, .. } = anchored();
    let document = FreshnessDocument {
        kind: FreshnessDocument::KIND.to_owned(),
        version: 1,
        issued: NOW,
        expires: NOW.plus(DAY),
        revocations: Pinned { version, sha256: Sha256Digest::of(list) },
    };
    let bytes = freshness::sign(&document, &[&keys[FRESHNESS]]).unwrap();
    Freshness::verify(&bytes, root, NOW, |_, _| false).unwrap()
}

/// A list that counts has one text, is in time, and no reason that a terminal would obey.
pub(crate) fn revocations(payload: &[u8]) -> bool {
    let Anchored { keys, root, .. } = anchored();
    let bytes = envelope(RevocationsDocument::PAYLOAD_TYPE, payload, &keys[REVOKER]);
    let Ok(document) = serde_json::from_slice::<RevocationsDocument>(payload) else {
        assert!(Revocations::verify(&bytes, root, &fresh(1, &bytes), NOW).is_err());
        return false;
    };
    let other = fresh(document.version, b"another list");
    assert!(Revocations::verify(&bytes, root, &other, NOW).is_err(), "it is not the list that is pinned");
    let Ok(found) = Revocations::verify(&bytes, root, &fresh(document.version, &bytes), NOW) else {
        return false;
    };
    assert_eq!(revocation::sign(found.document(), &[&keys[REVOKER]]).unwrap(), bytes, "one text");
    let pinned = fresh(document.version, &bytes);
    assert_bound(&bytes, |changed| Revocations::verify(changed, root, &pinned, NOW).is_ok());
    assert!(found.document().issued <= NOW.plus(300));
    assert!(found.document().entries.iter().all(|entry| !entry.reason.chars().any(char::is_control)));
    assert!(
        !found.revokes_key(keys[REVOKER].public().id(), found.document().issued),
        "by a key that it takes back"
    );
    true
}

/// A delegation that counts is of one package, for at most a quarter of an hour, to a publisher of its namespace.
pub(crate) fn delegation(payload: &[u8]) -> bool {
    let Anchored { keys, root, .. } = anchored();
    let bytes = envelope(DelegationDocument::PAYLOAD_TYPE, payload, &keys[ISSUER]);
    // In the file of whichever key it names.
    let key = serde_json::from_slice::<DelegationDocument>(payload).ok();
    let key = key.and_then(|found| PublicKey::from_base64(&found.key).ok());
    let name = delegation::file_name(key.unwrap_or_else(|| keys[ISSUER].public()).id());
    let added = |bytes: &[u8]| {
        let mut files = good().files.clone();
        files.insert(name.clone(), bytes.into());
        let package = PackageBytes::new(files).unwrap();
        delegation::verify(&package, &good().manifest, Some(root), NOW)
    };
    let Ok(found) = added(&bytes) else { return false };
    assert_bound(&bytes, |changed| added(changed).is_ok());
    let document: DelegationDocument = serde_json::from_slice(payload).expect("a delegation");
    assert_eq!(delegation::sign(&document, &[&keys[ISSUER]]).unwrap(), bytes, "one text");
    assert!(
        (1..=15 * 60).contains(&(document.expires.0 - document.issued.0)) && document.issued <= NOW.plus(300)
    );
    assert_eq!(
        (found.publishers.len(), found.certifiers.len()),
        (1, 0),
        "the root names no job that certifies"
    );
    assert!(found.publishers[0].owns(&good().manifest.id) && document.purpose == Purpose::Release);
    assert!(found.publishers[0].signs_until == Some(document.expires));
    true
}

/// A state is opened as it was sealed, and no other bytes are.
pub(crate) fn trust_state(bytes: &[u8]) -> bool {
    let sealed = TrustState::first(&anchored().root, NOW).seal(&MAC_KEY);
    if let Ok(found) = TrustState::open(bytes, &MAC_KEY) {
        assert_eq!(found.seal(&MAC_KEY), bytes, "one text");
    }
    let Ok(state) = serde_json::from_slice::<TrustState>(bytes) else { return bytes == sealed };
    let own = state.seal(&MAC_KEY);
    assert!(TrustState::open(&own, &[8; 32]).is_err(), "another host's");
    match TrustState::open(&own, &MAC_KEY) {
        Ok(found) => {
            assert_eq!(found, state);
            assert_bound(&own, |changed| TrustState::open(changed, &MAC_KEY).is_ok());
            true
        }
        Err(_) => false,
    }
}

pub(crate) fn valid_root() -> Vec<(&'static str, Vec<u8>)> {
    let Anchored { root, document, .. } = anchored();
    let next = RootDocument { version: 2, previous_sha256: Some(root.sha256()), ..document.clone() };
    vec![("valid", serde_json::to_vec(&next).unwrap())]
}

pub(crate) fn valid_freshness() -> Vec<(&'static str, Vec<u8>)> {
    vec![("valid", serde_json::to_vec(fresh(1, b"list").document()).unwrap())]
}

pub(crate) fn valid_revocations() -> Vec<(&'static str, Vec<u8>)> {
    let digest = Sha256Digest::of(b"x");
    let entry = |what: serde_json::Value, action: &str| serde_json::json!({ "what": what, "action": action, "reason": "why" });
    let document = serde_json::json!({
        "_type": RevocationsDocument::KIND, "version": 3, "issued": NOW, "expires": NOW.plus(DAY),
        "entries": [
            entry(serde_json::json!({ "file": { "sha256": digest } }), "kill"),
            entry(serde_json::json!({ "release": { "id": "acme/note", "versions": ">=1.0.0, <1.2.3" } }), "block-load"),
            entry(serde_json::json!({ "key": { "keyid": digest, "invalidAfter": NOW } }), "block-load"),
            entry(serde_json::json!({ "certifier": { "name": "orch-certify", "versions": "<0.1.0", "check": "imports" } }), "recertify"),
            entry(serde_json::json!({ "advisory": { "advisory": "RUSTSEC-2026-0001", "crate": "a", "versions": "=1.0.0" } }), "warn"),
        ],
    });
    let document: RevocationsDocument = serde_json::from_value(document).unwrap();
    vec![("valid", serde_json::to_vec(&document).unwrap())]
}

pub(crate) fn valid_delegation() -> Vec<(&'static str, Vec<u8>)> {
    let document = DelegationDocument {
        kind: DelegationDocument::KIND.to_owned(),
        key: SecretKey::from_seed(&[15; 32]).public().to_base64(),
        purpose: Purpose::Release,
        job: Job { repository: "acme/note".into(), workflow: "release.yml".into() },
        commit: "0".repeat(40),
        subject: good().package.manifest_digest(),
        issued: NOW,
        expires: NOW.plus(15 * 60),
    };
    vec![("valid", serde_json::to_vec(&document).unwrap())]
}

pub(crate) fn valid_state() -> Vec<(&'static str, Vec<u8>)> {
    let state = TrustState::first(&anchored().root, NOW);
    vec![("valid-sealed", state.seal(&MAC_KEY)), ("valid-state", serde_json::to_vec(&state).unwrap())]
}
