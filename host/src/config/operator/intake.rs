//! A trust root and its lists, as somebody brings them.
//!
//! In -> out: files of any of the three kinds, for the first root its SHA-256 -> what counts from now on.
//! Invariant: all files of a command are verified together, against what was seen before, and then all are taken or
//! none. The state is written last: a host that dies before that refuses until the same command is given again.
//! Not here: where they lie and how they are read (`anchor.rs`), what counts (`orch-trust`).

use std::path::{Path, PathBuf};

use orch_journal::event::OperatorDecision;
use orch_trust::anchor::{Anchor, AnchorFiles};
use orch_trust::digest::Sha256Digest;
use orch_trust::dsse::Payload;
use orch_trust::freshness::{FRESHNESS, FreshnessDocument};
use orch_trust::refusal::Refusal;
use orch_trust::revocation::{self, Entry, REVOCATIONS, RevocationsDocument};
use orch_trust::root::document::RootDocument;
use orch_trust::root::{Root, begin, verify_next};
use orch_trust::state::{TRUST_STATE, TrustState};
use orch_trust::time::UnixSeconds;
use serde::Deserialize;

use super::anchor::{Shelf, plain_key_files, trust};
use super::stream::Change;
use super::{Operator, OperatorError, make_folders, write_private};
use crate::config::secret::HostSecret;

/// A file that somebody brought.
pub struct Brought {
    pub path: PathBuf,
    pub bytes: Vec<u8>,
}

/// What became of the files of one command.
#[derive(Debug)]
pub struct Taken {
    /// The root that counts from now on, if one was brought.
    pub root: Option<u64>,
    /// Lists that count from now on.
    pub lists: Vec<&'static str>,
    /// What the list before took back and the new one does not, or does more mildly.
    pub given_back: Vec<String>,
    /// Why nothing runs all the same: the lists that are there do not count under this root.
    pub lacking: Option<OperatorError>,
}

impl Operator {
    /// Takes roots, in their order, and lists that somebody brought. `said`: the SHA-256 that a person gave for the first
    /// of the roots.
    ///
    /// # Errors
    /// `Trust`: something of it does not count, and nothing was changed. `HashNotSaid`, `BesideRoot`, `NoTrustRoot`,
    /// `NotOfTrust`, `Twice`, `Locked`.
    pub fn take(
        home: &Path,
        brought: &[Brought],
        said: Option<Sha256Digest>,
        now: UnixSeconds,
    ) -> Result<Taken, OperatorError> {
        make_folders(home)?;
        let secret = HostSecret::read_or_make_beside(&home.join("secret"), &home.join(TRUST_STATE))?;
        let change = Change::begin(home, &secret)?;
        Intake { shelf: Shelf::new(home, &secret), change, said, now }.take(&Sorted::of(brought)?)
    }
}

/// The files of one command by what their envelopes say they are; nothing is verified here.
#[derive(Default)]
struct Sorted<'a> {
    roots: Vec<&'a Brought>,
    revocations: Option<&'a Brought>,
    freshness: Option<&'a Brought>,
}

impl<'a> Sorted<'a> {
    fn of(brought: &'a [Brought]) -> Result<Self, OperatorError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Typed {
            payload_type: String,
        }
        let mut sorted = Self::default();
        for file in brought {
            let path = || file.path.clone();
            let typed: Typed = orch_trust::strict_json::parse(&file.bytes)
                .map_err(|_| OperatorError::NotOfTrust { path: path() })?;
            let (place, name) = match typed.payload_type.as_str() {
                RootDocument::PAYLOAD_TYPE => {
                    sorted.roots.push(file);
                    continue;
                }
                RevocationsDocument::PAYLOAD_TYPE => (&mut sorted.revocations, REVOCATIONS),
                FreshnessDocument::PAYLOAD_TYPE => (&mut sorted.freshness, FRESHNESS),
                _ => return Err(OperatorError::NotOfTrust { path: path() }),
            };
            if place.replace(file).is_some() {
                return Err(OperatorError::Twice { path: path(), file: name });
            }
        }
        Ok(sorted)
    }

    /// Each list that was brought, what is named by another one first.
    fn lists(&self) -> impl Iterator<Item = (&'static str, &'a Brought)> {
        let named = [(REVOCATIONS, self.revocations), (FRESHNESS, self.freshness)];
        named.into_iter().filter_map(|(name, file)| Some((name, file?)))
    }
}

/// One command, under the folder's lock.
struct Intake<'a> {
    shelf: Shelf<'a>,
    change: Change<'a>,
    said: Option<Sha256Digest>,
    now: UnixSeconds,
}

impl Intake<'_> {
    fn take(&self, sorted: &Sorted<'_>) -> Result<Taken, OperatorError> {
        // 1. What was seen before. A host that forgot it, or began to take a first root and died, is told anew.
        let mut state = match self.shelf.state() {
            Err(OperatorError::TrustStateMissing { .. }) if !sorted.roots.is_empty() => None,
            state => state?,
        };
        let is_first = state.is_none();
        let before = state.as_ref().and_then(|_| self.shelf.list(REVOCATIONS).ok().flatten());
        // 2. Each root by the one before it.
        let mut roots: Vec<(Root, &Brought)> = Vec::new();
        for file in &sorted.roots {
            let before = state.as_ref().map(|state| (state, roots.last().map(|(root, _)| root)));
            let (root, after) = self.judge_root(file, before)?;
            roots.push((root, file));
            state = Some(after);
        }
        if is_first && let Some((root, file)) = roots.last() {
            root.check_in_force(self.now).map_err(trust(&file.path))?;
        }
        // 3. The lists by the last of them.
        let mut state = state.ok_or(OperatorError::NoTrustRoot)?;
        if sorted.lists().next().is_some() {
            let root = roots.last().map(|(_, file)| file.bytes.clone());
            state = self.judge_lists(sorted, root, &state)?;
        }
        // 4. Everything counts: it is recorded and written, the state last.
        let roots_at = roots.iter().map(|(root, file)| (self.shelf.root_path(root.version()), *file));
        let lists_at = sorted.lists().map(|(name, file)| (self.shelf.list_path(name), file));
        let written: Vec<(PathBuf, &Brought)> = roots_at.chain(lists_at).collect();
        let taken = |(path, file): &(PathBuf, &Brought)| {
            let inside = path.strip_prefix(self.shelf.home).unwrap_or(path);
            (inside.display().to_string(), Sha256Digest::of(&file.bytes).to_string())
        };
        self.change.record(OperatorDecision::TrustTaken { files: written.iter().map(taken).collect() })?;
        for (path, file) in &written {
            write_private(path, &file.bytes)?;
        }
        self.shelf.write_state(&state)?;
        Ok(Taken {
            root: roots.last().map(|(root, _)| root.version()),
            lists: sorted.lists().map(|(name, _)| name).collect(),
            given_back: given_back(before.as_deref(), sorted),
            lacking: self.shelf.read(self.now).err(),
        })
    }

    /// One root, and the state after it. `before`: the state, and its root if that was brought as well.
    fn judge_root(
        &self,
        file: &Brought,
        before: Option<(&TrustState, Option<&Root>)>,
    ) -> Result<(Root, TrustState), OperatorError> {
        let refused = |refusal: Refusal| trust(&file.path)(refusal);
        let found = Sha256Digest::of(&file.bytes);
        // Of several roots the hash is that of the first; each other one is named by the one before it.
        let is_later = before.is_some_and(|(_, brought)| brought.is_some());
        if let Some(expected) = self.said.filter(|said| *said != found && !is_later) {
            return Err(refused(Refusal::RootOtherBytes { found, expected }));
        }
        let Some((state, current)) = before else {
            let said = self.said.ok_or(OperatorError::HashNotSaid)?;
            let root = begin(&file.bytes, said, self.now).map_err(refused)?;
            if let Some(path) = plain_key_files(self.shelf.home)?.into_iter().next() {
                return Err(OperatorError::BesideRoot { path });
            }
            let state = TrustState::first(&root, self.now);
            return Ok((root, state));
        };
        if state.root().sha256 == found {
            // The same once more: its file may be gone.
            return Ok((Root::stored(&file.bytes, found).map_err(refused)?, state.clone()));
        }
        let stored;
        let current = match current {
            Some(current) => current,
            None => {
                stored = self.shelf.root(state)?;
                &stored
            }
        };
        let root = verify_next(current, &file.bytes, self.now).map_err(refused)?;
        let state = state.after_root(current, &root, self.now).map_err(refused)?;
        Ok((root, state))
    }

    /// The state after the lists that were brought, each with the other one that was brought or is there.
    fn judge_lists(
        &self,
        sorted: &Sorted<'_>,
        root: Option<Vec<u8>>,
        state: &TrustState,
    ) -> Result<TrustState, OperatorError> {
        let or_there = |brought: Option<&Brought>, name| match brought {
            Some(file) => Ok(Some(file.bytes.clone())),
            None => self.shelf.list(name),
        };
        let root = root.map_or_else(|| self.shelf.root_bytes(state), Ok)?;
        let revocations = or_there(sorted.revocations, REVOCATIONS)?;
        let freshness = or_there(sorted.freshness, FRESHNESS)?;
        let files =
            AnchorFiles { root: &root, freshness: freshness.as_deref(), revocations: revocations.as_deref() };
        let (_, path) = sorted.lists().next().unzip();
        let path = path.map_or(Path::new(REVOCATIONS), |file: &Brought| &file.path);
        Anchor::verify(files, state, self.now).map(|(_, after)| after).map_err(trust(path))
    }
}

/// What the list that counted so far took back and a new one, which counts, does not; the revokers may want that.
fn given_back(before: Option<&[u8]>, sorted: &Sorted<'_>) -> Vec<String> {
    let read = |bytes: &[u8]| revocation::read_unverified(bytes).ok();
    let (before, now) = (before.and_then(read), sorted.revocations.and_then(|file| read(&file.bytes)));
    let (Some(before), Some(now)) = (before, now) else { return Vec::new() };
    let text = |entry: &Entry| format!("{} of {}: {}", entry.action.as_str(), entry.what, entry.reason);
    now.gives_back(&before).into_iter().map(text).collect()
}
