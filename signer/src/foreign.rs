//! Signatures that other tools made: `minisign` and `ssh-keygen -Y sign`.
//!
//! In -> out: a signature file, the message, the key -> [`Vouched`].
//! Limits: 16 KiB a file.
//! Invariant: each signature in the file is verified by `PublicKey::verify`, strictly. Only what signs the message
//! itself becomes a signature of ours ([`Vouched::signer`]); what signs a digest of it shows that the key's owner
//! wants this message signed, and no more (docs/decisions/0013).
//! Not here: what the message is (`orch-trust`'s `dsse.rs`).

mod minisign;
mod sshsig;

use orch_trust::key::{KeyError, PublicKey, SignError, Signer};

use crate::public_key::ForeignKey;

pub use sshsig::NAMESPACE;

/// More than any signature file has.
pub const SIGNATURE_BYTES_MAX: u64 = 16 * 1024;

/// Why a foreign signature says nothing.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ForeignError {
    #[error("signature is not of `minisign` nor of `ssh-keygen -Y sign`")]
    Form,
    #[error("{form} signature is malformed: {why}")]
    Malformed { form: &'static str, why: &'static str },
    #[error("ssh signature is for namespace `{found}`, expected `{NAMESPACE}`")]
    Namespace { found: String },
    #[error("signature is by another key than the one that was said")]
    OtherKey,
    #[error("{what} does not hold")]
    Signature {
        what: &'static str,
        #[source]
        source: KeyError,
    },
}

impl ForeignError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Form => "foreign-form",
            Self::Malformed { .. } => "foreign-malformed",
            Self::Namespace { .. } => "foreign-namespace",
            Self::OtherKey => "foreign-other-key",
            Self::Signature { .. } => "foreign-signature",
        }
    }

    /// What helps, if anything.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Namespace { .. } => {
                Some(format!("sign with `ssh-keygen -Y sign -n {NAMESPACE} -f KEY FILE`"))
            }
            _ => None,
        }
    }
}

/// What kind of signature it was, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `minisign -S -l`: over the message itself.
    Minisign,
    /// `minisign -S`: over BLAKE2b-512 of the message.
    MinisignPrehashed,
    /// `ssh-keygen -Y sign`: over a frame with a digest of the message.
    Ssh,
}

impl Form {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Minisign => "minisign",
            Self::MinisignPrehashed => "minisign, prehashed",
            Self::Ssh => "ssh",
        }
    }
}

/// A message that the owner of a key signed, with another tool.
///
/// Made only by [`verify`].
#[derive(Debug)]
pub struct Vouched {
    key: PublicKey,
    form: Form,
    message: Vec<u8>,
    /// Over the message itself; of no use for any other.
    signature: Option<[u8; 64]>,
}

impl Vouched {
    pub fn key(&self) -> PublicKey {
        self.key
    }

    pub fn form(&self) -> Form {
        self.form
    }

    /// A signer of this one message, if the foreign signature is over the message itself.
    pub fn signer(&self) -> Option<ImportedSigner> {
        let signature = self.signature?;
        Some(ImportedSigner { key: self.key, message: self.message.clone(), signature })
    }
}

/// What the foreign signature says, if all of it holds.
///
/// # Errors
/// Each of them.
pub fn verify(text: &str, message: &[u8], key: &ForeignKey) -> Result<Vouched, ForeignError> {
    let (form, signature) = if text.starts_with(sshsig::BEGIN) {
        sshsig::verify(text, message, key.key)?;
        (Form::Ssh, None)
    } else if text.starts_with(minisign::BEGIN) {
        match minisign::verify(text, message, key)? {
            Some(signature) => (Form::Minisign, Some(signature)),
            None => (Form::MinisignPrehashed, None),
        }
    } else {
        return Err(ForeignError::Form);
    };
    Ok(Vouched { key: key.key, form, message: message.to_vec(), signature })
}

/// A signature that is there already. Signs its one message.
pub struct ImportedSigner {
    key: PublicKey,
    message: Vec<u8>,
    signature: [u8; 64],
}

/// The imported signature is over other bytes.
#[derive(Debug, thiserror::Error)]
#[error("imported signature is over another message")]
struct OtherMessage;

impl Signer for ImportedSigner {
    fn public(&self) -> PublicKey {
        self.key
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        match message == self.message {
            true => Ok(self.signature),
            false => Err(SignError { key: self.key.id(), source: OtherMessage.into() }),
        }
    }
}
