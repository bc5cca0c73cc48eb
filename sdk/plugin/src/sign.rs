//! The release signature of a package.
//!
//! In -> out: a package folder and a publisher's key -> `release.dsse.json` in it.
//! Invariant: signs the bytes that it read and checked once; the file is there whole or not at all.
//! Not here: the statement's form (`orch-trust`), certificates (`orch-certify`).

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use orch_host::regular_file::{self, Links};
use orch_trust::inputs::is_commit;
use orch_trust::key::{self, KeyId, Signer};
use orch_trust::manifest::Manifest;
use orch_trust::package::{MANIFEST, PackageBytes, RELEASE};
use orch_trust::refusal::Refusal;
use orch_trust::release::{self, Release, Source, is_source_uri};
use orch_trust::time::UnixSeconds;

/// More than any file of a package may have.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// Why a package was not signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    #[error("cannot read or write `{path}`")]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("`{folder}` is not signed")]
    Refused {
        folder: PathBuf,
        #[source]
        source: Box<Refusal>,
    },
    #[error("`{uri}` is no address of sources like `https://example.org/acme/hello`")]
    SourceUri { uri: String },
    #[error("`{commit}` is no full name of a commit")]
    SourceCommit { commit: String },
    #[error(transparent)]
    Key(#[from] key::SignError),
}

impl SignError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "sign-io",
            Self::Refused { source, .. } => source.code(),
            Self::SourceUri { .. } => "sign-source-uri",
            Self::SourceCommit { .. } => "sign-source-commit",
            Self::Key(_) => "not-signed",
        }
    }

    /// What the publisher can do about it, if anything.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Refused { source, .. } => source.hint(),
            _ => None,
        }
    }
}

/// What to sign.
pub struct SignRequest<'a> {
    pub package: &'a Path,
    pub now: UnixSeconds,
    /// How long the release may be admitted.
    pub days: u32,
    pub channel: &'a str,
    /// Higher with each release of the channel.
    pub release_counter: u64,
    /// Where the sources are, and git's full name of the commit; level `certified` needs both.
    pub source: Option<Source>,
}

/// Signs a package; the signing key's id comes back. A signature that was there is replaced.
///
/// # Errors
/// `Refused`: the package breaks a rule that loading it would break too. `SourceUri`, `SourceCommit`: nobody could find
/// the sources by it. `Key`: the signer did not sign.
pub fn sign(request: &SignRequest<'_>, key: &dyn Signer) -> Result<KeyId, SignError> {
    let (package, release) = release(request)?;
    write_signed(request.package, &package, release, key)
}

/// Puts the release signature into the package's folder; the signing key's id comes back.
pub(crate) fn write_signed(
    folder: &Path,
    package: &PackageBytes,
    release: Release,
    key: &dyn Signer,
) -> Result<KeyId, SignError> {
    let envelope = release::sign(package, release, key)?;
    orch_host::package::put(folder, RELEASE, &envelope).map_err(io_at(&folder.join(RELEASE)))?;
    Ok(key.public().id())
}

/// The package, and what its release signature would say.
pub(crate) fn release(request: &SignRequest<'_>) -> Result<(PackageBytes, Release), SignError> {
    if let Some(Source { uri, commit }) = &request.source {
        if !is_source_uri(uri) {
            return Err(SignError::SourceUri { uri: uri.clone() });
        }
        if !is_commit(commit) {
            return Err(SignError::SourceCommit { commit: commit.clone() });
        }
    }
    let (package, manifest) = read_package(request.package)?;
    let release = Release {
        id: manifest.id,
        version: manifest.version,
        release_counter: request.release_counter,
        channel: request.channel.to_owned(),
        issued_at: request.now,
        not_after: request.now.plus(i64::from(request.days).saturating_mul(UnixSeconds::DAY)),
        source: request.source.clone(),
    };
    Ok((package, release))
}

/// A package whose files are those of its manifest.
pub(crate) fn read_package(folder: &Path) -> Result<(PackageBytes, Manifest), SignError> {
    let refused = |source| SignError::Refused { folder: folder.to_owned(), source: Box::new(source) };
    let package = read_declared(folder).and_then(|files| PackageBytes::new(files).map_err(refused))?;
    let manifest = package.parse_manifest().map_err(refused)?.clone();
    package.check_integrity(&manifest).map_err(refused)?;
    Ok((package, manifest))
}

/// The manifest and every file that lies beside it, envelopes apart.
fn read_declared(folder: &Path) -> Result<BTreeMap<String, Arc<[u8]>>, SignError> {
    let mut files = BTreeMap::new();
    let manifest = folder.join(MANIFEST);
    files.insert(MANIFEST.to_owned(), read_file(&manifest)?);
    for entry in fs::read_dir(folder).map_err(io_at(folder))? {
        let entry = entry.map_err(io_at(folder))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = entry.path();
        if name != MANIFEST && !name.ends_with(".dsse.json") && !path.is_dir() {
            files.insert(name, read_file(&path)?);
        }
    }
    Ok(files)
}

fn read_file(path: &Path) -> Result<Arc<[u8]>, SignError> {
    let read = regular_file::read(path, Links::Refused, FILE_BYTES_MAX);
    read.map(|(bytes, _)| bytes.as_slice().into()).map_err(|error| io_at(path)(error.into()))
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> SignError {
    let path = path.to_owned();
    move |source| SignError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use orch_trust::key::SecretKey;

    use super::*;
    use crate::pack::{AUTHORED, PackRequest, pack};

    fn package(folder: &Path) -> PathBuf {
        let manifest = json!({
            "schema": "urn:orch:plugin-manifest:v1", "id": "acme/hello", "version": "0.1.0", "name": "Hello",
            "description": "Says hello", "license": "MIT", "roles": ["reflector"],
            "host": { "api": ">=0.1.0, <0.2.0" }, "permissions": { "log": {} },
            "limits": { "memoryMiB": 16, "busyMs": 500, "wallMs": 2000, "outputKiB": 64, "hostCalls": 1000, "logKiB": 64 } });
        fs::write(folder.join(AUTHORED), manifest.to_string()).unwrap();
        fs::write(folder.join("component.wasm"), "component").unwrap();
        let sbom = json!({ "metadata": { "component": { "version": "0.1.0" } } });
        fs::write(folder.join("sbom.cdx.json"), sbom.to_string()).unwrap();
        pack(&PackRequest { project: folder, built: folder, out: &folder.join("packages") }).unwrap().folder
    }

    fn request(package: &Path) -> SignRequest<'_> {
        SignRequest {
            package,
            now: UnixSeconds(1_800_000_000),
            days: 365,
            channel: "stable",
            release_counter: 7,
            source: None,
        }
    }

    #[test]
    fn the_signature_is_of_these_files_and_replaces_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let package = package(folder.path());
        let (one, two) = (SecretKey::from_seed(&[1; 32]), SecretKey::from_seed(&[2; 32]));
        assert_eq!(sign(&request(&package), &one).unwrap(), one.public().id());
        let first = fs::read(package.join(RELEASE)).unwrap();
        sign(&request(&package), &two).unwrap();
        let second: serde_json::Value =
            serde_json::from_slice(&fs::read(package.join(RELEASE)).unwrap()).unwrap();
        assert_eq!(second["signatures"][0]["keyid"], two.public().id().to_string());
        sign(&request(&package), &one).unwrap();
        assert_eq!(fs::read(package.join(RELEASE)).unwrap(), first);
    }

    #[test]
    fn a_package_that_would_be_refused_is_not_signed() {
        let key = SecretKey::from_seed(&[1; 32]);
        let code = |change: fn(&Path)| {
            let folder = tempfile::tempdir().unwrap();
            let package = package(folder.path());
            change(&package);
            let refused = sign(&request(&package), &key);
            assert!(!package.join(RELEASE).exists());
            match refused {
                Err(SignError::Refused { source, .. }) => source.code(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(
            code(|package| fs::write(package.join("component.wasm"), "other").unwrap()),
            "digest-mismatch"
        );
        assert_eq!(code(|package| fs::write(package.join("LICENSE"), "MIT").unwrap()), "file-undeclared");
        assert_eq!(code(|package| fs::remove_file(package.join("component.wasm")).unwrap()), "file-missing");
    }

    #[test]
    fn sources_are_named_so_that_somebody_finds_them() {
        let folder = tempfile::tempdir().unwrap();
        let package = package(folder.path());
        let key = SecretKey::from_seed(&[1; 32]);
        let signed = |uri: &str, commit: &str| {
            let source = Some(Source { uri: uri.to_owned(), commit: commit.to_owned() });
            sign(&SignRequest { source, ..request(&package) }, &key)
        };
        let (uri, commit) = ("git+https://example.org/acme/hello", "ab".repeat(20));
        signed(uri, &commit).unwrap();
        let envelope = fs::read(package.join(RELEASE)).unwrap();
        let read = orch_trust::dsse::read_unverified::<Release>(RELEASE, &envelope).unwrap();
        assert_eq!(read.predicate.source, Some(Source { uri: uri.to_owned(), commit: commit.clone() }));
        for wrong in
            ["", "example.org/acme/hello", "https://", "https://user:word@example.org/x", "file:///x"]
        {
            assert!(matches!(signed(wrong, &commit), Err(SignError::SourceUri { .. })), "{wrong}");
        }
        for wrong in ["", "main", "abcdef1", &"AB".repeat(20)] {
            assert!(matches!(signed(uri, wrong), Err(SignError::SourceCommit { .. })), "{wrong}");
        }
        assert_eq!(fs::read(package.join(RELEASE)).unwrap(), envelope);
    }
}
