//! What the operator said yes to.
//!
//! In -> out: [`Approval`] <-> JSON in the operator's folder.
//! Invariant: an approval is for one plugin and for at most the permissions that were shown; an upgrade that asks for
//! more is not approved.
//! Not here: asking (`orch-host`).

use serde::{Deserialize, Serialize};

use crate::name::PluginId;
use crate::permission::Permissions;
use crate::strict_json::{self, JsonError};
use crate::time::UnixSeconds;

/// One plugin's approved permissions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    pub id: PluginId,
    /// The version whose manifest was shown.
    pub version: semver::Version,
    pub permissions: Permissions,
    pub at: UnixSeconds,
}

impl Approval {
    pub fn parse(bytes: &[u8]) -> Result<Self, JsonError> {
        strict_json::parse(bytes)
    }

    pub fn render(&self) -> String {
        format!("{}\n", serde_json::to_string_pretty(self).unwrap_or_default())
    }
}
