//! The next revocation list, and the freshness document that names it.
//!
//! In -> out: root, last list, entry -> next list; root, list, last freshness document -> next freshness document.
//! Invariant: versions grow by one; entries are only added; a freshness document names only a list that enough revokers
//! signed.
//! Not here: which entries make sense (`revoking/entry.rs`), whether a host takes it (`revoking/rehearsal.rs`), what an
//! entry means for a package (`orch-trust`'s `revocation/`), files (`commands/revoke.rs`).

pub mod entry;
pub mod rehearsal;

use orch_trust::digest::Sha256Digest;
use orch_trust::dsse::Payload;
use orch_trust::freshness::{FreshnessDocument, Pinned};
use orch_trust::key::{KeyId, PublicKey};
use orch_trust::revocation::{Entry, RevocationsDocument};
use orch_trust::root::document::RootDocument;
use orch_trust::time::UnixSeconds;

use crate::document::{Document, DocumentError};
use crate::trust_root::key_of;

/// The list after `last`, with one more entry.
///
/// # Errors
/// `Edit`: the entry is there already.
pub fn next_list(
    last: Option<&RevocationsDocument>,
    entry: Option<Entry>,
    now: UnixSeconds,
    days: i64,
) -> Result<RevocationsDocument, DocumentError> {
    let mut entries = last.map(|last| last.entries.clone()).unwrap_or_default();
    if let Some(entry) = entry {
        if entries.contains(&entry) {
            return Err(DocumentError::Edit { message: "the last list says so already".to_owned() });
        }
        entries.push(entry);
    }
    Ok(RevocationsDocument {
        kind: RevocationsDocument::KIND.to_owned(),
        version: last.map_or(1, |last| last.version.saturating_add(1)),
        issued: now,
        expires: now.plus(days.saturating_mul(UnixSeconds::DAY)),
        entries,
    })
}

/// The freshness document after `last`, which names that list.
pub fn next_freshness(
    last: Option<&FreshnessDocument>,
    list: (u64, Sha256Digest),
    now: UnixSeconds,
    max_age_seconds: i64,
) -> FreshnessDocument {
    FreshnessDocument {
        kind: FreshnessDocument::KIND.to_owned(),
        version: last.map_or(1, |last| last.version.saturating_add(1)),
        issued: now,
        expires: now.plus(max_age_seconds),
        revocations: Pinned { version: list.0, sha256: list.1 },
    }
}

/// The key of that id, if it is one of these in the root.
pub fn role_key(root: &RootDocument, keyids: &[KeyId], id: KeyId) -> Option<PublicKey> {
    if keyids.contains(&id) { key_of(root, id) } else { None }
}

/// How many of these keys signed.
pub fn signed_by<T: Payload + PartialEq>(document: &Document<T>, keyids: &[KeyId]) -> u32 {
    let count = document.signers().filter(|key| keyids.contains(key)).count();
    u32::try_from(count).unwrap_or(u32::MAX)
}
