//! ed25519 keys, read and used strictly.
//!
//! In -> out: 32 bytes or base64 -> [`PublicKey`]; message and 64 bytes -> verified or not.
//! Invariant: a key is a canonical point of the prime-order group; a signature verifies with the cofactorless
//! equation only when its `R` is such a point too and its `S` is reduced. One message, one key, one valid signature.
//! Not here: who owns a key (`authority.rs`), envelopes (`dsse.rs`).

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use curve25519_dalek::edwards::CompressedEdwardsY;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::digest::Sha256Digest;

/// Why a key or signature is not accepted.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeyError {
    #[error("text is not strict base64")]
    Base64,
    #[error("key is not 32 bytes")]
    KeyLength,
    #[error("signature is not 64 bytes")]
    SignatureLength,
    #[error("key is not a canonical point of the prime-order group")]
    KeyPoint,
    #[error("signature's `R` is not a canonical point of the prime-order group")]
    SignaturePoint,
    #[error("signature does not match")]
    Mismatch,
}

/// Bytes of strict base64: the standard alphabet, padded, no whitespace, no stray bits.
pub fn base64_decode(text: &str) -> Result<Vec<u8>, KeyError> {
    let bytes = STANDARD.decode(text).map_err(|_| KeyError::Base64)?;
    match STANDARD.encode(&bytes) == text {
        true => Ok(bytes),
        false => Err(KeyError::Base64),
    }
}

pub fn base64_encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// SHA-256 of a public key's 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(Sha256Digest);

impl KeyId {
    pub fn parse(text: &str) -> Option<Self> {
        Sha256Digest::parse(text).ok().map(Self)
    }

    /// The first 16 hex digits: the name of a certifier's file.
    pub fn short(&self) -> String {
        self.0.to_string().chars().take(16).collect()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, out)
    }
}

/// A public key that is worth verifying with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| KeyError::KeyLength)?;
        if !is_prime_order_point(bytes) {
            return Err(KeyError::KeyPoint);
        }
        VerifyingKey::from_bytes(&bytes).map(Self).map_err(|_| KeyError::KeyPoint)
    }

    pub fn from_base64(text: &str) -> Result<Self, KeyError> {
        Self::from_bytes(&base64_decode(text)?)
    }

    pub fn to_base64(self) -> String {
        base64_encode(self.0.as_bytes())
    }

    pub fn id(&self) -> KeyId {
        KeyId(Sha256Digest::of(self.0.as_bytes()))
    }

    /// Succeeds if the signature is this key's over the message.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), KeyError> {
        let bytes: [u8; 64] = signature.try_into().map_err(|_| KeyError::SignatureLength)?;
        let signature = Signature::from_bytes(&bytes);
        if !is_prime_order_point(*signature.r_bytes()) {
            return Err(KeyError::SignaturePoint);
        }
        self.0.verify_strict(message, &signature).map_err(|_| KeyError::Mismatch)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "PublicKey({})", self.to_base64())
    }
}

/// Canonical encoding, not the identity, and without a part in the small subgroup.
fn is_prime_order_point(bytes: [u8; 32]) -> bool {
    let compressed = CompressedEdwardsY(bytes);
    match compressed.decompress() {
        Some(point) => point.compress() == compressed && point.is_torsion_free() && !point.is_small_order(),
        None => false,
    }
}

/// What holds a secret key and signs with it: a file, an agent, a token, another program.
pub trait Signer {
    /// The key that its signatures verify under.
    fn public(&self) -> PublicKey;

    /// The 64 bytes of an ed25519 signature over the message.
    ///
    /// # Errors
    /// Whatever keeps it from signing.
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError>;
}

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
#[error("key `{key}` did not sign")]
pub struct SignError {
    pub key: KeyId,
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl Signer for SecretKey {
    fn public(&self) -> PublicKey {
        Self::public(self)
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        Ok(Self::sign(self, message))
    }
}

/// A key that signs. Zeroed when dropped; never shown.
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// From 32 random bytes.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "SecretKey of {:?}", self.public())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_verifies_for_its_message_and_key_only() {
        let (one, two) = (SecretKey::from_seed(&[1; 32]), SecretKey::from_seed(&[2; 32]));
        let signature = one.sign(b"message");
        assert_eq!(one.public().verify(b"message", &signature), Ok(()));
        assert_eq!(one.public().verify(b"massage", &signature), Err(KeyError::Mismatch));
        assert_eq!(two.public().verify(b"message", &signature), Err(KeyError::Mismatch));
        assert_eq!(one.public().verify(b"message", &signature[..63]), Err(KeyError::SignatureLength));
    }

    #[test]
    fn base64_has_one_form() {
        assert_eq!(base64_decode("AAE=").unwrap(), [0, 1]);
        for wrong in ["AAE", "AAF=\n", " AAE=", "AA_=", "AAH=", "AAE=="] {
            assert_eq!(base64_decode(wrong), Err(KeyError::Base64), "{wrong}");
        }
    }

    #[test]
    fn points_of_small_or_mixed_order_are_no_keys() {
        let mut identity = [0; 32];
        identity[0] = 1;
        assert_eq!(PublicKey::from_bytes(&identity).unwrap_err(), KeyError::KeyPoint);
        // y = 2^255 - 18 is y = 1 written without reduction.
        let mut loose = [0xff; 32];
        loose[0] = 0xee;
        loose[31] = 0x7f;
        assert_eq!(PublicKey::from_bytes(&loose).unwrap_err(), KeyError::KeyPoint);
        assert_eq!(PublicKey::from_bytes(&[0; 31]).unwrap_err(), KeyError::KeyLength);
    }
}
