//! The chain of hashes that ties a run's events together.
//!
//! In -> out: run id -> first link; link and stored bytes -> next link.
//! Invariant: hash = SHA-256(prev ‖ bytes), first prev = SHA-256(run id); how events were grouped changes nothing.
//! Not here: who signs a link (`head.rs`), who checks the chain (`reader.rs`, `verify.rs`).

use sha2::{Digest, Sha256};

/// SHA-256 over all events of a run up to one.
pub(crate) type Link = [u8; 32];

/// The link before a run's first event.
pub(crate) fn first_link(run: &str) -> Link {
    Sha256::digest(run.as_bytes()).into()
}

/// The link of the event with these bytes.
pub(crate) fn next_link(prev: &Link, bytes: &[u8]) -> Link {
    Sha256::new().chain_update(prev).chain_update(bytes).finalize().into()
}

/// Start of the ids of all derived rows of a run: 10 hex digits of its first link.
pub(crate) fn run_key(run: &str) -> String {
    let link = first_link(run);
    hex::encode(link.first_chunk::<5>().unwrap_or(&[0; 5]))
}
