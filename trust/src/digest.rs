//! SHA-256 digests and how they are written.
//!
//! In -> out: bytes -> [`Sha256Digest`] <-> 64 lower-case hex digits.
//! Invariant: only the canonical text is read.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A SHA-256 digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "HexDigits")]
pub struct Sha256Digest([u8; 32]);

/// The text of a digest, for the schema.
#[derive(JsonSchema)]
#[schemars(transparent)]
struct HexDigits(
    #[schemars(regex(pattern = r"^[0-9a-f]{64}$"))]
    #[expect(dead_code)]
    String,
);

/// A text that is no digest.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{found}` is not 64 lower-case hex digits")]
pub struct DigestText {
    pub found: String,
}

impl Sha256Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    pub fn parse(text: &str) -> Result<Self, DigestText> {
        let wrong = || DigestText { found: text.chars().take(80).collect() };
        let lower = text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        if !lower {
            return Err(wrong());
        }
        let bytes = hex::decode(text).map_err(|_| wrong())?;
        Ok(Self(bytes.try_into().map_err(|_| wrong())?))
    }

    /// A digest that was computed elsewhere.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Sha256Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Sha256Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl TryFrom<String> for Sha256Digest {
    type Error = DigestText;
    fn try_from(text: String) -> Result<Self, DigestText> {
        Self::parse(&text)
    }
}

impl From<Sha256Digest> for String {
    fn from(digest: Sha256Digest) -> Self {
        digest.to_string()
    }
}
