//! An index of packages: what a folder or a static web server offers, signed by their publisher.
//!
//! In -> out: `index.dsse.json` and who may publish -> [`Index`] -> versions, and the files of one of them.
//! Limits: 4 MiB, 10,000 packages; a package's as its file has them.
//! Invariant: an index counts if a key that this host trusts for every plugin in it signed it; a package is the very file that
//! it names, at the place that its id and version give. It can keep new versions back, and says nothing of their trust: a package
//! is admitted by its own signatures.
//! Not here: the form of the file (`orch-trust`), writing (`orch-plugin`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use http::{HeaderMap, StatusCode};
use orch_trust::archive::{self, ARCHIVE_BYTES_MAX, ArchiveError, ENDING};
use orch_trust::authority::Publisher;
use orch_trust::digest::Sha256Digest;
use orch_trust::dsse::{self, Payload};
use orch_trust::key::{KeyId, PublicKey, SignError, Signer};
use orch_trust::name::PluginId;
use orch_trust::package::PackageBytes;
use orch_trust::refusal::Refusal;
use orch_trust::time::UnixSeconds;
use semver::Version;
use serde::{Deserialize, Serialize};

use super::SourceError;
use crate::fetch::{Client, WebAddress};
use crate::package::PackageError;
use crate::regular_file::{self, Links, ReadError};

/// Its file.
pub const INDEX: &str = "index.dsse.json";
const INDEX_BYTES_MAX: u64 = 4 << 20;
const PACKAGES_MAX: usize = 10_000;

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexDocument {
    #[serde(rename = "_type")]
    pub kind: String,
    pub issued: UnixSeconds,
    /// By id, then by version.
    pub packages: BTreeMap<PluginId, BTreeMap<Version, Entry>>,
}

/// One package's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub size: u64,
    pub sha256: Sha256Digest,
}

impl Payload for IndexDocument {
    const PAYLOAD_TYPE: &'static str = "application/vnd.orch.package-index+json";
    const KIND: &'static str = "package-index/v1";
    const BYTES_MAX: u64 = INDEX_BYTES_MAX;
}

impl Default for IndexDocument {
    fn default() -> Self {
        Self { kind: Self::KIND.to_owned(), issued: UnixSeconds(0), packages: BTreeMap::new() }
    }
}

/// Where the file of a version is, beneath its index.
pub fn path_of(id: &PluginId, version: &Version) -> String {
    format!("{id}/{version}.{ENDING}")
}

/// The bytes of `index.dsse.json`.
///
/// # Errors
/// The signer's own.
pub fn sign(document: &IndexDocument, signer: &dyn Signer) -> Result<Vec<u8>, SignError> {
    dsse::sign(document, &[signer])
}

/// What the index of a folder says, signed by that key and no other; for whoever adds to it.
///
/// # Errors
/// `Io`, `Index`.
pub fn signed_by(folder: &Path, key: PublicKey) -> Result<IndexDocument, SourceError> {
    let at = folder.display().to_string();
    let bytes = read_file(&folder.join(INDEX), INDEX_BYTES_MAX)?;
    let known = |id: KeyId| (id == key.id()).then_some(key);
    let verified = dsse::verify(INDEX, &bytes, known, |key| Refusal::ReleaseUnknownKey { key });
    let verified = verified.map_err(|source| SourceError::Index { at, source: Box::new(source) })?;
    Ok(verified.into_payload())
}

/// What an index says that keys of these publishers signed, each for every plugin in it.
///
/// # Errors
/// `Index`, `IndexNamespace`, `Malformed`.
pub fn verify(at: &str, bytes: &[u8], publishers: &[Publisher]) -> Result<IndexDocument, SourceError> {
    let refused = |source| SourceError::Index { at: at.to_owned(), source: Box::new(source) };
    let of = |id: KeyId| publishers.iter().filter(move |publisher| publisher.key.id() == id);
    let known = |id: KeyId| of(id).map(|publisher| publisher.key).next();
    let unknown = |key: KeyId| Refusal::ReleaseUnknownKey { key };
    let verified = dsse::verify::<IndexDocument>(INDEX, bytes, known, unknown).map_err(refused)?;
    let keys: Vec<KeyId> = verified.signers().iter().map(|key| key.id()).collect();
    let document = verified.into_payload();
    if document.packages.values().map(BTreeMap::len).sum::<usize>() > PACKAGES_MAX {
        let why = format!("it has more than {PACKAGES_MAX} packages");
        return Err(SourceError::Malformed { at: at.to_owned(), what: "index", why });
    }
    for (id, key) in document.packages.keys().flat_map(|id| keys.iter().map(move |key| (id, *key))) {
        if !of(key).any(|publisher| publisher.owns(id)) {
            let (at, key, id) = (at.to_owned(), key.to_string(), id.to_string());
            return Err(SourceError::IndexNamespace { at, key, id });
        }
    }
    Ok(document)
}

enum Place<'a> {
    Folder(PathBuf),
    Web(WebAddress, &'a Client),
}

/// An index that was verified.
pub struct Index<'a> {
    place: Place<'a>,
    document: IndexDocument,
}

impl<'a> Index<'a> {
    /// # Errors
    /// `Io`, and those of [`verify`].
    pub fn of_folder(folder: &Path, publishers: &[Publisher]) -> Result<Self, SourceError> {
        let bytes = read_file(&folder.join(INDEX), INDEX_BYTES_MAX)?;
        let document = verify(&folder.display().to_string(), &bytes, publishers)?;
        Ok(Self { place: Place::Folder(folder.to_owned()), document })
    }

    /// # Errors
    /// Of asking, and those of [`verify`].
    pub fn of_web(
        address: &WebAddress,
        client: &'a Client,
        publishers: &[Publisher],
    ) -> Result<Self, SourceError> {
        let bytes = fetch(address, INDEX, client, INDEX_BYTES_MAX)?;
        let document = verify(&address.to_string(), &bytes, publishers)?;
        Ok(Self { place: Place::Web(address.clone(), client), document })
    }

    /// Versions of a plugin; of all plugins if none is said.
    pub fn versions(&self, id: Option<&PluginId>) -> Vec<Version> {
        let wanted = self.document.packages.iter().filter(|(found, _)| id.is_none_or(|id| id == *found));
        wanted.flat_map(|(_, versions)| versions.keys().cloned()).collect()
    }

    /// The package in the file that the index names.
    ///
    /// # Errors
    /// `Missing`, of asking, `OtherBytes`, `Package`.
    pub fn package(&self, id: Option<&PluginId>, version: &Version) -> Result<PackageBytes, SourceError> {
        let at = self.at();
        let found = id.and_then(|id| Some((id, self.document.packages.get(id)?.get(version)?)));
        let Some((id, entry)) = found else {
            let what = format!("{} {version}", id.map(ToString::to_string).unwrap_or_default());
            return Err(SourceError::Missing { at, what });
        };
        let what = path_of(id, version);
        let other = |expected: String, found: String| SourceError::OtherBytes {
            at: at.clone(),
            what: what.clone(),
            expected,
            found,
        };
        if entry.size > ARCHIVE_BYTES_MAX {
            let limit_bytes = ARCHIVE_BYTES_MAX;
            return Err(Refusal::FileTooLarge { file: what, found_bytes: entry.size, limit_bytes }.into());
        }
        let bytes = match &self.place {
            Place::Folder(folder) => read_file(&folder.join(&what), entry.size)?,
            Place::Web(address, client) => fetch(address, &what, client, entry.size)?,
        };
        if bytes.len() as u64 != entry.size {
            return Err(other(format!("{} bytes", entry.size), format!("{} bytes", bytes.len())));
        }
        let sha256 = Sha256Digest::of(&bytes);
        if sha256 != entry.sha256 {
            return Err(other(entry.sha256.to_string(), sha256.to_string()));
        }
        archive::decode(&bytes).map_err(|source| match source {
            ArchiveError::Refused(refusal) => refusal.into(),
            source => PackageError::Archive { path: PathBuf::from(&what), source }.into(),
        })
    }

    fn at(&self) -> String {
        match &self.place {
            Place::Folder(folder) => folder.display().to_string(),
            Place::Web(address, _) => address.to_string(),
        }
    }
}

fn read_file(path: &Path, bytes_max: u64) -> Result<Vec<u8>, SourceError> {
    match regular_file::read_public(path, Links::Followed, bytes_max) {
        Ok(bytes) => Ok(bytes),
        Err(ReadError::TooLarge { found_bytes, limit_bytes }) => {
            let file = path.display().to_string();
            Err(Refusal::FileTooLarge { file, found_bytes, limit_bytes }.into())
        }
        Err(error) => Err(SourceError::Io { path: path.to_owned(), source: error.into() }),
    }
}

fn fetch(address: &WebAddress, path: &str, client: &Client, bytes_max: u64) -> Result<Vec<u8>, SourceError> {
    let file = WebAddress::parse(&format!("{address}{path}")).map_err(crate::fetch::FetchError::from)?;
    let answer = client.get(&file, &HeaderMap::new(), bytes_max)?;
    let (at, what) = (address.to_string(), path.to_owned());
    match answer.status {
        StatusCode::OK => Ok(answer.body.to_vec()),
        StatusCode::NOT_FOUND => Err(SourceError::Missing { at, what }),
        status => Err(SourceError::Status { at, status: status.as_u16(), what }),
    }
}

#[cfg(test)]
mod tests;
