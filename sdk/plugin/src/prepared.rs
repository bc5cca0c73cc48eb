//! Releases that another tool signs, on another machine perhaps.
//!
//! In -> out: a package -> the bytes to sign; those bytes, and what minisign or `ssh-keygen -Y` made of them ->
//! `release.dsse.json`.
//! Limits: 1 MiB of bytes to sign.
//! Invariant: only a signature that verifies, over these bytes and of this package, is used; it becomes the release
//! signature only if it is over the bytes themselves (docs/decisions/0013).
//! Not here: the forms of foreign signatures (`orch-signer`'s `foreign.rs`).

use std::path::Path;

use orch_host::regular_file::{self, Links};
use orch_signer::foreign::{self, ForeignError, SIGNATURE_BYTES_MAX, Vouched};
use orch_signer::public_key::{self, ForeignKey, PublicKeyError};
use orch_trust::dsse::{self, ENVELOPE_BYTES_MAX, Statement};
use orch_trust::key::{KeyId, Signer};
use orch_trust::package::PackageBytes;
use orch_trust::release::Release;

use crate::sign::{self, SignError, SignRequest, read_package, write_signed};

/// Why a foreign signature does not become a release signature.
#[derive(Debug, thiserror::Error)]
pub enum PreparedError {
    #[error(transparent)]
    Sign(#[from] SignError),
    #[error("`{path}` is not what `orch-plugin sign --prepare` writes")]
    Malformed { path: String },
    #[error("`{path}` is of other files: `{file}` differs")]
    OtherSubject { path: String, file: String },
    #[error("`{path}` is of `{prepared}`, the package is `{found}`")]
    OtherPlugin { path: String, prepared: String, found: String },
    #[error("`--by` is not a public key")]
    By(#[from] PublicKeyError),
    #[error("foreign signature is not used")]
    Foreign(#[from] ForeignError),
    #[error(
        "signature ({form}) by key `{key}` holds, but it is over a digest of what a release signature is over"
    )]
    OverDigest { form: &'static str, key: KeyId },
}

impl PreparedError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Sign(error) => error.code(),
            Self::Malformed { .. } => "prepared-malformed",
            Self::OtherSubject { .. } => "prepared-other-subject",
            Self::OtherPlugin { .. } => "prepared-other-plugin",
            Self::By(_) => "prepared-key",
            Self::Foreign(error) => error.code(),
            Self::OverDigest { .. } => "prepared-over-digest",
        }
    }

    /// What the publisher can do about it, if anything.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Sign(error) => error.hint(),
            Self::Foreign(error) => error.hint(),
            Self::OverDigest { .. } => Some(
                "`minisign -S -l` signs the bytes themselves; or sign with the key itself (`--signer file:..`, \
                 `agent:..`); or say a signer besides, that signs because this signature holds"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

/// The bytes that a release signature of the package is over.
///
/// # Errors
/// Those of [`sign::sign`], but `Key`.
pub fn prepare(request: &SignRequest<'_>) -> Result<Vec<u8>, SignError> {
    let (package, release) = sign::release(request)?;
    Ok(dsse::message(&Statement::new(package.subjects(), release)))
}

/// A release whose bytes a foreign key signed.
pub struct Prepared {
    package: PackageBytes,
    release: Release,
    vouched: Vouched,
}

/// The files of one import.
pub struct ImportRequest<'a> {
    pub package: &'a Path,
    /// What [`prepare`] gave.
    pub prepared: &'a Path,
    /// What another tool made of it.
    pub signature: &'a Path,
    /// The public key's text, or the path of a file with it.
    pub by: &'a str,
}

impl Prepared {
    /// The prepared bytes and a signature over them, if both are of this package and hold.
    ///
    /// # Errors
    /// All but `OverDigest`.
    pub fn read(request: &ImportRequest<'_>) -> Result<Self, PreparedError> {
        let path = || request.prepared.display().to_string();
        let message = read_file(request.prepared, ENVELOPE_BYTES_MAX)?;
        let statement = dsse::statement_of::<Release>(&message);
        let Statement { subject, predicate: release, .. } =
            statement.ok_or_else(|| PreparedError::Malformed { path: path() })?;
        let (package, manifest) = read_package(request.package)?;
        let other = |file| PreparedError::OtherSubject { path: path(), file };
        package.check_subjects(&subject).map_err(other)?;
        if release.id != manifest.id || release.version != manifest.version {
            let prepared = format!("{} {}", release.id, release.version);
            let found = format!("{} {}", manifest.id, manifest.version);
            return Err(PreparedError::OtherPlugin { path: path(), prepared, found });
        }
        let signature = read_file(request.signature, SIGNATURE_BYTES_MAX)?;
        let signature = String::from_utf8(signature).map_err(|_| ForeignError::Form)?;
        let vouched = foreign::verify(&signature, &message, &read_key(request.by)?)?;
        Ok(Self { package, release, vouched })
    }

    /// Who signed, and in which form.
    pub fn vouched(&self) -> &Vouched {
        &self.vouched
    }

    /// Puts the release signature into the package's folder: that of the signer, or else the foreign one itself.
    ///
    /// # Errors
    /// `OverDigest` if there is no signer; `Sign`.
    pub fn sign(self, folder: &Path, signer: Option<&dyn Signer>) -> Result<KeyId, PreparedError> {
        let imported = self.vouched.signer();
        let own = imported.as_ref().map(|imported| imported as &dyn Signer);
        let (form, key) = (self.vouched.form().as_str(), self.vouched.key().id());
        let signer = signer.or(own).ok_or(PreparedError::OverDigest { form, key })?;
        Ok(write_signed(folder, &self.package, self.release, signer)?)
    }
}

fn read_key(by: &str) -> Result<ForeignKey, PreparedError> {
    if let Ok(key) = public_key::parse(by) {
        return Ok(key);
    }
    let bytes = read_file(Path::new(by), SIGNATURE_BYTES_MAX)?;
    let text = String::from_utf8(bytes).map_err(|_| PublicKeyError)?;
    Ok(public_key::parse(&text)?)
}

fn read_file(path: &Path, bytes_max: u64) -> Result<Vec<u8>, SignError> {
    let read = regular_file::read(path, Links::Followed, bytes_max);
    read.map(|(bytes, _)| bytes.to_vec())
        .map_err(|error| SignError::Io { path: path.to_owned(), source: error.into() })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use orch_trust::key::{SecretKey, base64_encode};
    use orch_trust::manifest::Manifest;
    use orch_trust::package::RELEASE;
    use orch_trust::time::UnixSeconds;
    use serde_json::json;
    use ssh_key::public::{Ed25519PublicKey, KeyData};
    use ssh_key::{Algorithm, HashAlg, LineEnding, Signature, SshSig};

    use super::*;
    use crate::pack::{AUTHORED, PackRequest, pack};

    struct Place {
        folder: tempfile::TempDir,
        package: PathBuf,
    }

    fn key() -> SecretKey {
        SecretKey::from_seed(&[7; 32])
    }

    /// As `minisign -S -l` writes it, but for the number, which is nobody's.
    fn minisign(message: &[u8]) -> String {
        let signature = key().sign(message);
        let line = base64_encode(&[&b"Ed"[..], &[0; 8], &signature].concat());
        let global = key().sign(&[&signature[..], b"release"].concat());
        let global = base64_encode(&global);
        format!("untrusted comment: x\n{line}\ntrusted comment: release\n{global}\n")
    }

    /// As `ssh-keygen -Y sign` writes it.
    fn ssh(message: &[u8], namespace: &str) -> String {
        let point = orch_trust::key::base64_decode(&key().public().to_base64()).unwrap();
        let public = KeyData::Ed25519(Ed25519PublicKey(point.try_into().unwrap()));
        let signed = SshSig::signed_data(namespace, HashAlg::Sha512, message).unwrap();
        let signature = Signature::new(Algorithm::Ed25519, key().sign(&signed)).unwrap();
        SshSig::new(public, namespace, HashAlg::Sha512, signature).unwrap().to_pem(LineEnding::LF).unwrap()
    }

    impl Place {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let manifest = json!({
                "schema": "urn:orch:plugin-manifest:v1", "id": "acme/hello", "version": "0.1.0", "name": "Hello",
                "description": "Says hello", "license": "MIT", "roles": ["reflector"],
                "host": { "api": ">=0.1.0, <0.2.0" }, "permissions": { "log": {} },
                "limits": { "memoryMiB": 16, "busyMs": 500, "wallMs": 2000, "outputKiB": 64, "hostCalls": 1000, "logKiB": 64 } });
            let put = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
            put(AUTHORED, &manifest.to_string());
            put("component.wasm", "component");
            put("sbom.cdx.json", &json!({ "metadata": { "component": { "version": "0.1.0" } } }).to_string());
            let out = folder.path().join("packages");
            let request = PackRequest { project: folder.path(), built: folder.path(), out: &out };
            let package = pack(&request).unwrap().folder;
            Self { folder, package }
        }

        fn prepare(&self) -> Vec<u8> {
            let request = SignRequest {
                package: &self.package,
                now: UnixSeconds(1_800_000_000),
                days: 365,
                channel: "stable",
                release_counter: 7,
                source: None,
            };
            prepare(&request).unwrap()
        }

        fn read(&self, message: &[u8], signature: &str) -> Result<Prepared, PreparedError> {
            let path = |name: &str| self.folder.path().join(name);
            fs::write(path("prepared"), message).unwrap();
            fs::write(path("signature"), signature).unwrap();
            Prepared::read(&ImportRequest {
                package: &self.package,
                prepared: &path("prepared"),
                signature: &path("signature"),
                by: &key().public().to_base64(),
            })
        }

        /// Who signed the package, if it is signed and the signature verifies under that key.
        fn signer(&self, by: &SecretKey) -> Option<KeyId> {
            let release = fs::read(self.package.join(RELEASE)).ok()?;
            let public = by.public();
            let known = |id| (id == public.id()).then_some(public);
            let unknown = |key| orch_trust::refusal::Refusal::ReleaseUnknownKey { key };
            let verified =
                dsse::verify::<dsse::Statement<Release>>(RELEASE, &release, known, unknown).ok()?;
            let (package, manifest) = read_package(&self.package).unwrap();
            package.check_subjects(&verified.payload().subject).unwrap();
            assert_eq!(verified.payload().predicate.id, Manifest::parse(package.manifest()).unwrap().id);
            assert_eq!(manifest.id, verified.payload().predicate.id);
            verified.signers().first().map(|key| key.id())
        }
    }

    #[test]
    fn a_foreign_signature_over_the_bytes_is_the_release_signature_that_the_key_itself_makes() {
        let place = Place::new();
        let message = place.prepare();
        let prepared = place.read(&message, &minisign(&message)).unwrap();
        assert_eq!(prepared.sign(&place.package, None).unwrap(), key().public().id());
        assert_eq!(place.signer(&key()), Some(key().public().id()));
        let imported = fs::read(place.package.join(RELEASE)).unwrap();
        let statement = dsse::statement_of::<Release>(&message).unwrap();
        assert_eq!(imported, dsse::sign(&statement, &[&key()]).unwrap());
    }

    #[test]
    fn a_foreign_signature_over_a_digest_lets_another_signer_sign_and_nothing_more() {
        let place = Place::new();
        let message = place.prepare();
        let text = ssh(&message, "orch-plugin");
        let alone = place.read(&message, &text).unwrap().sign(&place.package, None).unwrap_err();
        assert!(matches!(alone, PreparedError::OverDigest { form: "ssh", .. }), "{alone}");
        assert!(alone.hint().unwrap().contains("minisign -S -l"));
        assert!(!place.package.join(RELEASE).exists());
        let other = SecretKey::from_seed(&[8; 32]);
        place.read(&message, &text).unwrap().sign(&place.package, Some(&other)).unwrap();
        assert_eq!(place.signer(&other), Some(other.public().id()));
        assert_eq!(place.signer(&key()), None);
    }

    #[test]
    fn what_is_not_this_packages_or_not_signed_is_not_used() {
        let place = Place::new();
        let message = place.prepare();
        let error = |message: &[u8], signature: &str| place.read(message, signature).err().unwrap();
        let foreign = |error: PreparedError| match error {
            PreparedError::Foreign(error) => error.code(),
            other => panic!("{other}"),
        };
        assert_eq!(foreign(error(&message, &minisign(b"other"))), "foreign-signature");
        assert_eq!(foreign(error(&message, &ssh(&message, "git"))), "foreign-namespace");
        assert_eq!(foreign(error(&message, "")), "foreign-form");
        let changed = String::from_utf8(message.clone()).unwrap().replace("stable", "nightl");
        assert_eq!(foreign(error(changed.as_bytes(), &minisign(&message))), "foreign-signature");
        for wrong in [&b""[..], b"DSSEv1", &message[1..], &[&message[..], b"\n"].concat()] {
            assert!(matches!(error(wrong, &minisign(wrong)), PreparedError::Malformed { .. }));
        }
        fs::write(place.package.join("component.wasm"), "other").unwrap();
        assert!(matches!(
            error(&message, &minisign(&message)),
            PreparedError::Sign(SignError::Refused { .. })
        ));
        let other = Place::new();
        fs::write(
            other.package.join("manifest.json"),
            fs::read(place.package.join("manifest.json")).unwrap(),
        )
        .unwrap();
        let mut statement = dsse::statement_of::<Release>(&message).unwrap();
        statement.predicate.version = "0.1.1".parse().unwrap();
        let message = dsse::message(&statement);
        let error = other.read(&message, &minisign(&message)).err().unwrap();
        assert!(matches!(error, PreparedError::OtherPlugin { .. }), "{error}");
        statement.predicate.version = "0.1.0".parse().unwrap();
        statement.subject.pop();
        let message = dsse::message(&statement);
        let error = other.read(&message, &minisign(&message)).err().unwrap();
        assert!(matches!(error, PreparedError::OtherSubject { .. }), "{error}");
        assert!(!other.package.join(RELEASE).exists());
    }
}
