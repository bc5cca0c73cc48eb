//! Words that stand for secrets, which the host fills in when a request leaves. Permission: `secrets`.
//!
//! In -> out: the name of a secret -> a [`Secret`] for the value of a header.
//! Limits: 64 words a call, each good for this call only; messages of 1 MiB.
//! Not here: sending the request.

use std::fmt;

use crate::Error;
use crate::bindings::capabilities::orch::secrets::secrets;
pub use crate::bindings::capabilities::orch::secrets::secrets::Encoding;

/// A word that the host replaces in headers, on the way to the secret's host and nowhere else. Shown it is the word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The word by itself: `X-Api-Key: {word}`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value of `Authorization` for it: `Bearer {word}`.
    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.0)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// A word for the secret itself.
///
/// # Errors
/// `Denied`: it is not granted. `Limit`: more than 64 words. `Unavailable`: its source gave nothing usable.
pub fn placeholder(name: &str) -> Result<Secret, Error> {
    Ok(Secret(secrets::placeholder(name)?))
}

/// A word for base64 of `user:secret`: `Authorization: Basic {word}`.
///
/// # Errors
/// As above; `Invalid`: the user has a `:` or control characters, or is longer than 256 bytes.
pub fn basic(user: &str, name: &str) -> Result<Secret, Error> {
    Ok(Secret(secrets::basic(user, name)?))
}

/// A word for the message's HMAC-SHA-256 by the secret.
///
/// # Errors
/// As above; `Invalid`: the message is longer than 1 MiB.
pub fn hmac_sha256(name: &str, message: &[u8], encoding: Encoding) -> Result<Secret, Error> {
    Ok(Secret(secrets::hmac_sha256(name, message, encoding)?))
}
