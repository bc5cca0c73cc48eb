//! Which entries are taken, and what is said of them.

use super::*;
use orch_trust::authority::Level;
use orch_trust::key::SecretKey;
use orch_trust::root::document::{CertifierText, RootDocument};
use serde_json::json;

use crate::trust_root::{Owned, Part, add_key};

const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

fn key(seed: u8) -> KeyId {
    SecretKey::from_seed(&[seed; 32]).public().id()
}

/// Root key 1, certifier 2, revoker 3, freshness signer 4, publisher 5.
fn root() -> RootDocument {
    let role = json!({ "threshold": 1, "keyids": [] });
    let mut root: RootDocument = serde_json::from_value(json!({
        "_type": "trust-root/v1", "version": 1, "issued": NOW, "expires": NOW.plus(1000), "keys": {},
        "namespaces": [],
        "roles": {
            "root": role, "revoker": role,
            "certifier": { "threshold": 1, "independent": false, "keys": [] },
            "freshness": { "threshold": 1, "keyids": [], "maxAge": "P7D", "offlineGrace": "P30D" }
        }
    }))
    .unwrap();
    let parts = [
        Part::Root,
        Part::Certifier(Level::Local),
        Part::Revoker,
        Part::Freshness,
        Part::Publisher("acme/".to_owned()),
    ];
    for (seed, part) in (1..).zip(&parts) {
        let owned = Owned { key: SecretKey::from_seed(&[seed; 32]).public(), owner: "x".to_owned() };
        add_key(&mut root, part, &owned).unwrap();
    }
    let CertifierText { keyid, .. } = root.roles.certifier.keys[0];
    assert_eq!(keyid, key(2));
    root
}

fn entry(what: serde_json::Value, action: Action) -> Entry {
    Entry { what: serde_json::from_value(what).unwrap(), action, reason: "x".to_owned() }
}

fn of_key(seed: u8) -> serde_json::Value {
    json!({ "key": { "keyid": key(seed), "invalidAfter": NOW } })
}

fn of_certifier(name: &str, versions: &str, check: Option<&str>) -> serde_json::Value {
    let mut what = json!({ "name": name, "versions": versions });
    if let Some(check) = check {
        what["check"] = check.into();
    }
    json!({ "certifier": what })
}

#[test]
fn recertify_is_for_what_a_new_certificate_cures() {
    let versions = ">=1.0.0";
    for (what, cured) in [
        (of_certifier("orch-certify", versions, None), true),
        (of_certifier("orch-certify", versions, Some("imports")), true),
        (of_key(2), true),
        // Of a job, perhaps one that certified.
        (of_key(9), true),
        (of_key(3), false),
        (of_key(4), false),
        (of_key(5), false),
        (json!({ "file": { "sha256": "0".repeat(64) } }), false),
        (json!({ "release": { "id": "acme/x", "versions": versions } }), false),
        (json!({ "advisory": { "advisory": "A", "crate": "foo", "versions": versions } }), false),
    ] {
        let code = |action| check(&entry(what.clone(), action), &root()).err().map(|error| error.code());
        assert_eq!(code(Action::Recertify), (!cured).then_some("revoke-recertify"), "{what}");
        for other in [Action::Warn, Action::BlockLoad, Action::Kill] {
            assert_eq!(code(other), None, "{what}");
        }
    }
}

#[test]
fn what_can_take_nothing_back_is_refused() {
    let code = |what| check(&entry(what, Action::Kill), &root()).err().map(|error| error.code());
    assert_eq!(code(of_key(1)), Some("revoke-root-key"));
    let empty = ">=2.0.0, <1.0.0";
    for what in [
        of_certifier("orch-certify", empty, None),
        json!({ "release": { "id": "acme/x", "versions": empty } }),
        json!({ "advisory": { "advisory": "A", "crate": "foo", "versions": empty } }),
    ] {
        assert_eq!(code(what), Some("revoke-no-version"));
    }
}

#[test]
fn an_author_hears_what_an_entry_may_not_do() {
    let said = |what, from_said| doubts(&entry(what, Action::Kill), &root(), from_said, NOW).join("\n");
    assert_eq!(said(of_certifier("orch-certify", "*", None), false), "");
    assert_eq!(said(of_certifier("orch-certify", "*", Some("conformance/planner")), false), "");
    assert_eq!(said(of_key(5), true), "");
    let near = said(of_certifier("orch-certfy", "*", Some("importz")), false);
    assert!(
        near.contains("no certifier `orch-certfy`") && near.contains("near it: `orch-certify`"),
        "{near}"
    );
    assert!(near.contains("no check `importz`") && near.contains("near it: `imports`"), "{near}");
    let far = said(of_certifier("x\u{1b}", "*", None), false);
    assert!(far.contains(r"`x\u{1b}`") && !far.contains("near it"), "{far}");
    assert!(said(of_key(5), false).contains("stays valid"));
    assert!(said(of_key(9), true).contains("has no key"));
    let later = json!({ "key": { "keyid": key(5), "invalidAfter": NOW.plus(1) } });
    assert!(said(later, true).contains("still to come"));
}
