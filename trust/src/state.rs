//! What a host has seen so far, so that nothing older is taken for the newest.
//!
//! In -> out: the state and what was verified -> the next state; the state and the host's key <-> sealed bytes.
//! Limits: a version or counter jumps by at most 1,000,000,000 a step; 16 MiB.
//! Invariant: a new state is never behind the one before, but for what a new root takes out of other hands; it comes
//! only from what was verified whole. What was sealed by another key, or changed, is not read.
//! Not here: writing it to disk (`orch-host`).

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::digest::Sha256Digest;
use crate::evidence::Admitted;
use crate::freshness::{Freshness, Pinned};
use crate::name::PluginId;
use crate::refusal::Refusal;
use crate::release::Release;
use crate::revocation::Revocations;
use crate::root::Root;
use crate::strict_json;
use crate::time::UnixSeconds;

pub const TRUST_STATE: &str = "trust-state.json";
const STATE_BYTES_MAX: u64 = 16 << 20;
const KIND: &str = "trust-state/v1";
/// What is signed for one purpose counts for no other.
const MAC_CONTEXT: &[u8] = b"orch trust-state v1\n";
/// A clock is corrected by that much without anybody turning it back.
pub const CLOCK_BACK_SECONDS: i64 = 300;
/// Numbers may be taken from a clock in seconds, so this is some thirty years; and far below what would exhaust them.
pub const STEP_MAX: u64 = 1_000_000_000;
/// The first one seen has nothing to be compared with; this leaves room for a clock in seconds.
pub const FIRST_MAX: u64 = 1 << 40;

/// What a host has seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct TrustState {
    #[serde(rename = "_type")]
    kind: String,
    root: Pinned,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revocations: Option<Pinned>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    freshness: Option<Pinned>,
    /// By plugin and channel.
    releases: BTreeMap<PluginId, BTreeMap<String, SeenRelease>>,
    latest_time: UnixSeconds,
}

/// The newest release seen of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeenRelease {
    pub counter: u64,
    /// Of its manifest.
    pub manifest: Sha256Digest,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    state: TrustState,
    /// HMAC-SHA-256 by a key of this host.
    mac: Sha256Digest,
}

impl TrustState {
    /// That of a host which just took its first root.
    pub fn first(root: &Root, now: UnixSeconds) -> Self {
        Self {
            kind: KIND.to_owned(),
            root: Pinned { version: root.version(), sha256: root.sha256() },
            revocations: None,
            freshness: None,
            releases: BTreeMap::new(),
            latest_time: now,
        }
    }

    /// Succeeds if the clock was not turned back.
    ///
    /// # Errors
    /// `ClockWentBack`.
    pub fn check_clock(&self, now: UnixSeconds) -> Result<(), Refusal> {
        match now.plus(CLOCK_BACK_SECONDS) < self.latest_time {
            true => Err(Refusal::ClockWentBack { now, latest: self.latest_time }),
            false => Ok(()),
        }
    }

    /// After `next` took the place of `current`, as `root::verify_next` allowed it.
    ///
    /// A role that went into other hands, none of its keys being left, begins anew: so a root ends a fast-forward by
    /// whoever had the keys. What those keys signed does not come back, because they do not count any more. For the
    /// same reason the latest time begins anew at `now`, which lies behind the root's own.
    ///
    /// # Errors
    /// `RootOtherBytes` if `current` is not the root of this state, `RootVersion`.
    pub fn after_root(&self, current: &Root, next: &Root, now: UnixSeconds) -> Result<Self, Refusal> {
        if current.sha256() != self.root.sha256 {
            return Err(Refusal::RootOtherBytes { found: current.sha256(), expected: self.root.sha256 });
        }
        if self.root.version.checked_add(1) != Some(next.version()) {
            return Err(Refusal::RootVersion { found: next.version(), current: self.root.version });
        }
        let mut state = self.clone();
        state.root = Pinned { version: next.version(), sha256: next.sha256() };
        if current.freshness_role().is_disjoint(next.freshness_role()) {
            state.freshness = None;
        }
        if current.revoker_role().is_disjoint(next.revoker_role()) {
            state.revocations = None;
        }
        state.releases.retain(|id, _| {
            let keys = |root: &Root| root.namespace(id).map(|entry| entry.publisher.keyids.clone());
            match (keys(current), keys(next)) {
                (Some(before), Some(after)) => before.iter().any(|key| after.contains(key)),
                _ => true,
            }
        });
        state.latest_time = now;
        Ok(state)
    }

    /// After these two were verified.
    ///
    /// # Errors
    /// `ClockWentBack`, `FreshnessRollback`, `FreshnessOtherBytes`, `RevocationsRollback`, `RevocationsOtherBytes`,
    /// `FastForward`.
    pub fn after_lists(
        &self,
        freshness: &Freshness,
        revocations: &Revocations,
        now: UnixSeconds,
    ) -> Result<Self, Refusal> {
        self.check_clock(now)?;
        let found = Pinned { version: freshness.document().version, sha256: freshness.sha256() };
        match step("freshness document", self.freshness, found)? {
            Step::Forward => {}
            Step::Back { stored, found } => return Err(Refusal::FreshnessRollback { stored, found }),
            Step::Other { version } => return Err(Refusal::FreshnessOtherBytes { version }),
        }
        let listed = Pinned { version: revocations.version(), sha256: revocations.sha256() };
        match step("revocation list", self.revocations, listed)? {
            Step::Forward => {}
            Step::Back { stored, found } => return Err(Refusal::RevocationsRollback { stored, found }),
            Step::Other { version } => return Err(Refusal::RevocationsOtherBytes { version }),
        }
        let latest_time = self.latest_time.max(now);
        Ok(Self { freshness: Some(found), revocations: Some(listed), latest_time, ..self.clone() })
    }

    /// Succeeds if no newer release of that channel was seen.
    ///
    /// # Errors
    /// `ReleaseRollback`, `ReleaseOtherBytes`, `FastForward`.
    pub fn check_release(&self, release: &Release, manifest: Sha256Digest) -> Result<(), Refusal> {
        let seen = self.releases.get(&release.id).and_then(|channels| channels.get(&release.channel));
        let counter = release.release_counter;
        check_jump("release counter", seen.map(|seen| seen.counter), counter)?;
        let Some(seen) = seen else { return Ok(()) };
        if counter < seen.counter {
            return Err(Refusal::ReleaseRollback { stored: seen.counter, found: counter });
        }
        if counter == seen.counter && manifest != seen.manifest {
            return Err(Refusal::ReleaseOtherBytes { counter });
        }
        Ok(())
    }

    /// After this release was admitted.
    ///
    /// # Errors
    /// Those of [`Self::check_release`].
    pub fn after_release(&self, release: &Release, manifest: Sha256Digest) -> Result<Self, Refusal> {
        self.check_release(release, manifest)?;
        let mut state = self.clone();
        let seen = SeenRelease { counter: release.release_counter, manifest };
        state.releases.entry(release.id.clone()).or_default().insert(release.channel.clone(), seen);
        Ok(state)
    }

    /// After this package was admitted, not being pinned.
    ///
    /// # Errors
    /// Those of [`Self::check_release`].
    pub fn after_admitted(&self, admitted: &Admitted) -> Result<Self, Refusal> {
        let vouched = &admitted.standing().vouched;
        self.after_release(&vouched.release, vouched.manifest)
    }

    /// Which root this host trusts.
    pub fn root(&self) -> Pinned {
        self.root
    }

    pub fn revocations(&self) -> Option<Pinned> {
        self.revocations
    }

    pub fn freshness(&self) -> Option<Pinned> {
        self.freshness
    }

    pub fn latest_time(&self) -> UnixSeconds {
        self.latest_time
    }

    pub fn release(&self, id: &PluginId, channel: &str) -> Option<SeenRelease> {
        self.releases.get(id).and_then(|channels| channels.get(channel)).copied()
    }

    fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The bytes to keep, under this host's key.
    pub fn seal(&self, key: &[u8; 32]) -> Vec<u8> {
        let tag: [u8; 32] = mac(key, &self.bytes()).finalize().into_bytes().into();
        let sealed = Sealed { state: self.clone(), mac: Sha256Digest::from_bytes(tag) };
        let mut bytes = serde_json::to_vec(&sealed).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// The state in these bytes.
    ///
    /// # Errors
    /// `FileTooLarge`, `TrustStateMalformed`, `TrustStateMac`.
    pub fn open(bytes: &[u8], key: &[u8; 32]) -> Result<Self, Refusal> {
        let found_bytes = bytes.len() as u64;
        if found_bytes > STATE_BYTES_MAX {
            let (file, limit_bytes) = (TRUST_STATE.to_owned(), STATE_BYTES_MAX);
            return Err(Refusal::FileTooLarge { file, found_bytes, limit_bytes });
        }
        let malformed = |why: String| Refusal::TrustStateMalformed { why };
        let sealed: Sealed = strict_json::parse(bytes).map_err(|error| malformed(error.to_string()))?;
        mac(key, &sealed.state.bytes())
            .verify_slice(sealed.mac.as_bytes())
            .map_err(|_| Refusal::TrustStateMac)?;
        if sealed.state.kind != KIND || sealed.state.seal(key) != bytes {
            return Err(malformed("it is not in the form that this host writes".to_owned()));
        }
        Ok(sealed.state)
    }
}

fn mac(key: &[u8; 32], bytes: &[u8]) -> Hmac<Sha256> {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        unreachable!("HMAC takes a key of any length");
    };
    mac.update(MAC_CONTEXT);
    mac.update(bytes);
    mac
}

/// Where a version lies from the last one seen.
enum Step {
    Forward,
    Back { stored: u64, found: u64 },
    Other { version: u64 },
}

fn step(what: &'static str, stored: Option<Pinned>, found: Pinned) -> Result<Step, Refusal> {
    check_jump(what, stored.map(|stored| stored.version), found.version)?;
    if let Some(stored) = stored.map(|stored| stored.version).filter(|stored| found.version < *stored) {
        return Ok(Step::Back { stored, found: found.version });
    }
    match stored {
        Some(stored) if stored.version == found.version && stored.sha256 != found.sha256 => {
            Ok(Step::Other { version: found.version })
        }
        _ => Ok(Step::Forward),
    }
}

/// Succeeds if nobody tries to use up the numbers.
fn check_jump(what: &'static str, stored: Option<u64>, found: u64) -> Result<(), Refusal> {
    let most = stored.map_or(FIRST_MAX, |stored| stored.saturating_add(STEP_MAX));
    match found > most {
        true => Err(Refusal::FastForward { what, stored: stored.unwrap_or_default(), found }),
        false => Ok(()),
    }
}
