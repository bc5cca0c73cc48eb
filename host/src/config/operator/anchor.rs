//! The trust root in the operator's folder, and what this host has seen under it.
//!
//! In -> out: `trust/roots/N.dsse.json`, `trust/freshness.dsse.json`, `trust/revocations.dsse.json`, `trust-state.json` ->
//! [`Anchor`]; a file that somebody brings -> one of those.
//! Invariant: the state names the root that counts, so writing the state is what takes a root; it moves only after
//! everything was verified, under the folder's lock, and never back. A folder with a trust root and without its state
//! is refused.
//! Not here: what counts (`orch-trust`'s `anchor.rs`, `root.rs`, `state.rs`).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use orch_trust::anchor::{Anchor, AnchorFiles};
use orch_trust::digest::Sha256Digest;
use orch_trust::evidence::Admitted;
use orch_trust::freshness::FRESHNESS;
use orch_trust::refusal::Refusal;
use orch_trust::revocation::REVOCATIONS;
use orch_trust::root::{Root, verify_first, verify_next};
use orch_trust::state::{TRUST_STATE, TrustState};
use orch_trust::time::UnixSeconds;

use super::{Operator, OperatorError, files, keeper, lock, unread, write_private};
use crate::config::secret::{HostSecret, KeyUse};
use crate::regular_file::{self, Links};

/// Of a root or a list: the largest that any of them may be.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// The state is written again when its latest time is so much behind, in seconds.
const CLOCK_STEP: i64 = 60;

/// What somebody brought, and what became of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken {
    FirstRoot {
        version: u64,
    },
    NextRoot {
        version: u64,
    },
    /// A list; with what else is there it counts, or why it does not yet.
    List {
        file: &'static str,
        counts: Result<(), String>,
    },
}

/// A folder's root, lists and state, with the key that seals the state.
pub(super) struct Shelf<'a> {
    home: &'a Path,
    key: [u8; 32],
}

impl<'a> Shelf<'a> {
    pub(super) fn new(home: &'a Path, secret: &HostSecret) -> Self {
        Self { home, key: secret.key(KeyUse::TrustState) }
    }

    fn root_path(&self, version: u64) -> PathBuf {
        self.home.join(ROOTS).join(format!("{version}.dsse.json"))
    }

    fn list_path(&self, name: &str) -> PathBuf {
        self.home.join("trust").join(name)
    }

    /// What was seen so far; none where no root was ever taken.
    fn state(&self) -> Result<Option<TrustState>, OperatorError> {
        let path = self.home.join(TRUST_STATE);
        match bytes(&path)? {
            Some(sealed) => Ok(Some(TrustState::open(&sealed, &self.key).map_err(trust(&path))?)),
            None if files(&self.home.join(ROOTS), "json")?.is_empty() => Ok(None),
            None => Err(OperatorError::TrustStateMissing { path }),
        }
    }

    /// The root that the state names.
    fn root(&self, state: &TrustState) -> Result<Root, OperatorError> {
        let (path, pinned) = (self.root_path(state.root().version), state.root());
        let found = bytes(&path)?.ok_or_else(|| OperatorError::RootMissing { path: path.clone() })?;
        Root::stored(&found, pinned.sha256).map_err(trust(&path))
    }

    /// The anchor as it is now, and the state after it.
    pub(super) fn read(&self, now: UnixSeconds) -> Result<Option<(Anchor, TrustState)>, OperatorError> {
        let Some(state) = self.state()? else { return Ok(None) };
        let path = self.root_path(state.root().version);
        let root = bytes(&path)?.ok_or_else(|| OperatorError::RootMissing { path: path.clone() })?;
        let (freshness, revocations) =
            (bytes(&self.list_path(FRESHNESS))?, bytes(&self.list_path(REVOCATIONS))?);
        let files =
            AnchorFiles { root: &root, freshness: freshness.as_deref(), revocations: revocations.as_deref() };
        Anchor::verify(files, &state, now).map(Some).map_err(trust(&self.home.join("trust")))
    }

    /// The same, and what was seen is kept.
    pub(super) fn refresh(&self, now: UnixSeconds) -> Result<Option<Anchor>, OperatorError> {
        let Some(before) = self.state()? else { return Ok(None) };
        let _lock = lock(self.home)?;
        let Some((anchor, next)) = self.read(now)? else { return Ok(None) };
        let is_old = before.latest_time().plus(CLOCK_STEP) < next.latest_time();
        if is_old || (before.freshness(), before.revocations()) != (next.freshness(), next.revocations()) {
            self.write_state(&next)?;
        }
        Ok(Some(anchor))
    }

    fn write_state(&self, state: &TrustState) -> Result<(), OperatorError> {
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

    /// Takes the first root, whose SHA-256 a person said.
    fn take_first(&self, root: &[u8], said: Sha256Digest, now: UnixSeconds) -> Result<Taken, OperatorError> {
        let verified = verify_first(root, said, now).map_err(trust(Path::new("the file")))?;
        if let Some(path) = plain_key_files(self.home)?.into_iter().next() {
            return Err(OperatorError::BesideRoot { path });
        }
        let version = verified.version();
        write_private(&self.root_path(version), root)?;
        self.write_state(&TrustState::first(&verified, now))?;
        Ok(Taken::FirstRoot { version })
    }

    /// Takes the root after the one that counts.
    fn take_next(&self, root: &[u8], state: &TrustState, now: UnixSeconds) -> Result<Taken, OperatorError> {
        let current = self.root(state)?;
        let next = verify_next(&current, root, now).map_err(trust(Path::new("the file")))?;
        let after = state.after_root(&current, &next, now).map_err(trust(Path::new("the file")))?;
        let version = next.version();
        // The file first: until the state names it, it is not the root.
        write_private(&self.root_path(version), root)?;
        self.write_state(&after)?;
        Ok(Taken::NextRoot { version })
    }

    /// Puts a list where it is read, if it counts with what is there, or if nothing that counts is there yet.
    fn take_list(&self, file: &'static str, found: &[u8], now: UnixSeconds) -> Result<Taken, OperatorError> {
        let path = self.list_path(file);
        let before = bytes(&path)?;
        let counted = self.read(now).is_ok();
        write_private(&path, found)?;
        match self.read(now) {
            Ok(Some((_, next))) => {
                self.write_state(&next)?;
                Ok(Taken::List { file, counts: Ok(()) })
            }
            // The other half may come next; what counted before is only given up for something that counts.
            Err(error) if !counted && is_half(&error) => {
                Ok(Taken::List { file, counts: Err(error.source_text()) })
            }
            other => {
                match before {
                    Some(before) => write_private(&path, &before)?,
                    None => remove(&path)?,
                }
                other.and_then(|_| Err(OperatorError::RootMissing { path: self.home.join(ROOTS) }))
            }
        }
    }
}

impl Operator {
    /// Takes a root or a list that somebody brought. `said`: the SHA-256 that a person gave for the first root.
    ///
    /// # Errors
    /// `Trust`: it does not count, and nothing was changed. `HashNotSaid`, `BesideRoot`, `NoTrustRoot`,
    /// `NotOfTrust`.
    pub fn take(
        home: &Path,
        found: &[u8],
        said: Option<Sha256Digest>,
        now: UnixSeconds,
    ) -> Result<Taken, OperatorError> {
        super::make_folders(home)?;
        let secret = HostSecret::read_or_make(&home.join("secret"))?;
        let shelf = Shelf::new(home, &secret);
        let _lock = lock(home)?;
        let kind = kind_of(found).ok_or(OperatorError::NotOfTrust)?;
        match (kind, shelf.state()) {
            // The first root is also what is left of one that was begun.
            (Kind::Root, Ok(None) | Err(OperatorError::TrustStateMissing { .. })) => {
                shelf.take_first(found, said.ok_or(OperatorError::HashNotSaid)?, now)
            }
            (Kind::Root, Ok(Some(state))) => shelf.take_next(found, &state, now),
            (Kind::List(_), Ok(None)) => Err(OperatorError::NoTrustRoot),
            (Kind::List(file), Ok(Some(_))) => shelf.take_list(file, found, now),
            (_, Err(error)) => Err(error),
        }
    }

    /// Keeps what was seen of the releases of these plugins, where there is a trust root.
    pub fn saw<'a>(&self, admitted: impl IntoIterator<Item = &'a Admitted>) -> Result<(), OperatorError> {
        match self.anchor {
            Some(_) => Shelf::new(&self.home, &self.secret).saw(&mut admitted.into_iter()),
            None => Ok(()),
        }
    }
}

pub(super) const ROOTS: &str = "trust/roots";

/// What an envelope is for.
enum Kind {
    Root,
    List(&'static str),
}

/// By the payload type that the envelope says; nothing is verified here.
fn kind_of(found: &[u8]) -> Option<Kind> {
    use orch_trust::dsse::Payload;
    use orch_trust::freshness::FreshnessDocument;
    use orch_trust::revocation::RevocationsDocument;
    use orch_trust::root::document::RootDocument;

    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Typed {
        payload_type: String,
    }
    let typed: Typed = orch_trust::strict_json::parse(found).ok()?;
    match typed.payload_type.as_str() {
        RootDocument::PAYLOAD_TYPE => Some(Kind::Root),
        FreshnessDocument::PAYLOAD_TYPE => Some(Kind::List(FRESHNESS)),
        RevocationsDocument::PAYLOAD_TYPE => Some(Kind::List(REVOCATIONS)),
        _ => None,
    }
}

/// True if the other list is what is missing.
fn is_half(error: &OperatorError) -> bool {
    let OperatorError::Trust { source, .. } = error else { return false };
    matches!(**source, Refusal::AnchorMissing { .. } | Refusal::RevocationsNotPinned { .. })
}

/// Files of publishers and certifiers, which do not count beside a root.
pub(super) fn plain_key_files(home: &Path) -> Result<Vec<PathBuf>, OperatorError> {
    let mut found = files(&home.join("trust/publishers"), "toml")?;
    found.extend(files(&home.join("trust/certifiers"), "toml")?);
    Ok(found)
}

/// The anchor as it is now; only looked at.
pub(super) fn look(
    home: &Path,
    secret: &HostSecret,
    now: UnixSeconds,
) -> Result<Option<Arc<Anchor>>, OperatorError> {
    Ok(Shelf::new(home, secret).read(now)?.map(|(anchor, _)| Arc::new(anchor)))
}

fn bytes(path: &Path) -> Result<Option<Vec<u8>>, OperatorError> {
    match regular_file::read(path, Links::Followed, FILE_BYTES_MAX) {
        Ok((found, metadata)) => {
            keeper::check(path, &metadata)?;
            Ok(Some(found.to_vec()))
        }
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(unread(path, error)),
    }
}

fn remove(path: &Path) -> Result<(), OperatorError> {
    std::fs::remove_file(path).map_err(|source| OperatorError::Io {
        what: "remove",
        path: path.to_owned(),
        source,
    })
}

fn trust(path: &Path) -> impl FnOnce(Refusal) -> OperatorError + use<> {
    let path = path.to_owned();
    move |source| OperatorError::Trust { path, source: Box::new(source) }
}
