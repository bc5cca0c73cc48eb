//! S: envelopes that somebody bent.

use orch_trust::anchor::{Anchor, AnchorFiles};
use orch_trust::certificate::Certificate;
use orch_trust::digest::Sha256Digest;
use orch_trust::dsse::{Payload, Statement, Subject, SubjectDigest};
use orch_trust::freshness::{Freshness, FreshnessDocument};
use orch_trust::refusal::Refusal;
use orch_trust::release::Release;
use orch_trust::revocation::{Revocations, RevocationsDocument};
use orch_trust::root::document::RootDocument;
use orch_trust::root::{verify_first, verify_next};
use orch_trust::state::TrustState;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::world::{
    CERTIFIER, FRESHNESS, PUBLISHER, REVOKER, ROOTS, STRANGER, World, base64, signature, signed, signed_json,
    spelled,
};
use crate::make::{Make, NOW};

const FRESHNESS_TYPE: &str = FreshnessDocument::PAYLOAD_TYPE;

fn freshness(bytes: &[u8]) -> Option<&'static str> {
    let root = World::good().first_root(NOW).unwrap();
    Freshness::verify(bytes, &root, NOW, |_, _| false).err().map(|refusal| refusal.code())
}

fn payload() -> Vec<u8> {
    serde_json::to_vec(&World::good().freshness).unwrap()
}

/// Root, freshness document and list of a good world; any of them exchanged.
fn code_of(root: &[u8], freshness: &[u8], revocations: &[u8]) -> Option<&'static str> {
    let state = TrustState::first(&World::good().first_root(NOW).unwrap(), NOW);
    let files = AnchorFiles { root, freshness: Some(freshness), revocations: Some(revocations) };
    Anchor::verify(files, &state, NOW).err().map(|refusal: Refusal| refusal.code())
}

#[test]
fn s1_no_byte_of_root_freshness_or_list_can_change() {
    let world = World::good();
    let current = world.first_root(NOW).unwrap();
    let next = signed(&world.next_root(), &ROOTS[..2]);
    assert!(verify_next(&current, &next, NOW).is_ok());
    let good = [world.root_bytes(), world.freshness_bytes(), world.revocations_bytes()];
    assert_eq!(code_of(&good[0], &good[1], &good[2]), None);
    let mut tried = 0;
    for place in 0..next.len() {
        let mut changed = next.clone();
        changed[place] ^= [0x01, 0x20, 0x80][place % 3];
        assert!(verify_next(&current, &changed, NOW).is_err(), "root, byte {place}");
        tried += 1;
    }
    let freshness = Freshness::verify(&good[1], &current, NOW, |_, _| false).unwrap();
    for place in 0..good[1].len() {
        let mut changed = good[1].clone();
        changed[place] ^= 0x01;
        let found = Freshness::verify(&changed, &current, NOW, |_, _| false);
        assert!(found.is_err(), "freshness document, byte {place}");
        tried += 1;
    }
    for place in 0..good[2].len() {
        let mut changed = good[2].clone();
        changed[place] ^= 0x01;
        let found = Revocations::verify(&changed, &current, &freshness, NOW);
        assert!(found.is_err(), "revocation list, byte {place}");
        tried += 1;
    }
    assert!(tried > 5_000, "{tried}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn s1_any_change_of_any_byte_is_refused(file in 0..3usize, place in any::<prop::sample::Index>(), flip in 1..=255u8) {
        let world = World::good();
        let mut files = [world.root_bytes(), world.freshness_bytes(), world.revocations_bytes()];
        let place = place.index(files[file].len());
        files[file][place] ^= flip;
        prop_assert!(code_of(&files[0], &files[1], &files[2]).is_some());
    }
}

#[test]
fn s7_a_signature_has_64_bytes_and_one_spelling() {
    let payload = payload();
    let good = signature(FRESHNESS_TYPE, &payload, FRESHNESS);
    let with = |sig: String| freshness(&spelled(FRESHNESS_TYPE, &payload, &[(good.0.clone(), sig)]));
    let sig = good.1.as_str();
    assert_eq!(with(sig.to_owned()), None);
    let bytes = orch_trust::key::base64_decode(sig).unwrap();
    for wrong in [
        base64(&bytes[..63]),
        base64(&[&bytes[..], &[0]].concat()),
        base64(&[]),
        sig.replace("==", ""),
        sig.replace("==", "="),
        format!("{sig}="),
        format!(" {sig}"),
        format!("{sig} "),
    ] {
        assert_eq!(with(wrong.clone()), Some("signature-invalid"), "{wrong}");
    }
    let text = String::from_utf8(spelled(FRESHNESS_TYPE, &payload, std::slice::from_ref(&good))).unwrap();
    for wrong in
        [text.replace(',', ", "), format!("{text}\n"), text.trim().to_owned(), format!("\u{feff}{text}")]
    {
        assert_eq!(freshness(wrong.as_bytes()), Some("envelope-malformed"));
    }
}

#[test]
fn s8_an_envelope_of_one_purpose_counts_for_no_other() {
    let world = World::good();
    // Each is signed by the very key that the other place trusts.
    let list = signed(&world.revocations, &[FRESHNESS]);
    assert_eq!(freshness(&list), Some("envelope-type"));
    let said = signed(&world.root, &[FRESHNESS]);
    assert_eq!(freshness(&said), Some("envelope-type"));
    let document = signed(&world.freshness, &[REVOKER]);
    assert_eq!(code_of(&world.root_bytes(), &world.freshness_bytes(), &document), Some("envelope-type"));
    let no_root = signed(&world.revocations, &ROOTS[..2]);
    let code = verify_first(&no_root, Sha256Digest::of(&no_root), NOW).unwrap_err().code();
    assert_eq!(code, "envelope-type");
    let current = world.first_root(NOW).unwrap();
    assert_eq!(verify_next(&current, &no_root, NOW).unwrap_err().code(), "envelope-type");
    // A plain document in the place of a statement, and the other way round.
    let (mut files, rules) = Make::good().build();
    files.insert("release.dsse.json".into(), signed(&world.freshness, &[PUBLISHER]).into());
    let refusal = world.explain_files(files, rules, NOW).outcome.unwrap_err().1;
    assert_eq!(refusal.code(), "envelope-type");
}

#[test]
fn s9_the_type_inside_is_the_wanted_one() {
    let world = World::good();
    let inside = |kind: &str| {
        let mut value = serde_json::to_value(&world.freshness).unwrap();
        value["_type"] = kind.into();
        freshness(&signed_json::<FreshnessDocument>(&value, &[FRESHNESS]))
    };
    assert_eq!(inside("revocations/v1"), Some("envelope-type"));
    assert_eq!(inside("freshness/v2"), Some("envelope-type"));
    assert_eq!(inside("https://in-toto.io/Statement/v1"), Some("envelope-type"));
    let mut value = serde_json::to_value(&world.freshness).unwrap();
    value["predicateType"] = "urn:orch:plugin-release:v1".into();
    assert_eq!(freshness(&signed_json::<FreshnessDocument>(&value, &[FRESHNESS])), Some("envelope-type"));
    // A certificate's statement in the place of a release.
    let (files, rules) = Make::good().build();
    let name = files.keys().find(|name| name.starts_with("cert")).unwrap().clone();
    let envelope: Value = serde_json::from_slice(&files[&name]).unwrap();
    let statement = orch_trust::key::base64_decode(envelope["payload"].as_str().unwrap()).unwrap();
    let payload_type = <Statement<Release>>::PAYLOAD_TYPE;
    let bent = spelled(payload_type, &statement, &[signature(payload_type, &statement, PUBLISHER)]);
    let mut files = files;
    files.insert("release.dsse.json".into(), bent.into());
    let refusal = world.explain_files(files, rules, NOW).outcome.unwrap_err().1;
    assert_eq!(refusal.code(), "envelope-type");
}

#[test]
fn s10_s11_a_signature_is_for_these_files_and_all_of_them() {
    let world = World::good();
    let code = |edit: &dyn Fn(&mut Vec<Subject>), add: &[(&str, &str)], certificate: bool| {
        let (mut files, rules) = Make::good().build();
        let name = files.keys().find(|name| name.starts_with("cert")).unwrap().clone();
        let file = if certificate { name } else { "release.dsse.json".to_owned() };
        let envelope: Value = serde_json::from_slice(&files[&file]).unwrap();
        let payload = orch_trust::key::base64_decode(envelope["payload"].as_str().unwrap()).unwrap();
        let bytes = match certificate {
            true => {
                let mut statement: Statement<Certificate> = serde_json::from_slice(&payload).unwrap();
                edit(&mut statement.subject);
                signed(&statement, &[CERTIFIER])
            }
            false => {
                let mut statement: Statement<Release> = serde_json::from_slice(&payload).unwrap();
                edit(&mut statement.subject);
                signed(&statement, &[PUBLISHER])
            }
        };
        files.insert(file, bytes.into());
        files.extend(add.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().into())));
        world.explain_files(files, rules, NOW).outcome.err().map(|(_, refusal)| refusal.code())
    };
    for (certificate, other) in
        [(false, Some("release-other-subject")), (true, Some("certificate-other-subject"))]
    {
        assert_eq!(code(&|_| {}, &[], certificate), None);
        assert_eq!(code(&|files| files[0].digest.sha256 = Sha256Digest::of(b"x"), &[], certificate), other);
        assert_eq!(code(&|files| drop(files.pop()), &[], certificate), other);
        assert_eq!(code(&|files| files.push(files[0].clone()), &[], certificate), other);
        let more =
            Subject { name: "LICENSE".into(), digest: SubjectDigest { sha256: Sha256Digest::of(b"x") } };
        assert_eq!(code(&|files| files.push(more.clone()), &[], certificate), other);
        // A file beside the signed ones, whether the statement names it or not.
        let extra = [("LICENSE", "x")];
        assert_eq!(code(&|_| {}, &extra, certificate), Some("file-undeclared"));
        assert_eq!(code(&|files| files.push(more.clone()), &extra, certificate), Some("file-undeclared"));
    }
}

#[test]
fn s12_s13_there_is_a_signature_and_at_most_sixteen() {
    let payload = payload();
    let good = signature(FRESHNESS_TYPE, &payload, FRESHNESS);
    let many = |count: u32| {
        let junk = |number: u32| (format!("{number:064x}"), good.1.clone());
        let signatures: Vec<_> = (0..count).map(junk).collect();
        freshness(&spelled(FRESHNESS_TYPE, &payload, &signatures))
    };
    assert_eq!(many(0), Some("envelope-signatures"));
    assert_eq!(many(16), Some("freshness-unknown-key"));
    assert_eq!(many(17), Some("envelope-signatures"));
    assert_eq!(many(10_000), Some("file-too-large"));
}

#[test]
fn k11_a_list_is_signed_by_revokers_and_by_nobody_else() {
    let world = World::good();
    let by =
        |key| code_of(&world.root_bytes(), &world.freshness_bytes(), &signed(&world.revocations, &[key]));
    assert_eq!(by(REVOKER), None);
    for other in [FRESHNESS, PUBLISHER, CERTIFIER, ROOTS[0], STRANGER] {
        assert_eq!(by(other), Some("revocations-unknown-key"));
    }
}

#[test]
fn s14_every_signature_holds_wherever_it_stands() {
    let world = World::with(|world| {
        let role = &mut world.root.roles.freshness;
        role.keyids.push(super::world::id(REVOKER));
    });
    let root = world.first_root(NOW).unwrap();
    let payload = payload();
    let (one, two) =
        (signature(FRESHNESS_TYPE, &payload, FRESHNESS), signature(FRESHNESS_TYPE, &payload, REVOKER));
    let other = signature(FRESHNESS_TYPE, b"{}", REVOKER);
    let code = |signatures: &[(String, String)]| {
        let bytes = spelled(FRESHNESS_TYPE, &payload, signatures);
        Freshness::verify(&bytes, &root, NOW, |_, _| false).err().map(|refusal| refusal.code())
    };
    assert_eq!(code(&[one.clone(), two]), None);
    assert_eq!(code(&[one.clone(), other.clone()]), Some("signature-invalid"));
    assert_eq!(code(&[other, one.clone()]), Some("signature-invalid"));
    let stranger = signature(FRESHNESS_TYPE, &payload, STRANGER);
    assert_eq!(code(&[one.clone(), stranger.clone()]), Some("freshness-unknown-key"));
    assert_eq!(code(&[stranger, one]), Some("freshness-unknown-key"));
}

#[test]
fn s15_no_field_says_how_to_verify() {
    let mut value = serde_json::to_value(World::good().root).unwrap();
    let said = |value: &Value| {
        let bytes = signed_json::<RootDocument>(value, &ROOTS[..2]);
        verify_first(&bytes, Sha256Digest::of(&bytes), NOW).unwrap_err().code()
    };
    for alg in ["rsa", "none", "ED25519", ""] {
        for (_, key) in value["keys"].as_object_mut().unwrap() {
            key["alg"] = json!(alg);
        }
        assert_eq!(said(&value), "envelope-payload", "{alg}");
    }
    let text = String::from_utf8(signed(&World::good().freshness, &[FRESHNESS])).unwrap();
    let bent = text.replace("{\"keyid\"", "{\"alg\":\"none\",\"keyid\"");
    assert_eq!(freshness(bent.as_bytes()), Some("envelope-malformed"));
}

#[test]
fn s16_a_payload_that_is_none_refuses_after_a_good_signature() {
    let with = |payload: &[u8]| {
        freshness(&spelled(FRESHNESS_TYPE, payload, &[signature(FRESHNESS_TYPE, payload, FRESHNESS)]))
    };
    let good = payload();
    assert_eq!(with(&good), None);
    let text = String::from_utf8(good).unwrap();
    for wrong in [
        "",
        "null",
        "[]",
        "{",
        "\u{0}",
        &text.replace("}}", "},\"more\":1}"),
        &text.replace("\"version\":5,", ""),
    ] {
        assert_eq!(with(wrong.as_bytes()), Some("envelope-payload"), "{wrong}");
    }
    for spaced in [format!("{text} "), text.replace(':', ": ")] {
        assert!(matches!(with(spaced.as_bytes()), Some("envelope-malformed" | "envelope-payload")));
    }
    assert_eq!(
        with(text.replace("\"version\":5", "\"version\":5,\"version\":5").as_bytes()),
        Some("envelope-payload")
    );
    let list = |entry: Value| {
        let mut value = serde_json::to_value(World::good().revocations).unwrap();
        value["entries"] = json!([entry]);
        let bytes = signed_json::<RevocationsDocument>(&value, &[REVOKER]);
        let world = World::good();
        code_of(&world.root_bytes(), &world.freshness_bytes(), &bytes)
    };
    for wrong in [
        json!({ "what": { "everything": {} }, "action": "kill", "reason": "x" }),
        json!({ "what": { "file": { "sha256": "00" } }, "action": "kill", "reason": "x" }),
        json!({ "what": { "release": { "id": "acme/x", "versions": "^1" } }, "action": "kill", "reason": "x" }),
        json!({ "what": { "release": { "id": "acme/x", "versions": "*", "also": 1 } }, "action": "kill", "reason": "x" }),
        json!({ "what": { "release": { "id": "acme/x", "versions": "*" } }, "action": "ignore", "reason": "x" }),
        json!({ "what": { "release": { "id": "acme/x", "versions": "*" } }, "reason": "x" }),
    ] {
        assert_eq!(list(wrong.clone()), Some("envelope-payload"), "{wrong}");
    }
}
