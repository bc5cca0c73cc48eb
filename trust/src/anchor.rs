//! The anchor: root, freshness document and revocation list, verified together against what was seen before.
//!
//! In -> out: three files of the operator's folder, the stored state, the time -> [`Anchor`] and the next state.
//! Invariant: an anchor is whole, and the state moves only with one; an anchor that is kept is asked again at each load,
//! because time goes on.
//! Not here: reading and writing the files (`orch-host`), what it means for a package (`admission.rs`).

use crate::freshness::{FRESHNESS, Freshness, Verdict};
use crate::refusal::Refusal;
use crate::revocation::{REVOCATIONS, Revocations};
use crate::root::Root;
use crate::state::TrustState;
use crate::time::UnixSeconds;

/// The bytes of the files, as far as they are there.
#[derive(Clone, Copy, Debug)]
pub struct AnchorFiles<'a> {
    pub root: &'a [u8],
    pub freshness: Option<&'a [u8]>,
    pub revocations: Option<&'a [u8]>,
}

/// What an operator with a trust root goes by.
#[derive(Clone, Debug)]
pub struct Anchor {
    root: Root,
    freshness: Freshness,
    revocations: Revocations,
    state: TrustState,
}

impl Anchor {
    /// The anchor, and the state to keep from now on. On an error the state stays what it was.
    ///
    /// # Errors
    /// `RootOtherBytes`, `AnchorMissing`, those of the freshness document and the revocation list, of
    /// [`TrustState::after_lists`] and of [`Self::check`].
    pub fn verify(
        files: AnchorFiles<'_>,
        state: &TrustState,
        now: UnixSeconds,
    ) -> Result<(Self, TrustState), Refusal> {
        let root = Root::stored(files.root, state.root().sha256)?;
        let missing = |file: &'static str| Refusal::AnchorMissing { file };
        let bytes = files.freshness.ok_or_else(|| missing(FRESHNESS))?;
        let freshness = Freshness::verify(bytes, &root, now, |_, _| false)?;
        let listed = files.revocations.ok_or_else(|| missing(REVOCATIONS))?;
        let revocations = Revocations::verify(listed, &root, &freshness, now)?;
        // Once more, now that it is known whose keys were taken back.
        let freshness = Freshness::verify(bytes, &root, now, |key, at| revocations.revokes_key(key, at))?;
        let state = state.after_lists(&freshness, &revocations, now)?;
        let anchor = Self { root, freshness, revocations, state: state.clone() };
        // What ended is found here, as at each later look.
        anchor.check(now)?;
        Ok((anchor, state))
    }

    /// What it is worth now, and until when.
    ///
    /// # Errors
    /// `ClockWentBack`, `RootExpired`, `RevocationsExpired`, `FreshnessStale`.
    pub fn check(&self, now: UnixSeconds) -> Result<Verdict, Refusal> {
        self.state.check_clock(now)?;
        self.root.check_in_force(now)?;
        let expires = self.revocations.document().expires;
        if now > expires {
            return Err(Refusal::RevocationsExpired { expires });
        }
        match self.freshness.verdict(now) {
            Verdict::Stale { since } => Err(Refusal::FreshnessStale { since }),
            verdict => Ok(verdict),
        }
    }

    pub fn root(&self) -> &Root {
        &self.root
    }

    pub fn freshness(&self) -> &Freshness {
        &self.freshness
    }

    pub fn revocations(&self) -> &Revocations {
        &self.revocations
    }

    /// What was seen when it was verified.
    pub fn state(&self) -> &TrustState {
        &self.state
    }
}
