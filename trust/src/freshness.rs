//! Freshness: which revocation list is the newest, said again and again.
//!
//! In -> out: `freshness.dsse.json`, the root, the time -> [`Freshness`]; the time -> [`Verdict`].
//! Units: seconds; every end belongs to the time before it.
//! Invariant: a host that hears nothing new goes from fresh over offline grace to stale, and each is another verdict.
//! Not here: the list itself (`revocation.rs`), older documents than the last one seen (`state.rs`).

use serde::{Deserialize, Serialize};

use crate::digest::Sha256Digest;
use crate::dsse::{self, Payload};
use crate::key::{KeyId, SignError, Signer};
use crate::refusal::Refusal;
use crate::release::CLOCK_SKEW_SECONDS;
use crate::root::Root;
use crate::threshold::{Shortfall, Signed};
use crate::time::UnixSeconds;

pub const FRESHNESS: &str = "freshness.dsse.json";

/// What `freshness.dsse.json` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FreshnessDocument {
    #[serde(rename = "_type")]
    pub kind: String,
    pub version: u64,
    pub issued: UnixSeconds,
    pub expires: UnixSeconds,
    pub revocations: Pinned,
}

/// One version of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pinned {
    pub version: u64,
    /// Of the file.
    pub sha256: Sha256Digest,
}

impl Payload for FreshnessDocument {
    const PAYLOAD_TYPE: &'static str = "application/vnd.orch.freshness+json";
    const KIND: &'static str = "freshness/v1";
}

/// The bytes of `freshness.dsse.json`.
///
/// # Errors
/// The signer's own.
pub fn sign(document: &FreshnessDocument, signers: &[&dyn Signer]) -> Result<Vec<u8>, SignError> {
    dsse::sign(document, signers)
}

/// A freshness document that enough of the role's keys signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freshness {
    document: FreshnessDocument,
    sha256: Sha256Digest,
    fresh_until: UnixSeconds,
    grace_until: UnixSeconds,
}

/// How much what is known of revocations is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Fresh {
        until: UnixSeconds,
    },
    /// Nothing newer was heard of for too long; the root lets the host go on for a while.
    OfflineGrace {
        until: UnixSeconds,
    },
    Stale {
        since: UnixSeconds,
    },
}

impl Verdict {
    /// As every report says it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fresh { .. } => "fresh",
            Self::OfflineGrace { .. } => "offline grace",
            Self::Stale { .. } => "stale",
        }
    }
}

impl Freshness {
    /// The document, if enough of the root's role signed it. `revoked` takes keys back.
    ///
    /// # Errors
    /// Those of an envelope, `FreshnessUnknownKey`, `FreshnessThreshold`, `FreshnessNotYet`.
    pub fn verify(
        bytes: &[u8],
        root: &Root,
        now: UnixSeconds,
        revoked: impl Fn(KeyId, UnixSeconds) -> bool,
    ) -> Result<Self, Refusal> {
        let role = root.freshness_role();
        let verified = dsse::verify::<FreshnessDocument>(
            FRESHNESS,
            bytes,
            |id| role.key(id).map(|key| key.key),
            |key| Refusal::FreshnessUnknownKey { key },
        )?;
        let issued = verified.payload().issued;
        let signed: Vec<Signed> =
            verified.signers().iter().map(|by| Signed { by: *by, at: issued }).collect();
        role.check(&signed, now, revoked)
            .map_err(|Shortfall { counted, needed }| Refusal::FreshnessThreshold { counted, needed })?;
        if issued > now.plus(CLOCK_SKEW_SECONDS) {
            return Err(Refusal::FreshnessNotYet { issued });
        }
        let (age, grace) = root.freshness_periods();
        let fresh_until = verified.payload().expires.min(issued.plus(age.seconds()));
        Ok(Self {
            fresh_until,
            grace_until: fresh_until.plus(grace.seconds()),
            sha256: verified.sha256(),
            document: verified.into_payload(),
        })
    }

    /// What it is worth now.
    pub fn verdict(&self, now: UnixSeconds) -> Verdict {
        match now {
            now if now <= self.fresh_until => Verdict::Fresh { until: self.fresh_until },
            now if now <= self.grace_until => Verdict::OfflineGrace { until: self.grace_until },
            _ => Verdict::Stale { since: self.grace_until },
        }
    }

    pub fn document(&self) -> &FreshnessDocument {
        &self.document
    }

    /// Of its file.
    pub fn sha256(&self) -> Sha256Digest {
        self.sha256
    }
}
