//! The folder that lists are made in: locked, read with every signature verified, written one file at a time.
//!
//! In -> out: path -> [`Folder`]; root and earlier ones -> [`Roots`]; file -> [`Held`].
//! Invariant: who has a [`Folder`] is alone in it; what is held is what its bytes say, signed by keys of the root or of
//! one before it.
//! Not here: what comes into the files (`revoke.rs`), replacing one whole (`orch-host`'s `whole_file.rs`).

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use orch_certify::document::{Document, DocumentError, read_bytes};
use orch_certify::revoking::{role_key, signed_by};
use orch_host::console::{Console, escape};
use orch_host::exit::{Exit, Fault};
use orch_host::whole_file;
use orch_trust::digest::Sha256Digest;
use orch_trust::dsse::{self, Payload};
use orch_trust::key::{KeyId, PublicKey};
use orch_trust::refusal::Refusal;
use orch_trust::root::document::RootDocument;
use orch_trust::root::{ROOT, Root, verify_chain};

use crate::commands::{document_fault, now};

/// A document, who signed it, and its file's bytes.
#[derive(Clone)]
pub(super) struct Held<T> {
    pub(super) document: Document<T>,
    pub(super) bytes: Vec<u8>,
}

impl<T: Payload + PartialEq> Held<T> {
    /// What these bytes hold, read as anybody would who got them.
    pub(super) fn of(path: &Path, bytes: Vec<u8>) -> Result<Self, Fault> {
        let document = Document::parse(path, &bytes).map_err(document_fault)?;
        Ok(Self { document, bytes })
    }

    /// How many of these keys signed, and whether they are enough.
    pub(super) fn signed(&self, keyids: &[KeyId], threshold: u32) -> (u32, bool) {
        let signed = signed_by(&self.document, keyids);
        (signed, signed >= threshold)
    }
}

/// The trust root of the folder, and those before it that were named.
pub(super) struct Roots {
    pub(super) root: Root,
    pub(super) bytes: Vec<u8>,
    earlier: Vec<RootDocument>,
}

impl Roots {
    /// The keys that signed what is there already: of a role now, or of the same role before.
    pub(super) fn key(&self, id: KeyId, role: impl Fn(&RootDocument) -> &[KeyId]) -> Option<PublicKey> {
        let roots = [self.root.document()].into_iter().chain(&self.earlier);
        roots.into_iter().find_map(|root| role_key(root, role(root), id))
    }
}

/// A folder that no other command of this kind works in. The lock ends with it.
pub(super) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// The folder, when everybody who came first is done.
    pub(super) fn lock(path: &Path, console: &Console) -> Result<Self, Fault> {
        let folder = || path.to_owned();
        let read = |source| document_fault(DocumentError::Read { path: folder(), source });
        let cannot = |source| document_fault(DocumentError::Lock { path: folder(), source });
        let file = File::open(path).map_err(read)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                console
                    .note(&format!("waiting for another command in {}", escape(&path.display().to_string())));
                file.lock().map_err(cannot)?;
            }
            Err(TryLockError::Error(source)) => return Err(cannot(source)),
        }
        Ok(Self { path: folder(), _lock: file })
    }

    /// The root of the folder, which follows the earlier ones, the oldest first.
    pub(super) fn roots(&self, earlier: &[PathBuf]) -> Result<Roots, Fault> {
        let own = self.path.join(ROOT);
        let bytes = read_bytes(&own).map_err(document_fault)?;
        let mut before = Vec::new();
        for path in earlier {
            before.push((path, read_bytes(path).map_err(document_fault)?));
        }
        let chain: Vec<&[u8]> =
            before.iter().map(|(_, bytes)| bytes).chain([&bytes]).map(Vec::as_slice).collect();
        let Some((first, later)) = chain.split_first() else {
            unreachable!("the folder's own root is in it");
        };
        let root = verify_chain(first, Sha256Digest::of(first), later, now()).map_err(|refusal| {
            let hint = match &refusal {
                Refusal::RootExpired { .. } => Some(
                    "lists are for the newest trust root, which belongs into the folder; `orch-certify root rotate` makes it"
                        .to_owned(),
                ),
                Refusal::RootNotByItself { .. } => Some("`orch-certify root show` says who must still sign".to_owned()),
                other => other.hint(),
            };
            let what = format!("no host would take the trust root `{}`", own.display());
            Fault::new(Exit::Usage, refusal.code(), hint, refusal).context(what)
        })?;
        let mut earlier = Vec::new();
        for (path, bytes) in &before {
            earlier.push(Document::<RootDocument>::parse(path, bytes).map_err(document_fault)?.payload);
        }
        Ok(Roots { root, bytes, earlier })
    }

    /// The document of that name, every signature of which holds; none if there is no file.
    pub(super) fn read<T: Payload + PartialEq>(
        &self,
        name: &str,
        known: impl Fn(KeyId) -> Option<PublicKey>,
        unknown: impl Fn(KeyId) -> Refusal,
    ) -> Result<Option<Held<T>>, Fault> {
        let path = self.path.join(name);
        if path.symlink_metadata().is_err() {
            return Ok(None);
        }
        let bytes = read_bytes(&path).map_err(document_fault)?;
        dsse::verify::<T>(name, &bytes, known, unknown).map_err(|refusal| {
            let hint = match &refusal {
                Refusal::RevocationsUnknownKey { .. } | Refusal::FreshnessUnknownKey { .. } => Some(
                    "where an earlier trust root gave that key the role, `--previous FILE` names that root"
                        .to_owned(),
                ),
                other => other.hint(),
            };
            Fault::new(Exit::Usage, refusal.code(), hint, refusal)
        })?;
        Held::of(&path, bytes).map(Some)
    }

    /// What is said of a file that must be there.
    pub(super) fn missing(&self, name: &str) -> Fault {
        let (path, source) = (self.path.join(name), std::io::ErrorKind::NotFound.into());
        document_fault(DocumentError::Read { path, source })
    }

    /// Puts the file in the place of the last one; its name for people.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<String, Fault> {
        let path = self.path.join(name);
        let fault = |source| document_fault(DocumentError::Write { path: path.clone(), source });
        whole_file::write(&path, bytes, whole_file::PUBLIC).map_err(fault)?;
        Ok(escape(&path.display().to_string()))
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}
