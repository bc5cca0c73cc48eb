//! What is done to good packages, by the ids of the catalogue.
//!
//! In -> out: nothing -> cases that are refused, and some next to them that are not.
//! Invariant: at least ten different cases for each id that is not in [`LEFT_OUT`].
//! Not here: good packages (`good.rs`).

mod certification;
mod component;
mod files;
mod grants;
mod json;
mod keys;
mod revoked;
mod roots;
mod signatures;
mod times;

use super::case::Case;
use super::draft::{Draft, Place};
use super::good::{delegated, plain, rooted};

/// Ids of the catalogue that no bytes of a package or root can show to both verifiers, and why.
pub const LEFT_OUT: &[(&str, &str)] = &[
    ("P2", "links, pipes and devices are met when a folder is read; the second verifier gets bytes"),
    ("P7", "archives are not read"),
    ("P8", "archives are not read"),
    ("W12", "lists of dependencies are read by the certifier's checks, not by a load"),
    ("C6", "a certificate names no list of checks: the host applies its own"),
    ("R1", "about files that change between two reads"),
    ("R2", "about native code, which only the host has"),
    ("R3", "about native code, which only the host has"),
    ("R4", "about a verdict that is kept by a process"),
    ("R5", "about the types of the first verifier"),
    ("R6", "about a plugin that runs"),
    ("R8", "about how the host is built"),
    ("R9", "about where the host looks for rules"),
    ("L1", "no transparency log"),
    ("L2", "no transparency log"),
    ("L3", "no transparency log"),
    ("L4", "no transparency log"),
    ("L5", "no transparency log"),
];

/// Cases as they are made.
pub(super) struct Cases {
    made: Vec<Case>,
    number: usize,
}

impl Cases {
    /// A case of that attack: another good package each time, and what is done to it.
    fn add(
        &mut self,
        attack: &'static str,
        about: impl Into<String>,
        good: fn(usize) -> Draft,
        edit: impl FnOnce(&mut Draft),
    ) {
        self.number += 1;
        let mut draft = good(self.number);
        edit(&mut draft);
        self.made.push(draft.build(attack, about.into()));
    }

    /// The same next to the attack, which is admitted.
    fn near(&mut self, about: impl Into<String>, good: fn(usize) -> Draft, edit: impl FnOnce(&mut Draft)) {
        self.add("good", about, good, edit);
    }
}

/// Envelopes that every package or root of [`good_with`] has.
const PLACES: [Place; 6] = [
    Place::Release,
    Place::Certificate(0),
    Place::Root(0),
    Place::Freshness,
    Place::Revocations,
    Place::Delegation(0),
];

/// Good packages that have something at that place.
fn good_with(place: Place) -> fn(usize) -> Draft {
    match place {
        Place::Manifest | Place::Release | Place::Certificate(_) => plain,
        Place::Root(_) | Place::Freshness | Place::Revocations => rooted,
        Place::Delegation(_) => delegated,
    }
}

/// Cases of every attack.
pub fn cases() -> Vec<Case> {
    let mut cases = Cases { made: Vec::new(), number: 0 };
    signatures::add(&mut cases);
    keys::add(&mut cases);
    roots::add(&mut cases);
    times::add(&mut cases);
    files::add(&mut cases);
    json::add(&mut cases);
    component::add(&mut cases);
    certification::add(&mut cases);
    revoked::add(&mut cases);
    grants::add(&mut cases);
    cases.made
}
