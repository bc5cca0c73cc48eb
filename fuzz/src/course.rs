//! The trust state of a host along a course of documents, releases and roots, beside a plain account of what it saw.

use orch_trust::digest::Sha256Digest;
use orch_trust::freshness::{self, Freshness, FreshnessDocument, Pinned};
use orch_trust::key::SecretKey;
use orch_trust::release::Release;
use orch_trust::revocation::{self, Action, Entry, Revocations, RevocationsDocument, What};
use orch_trust::root::document::{Algorithm, KeyText};
use orch_trust::root::{self, Root};
use orch_trust::state::{CLOCK_BACK_SECONDS, FIRST_MAX, STEP_MAX, TrustState};
use orch_trust::time::UnixSeconds;

use crate::anchor::{Anchored, FRESHNESS, MAC_KEY, REVOKER, ROOT, anchored};
use crate::package::{DAY, NOW, good};

const STEPS_MAX: usize = 12;

/// A number and the bytes that bore it.
type Numbered = (u64, Sha256Digest);

/// What a host saw last, with nothing of the code under test.
#[derive(Default)]
struct Seen {
    freshness: Option<Numbered>,
    list: Option<Numbered>,
    release: Option<Numbered>,
}

/// Where a course has come to.
struct Host {
    state: TrustState,
    root: Root,
    /// Which of two keys says what is fresh.
    hand: usize,
    seen: Seen,
}

/// A step of four bytes is taken exactly if the account allows it, and then the state says what the account says.
pub(crate) fn course(bytes: &[u8]) -> bool {
    let Anchored { root, .. } = anchored();
    let state = TrustState::first(root, NOW);
    let mut host = Host { state, root: root.clone(), hand: 0, seen: Seen::default() };
    let mut taken = 0;
    for step in bytes.chunks_exact(4).take(STEPS_MAX) {
        let [what, a, b, c] = [step[0], step[1], step[2], step[3]];
        taken += u32::from(match what % 4 {
            0 | 1 => host.hears_lists(a, b, c),
            2 => host.loads(a, b),
            _ => host.takes_root(a, c),
        });
        let Host { state, seen, .. } = &host;
        let number = |pinned: Option<Pinned>| pinned.map(|pinned| (pinned.version, pinned.sha256));
        assert_eq!((number(state.freshness()), number(state.revocations())), (seen.freshness, seen.list));
        let release = state.release(&good().manifest.id, "stable");
        assert_eq!(release.map(|seen| (seen.counter, seen.manifest)), seen.release);
        assert_eq!(TrustState::open(&state.seal(&MAC_KEY), &MAC_KEY).expect("it is kept"), *state);
    }
    taken > 0
}

impl Host {
    fn hears_lists(&mut self, a: u8, b: u8, c: u8) -> bool {
        let now = later(self.state.latest_time(), c);
        let list = list(number(self.seen.list, b), b / 8 % 2);
        let version = number(self.seen.freshness, a);
        let fresh = fresh(&self.root, self.hand, version, a / 8 % 2, &list);
        let listed = Revocations::verify(&list, &self.root, &fresh, NOW).expect("it is pinned");
        let (freshness, list) = ((version, fresh.sha256()), (listed.version(), listed.sha256()));
        let clock = now.0 + CLOCK_BACK_SECONDS >= self.state.latest_time().0;
        let expected = clock && follows(self.seen.freshness, freshness) && follows(self.seen.list, list);
        let next = self.state.after_lists(&fresh, &listed, now);
        assert_eq!(next.is_ok(), expected, "{next:?}");
        let Ok(next) = next else { return false };
        assert_eq!(next.latest_time(), now.max(self.state.latest_time()));
        self.state = next;
        (self.seen.freshness, self.seen.list) = (Some(freshness), Some(list));
        true
    }

    fn loads(&mut self, a: u8, b: u8) -> bool {
        let found = (number(self.seen.release, a), Sha256Digest::of(&[b % 2]));
        let release = Release { release_counter: found.0, ..good().release.clone() };
        let next = self.state.after_release(&release, found.1);
        assert_eq!(next.is_ok(), follows(self.seen.release, found), "{next:?}");
        assert_eq!(next.is_ok(), self.state.check_release(&release, found.1).is_ok());
        let Ok(next) = next else { return false };
        (self.state, self.seen.release) = (next, Some(found));
        true
    }

    /// A new root, in which the word on freshness may lie in another hand, so that its account begins anew.
    fn takes_root(&mut self, a: u8, c: u8) -> bool {
        let now = later(self.state.latest_time(), c);
        let hand = usize::from(a % 2);
        let next = next_root(&self.root, hand);
        let state = self.state.after_root(&self.root, &next, now).expect("the next root is taken");
        assert!(self.state.after_root(&next, &self.root, now).is_err(), "roots never go back");
        assert!(state.after_root(&self.root, &next, now).is_err(), "nor twice");
        assert_eq!((state.root().version, state.latest_time()), (self.state.root().version + 1, now));
        if hand != self.hand {
            self.seen.freshness = None;
        }
        (self.state, self.root, self.hand) = (state, next, hand);
        true
    }
}

/// True if it is not behind what was seen, not another one of the same number, and no jump that uses up the numbers.
fn follows(seen: Option<Numbered>, found: Numbered) -> bool {
    match seen {
        None => found.0 <= FIRST_MAX,
        Some(seen) if found.0 == seen.0 => found.1 == seen.1,
        Some(seen) => found.0.checked_sub(seen.0).is_some_and(|step| step <= STEP_MAX),
    }
}

/// A number at or near a border.
fn number(seen: Option<Numbered>, pick: u8) -> u64 {
    let seen = seen.map_or(1, |(number, _)| number);
    match pick % 8 {
        0 => seen,
        1 => seen.saturating_add(1),
        2 => seen.saturating_sub(1),
        3 => seen.saturating_add(STEP_MAX),
        4 => seen.saturating_add(STEP_MAX + 1),
        5 => u64::MAX,
        6 => FIRST_MAX,
        _ => FIRST_MAX + 1,
    }
}

/// A time around that of before.
fn later(latest: UnixSeconds, pick: u8) -> UnixSeconds {
    latest.plus([0, 1, DAY, -CLOCK_BACK_SECONDS, -CLOCK_BACK_SECONDS - 1, -DAY][usize::from(pick) % 6])
}

fn hand_key(hand: usize) -> SecretKey {
    match hand {
        0 => SecretKey::from_seed(&[13; 32]),
        _ => SecretKey::from_seed(&[16; 32]),
    }
}

fn fresh(root: &Root, hand: usize, version: u64, flavour: u8, list: &[u8]) -> Freshness {
    let listed: RevocationsDocument = document(list);
    let document = FreshnessDocument {
        kind: "freshness/v1".to_owned(),
        version,
        issued: NOW,
        expires: NOW.plus(DAY + i64::from(flavour)),
        revocations: Pinned { version: listed.version, sha256: Sha256Digest::of(list) },
    };
    let bytes = freshness::sign(&document, &[&hand_key(hand)]).unwrap();
    Freshness::verify(&bytes, root, NOW, |_, _| false).expect("it is signed by the one who may")
}

fn list(version: u64, flavour: u8) -> Vec<u8> {
    let what = What::File { sha256: Sha256Digest::of(b"x") };
    let document = RevocationsDocument {
        kind: "revocations/v1".to_owned(),
        version,
        issued: NOW,
        expires: NOW.plus(DAY),
        entries: vec![Entry { what, action: Action::Warn, reason: format!("reason {flavour}") }],
    };
    revocation::sign(&document, &[&anchored().keys[REVOKER]]).unwrap()
}

/// What an envelope says.
fn document(envelope: &[u8]) -> RevocationsDocument {
    let envelope: serde_json::Value = serde_json::from_slice(envelope).unwrap();
    let payload = orch_trust::key::base64_decode(envelope["payload"].as_str().unwrap()).unwrap();
    serde_json::from_slice(&payload).unwrap()
}

fn next_root(current: &Root, hand: usize) -> Root {
    let mut document = current.document().clone();
    document.version += 1;
    document.previous_sha256 = Some(current.sha256());
    let key = hand_key(hand).public();
    document.roles.freshness.keyids = vec![key.id()];
    let text = KeyText {
        alg: Algorithm::Ed25519,
        public: key.to_base64(),
        owner: "freshness".to_owned(),
        custody: None,
        not_before: None,
        not_after: None,
    };
    document.keys.insert(key.id(), text);
    let bytes = root::sign(&document, &[&anchored().keys[ROOT]]).unwrap();
    root::verify_next(current, &bytes, NOW).expect("it is the next one")
}

pub(crate) fn valid() -> Vec<(&'static str, Vec<u8>)> {
    assert_eq!(hand_key(0).public(), anchored().keys[FRESHNESS].public());
    // Lists forward, the same again, back; releases; the word on freshness in another hand, then lists from 1 again.
    let steps = [
        [0, 3, 3, 1],
        [0, 0, 0, 0],
        [0, 2, 0, 0],
        [2, 1, 0, 0],
        [2, 0, 1, 0],
        [2, 1, 1, 0],
        [3, 1, 0, 2],
        [0, 0, 0, 3],
        [0, 1, 1, 4],
        [3, 0, 0, 5],
    ];
    vec![("valid", steps.concat())]
}
