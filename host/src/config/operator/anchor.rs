//! The trust root in the operator's folder, and what this host has seen under it.
//!
//! In -> out: `trust/roots/N.dsse.json`, `trust/freshness.dsse.json`, `trust/revocations.dsse.json`, `trust-state.json` ->
//! [`Anchor`].
//! Invariant: the state names the root that counts; it moves only after everything was verified, under the folder's
//! lock, and never back. A folder with a trust root and without its state is refused.
//! Not here: files that somebody brings (`intake.rs`), what counts (`orch-trust`'s `anchor.rs`, `root.rs`, `state.rs`).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use orch_trust::anchor::{Anchor, AnchorFiles};
use orch_trust::evidence::Admitted;
use orch_trust::freshness::FRESHNESS;
use orch_trust::refusal::Refusal;
use orch_trust::revocation::REVOCATIONS;
use orch_trust::root::Root;
use orch_trust::state::{TRUST_STATE, TrustState};
use orch_trust::time::UnixSeconds;

use super::folder_lock::{lock, lock_to_look, try_lock};
use super::{Operator, OperatorError, files, keeper, write_private};
use crate::config::secret::{HostSecret, KeyUse};
use crate::regular_file::{self, Links};

/// Of a root or a list: the largest that any of them may be.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// The state is written again when its latest time is so much behind, in seconds.
const CLOCK_STEP: i64 = 60;

/// What to do while another host changes the folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    ForOthers,
    Never,
}

/// A folder's root, lists and state, with the key that seals the state.
pub(super) struct Shelf<'a> {
    pub(super) home: &'a Path,
    key: [u8; 32],
}

impl<'a> Shelf<'a> {
    pub(super) fn new(home: &'a Path, secret: &HostSecret) -> Self {
        Self { home, key: secret.key(KeyUse::TrustState) }
    }

    pub(super) fn root_path(&self, version: u64) -> PathBuf {
        self.home.join(ROOTS).join(format!("{version}.dsse.json"))
    }

    pub(super) fn list_path(&self, name: &str) -> PathBuf {
        self.home.join("trust").join(name)
    }

    /// A list that is there, not verified.
    pub(super) fn list(&self, name: &str) -> Result<Option<Vec<u8>>, OperatorError> {
        bytes(&self.list_path(name))
    }

    /// What was seen so far; none where no root was ever taken.
    pub(super) fn state(&self) -> Result<Option<TrustState>, OperatorError> {
        let path = self.home.join(TRUST_STATE);
        match bytes(&path)? {
            Some(sealed) => Ok(Some(TrustState::open(&sealed, &self.key).map_err(trust(&path))?)),
            None if self.has_root_or_list()? => Err(OperatorError::TrustStateMissing { path }),
            None => Ok(None),
        }
    }

    /// True if something lies there that only a trust root brings.
    fn has_root_or_list(&self) -> Result<bool, OperatorError> {
        let lists = [FRESHNESS, REVOCATIONS].map(|name| self.list_path(name));
        Ok(!files(&self.home.join(ROOTS), "json")?.is_empty() || lists.iter().any(|path| path.exists()))
    }

    /// Bytes of the root that the state names, not verified.
    pub(super) fn root_bytes(&self, state: &TrustState) -> Result<Vec<u8>, OperatorError> {
        let path = self.root_path(state.root().version);
        bytes(&path)?.ok_or(OperatorError::RootMissing { path })
    }

    /// The root that the state names.
    pub(super) fn root(&self, state: &TrustState) -> Result<Root, OperatorError> {
        let found = self.root_bytes(state)?;
        Root::stored(&found, state.root().sha256).map_err(trust(&self.root_path(state.root().version)))
    }

    /// The anchor as it is now, and the state after it.
    pub(super) fn read(&self, now: UnixSeconds) -> Result<Option<(Anchor, TrustState)>, OperatorError> {
        let Some(state) = self.state()? else { return Ok(None) };
        let root = self.root_bytes(&state)?;
        let (freshness, revocations) = (self.list(FRESHNESS)?, self.list(REVOCATIONS)?);
        let files =
            AnchorFiles { root: &root, freshness: freshness.as_deref(), revocations: revocations.as_deref() };
        Anchor::verify(files, &state, now).map(Some).map_err(trust(&self.home.join("trust")))
    }

    /// The same, and what was seen is kept.
    pub(super) fn refresh(&self, now: UnixSeconds, wait: Wait) -> Result<Option<Anchor>, OperatorError> {
        if self.state()?.is_none() {
            return Ok(None);
        }
        let held = match wait {
            Wait::ForOthers => Some(lock(self.home)?),
            Wait::Never => try_lock(self.home)?,
        };
        let Some(before) = self.state()? else { return Ok(None) };
        let Some((anchor, next)) = self.read(now)? else { return Ok(None) };
        let is_old = before.latest_time().plus(CLOCK_STEP) < next.latest_time();
        let is_newer = (before.freshness(), before.revocations()) != (next.freshness(), next.revocations());
        if held.is_some() && (is_old || is_newer) {
            self.write_state(&next)?;
        }
        Ok(Some(anchor))
    }

    pub(super) fn write_state(&self, state: &TrustState) -> Result<(), OperatorError> {
        write_private(&self.home.join(TRUST_STATE), &state.seal(&self.key))
    }

    /// Keeps what was seen of these plugins' releases.
    fn saw(&self, admitted: &mut dyn Iterator<Item = &Admitted>) -> Result<(), OperatorError> {
        let _lock = lock(self.home)?;
        let Some(before) = self.state()? else { return Ok(()) };
        let mut state = before.clone();
        for plugin in admitted {
            state = state.after_admitted(plugin).map_err(trust(&self.home.join(TRUST_STATE)))?;
        }
        match state == before {
            true => Ok(()),
            false => self.write_state(&state),
        }
    }
}

impl Operator {
    /// Keeps what was seen of the releases of these plugins, where there is a trust root.
    pub fn saw<'a>(&self, admitted: impl IntoIterator<Item = &'a Admitted>) -> Result<(), OperatorError> {
        match self.anchor {
            Some(_) => Shelf::new(&self.home, &self.secret).saw(&mut admitted.into_iter()),
            None => Ok(()),
        }
    }
}

pub(super) const ROOTS: &str = "trust/roots";

/// Files of publishers and certifiers, which do not count beside a root.
pub(super) fn plain_key_files(home: &Path) -> Result<Vec<PathBuf>, OperatorError> {
    let mut found = files(&home.join("trust/publishers"), "toml")?;
    found.extend(files(&home.join("trust/certifiers"), "toml")?);
    Ok(found)
}

/// The anchor as it is now; only looked at, and not between two files of one change.
pub(super) fn look(
    home: &Path,
    secret: &HostSecret,
    now: UnixSeconds,
) -> Result<Option<Arc<Anchor>>, OperatorError> {
    let _lock = lock_to_look(home)?;
    Ok(Shelf::new(home, secret).read(now)?.map(|(anchor, _)| Arc::new(anchor)))
}

fn bytes(path: &Path) -> Result<Option<Vec<u8>>, OperatorError> {
    match regular_file::read(path, Links::Followed, FILE_BYTES_MAX) {
        Ok((found, metadata)) => {
            keeper::check(path, &metadata)?;
            Ok(Some(found.to_vec()))
        }
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(OperatorError::unread(path, error)),
    }
}

pub(super) fn trust(path: &Path) -> impl FnOnce(Refusal) -> OperatorError + use<> {
    let path = path.to_owned();
    move |source| OperatorError::Trust { path, source: Box::new(source) }
}
