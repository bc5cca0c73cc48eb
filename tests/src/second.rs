//! Cases for two verifiers: packages, good and bad, and what each of the two says to them.
//!
//! In -> out: nothing -> [`all`] cases, the same in every run; a case -> [`Answer`] of the first verifier or the second.
//! Invariant: what a case changes is one thing of a good one, before it is signed or after; the rest is right.
//! Not here: the second verifier (`tests/second/`), comparing (`tests/second.rs`).

pub mod attacks;
pub mod bent;
pub mod case;
pub mod draft;
pub mod family;
pub mod good;
pub mod python;
pub mod sealed;
pub mod wasm;
pub mod world;

pub use case::{Answer, Case};

/// Every case, good ones first.
pub fn all() -> Vec<Case> {
    let mut cases = good::cases();
    cases.extend(attacks::cases());
    cases
}
