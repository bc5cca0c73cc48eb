//! A signed package to where others get it: a file, a folder with an index, a registry.
//!
//! In -> out: a package's folder and a target -> the same files there.
//! Invariant: nothing is published without its release signature; a version that is published stays the files that it is, and only
//! envelopes (certificates above all) are renewed.
//! Not here: forms and reading (`orch-host`'s `sources/`), a registry's writing side (`publish/registry.rs`).

pub mod registry;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use orch_host::package::archive::read as read_archive;
use orch_host::package::{self, PackageError};
use orch_host::sources::SourceError;
use orch_host::sources::index::{self, Entry, INDEX, IndexDocument};
use orch_host::whole_file;
use orch_trust::archive::{self, ENDING};
use orch_trust::digest::Sha256Digest;
use orch_trust::key::{self, Signer};
use orch_trust::manifest::Manifest;
use orch_trust::package::PackageBytes;
use orch_trust::refusal::Refusal;
use orch_trust::time::UnixSeconds;
use serde_json::Value;

use crate::pack::AUTHORED;

/// Why nothing was published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error("cannot read or write `{path}`")]
    Io {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("`{path}` is no project: it has no `plugin.json` with an id and a version")]
    Project { path: PathBuf },
    #[error("`{target}` is no `.{ENDING}` file, folder or `oci://HOST/NAME`")]
    Target { target: String },
    #[error("`{package}` has no release signature")]
    Unsigned { package: PathBuf },
    #[error("`{package}` is not published")]
    Refused {
        package: PathBuf,
        #[source]
        source: Box<Refusal>,
    },
    #[error("`{at}` has {id} {version} already, with other files")]
    Taken { at: String, id: String, version: String },
    #[error("`{at}` names version `{found}`, the package is {expected}")]
    OtherTag { at: String, found: String, expected: String },
    #[error("an index is signed, and no key was said")]
    NoKey,
    #[error(transparent)]
    Package(#[from] PackageError),
    #[error(transparent)]
    Source(Box<SourceError>),
    #[error(transparent)]
    Key(#[from] key::SignError),
}

impl From<SourceError> for PublishError {
    fn from(source: SourceError) -> Self {
        Self::Source(Box::new(source))
    }
}

impl PublishError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "publish-io",
            Self::Project { .. } => "publish-project",
            Self::Target { .. } => "publish-target",
            Self::Unsigned { .. } => "publish-unsigned",
            Self::Refused { source, .. } => source.code(),
            Self::Taken { .. } => "publish-taken",
            Self::OtherTag { .. } => "publish-other-tag",
            Self::NoKey => "publish-no-key",
            Self::Package(error) => error.code(),
            Self::Source(error) => error.code(),
            Self::Key(_) => "publish-not-signed",
        }
    }

    /// What the publisher can do about it, if anything.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Project { .. } => "name the package's folder behind the target",
            Self::Target { .. } => {
                "a folder must be there: `mkdir` it; a registry's name has no version, which is the package's own"
            }
            Self::Unsigned { .. } => "`orch-plugin sign PACKAGE --key KEY` signs it",
            Self::Taken { .. } => {
                "other files get another version: raise it in `plugin.json` and `Cargo.toml`, pack and sign"
            }
            Self::OtherTag { .. } => "leave the tag out: it is the package's version",
            Self::NoKey => "`--key FILE` or `--signer SIGNER`, the key that signed the release",
            Self::Refused { source, .. } => return source.hint(),
            Self::Package(error) => return error.hint(),
            Self::Source(error) => return error.hint(),
            Self::Io { .. } | Self::Key(_) => return None,
        };
        Some(text.to_owned())
    }
}

/// A package that may be published.
pub struct Publishable {
    pub bytes: PackageBytes,
    pub manifest: Manifest,
}

impl Publishable {
    /// Reads a package's folder.
    ///
    /// # Errors
    /// `Unsigned`, `Refused`, `Package`.
    pub fn read(folder: &Path) -> Result<Self, PublishError> {
        let refused = |source| PublishError::Refused { package: folder.to_owned(), source: Box::new(source) };
        let bytes = package::read(folder)?;
        let manifest = bytes.parse_manifest().map_err(refused)?.clone();
        bytes.check_integrity(&manifest).map_err(refused)?;
        match bytes.release() {
            Some(_) => Ok(Self { bytes, manifest }),
            None => Err(PublishError::Unsigned { package: folder.to_owned() }),
        }
    }

    /// True if somebody certified it.
    pub fn is_certified(&self) -> bool {
        self.bytes.certificates().next().is_some()
    }

    fn taken(&self, at: &str) -> PublishError {
        let (id, version) = (self.manifest.id.to_string(), self.manifest.version.to_string());
        PublishError::Taken { at: at.to_owned(), id, version }
    }
}

/// The package that a project packed last, by its `plugin.json`.
///
/// # Errors
/// `Project`.
pub fn packed(project: &Path) -> Result<PathBuf, PublishError> {
    let no_project = || PublishError::Project { path: project.to_owned() };
    let text = fs::read_to_string(project.join(AUTHORED)).map_err(|_| no_project())?;
    let authored: Value = serde_json::from_str(&text).map_err(|_| no_project())?;
    let said = |key: &str| authored.get(key).and_then(Value::as_str).map(str::to_owned);
    let (id, version) = said("id").zip(said("version")).ok_or_else(no_project)?;
    Ok(project.join("target/packages").join(id).join(version))
}

/// Writes a `.orchpkg` file, over one that was there.
///
/// # Errors
/// `Io`.
pub fn to_file(package: &Publishable, path: &Path) -> Result<(), PublishError> {
    whole_file::write(path, &archive::encode(&package.bytes), whole_file::PUBLIC).map_err(io_at(path))
}

/// Puts a package into a folder and its index, which the key signs anew.
///
/// # Errors
/// `Taken`; `Source` for an index of another key, or one that was changed; `Io`, `Key`.
pub fn to_folder(
    package: &Publishable,
    folder: &Path,
    signer: &dyn Signer,
    now: UnixSeconds,
) -> Result<(), PublishError> {
    let index_path = folder.join(INDEX);
    let mut document = match index_path.symlink_metadata() {
        Err(_) => IndexDocument::default(),
        Ok(_) => index::signed_by(folder, signer.public())?,
    };
    let (id, version) = (&package.manifest.id, &package.manifest.version);
    let path = folder.join(index::path_of(id, version));
    let known = document.packages.get(id).is_some_and(|versions| versions.contains_key(version));
    if known && read_archive(&path)?.subjects() != package.bytes.subjects() {
        return Err(package.taken(&folder.display().to_string()));
    }
    let file = archive::encode(&package.bytes);
    let entry = Entry { size: file.len() as u64, sha256: Sha256Digest::of(&file) };
    if let Some(above) = path.parent() {
        fs::create_dir_all(above).map_err(io_at(above))?;
    }
    whole_file::write(&path, &file, whole_file::PUBLIC).map_err(io_at(&path))?;
    document.packages.entry(id.clone()).or_insert_with(BTreeMap::new).insert(version.clone(), entry);
    document.issued = now;
    let signed = index::sign(&document, signer)?;
    whole_file::write(&index_path, &signed, whole_file::PUBLIC).map_err(io_at(&index_path))
}

fn io_at(path: &Path) -> impl FnOnce(std::io::Error) -> PublishError {
    let path = path.to_owned();
    move |source| PublishError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use orch_trust::key::SecretKey;

    use super::*;

    fn package(component: &str, certificate: &str) -> Publishable {
        let manifest = serde_json::json!({
            "schema": "urn:orch:plugin-manifest:v1", "id": "acme/hello", "version": "1.0.0", "name": "Hello",
            "description": "Says hello", "license": "MIT", "roles": ["reflector"],
            "integrity": { "files": [
                { "path": "component.wasm", "role": "component", "size": 1, "sha256": "0".repeat(64) },
                { "path": "sbom.cdx.json", "role": "sbom", "size": 1, "sha256": "0".repeat(64) } ] },
            "host": { "api": ">=0.1.0, <0.2.0" }, "permissions": { "log": {} },
            "limits": { "memoryMiB": 16, "busyMs": 500, "wallMs": 2000, "outputKiB": 64, "hostCalls": 1000, "logKiB": 64 } });
        let files = [
            ("manifest.json", manifest.to_string()),
            ("component.wasm", component.to_owned()),
            ("sbom.cdx.json", "bill".to_owned()),
            ("release.dsse.json", "signature".to_owned()),
            ("certificates/0123456789abcdef.dsse.json", certificate.to_owned()),
        ];
        let files = files.map(|(name, text)| (name.to_owned(), Arc::from(text.into_bytes())));
        let bytes = PackageBytes::new(files.into()).unwrap();
        let manifest = bytes.parse_manifest().unwrap().clone();
        Publishable { bytes, manifest }
    }

    #[test]
    fn a_folder_takes_a_version_once_and_certificates_again() {
        let folder = tempfile::tempdir().unwrap();
        let (own, other) = (SecretKey::from_seed(&[1; 32]), SecretKey::from_seed(&[2; 32]));
        let put = |package: &Publishable, key: &SecretKey| {
            let put = to_folder(package, folder.path(), key, UnixSeconds(1_800_000_000));
            put.err().map(|error| error.code())
        };
        assert_eq!(put(&package("one", "first"), &own), None);
        let index = fs::read(folder.path().join(INDEX)).unwrap();
        assert_eq!(put(&package("one", "first"), &own), None);
        assert_eq!(fs::read(folder.path().join(INDEX)).unwrap(), index, "the same again is the same bytes");
        assert_eq!(put(&package("one", "second"), &own), None);
        assert_ne!(fs::read(folder.path().join(INDEX)).unwrap(), index);
        let index = fs::read(folder.path().join(INDEX)).unwrap();
        assert_eq!(put(&package("two", "first"), &own), Some("publish-taken"));
        assert_eq!(put(&package("one", "first"), &other), Some("release-unknown-key"));
        assert_eq!(fs::read(folder.path().join(INDEX)).unwrap(), index);
        let kept = read_archive(&folder.path().join("acme/hello/1.0.0.orchpkg")).unwrap();
        assert!(kept.files().eq(package("one", "second").bytes.files()));
    }
}
