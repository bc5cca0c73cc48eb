//! Levels: how much a certificate says.

use serde::{Deserialize, Serialize};

/// How much a certificate says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Every check that needs nothing from outside.
    Local,
    /// All checks.
    Certified,
}

impl Level {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Certified => "certified",
        }
    }
}
