//! T4 to T6 and K10: what a host has seen, and what nobody gets it to forget.

use orch_trust::anchor::{Anchor, AnchorFiles};
use orch_trust::digest::Sha256Digest;
use orch_trust::name::PluginId;
use orch_trust::root::verify_next;
use orch_trust::state::{CLOCK_BACK_SECONDS, FIRST_MAX, STEP_MAX, TrustState};
use orch_trust::time::UnixSeconds;
use proptest::prelude::*;

use super::world::{FRESHNESS, PUBLISHER, REVOKER, ROOTS, World, id, key_text, role, signed};
use crate::make::{DAY, Make, NOW};

const KEY: [u8; 32] = [7; 32];

fn code(world: &World, state: &TrustState) -> Option<&'static str> {
    world.open_after(state, NOW).err().map(|refusal| refusal.code())
}

fn versions(freshness: u64, revocations: u64) -> World {
    World::with(|world| (world.freshness.version, world.revocations.version) = (freshness, revocations))
}

#[test]
fn t4_nothing_older_than_what_was_seen_is_taken() {
    let (_, state) = versions(5, 3).open().unwrap();
    assert_eq!(code(&versions(5, 3), &state), None);
    assert_eq!(code(&versions(6, 3), &state), None);
    assert_eq!(code(&versions(6, 4), &state), None);
    assert_eq!(code(&versions(4, 3), &state), Some("freshness-rollback"));
    assert_eq!(code(&versions(0, 3), &state), Some("freshness-rollback"));
    // A newer freshness document names an older list.
    assert_eq!(code(&versions(6, 2), &state), Some("revocations-rollback"));
    // The same version in other bytes.
    let other = World::with(|world| world.freshness.expires = NOW.plus(DAY));
    assert_eq!(code(&other, &state), Some("freshness-other-bytes"));
    let other = World::with(|world| {
        world.revocations.expires = NOW.plus(DAY);
        world.freshness.version = 6;
    });
    assert_eq!(code(&other, &state), Some("revocations-other-bytes"));
}

#[test]
fn t4_a_list_is_the_one_that_the_freshness_document_names() {
    let world = World::good();
    let state = TrustState::first(&world.first_root(NOW).unwrap(), NOW);
    let (root, freshness) = (world.root_bytes(), world.freshness_bytes());
    let code = |list: &World| {
        let list = list.revocations_bytes();
        let files = AnchorFiles { root: &root, freshness: Some(&freshness), revocations: Some(&list) };
        Anchor::verify(files, &state, NOW).err().map(|refusal| refusal.code())
    };
    assert_eq!(code(&world), None);
    assert_eq!(code(&versions(5, 2)), Some("revocations-not-pinned"));
    assert_eq!(code(&versions(5, 4)), Some("revocations-not-pinned"));
    let other = World::with(|world| world.revocations.expires = NOW.plus(DAY));
    assert_eq!(code(&other), Some("revocations-not-pinned"));
    let missing = |freshness: Option<&[u8]>, revocations: Option<&[u8]>| {
        let files = AnchorFiles { root: &root, freshness, revocations };
        Anchor::verify(files, &state, NOW).unwrap_err().code()
    };
    assert_eq!(missing(None, Some(&world.revocations_bytes())), "anchor-file-missing");
    assert_eq!(missing(Some(&freshness), None), "anchor-file-missing");
}

#[test]
fn t4_a_plugins_counter_goes_up_unless_it_is_pinned() {
    let world = World::good();
    let (_, mut state) = world.open().unwrap();
    let build = |counter: u64, name: &str, channel: &str| {
        let mut make = Make::good();
        make.release.release_counter = counter;
        make.release.channel = channel.into();
        make.manifest["name"] = name.into();
        make
    };
    let explain = |make: Make, state: &TrustState, pinned: bool| {
        let (files, mut rules) = make.build();
        let package = orch_trust::package::PackageBytes::new(files).unwrap();
        let (anchor, _) = world.open_after(state, NOW).unwrap();
        rules.anchor = Some(anchor.into());
        if pinned {
            let manifest = orch_trust::manifest::Manifest::parse(package.manifest()).unwrap();
            rules.lock.pin(&manifest, &package);
        }
        orch_trust::admission::admit(&package, &rules, NOW)
    };
    let admitted = explain(build(17, "A", "stable"), &state, false).unwrap();
    state = state.after_admitted(&admitted).unwrap();
    let seen = state.release(&PluginId::parse("acme/note").unwrap(), "stable").unwrap();
    assert_eq!(seen.counter, 17);
    let code = |counter, name: &str, channel: &str, pinned| {
        explain(build(counter, name, channel), &state, pinned).err().map(|refusal| refusal.code())
    };
    assert_eq!(code(17, "A", "stable", false), None);
    assert_eq!(code(18, "B", "stable", false), None);
    assert_eq!(code(16, "B", "stable", false), Some("release-rollback"));
    assert_eq!(code(17, "B", "stable", false), Some("release-other-bytes"));
    // Another channel counts by itself; a pin may be old.
    assert_eq!(code(1, "B", "beta", false), None);
    assert_eq!(code(16, "B", "stable", true), None);
}

#[test]
fn t5_numbers_are_not_used_up_and_a_new_root_starts_anew() {
    assert_eq!(versions(FIRST_MAX, 3).code(), None);
    assert_eq!(versions(FIRST_MAX + 1, 3).code(), Some("fast-forward"));
    assert_eq!(versions(5, u64::MAX).code(), Some("fast-forward"));
    let (_, state) = versions(5, 3).open().unwrap();
    assert_eq!(code(&versions(5 + STEP_MAX, 3), &state), None);
    assert_eq!(code(&versions(6 + STEP_MAX, 3), &state), Some("fast-forward"));
    assert_eq!(code(&versions(6, 3 + STEP_MAX), &state), None);
    assert_eq!(code(&versions(6, 4 + STEP_MAX), &state), Some("fast-forward"));
    // Somebody had the keys and went forward as far as he could: what comes after is a rollback ...
    let (_, state) = versions(5 + STEP_MAX, 3 + STEP_MAX).open_after(&state, NOW).unwrap();
    assert_eq!(code(&versions(7, 3 + STEP_MAX), &state), Some("freshness-rollback"));
    // ... until a root gives the roles to other keys.
    let world = World::good();
    let current = world.first_root(NOW).unwrap();
    let renewed = |keep_one: bool| {
        let mut next = world.clone();
        next.root = world.next_root();
        for seed in [51, 52] {
            next.root.keys.insert(id(seed), key_text(seed, "ops"));
        }
        let more = |old: u8, new: u8| if keep_one { vec![id(old), id(new)] } else { vec![id(new)] };
        next.root.roles.freshness.keyids = more(FRESHNESS, 51);
        next.root.roles.revoker.keyids = more(REVOKER, 52);
        (next.freshness_signers, next.revocations_signers) = (vec![51], vec![52]);
        (next.freshness.version, next.revocations.version) = (1, 1);
        next
    };
    for (keep_one, expected) in [(false, None), (true, Some("freshness-rollback"))] {
        let next = renewed(keep_one);
        let root = verify_next(&current, &next.root_bytes(), NOW).unwrap();
        let after = state.after_root(&current, &root, NOW).unwrap();
        assert_eq!(code(&next, &after), expected, "an old key stays: {keep_one}");
        // What the old keys signed does not come back.
        if !keep_one {
            let mut old = next.clone();
            (old.freshness_signers, old.freshness.version) = (vec![FRESHNESS], 4);
            assert_eq!(code(&old, &after), Some("freshness-unknown-key"));
        }
    }
}

#[test]
fn t5_a_counter_that_ran_away_is_ended_by_new_publishers_too() {
    let world = World::good();
    let current = world.first_root(NOW).unwrap();
    let release = |counter| {
        let mut release = Make::good().release;
        release.release_counter = counter;
        release
    };
    let (digest, first) = (Sha256Digest::of(b"manifest"), TrustState::first(&current, NOW));
    let code = |state: &TrustState, counter| {
        state.check_release(&release(counter), digest).err().map(|refusal| refusal.code())
    };
    assert_eq!(code(&first, FIRST_MAX), None);
    assert_eq!(code(&first, FIRST_MAX + 1), Some("fast-forward"));
    let state = first.after_release(&release(9), digest).unwrap();
    assert_eq!(code(&state, 9 + STEP_MAX), None);
    assert_eq!(code(&state, 10 + STEP_MAX), Some("fast-forward"));
    assert_eq!(code(&state, 8), Some("release-rollback"));
    let after = |seeds: &[u8]| {
        let mut next = world.next_root();
        for seed in seeds {
            next.keys.insert(id(*seed), key_text(*seed, "acme"));
        }
        next.namespaces[0].publisher = role(1, seeds);
        let next = verify_next(&current, &signed(&next, &ROOTS[..2]), NOW).unwrap();
        state.after_root(&current, &next, NOW).unwrap()
    };
    assert_eq!(code(&after(&[61]), 8), None);
    assert_eq!(code(&after(&[PUBLISHER, 61]), 8), Some("release-rollback"));
}

#[test]
fn t6_what_fails_moves_nothing_and_t1_a_new_root_sets_the_clock_right() {
    let world = World::good();
    let current = world.first_root(NOW).unwrap();
    let (_, state) = world.open().unwrap();
    let before = state.clone();
    // Newer numbers and a later time, each with one fault.
    let faults: [fn(&mut World); 4] = [
        |world| world.freshness_signers = vec![REVOKER],
        |world| world.revocations_signers = vec![FRESHNESS],
        |world| world.revocations.expires = NOW,
        |world| world.freshness.issued = NOW.plus(-60 * DAY),
    ];
    for (place, fault) in faults.into_iter().enumerate() {
        let mut world = versions(6, 4);
        fault(&mut world);
        assert!(world.open_after(&state, NOW.plus(60)).is_err(), "fault {place}");
        assert_eq!(state, before);
    }
    // A clock was years ahead once, while everything was valid still; the next root ends that.
    let (_, ahead) = versions(6, 4).open_after(&state, NOW.plus(20 * DAY)).unwrap();
    assert_eq!(code(&versions(6, 4), &ahead), Some("clock-went-back"));
    let next = World { root: world.next_root(), ..versions(6, 4) };
    let root = verify_next(&current, &next.root_bytes(), NOW).unwrap();
    let after = ahead.after_root(&current, &root, NOW).unwrap();
    assert_eq!(code(&next, &after), None);
    // The step is from the stored root only.
    assert_eq!(after.after_root(&current, &root, NOW).unwrap_err().code(), "root-other-bytes");
    assert_eq!(ahead.after_root(&current, &current, NOW).unwrap_err().code(), "root-version");
}

#[test]
fn k10_a_root_that_was_put_in_place_is_not_the_one_that_was_verified() {
    let (_, state) = World::good().open().unwrap();
    // Signed by the very keys, complete, and never taken with the one before.
    let other = World::with(|world| world.root.expires = NOW.plus(99 * DAY));
    assert_eq!(code(&other, &state), Some("root-other-bytes"));
    let mut next = World::good();
    next.root = World::good().next_root();
    assert_eq!(code(&next, &state), Some("root-other-bytes"));
    // A state that this host did not write is no state.
    let sealed = state.seal(&KEY);
    assert_eq!(TrustState::open(&sealed, &KEY).unwrap(), state);
    assert_eq!(TrustState::open(&sealed, &[8; 32]).unwrap_err().code(), "trust-state-mac");
    let forged = TrustState::first(&next.first_root(NOW).unwrap(), NOW).seal(&[0; 32]);
    assert_eq!(TrustState::open(&forged, &KEY).unwrap_err().code(), "trust-state-mac");
}

#[test]
fn no_byte_of_a_sealed_state_can_change() {
    let (_, state) = World::good().open().unwrap();
    let state = state.after_release(&Make::good().release, Sha256Digest::of(b"m")).unwrap();
    let sealed = state.seal(&KEY);
    for place in 0..sealed.len() {
        for flip in [0x01, 0x20, 0x80] {
            let mut changed = sealed.clone();
            changed[place] ^= flip;
            assert!(TrustState::open(&changed, &KEY).is_err(), "byte {place} by {flip}");
        }
    }
    let text = String::from_utf8(sealed).unwrap();
    for changed in [text.trim().to_owned(), format!(" {text}"), text.replace(':', ": "), String::new()] {
        let code = TrustState::open(changed.as_bytes(), &KEY).unwrap_err().code();
        assert_eq!(code, "trust-state-malformed");
    }
    let large = vec![b' '; (16 << 20) + 1];
    assert_eq!(TrustState::open(&large, &KEY).unwrap_err().code(), "file-too-large");
}

/// Sealed once more by hand: what has a good MAC and another form is refused all the same.
#[test]
fn a_state_of_another_form_is_refused_also_under_the_right_key() {
    use hmac::{Hmac, KeyInit, Mac};

    let (_, state) = World::good().open().unwrap();
    let text = String::from_utf8(state.seal(&KEY)).unwrap();
    let inner = text.strip_prefix("{\"state\":").unwrap().split_once(",\"mac\":").unwrap().0.to_owned();
    let sealed = |inner: &str| {
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&KEY).unwrap();
        mac.update(format!("orch trust-state v1\n{inner}").as_bytes());
        let tag: [u8; 32] = mac.finalize().into_bytes().into();
        let tag = Sha256Digest::from_bytes(tag);
        format!("{{\"state\":{inner},\"mac\":\"{tag}\"}}\n").into_bytes()
    };
    assert_eq!(sealed(&inner), state.seal(&KEY));
    let code = |inner: &str| TrustState::open(&sealed(inner), &KEY).err().map(|refusal| refusal.code());
    assert_eq!(code(&inner), None);
    assert_eq!(code(&inner.replace("trust-state/v1", "trust-state/v2")), Some("trust-state-malformed"));
    assert_eq!(
        code(&inner.replace("\"releases\":{}", "\"releases\":{},\"more\":1")),
        Some("trust-state-malformed")
    );
    // Without its context the MAC is one of something else.
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&KEY).unwrap();
    mac.update(inner.as_bytes());
    let tag: [u8; 32] = mac.finalize().into_bytes().into();
    let bare = format!("{{\"state\":{inner},\"mac\":\"{}\"}}\n", Sha256Digest::from_bytes(tag));
    assert_eq!(TrustState::open(bare.as_bytes(), &KEY).unwrap_err().code(), "trust-state-mac");
}

/// One thing that happens to a host.
#[derive(Clone, Debug)]
enum Happens {
    Lists { freshness: u64, revocations: u64, other: bool, after: i64 },
    Release { counter: u64, other: bool },
    NewHands,
    Restart,
}

fn happens() -> impl Strategy<Value = Happens> {
    let number =
        || prop_oneof![8 => 0..8u64, 1 => Just(STEP_MAX), 1 => Just(STEP_MAX + 9), 1 => Just(u64::MAX)];
    prop_oneof![
        5 => (number(), number(), any::<bool>(), -400..400i64)
            .prop_map(|(freshness, revocations, other, after)| Happens::Lists { freshness, revocations, other, after }),
        3 => (number(), any::<bool>()).prop_map(|(counter, other)| Happens::Release { counter, other }),
        1 => Just(Happens::NewHands),
        1 => Just(Happens::Restart),
    ]
}

/// The same in a few numbers: version and which bytes of each, and the latest time.
#[derive(Clone, Debug, Default, PartialEq)]
struct Model {
    freshness: Option<(u64, Sha256Digest)>,
    revocations: Option<(u64, Sha256Digest)>,
    release: Option<(u64, bool)>,
    latest: i64,
}

impl Model {
    fn takes<B: PartialEq + Copy>(seen: Option<(u64, B)>, found: (u64, B)) -> bool {
        match seen {
            None => found.0 <= FIRST_MAX,
            Some(seen) => found == seen || (found.0 > seen.0 && found.0 - seen.0 <= STEP_MAX),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn a_state_does_what_its_model_does(steps in prop::collection::vec(happens(), 1..20)) {
        let mut world = World::good();
        let mut root = world.first_root(NOW).unwrap();
        let mut state = TrustState::first(&root, NOW);
        let mut model = Model { latest: NOW.0, ..Model::default() };
        let mut hands = 100;
        for step in steps {
            let before = state.clone();
            match step.clone() {
                Happens::Lists { freshness, revocations, other, after } => {
                    (world.freshness.version, world.revocations.version) = (freshness, revocations);
                    world.freshness.expires = NOW.plus(50 * DAY + i64::from(other));
                    let now = UnixSeconds(model.latest + after);
                    let found = (freshness, Sha256Digest::of(&world.freshness_bytes()));
                    let listed = (revocations, Sha256Digest::of(&world.revocations_bytes()));
                    let expected = after >= -CLOCK_BACK_SECONDS
                        && Model::takes(model.freshness, found)
                        && Model::takes(model.revocations, listed);
                    let opened = world.open_after(&state, now);
                    let code = opened.as_ref().err().map(|refusal| refusal.code());
                    prop_assert_eq!(opened.is_ok(), expected, "{:?}: {:?}", step, code);
                    if let Ok((_, next)) = opened {
                        state = next;
                        (model.freshness, model.revocations) = (Some(found), Some(listed));
                        model.latest = model.latest.max(now.0);
                    }
                }
                Happens::Release { counter, other } => {
                    let mut release = Make::good().release;
                    release.release_counter = counter;
                    let expected = Model::takes(model.release, (counter, other));
                    let next = state.after_release(&release, Sha256Digest::of(&[u8::from(other)]));
                    let code = next.as_ref().err().map(|refusal| refusal.code());
                    prop_assert_eq!(next.is_ok(), expected, "{:?}: {:?}", step, code);
                    if let Ok(next) = next {
                        state = next;
                        model.release = Some((counter, other));
                    }
                }
                Happens::NewHands => {
                    hands += 1;
                    let mut next = world.next_root();
                    next.keys.insert(id(hands), key_text(hands, "ops"));
                    next.roles.freshness.keyids = vec![id(hands)];
                    let bytes = signed(&next, &ROOTS[..2]);
                    let now = UnixSeconds(model.latest);
                    let verified = verify_next(&root, &bytes, now).unwrap();
                    state = state.after_root(&root, &verified, now).unwrap();
                    (world.root, world.freshness_signers, root) = (next, vec![hands], verified);
                    model.freshness = None;
                }
                Happens::Restart => {
                    state = TrustState::open(&state.seal(&KEY), &KEY).unwrap();
                    prop_assert_eq!(&state, &before);
                }
            }
            let stored = |pinned: Option<orch_trust::freshness::Pinned>| pinned.map(|one| (one.version, one.sha256));
            prop_assert_eq!(stored(state.freshness()), model.freshness);
            prop_assert_eq!(stored(state.revocations()), model.revocations);
            prop_assert_eq!(state.latest_time().0, model.latest);
            prop_assert_eq!(state.root().sha256, root.sha256());
        }
    }
}
