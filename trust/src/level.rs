//! Levels: how much a certificate says.
//!
//! Invariant: no policy and no trust root names `development`: a certificate of it counts on a host of development alone.
//! Not here: which host is one (`admission.rs`'s rules), how long each level lasts (`certificate.rs`).

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

/// How much a certificate says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// The quick checks, which call nothing: of a plugin that somebody is writing.
    Development,
    /// Every check that needs nothing from outside.
    Local,
    /// All checks.
    Certified,
}

impl Level {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Local => "local",
            Self::Certified => "certified",
        }
    }
}

/// A level that a policy or a trust root may name.
pub(crate) fn decided<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Level, D::Error> {
    match Level::deserialize(deserializer)? {
        Level::Development => Err(D::Error::unknown_variant("development", &["local", "certified"])),
        level => Ok(level),
    }
}
