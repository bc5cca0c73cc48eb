//! What a host would say of a list and its freshness document, asked before they are written.
//!
//! In -> out: root, list, freshness document if it is made -> nothing, or the host's refusal.
//! Invariant: a host's own functions decide; entries never leave a list, so one that no host takes would spoil every
//! later one. Where signatures are still missing, those that are there must count, and enough keys must be left for the
//! others.
//! Not here: making them (`revoking.rs`), writing them (`commands/revoke.rs`).

use orch_trust::anchor::{Anchor, AnchorFiles};
use orch_trust::digest::Sha256Digest;
use orch_trust::dsse::{self, Payload, Verified};
use orch_trust::freshness::{self, FRESHNESS, FreshnessDocument};
use orch_trust::key::{KeyId, SecretKey};
use orch_trust::refusal::Refusal;
use orch_trust::revocation::{REVOCATIONS, Revocations, RevocationsDocument};
use orch_trust::root::document::{Algorithm, KeyText};
use orch_trust::root::{self, Root};
use orch_trust::state::TrustState;
use orch_trust::threshold::{Quorum, Shortfall, Signed, none_revoked};
use orch_trust::time::UnixSeconds;

use super::next_freshness;

/// Succeeds if hosts take the list, with that freshness document or one to come; each as far as it is signed.
///
/// # Errors
/// Those of [`Anchor::verify`].
pub fn rehearse(
    root: &Root,
    root_bytes: &[u8],
    list: &[u8],
    freshness: Option<&[u8]>,
    now: UnixSeconds,
) -> Result<(), Refusal> {
    let (revoker, freshener) = (root.revoker_role(), root.freshness_role());
    let listed: Verified<RevocationsDocument> =
        opened(REVOCATIONS, list, revoker, |key| Refusal::RevocationsUnknownKey { key })?;
    let mut document = root.document().clone();
    let roles = &mut document.roles;
    roles.revoker.threshold = as_far_as_signed(revoker, &listed);
    let stand_in;
    let freshness = match freshness {
        Some(bytes) => {
            let opened: Verified<FreshnessDocument> =
                opened(FRESHNESS, bytes, freshener, |key| Refusal::FreshnessUnknownKey { key })?;
            roles.freshness.threshold = as_far_as_signed(freshener, &opened);
            bytes
        }
        None => {
            // Nobody has signed one: a key of this rehearsal alone does, in a root of this rehearsal alone.
            let key = SecretKey::from_seed(&[0; 32]);
            let (id, public) = (key.public().id(), key.public().to_base64());
            let text = KeyText {
                alg: Algorithm::Ed25519,
                public,
                owner: "rehearsal".to_owned(),
                custody: None,
                not_before: None,
                not_after: None,
            };
            document.keys.insert(id, text);
            (roles.freshness.threshold, roles.freshness.keyids) = (1, vec![id]);
            let pinned = (listed.payload().version, listed.sha256());
            let said = next_freshness(None, pinned, now, roles.freshness.max_age.seconds());
            stand_in = freshness::sign(&said, &[&key]).unwrap_or_default();
            &stand_in
        }
    };
    let signed;
    let files = match document == *root.document() {
        true => AnchorFiles { root: root_bytes, freshness: Some(freshness), revocations: Some(list) },
        false => {
            signed = root::sign(&document, &[&SecretKey::from_seed(&[0; 32])]).unwrap_or_default();
            AnchorFiles { root: &signed, freshness: Some(freshness), revocations: Some(list) }
        }
    };
    let taken = Root::stored(files.root, Sha256Digest::of(files.root))?;
    let (anchor, _) = Anchor::verify(files, &TrustState::first(&taken, now), now)?;
    let list = anchor.revocations();
    enough_left(revoker, list, now)
        .map_err(|Shortfall { counted, needed }| Refusal::RevocationsThreshold { counted, needed })?;
    enough_left(freshener, list, now)
        .map_err(|Shortfall { counted, needed }| Refusal::FreshnessThreshold { counted, needed })
}

fn opened<T: Payload>(
    file: &str,
    bytes: &[u8],
    role: &Quorum,
    unknown: impl Fn(KeyId) -> Refusal,
) -> Result<Verified<T>, Refusal> {
    dsse::verify(file, bytes, |id| role.key(id).map(|key| key.key), unknown)
}

/// As many as it takes, or as there are so far.
fn as_far_as_signed<T>(role: &Quorum, signed: &Verified<T>) -> u32 {
    u32::try_from(signed.signers().len()).unwrap_or(u32::MAX).min(role.threshold())
}

/// Succeeds if so many keys of the role are left by the list that they can sign what comes after it.
fn enough_left(role: &Quorum, list: &Revocations, now: UnixSeconds) -> Result<(), Shortfall> {
    let all: Vec<Signed> = role.keys().iter().map(|key| Signed { by: key.key, at: now }).collect();
    // Keys that have ended by themselves are not what the list takes away.
    match role.check(&all, now, none_revoked) {
        Ok(()) => role.check(&all, now, |key, at| list.revokes_key(key, at)),
        Err(_) => Ok(()),
    }
}
