//! Documents of the trust root that several people sign, each on a machine of their own.
//!
//! In -> out: document -> envelope with one signature; envelope, one more signer -> envelope with one more.
//! Limits: 4 MiB a file.
//! Invariant: a signature is added only to bytes whose other signatures hold under known keys; what is signed never
//! changes by being signed.
//! Not here: whether enough have signed and what that means (`orch-trust`'s `root.rs`, `revocation.rs`).

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use orch_host::regular_file::{self, Links};
use orch_trust::dsse::{self, Envelope, Payload};
use orch_trust::key::{KeyId, PublicKey, SignError, Signer, base64_decode};
use orch_trust::refusal::Refusal;
use orch_trust::strict_json::{self, JsonError};
use serde::Deserialize;
use serde::de::DeserializeOwned;

const BYTES_MAX: u64 = 4 << 20;

/// Why a document is not read, or not signed.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    #[error("`{path}` cannot be read")]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("`{path}` is no document of that kind")]
    Malformed {
        path: PathBuf,
        #[source]
        source: JsonError,
    },
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("`{path}` is signed, and this changes what was signed")]
    Signed { path: PathBuf },
    #[error("`{path}` holds another document than `{other}`")]
    Other { path: PathBuf, other: PathBuf },
    #[error("`{path}` has all signatures that it needs, and one more would make it another file")]
    Complete { path: PathBuf },
    #[error("`{path}` has enough signatures of its own keys, and the version before is not known here")]
    PreviousUnsaid { path: PathBuf },
    #[error("key `{key}` has signed already")]
    Twice { key: KeyId },
    #[error("key `{key}` has no part in this document")]
    NoPart { key: KeyId },
    #[error("key `{key}` signed it before, and nothing here says whose it is")]
    SignerUnknown { key: KeyId },
    #[error("{message}")]
    Edit { message: String },
    #[error(transparent)]
    Sign(#[from] SignError),
    #[error("folder `{path}` cannot be locked")]
    Lock {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("`{path}` cannot be written")]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl DocumentError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Read { .. } => "document-io",
            Self::Malformed { .. } => "document-malformed",
            Self::Refused(refusal) => refusal.code(),
            Self::Signed { .. } => "document-signed",
            Self::Other { .. } => "document-other",
            Self::Complete { .. } => "document-complete",
            Self::PreviousUnsaid { .. } => "document-previous-unsaid",
            Self::Twice { .. } => "document-signed-twice",
            Self::NoPart { .. } => "document-no-part",
            Self::SignerUnknown { .. } => "document-signer-unknown",
            Self::Edit { .. } => "document-edit",
            Self::Sign(_) => "not-signed",
            Self::Lock { .. } => "document-lock",
            Self::Write { .. } => "document-write",
        }
    }

    /// What helps, if anything.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Signed { .. } => {
                "`orch-certify root rotate` makes the next version, which nobody has signed yet".to_owned()
            }
            Self::Other { .. } => "say another `--out`, or sign the document that is in it".to_owned(),
            Self::Complete { .. } => {
                "give it out as it is; what comes next is a new version, by `root rotate`, or by `revoke` without `--sign`"
                    .to_owned()
            }
            Self::NoPart { .. } | Self::SignerUnknown { .. } | Self::PreviousUnsaid { .. } => {
                "`--previous FILE` names the root before, whose keys sign the next one too".to_owned()
            }
            Self::Refused(refusal) => return refusal.hint(),
            _ => return None,
        })
    }
}

/// A document and who signed it so far.
#[derive(Clone, Debug)]
pub struct Document<T> {
    pub payload: T,
    signatures: Vec<(KeyId, [u8; 64])>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct EnvelopeText {
    #[serde(rename = "payloadType")]
    _payload_type: String,
    payload: String,
    signatures: Vec<SignatureText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignatureText {
    keyid: KeyId,
    sig: String,
}

/// The bytes of a file.
///
/// # Errors
/// `Read`.
pub fn read_bytes(path: &Path) -> Result<Vec<u8>, DocumentError> {
    let read = regular_file::read(path, Links::Followed, BYTES_MAX);
    let fault = |source| DocumentError::Read { path: path.to_owned(), source };
    read.map(|(bytes, _)| bytes.to_vec()).map_err(|error| fault(error.into()))
}

impl<T: Payload + DeserializeOwned + PartialEq> Document<T> {
    /// One that nobody has signed.
    pub fn unsigned(payload: T) -> Self {
        Self { payload, signatures: Vec::new() }
    }

    /// A file with or without signatures. Signatures are believed by nobody yet.
    ///
    /// # Errors
    /// `Read`, `Malformed`, `Refused`.
    pub fn read(path: &Path) -> Result<Self, DocumentError> {
        Self::parse(path, &read_bytes(path)?)
    }

    /// What these bytes hold; `path` says in errors where they are.
    ///
    /// # Errors
    /// `Malformed`, `Refused`.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, DocumentError> {
        let malformed = |source| DocumentError::Malformed { path: path.to_owned(), source };
        let Ok(envelope) = strict_json::parse::<EnvelopeText>(bytes) else {
            return Ok(Self::unsigned(strict_json::parse(bytes).map_err(malformed)?));
        };
        let name = path.display().to_string();
        Envelope::<T>::open(&name, bytes)?;
        let invalid = |key| move |source| Refusal::SignatureInvalid { file: name.clone(), key, source };
        let not_base64 = |error: orch_trust::key::KeyError| {
            let why = error.to_string();
            Refusal::EnvelopeMalformed { file: path.display().to_string(), why }
        };
        let payload = base64_decode(&envelope.payload).map_err(not_base64)?;
        let mut signatures = Vec::new();
        for SignatureText { keyid, sig } in envelope.signatures {
            let bytes = base64_decode(&sig).map_err(invalid.clone()(keyid))?;
            let bytes = <[u8; 64]>::try_from(bytes).map_err(|_| {
                let (file, why) = (path.display().to_string(), "a signature is not 64 bytes".to_owned());
                Refusal::EnvelopeMalformed { file, why }
            })?;
            signatures.push((keyid, bytes));
        }
        Ok(Self { payload: strict_json::parse(&payload).map_err(malformed)?, signatures })
    }

    pub fn is_signed(&self) -> bool {
        !self.signatures.is_empty()
    }

    /// Who signed, in order. Whether the signatures hold is not known.
    pub fn signers(&self) -> impl Iterator<Item = KeyId> {
        self.signatures.iter().map(|(key, _)| *key)
    }

    /// The envelope with one more signature. `known`: the keys that have a part in the document.
    ///
    /// # Errors
    /// `Twice`, `NoPart`, `SignerUnknown`, `Sign`; also when a signature of before does not hold.
    pub fn sign(
        &self,
        known: impl Fn(KeyId) -> Option<PublicKey>,
        signer: &dyn Signer,
    ) -> Result<Vec<u8>, DocumentError> {
        let own = signer.public();
        if self.signers().any(|key| key == own.id()) {
            return Err(DocumentError::Twice { key: own.id() });
        }
        if known(own.id()) != Some(own) {
            return Err(DocumentError::NoPart { key: own.id() });
        }
        let mut before = Vec::new();
        for (key, signature) in &self.signatures {
            let public = known(*key).ok_or(DocumentError::SignerUnknown { key: *key })?;
            before.push(Given { public, signature: *signature });
        }
        let mut signers: Vec<&dyn Signer> = Vec::new();
        signers.extend(before.iter().map(|given| given as &dyn Signer));
        signers.push(signer);
        Ok(dsse::sign(&self.payload, &signers)?)
    }
}

/// A signature that was made elsewhere. It is verified like a new one.
struct Given {
    public: PublicKey,
    signature: [u8; 64],
}

impl Signer for Given {
    fn public(&self) -> PublicKey {
        self.public
    }

    fn sign(&self, _: &[u8]) -> Result<[u8; 64], SignError> {
        Ok(self.signature)
    }
}

/// A file that must not be there yet; what could not be written whole is not left there.
///
/// # Errors
/// The system's.
pub fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).open(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    written.inspect_err(|_| drop(fs::remove_file(path)))
}

/// A document that nobody has signed, for people to read and change.
pub fn render<T: Payload>(payload: &T) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(payload).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}
