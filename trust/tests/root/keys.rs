//! K: keys, roles, thresholds, namespaces, and roots that follow each other.

use orch_trust::authority::Level;
use orch_trust::digest::Sha256Digest;
use orch_trust::dsse::Payload;
use orch_trust::root::document::{CertifierJobText, CertifierText, Job, NamespaceText, RootDocument};
use orch_trust::root::{verify_chain, verify_first, verify_next};
use orch_trust::time::UnixSeconds;
use serde_json::{Value, json};

use super::world::{
    CERTIFIER, FRESHNESS, OTHER_CERTIFIER, PUBLISHER, REVOKER, ROOTS, STRANGER, World, id, key_text, role,
    signature, signed, signed_json, spelled,
};
use crate::make::{DAY, Make, NOW};

const ROOT_TYPE: &str = RootDocument::PAYLOAD_TYPE;

/// The code of a first root.
fn first(edit: impl FnOnce(&mut World)) -> Option<&'static str> {
    World::with(edit).first_root(NOW).err().map(|refusal| refusal.code())
}

/// The code of a first root of this JSON.
fn first_json(value: &Value) -> Option<&'static str> {
    let bytes = signed_json::<RootDocument>(value, &ROOTS[..2]);
    verify_first(&bytes, Sha256Digest::of(&bytes), NOW).err().map(|refusal| refusal.code())
}

fn good_json() -> Value {
    serde_json::to_value(World::good().root).unwrap()
}

#[test]
fn k1_a_signature_counts_once() {
    let payload = serde_json::to_vec(&World::good().root).unwrap();
    let one = signature(ROOT_TYPE, &payload, ROOTS[0]);
    let code = |signatures: &[(String, String)]| {
        let bytes = spelled(ROOT_TYPE, &payload, signatures);
        verify_first(&bytes, Sha256Digest::of(&bytes), NOW).err().map(|refusal| refusal.code())
    };
    assert_eq!(code(&[one.clone(), signature(ROOT_TYPE, &payload, ROOTS[1])]), None);
    assert_eq!(code(std::slice::from_ref(&one)), Some("root-not-by-itself"));
    assert_eq!(code(&[one.clone(), one]), Some("envelope-malformed"));
}

#[test]
fn k2_k3_a_key_has_one_id() {
    let mut value = good_json();
    let own = id(ROOTS[0]).to_string();
    let text = value["keys"][&own].clone();
    // The same key under the id of another one, and under a made-up one.
    for other in [id(ROOTS[1]).to_string(), Sha256Digest::of(b"second id").to_string()] {
        let before = value["keys"].get(&other).cloned();
        value["keys"][&other] = text.clone();
        assert_eq!(first_json(&value), Some("root-key-id"));
        match before {
            Some(before) => value["keys"][&other] = before,
            None => drop(value["keys"].as_object_mut().unwrap().remove(&other)),
        }
    }
    assert_eq!(first_json(&value), None);
    for wrong in
        [own.to_uppercase(), own[..63].to_owned(), format!("{own}0"), format!("0x{own}"), String::new()]
    {
        let mut bent = good_json();
        bent["keys"][&wrong] = text.clone();
        assert_eq!(first_json(&bent), Some("envelope-payload"), "{wrong}");
        let payload = serde_json::to_vec(&World::good().root).unwrap();
        let (_, sig) = signature(ROOT_TYPE, &payload, ROOTS[0]);
        let bytes = spelled(ROOT_TYPE, &payload, &[(wrong.clone(), sig)]);
        let code = verify_first(&bytes, Sha256Digest::of(&bytes), NOW).unwrap_err().code();
        assert_eq!(code, "envelope-key-id", "{wrong}");
    }
    let mut bent = good_json();
    bent["keys"][&own]["public"] = json!("AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    assert_eq!(first_json(&bent), Some("root-key-malformed"));
    assert_eq!(first(|world| world.root.roles.root.keyids.push(id(ROOTS[0]))), Some("role-key-twice"));
    assert_eq!(first(|world| world.root.roles.revoker.keyids.push(id(STRANGER))), Some("role-key-unknown"));
}

#[test]
fn k4_every_roles_threshold_can_be_met_and_is_not_zero() {
    type Set = fn(&mut World, u32);
    let roles: [(Set, u32); 6] = [
        (|world, to| world.root.roles.root.threshold = to, 3),
        (|world, to| world.root.roles.certifier.threshold = to, 2),
        (|world, to| world.root.roles.revoker.threshold = to, 1),
        (|world, to| world.root.roles.freshness.threshold = to, 1),
        (|world, to| world.root.roles.ci_issuer.as_mut().unwrap().threshold = to, 1),
        (|world, to| world.root.namespaces[0].publisher.threshold = to, 1),
    ];
    for (set, most) in roles {
        let code = |to: u32| {
            first(|world| {
                set(world, to);
                world.root_signers = ROOTS.to_vec();
            })
        };
        assert_eq!(code(most), None);
        assert_eq!(code(0), Some("threshold-zero"));
        assert_eq!(code(most + 1), Some("threshold-above-keys"));
        assert_eq!(code(u32::MAX), Some("threshold-above-keys"));
    }
    let mut value = good_json();
    for wrong in [json!(-1), json!(1.5), json!("2"), json!(4_294_967_296_u64), Value::Null] {
        value["roles"]["root"]["threshold"] = wrong;
        assert_eq!(first_json(&value), Some("envelope-payload"));
    }
    assert_eq!(first(|world| world.root.roles.revoker.keyids.clear()), Some("role-keys"));
    // Two keys of one owner are not independent.
    let independent = |owner: &str| {
        first(|world| {
            world.root.roles.certifier.threshold = 2;
            world.root.roles.certifier.independent = true;
            world.root.keys.get_mut(&id(OTHER_CERTIFIER)).unwrap().owner = owner.to_owned();
        })
    };
    assert_eq!(independent("institute"), None);
    assert_eq!(independent("lab"), Some("threshold-above-keys"));
}

#[test]
fn k5_a_publisher_certifies_nothing() {
    let world = World::good();
    assert_eq!(world.refused(|_| {}), None);
    let certifier = orch_trust::key::SecretKey::from_seed(&[PUBLISHER; 32]);
    assert_eq!(world.refused(|make| make.certifier = certifier), Some("certificate-unknown-key"));
    let publisher = orch_trust::key::SecretKey::from_seed(&[CERTIFIER; 32]);
    assert_eq!(world.refused(|make| make.publisher = publisher), Some("release-unknown-key"));
    for seed in [ROOTS[0], REVOKER, FRESHNESS] {
        let key = || orch_trust::key::SecretKey::from_seed(&[seed; 32]);
        assert_eq!(world.refused(|make| make.publisher = key()), Some("release-unknown-key"));
        assert_eq!(world.refused(|make| make.certifier = key()), Some("certificate-unknown-key"));
    }
    let both = CertifierText { keyid: id(PUBLISHER), level: Level::Local };
    assert_eq!(first(|world| world.root.roles.certifier.keys.push(both)), Some("root-key-two-roles"));
}

#[test]
fn once_there_is_a_root_single_files_are_no_authority() {
    let world = World::good();
    let stranger = || orch_trust::key::SecretKey::from_seed(&[STRANGER; 32]);
    let as_publisher = world.refused(|make| {
        make.rules.publishers[0].key = stranger().public();
        make.publisher = stranger();
    });
    assert_eq!(as_publisher, Some("release-unknown-key"));
    let as_certifier = world.refused(|make| {
        make.rules.certifiers[0].key = stranger().public();
        make.certifier = stranger();
    });
    assert_eq!(as_certifier, Some("certificate-unknown-key"));
}

#[test]
fn k6_a_prefix_ends_at_a_part_and_the_longest_is_the_only_one() {
    for wrong in
        ["acme", "", "/", "acme//", "acme/x", "ACME/", "acme/x/y/", "orch/", "../", "acme/*/", "acme/../"]
    {
        let code = first(|world| world.root.namespaces[0].prefix = wrong.into());
        assert_eq!(code, Some("root-malformed"), "{wrong}");
    }
    let twice = first(|world| {
        let again = world.root.namespaces[0].clone();
        world.root.namespaces.push(again);
    });
    assert_eq!(twice, Some("root-malformed"));
    assert_eq!(first(|world| world.root.namespaces[0].terminating = false), Some("root-malformed"));
    let refused =
        |prefix: &str| World::with(|world| world.root.namespaces[0].prefix = prefix.into()).refused(|_| {});
    assert_eq!(refused("acme/"), None);
    assert_eq!(refused("acme/note/"), None);
    for other in ["acme-evil/", "acm/", "acme/not/", "acme/note-s/", "acme/notes/"] {
        assert_eq!(refused(other), Some("release-other-namespace"), "{other}");
    }
    // An entry for this one plugin: who owns the namespace does not publish it any more, nor the other way round.
    let own_entry = |signer: u8| {
        let world = World::with(|world| {
            world.root.keys.insert(id(STRANGER), key_text(STRANGER, "stranger"));
            let mut exact = world.root.namespaces[0].clone();
            exact.prefix = "acme/note/".into();
            exact.publisher = role(1, &[STRANGER]);
            world.root.namespaces.push(exact);
        });
        let key = orch_trust::key::SecretKey::from_seed(&[signer; 32]);
        world.refused(|make| make.publisher = key)
    };
    assert_eq!(own_entry(STRANGER), None);
    assert_eq!(own_entry(PUBLISHER), Some("release-other-namespace"));
}

#[test]
fn a_namespace_bounds_roles_and_permissions() {
    let refused = |edit: fn(&mut World)| World::with(edit).refused(|_| {});
    assert_eq!(refused(|world| world.root.namespaces[0].roles.clear()), Some("release-role"));
    assert_eq!(
        refused(|world| world.root.namespaces[0].roles = vec![orch_trust::manifest::Role::Planner]),
        Some("release-role")
    );
    assert_eq!(
        refused(|world| world.root.namespaces[0].max_permissions = Default::default()),
        Some("permission-above-maximum")
    );
    let mut value = good_json();
    value["namespaces"][0]["maxPermissions"] = json!({ "files": { "read": ["../x"] } });
    assert_eq!(first_json(&value), Some("root-malformed"));
    value["namespaces"][0]["maxPermissions"] = json!({ "everything": {} });
    assert_eq!(first_json(&value), Some("envelope-payload"));
}

#[test]
fn k7_keys_count_from_their_first_second_to_their_last() {
    let bounded = |seed: u8, before: Option<UnixSeconds>, after: Option<UnixSeconds>| {
        World::with(|world| {
            let key = world.root.keys.get_mut(&id(seed)).unwrap();
            (key.not_before, key.not_after) = (before, after);
        })
    };
    let publisher = |before, after| bounded(PUBLISHER, before, after).refused(|_| {});
    // Signed a day ago, looked at now.
    assert_eq!(publisher(Some(NOW.plus(-DAY)), Some(NOW)), None);
    assert_eq!(publisher(Some(NOW.plus(1 - DAY)), None), Some("release-key-not-yet"));
    assert_eq!(publisher(None, Some(NOW.plus(-1))), Some("release-key-expired"));
    let certifier = |before, after| bounded(CERTIFIER, before, after).refused(|_| {});
    assert_eq!(certifier(Some(NOW), Some(NOW)), None);
    assert_eq!(certifier(Some(NOW.plus(1)), None), Some("certificate-key-not-yet"));
    assert_eq!(certifier(None, Some(NOW.plus(-1))), Some("certificate-key-expired"));
    for (seed, code) in [
        (FRESHNESS, "freshness-threshold"),
        (REVOKER, "revocations-threshold"),
        (ROOTS[0], "root-not-by-itself"),
    ] {
        assert_eq!(bounded(seed, None, Some(NOW)).code(), None);
        assert_eq!(bounded(seed, None, Some(NOW.plus(-1))).code(), Some(code));
        assert_eq!(bounded(seed, Some(NOW.plus(1)), None).code(), Some(code));
    }
}

#[test]
fn k9_a_root_follows_the_one_before_and_both_agree() {
    let world = World::good();
    let current = world.first_root(NOW).unwrap();
    // The new version has other root keys; one of the old ones stays.
    let mut next = world.next_root();
    let new: [u8; 3] = [ROOTS[1], 13, 14];
    for seed in new {
        next.keys.insert(id(seed), key_text(seed, &format!("owner {seed}")));
    }
    next.roles.root = role(2, &new);
    let code = |next: &RootDocument, seeds: &[u8]| {
        verify_next(&current, &signed(next, seeds), NOW).err().map(|refusal| refusal.code())
    };
    assert_eq!(code(&next, &[10, 11, 13]), None);
    assert_eq!(code(&next, &[10, 12, 13, 14]), None);
    // The key that is in both counts for both.
    assert_eq!(code(&next, &[10, 11]), Some("root-not-by-itself"));
    assert_eq!(code(&next, &[11, 13]), Some("root-not-by-current"));
    assert_eq!(code(&next, &[10, 11, 12]), Some("root-not-by-itself"));
    assert_eq!(code(&next, &[10, 12]), Some("root-not-by-itself"));
    assert_eq!(code(&next, &[13, 14]), Some("root-not-by-current"));
    assert_eq!(code(&next, &[11]), Some("root-not-by-current"));
    assert_eq!(code(&next, &[10, 11, 13, STRANGER]), Some("root-unknown-key"));
    assert_eq!(code(&next, &[10, 11, 13, FRESHNESS]), Some("root-unknown-key"));
    let edited = |edit: fn(&mut RootDocument)| {
        let mut next = next.clone();
        edit(&mut next);
        code(&next, &[10, 11, 13])
    };
    assert_eq!(edited(|next| next.version = 1), Some("root-version"));
    assert_eq!(edited(|next| next.version = 3), Some("root-version"));
    assert_eq!(edited(|next| next.version = u64::MAX), Some("root-version"));
    assert_eq!(edited(|next| next.version = 0), Some("root-version"));
    assert_eq!(
        edited(|next| next.previous_sha256 = Some(Sha256Digest::of(b"another root"))),
        Some("root-previous")
    );
    assert_eq!(edited(|next| next.previous_sha256 = None), Some("root-previous"));
    assert_eq!(edited(|next| next.issued = NOW.plus(301)), Some("root-not-yet"));
    // What is signed by a key of another role of the current root is not signed by root keys.
    assert_eq!(code(&next, &[PUBLISHER, REVOKER, FRESHNESS]), Some("root-not-by-current"));
    // The same version again, in other bytes.
    let mut again = world.root.clone();
    again.expires = again.expires.plus(1);
    assert_eq!(code(&again, &[10, 11, 12]), Some("root-version"));
    // Three versions, one after the other, the middle one ended long ago; the last is asked whether it is in force.
    let mut second = World { root: next.clone(), root_signers: vec![10, 11, 13], ..world.clone() };
    second.root.expires = NOW.plus(-1);
    second.root.issued = NOW.plus(-2);
    let taken = verify_next(&current, &second.root_bytes(), NOW).unwrap();
    assert_eq!(taken.check_in_force(NOW).unwrap_err().code(), "root-expired");
    let third = World { root: RootDocument { expires: NOW.plus(DAY), ..second.next_root() }, ..second };
    let third = verify_next(&taken, &signed(&third.root, &[13, 14]), NOW).unwrap();
    assert_eq!((third.version(), third.check_in_force(NOW).is_ok()), (3, true));
    assert_eq!(
        verify_next(&current, &signed(third.document(), &[10, 11, 13]), NOW).unwrap_err().code(),
        "root-version"
    );
}

#[test]
fn the_first_root_is_the_one_that_a_person_said() {
    let world = World::good();
    let bytes = world.root_bytes();
    let other = World::with(|world| world.root.expires = NOW.plus(DAY)).root_bytes();
    let code = |bytes: &[u8], said: &[u8], now| {
        verify_first(bytes, Sha256Digest::of(said), now).err().map(|refusal| refusal.code())
    };
    assert_eq!(code(&bytes, &bytes, NOW), None);
    assert_eq!(code(&other, &bytes, NOW), Some("root-other-bytes"));
    assert_eq!(code(&bytes, &other, NOW), Some("root-other-bytes"));
    // Somebody said it, and it is signed by too few all the same.
    assert_eq!(first(|world| world.root_signers = vec![10]), Some("root-not-by-itself"));
    assert_eq!(first(|world| world.root_signers = vec![10, 11, STRANGER]), Some("root-unknown-key"));
    assert_eq!(first(|world| world.root_signers = vec![PUBLISHER, REVOKER]), Some("root-unknown-key"));
    assert_eq!(first(|world| world.root.version = 0), Some("root-malformed"));
    assert_eq!(first(|world| world.root.version = 7), Some("root-malformed"));
    assert_eq!(
        first(|world| world.root.previous_sha256 = Some(Sha256Digest::of(b""))),
        Some("root-malformed")
    );
    let nought = first(|world| {
        world.root.version = 0;
        world.root.previous_sha256 = Some(Sha256Digest::of(b""));
    });
    assert_eq!(nought, Some("root-malformed"));
    let seventh = first(|world| {
        world.root.version = 7;
        world.root.previous_sha256 = Some(Sha256Digest::of(b""));
    });
    assert_eq!(seventh, None);
    assert_eq!(first(|world| world.root.expires = world.root.issued), Some("root-malformed"));
    assert_eq!(
        first(|world| world.root.keys.get_mut(&id(1)).unwrap().owner = "a\nb".into()),
        Some("root-malformed")
    );
}

#[test]
fn k9_a_host_may_begin_with_a_later_root_whose_signers_have_left() {
    // One root key left with version 2, so it signed that version as a key of version 1.
    let world = World::good();
    let mut second = world.next_root();
    second.keys.remove(&id(ROOTS[0]));
    second.keys.insert(id(13), key_text(13, "owner 13"));
    second.roles.root = role(2, &[ROOTS[1], ROOTS[2], 13]);
    let alone = |seeds: &[u8]| {
        let bytes = signed(&second, seeds);
        verify_first(&bytes, Sha256Digest::of(&bytes), NOW).map(|root| root.version()).map_err(|no| no.code())
    };
    assert_eq!(alone(&[10, 11, 13]), Ok(2));
    // It counts for nothing in the version that does not know it, and neither does a stranger.
    assert_eq!(alone(&[10, 11]), Err("root-not-by-itself"));
    assert_eq!(alone(&[10, 13, STRANGER]), Err("root-not-by-itself"));
    // The hash covers the signature that nobody here can verify.
    let bytes = signed(&second, &[10, 11, 13]);
    let other = signed(&second, &[11, 13]);
    assert_eq!(verify_first(&other, Sha256Digest::of(&bytes), NOW).unwrap_err().code(), "root-other-bytes");
}

#[test]
fn k9_several_roots_are_each_held_against_the_one_before_and_the_last_must_be_in_force() {
    let world = World::good();
    // When the second is brought, the first has ended.
    let mut first = world.root.clone();
    first.expires = NOW.plus(-1);
    let one = signed(&first, &[10, 11]);
    let next = |before: &RootDocument, bytes: &[u8]| RootDocument {
        version: before.version + 1,
        previous_sha256: Some(Sha256Digest::of(bytes)),
        issued: NOW,
        expires: NOW.plus(DAY),
        ..before.clone()
    };
    let second = next(&first, &one);
    let two = signed(&second, &[10, 11]);
    let three = signed(&next(&second, &two), &[11, 12]);
    let chain = |bytes: &[&[u8]]| {
        let said = Sha256Digest::of(bytes[0]);
        verify_chain(bytes[0], said, &bytes[1..], NOW).map(|root| root.version()).map_err(|no| no.code())
    };
    assert_eq!(chain(&[&one]), Err("root-expired"));
    assert_eq!(chain(&[&one, &two]), Ok(2));
    assert_eq!(chain(&[&one, &two, &three]), Ok(3));
    assert_eq!(chain(&[&two, &three]), Ok(3));
    assert_eq!(chain(&[&two, &one]), Err("root-version"));
    assert_eq!(chain(&[&one, &three]), Err("root-version"));
    let short = signed(&second, &[10]);
    assert_eq!(chain(&[&one, &short]), Err("root-not-by-current"));
    assert_eq!(
        verify_chain(&one, Sha256Digest::of(&two), &[&two], NOW).unwrap_err().code(),
        "root-other-bytes"
    );
}

#[test]
fn texts_are_short_and_plain_and_namespaces_are_bounded() {
    let job = |repository: &str| Job { repository: repository.to_owned(), workflow: "w".into() };
    let certifier = |text: &str| {
        first(|world| {
            let entry = CertifierJobText { job: job(text), owner: "robot".into(), level: Level::Local };
            world.root.roles.certifier.jobs = vec![entry];
        })
    };
    let namespace = |text: &str| first(|world| world.root.namespaces[0].jobs = vec![job(text)]);
    let owner =
        |text: &str| first(|world| world.root.keys.get_mut(&id(PUBLISHER)).unwrap().owner = text.to_owned());
    let of_job = |text: &str| {
        first(|world| {
            let entry = CertifierJobText { job: job("r"), owner: text.to_owned(), level: Level::Local };
            world.root.roles.certifier.jobs = vec![entry];
        })
    };
    for of in [&certifier as &dyn Fn(&str) -> Option<&'static str>, &namespace, &owner, &of_job] {
        assert_eq!(of(&"x".repeat(256)), None);
        for wrong in ["", " x", "x ", "a\nb", "\u{1b}[2J", &"x".repeat(257)] {
            assert_eq!(of(wrong), Some("root-malformed"), "{wrong:?}");
        }
    }
    let many = |count: usize| {
        first(|world| {
            let one = world.root.namespaces[0].clone();
            let numbered = |number: usize| format!("n{number}/");
            world.root.namespaces =
                (0..count).map(|number| NamespaceText { prefix: numbered(number), ..one.clone() }).collect();
        })
    };
    assert_eq!(many(1024), None);
    assert_eq!(many(1025), Some("root-malformed"));
    assert_eq!(many(0), None);
}

#[test]
fn k11_unknown_roles_and_fields_are_refused() {
    assert_eq!(first_json(&good_json()), None);
    for pointer in ["", "/roles", "/roles/root", "/roles/certifier", "/roles/freshness", "/namespaces/0"] {
        let mut value = good_json();
        value.pointer_mut(pointer).unwrap()["log"] = json!({ "threshold": 1, "keyids": [] });
        assert_eq!(first_json(&value), Some("envelope-payload"), "{pointer}");
    }
    for (pointer, field) in
        [("", "roles"), ("/roles", "revoker"), ("/roles", "freshness"), ("", "namespaces")]
    {
        let mut value = good_json();
        value.pointer_mut(pointer).unwrap().as_object_mut().unwrap().remove(field);
        assert_eq!(first_json(&value), Some("envelope-payload"), "{field}");
    }
    let mut value = good_json();
    value["roles"]["freshness"]["maxAge"] = json!("P1M");
    assert_eq!(first_json(&value), Some("envelope-payload"));
    value["roles"]["freshness"]["maxAge"] = json!("P7D");
    value["roles"]["ci-issuer"]["maxLifetime"] = json!("PT16M");
    assert_eq!(first_json(&value), Some("root-malformed"));
}

#[test]
fn a_release_is_of_the_plugin_and_version_of_its_manifest() {
    let world = World::good();
    let other = || "acme/other".to_owned().try_into().unwrap();
    assert_eq!(world.refused(|make| make.release.id = other()), Some("release-other-plugin"));
    let version = semver::Version::new(1, 2, 4);
    assert_eq!(world.refused(|make| make.release.version = version), Some("release-other-plugin"));
    let certified = world.refused(|make| make.certificate = Box::new(move |found| found.id = other()));
    assert_eq!(certified, Some("certificate-other-plugin"));
}

/// A package's namespace may ask for several publishers: no fewer, and no more.
#[test]
fn a_release_has_as_many_signatures_as_its_namespace_asks_for() {
    let world = World::with(|world| {
        for seed in [41, 42] {
            world.root.keys.insert(id(seed), key_text(seed, "acme"));
        }
        world.root.namespaces[0].publisher = role(2, &[PUBLISHER, 41, 42]);
    });
    let code = |seeds: &[u8]| {
        let make = Make::good();
        let release = make.release.clone();
        let (mut files, rules) = make.build();
        let package = orch_trust::package::PackageBytes::new(files.clone()).unwrap();
        let statement = orch_trust::dsse::Statement::new(package.subjects(), release);
        files.insert("release.dsse.json".into(), signed(&statement, seeds).into());
        world.explain_files(files, rules, NOW).outcome.err().map(|(_, refusal)| refusal.code())
    };
    assert_eq!(code(&[PUBLISHER, 41]), None);
    assert_eq!(code(&[42, PUBLISHER]), None);
    assert_eq!(code(&[PUBLISHER]), Some("release-threshold"));
    assert_eq!(code(&[PUBLISHER, 41, 42]), Some("envelope-signatures"));
    assert_eq!(code(&[PUBLISHER, CERTIFIER]), Some("release-unknown-key"));
}
