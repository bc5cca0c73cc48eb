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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_approval_reads_what_it_wrote_and_nothing_else() {
        let approval = Approval {
            id: PluginId::parse("demo/x").unwrap(),
            version: semver::Version::new(1, 2, 3),
            permissions: serde_json::from_str(r#"{"log":{},"process":{"programs":["*"]}}"#).unwrap(),
            at: UnixSeconds(1_800_000_000),
        };
        let text = approval.render();
        assert_eq!(Approval::parse(text.as_bytes()).unwrap(), approval);
        for wrong in [
            text.replace("\"log\": {}", "\"log\": {}, \"all\": {}"),
            text.replace("\"id\"", "\"version\": \"9.9.9\", \"id\""),
            text.replace("demo/x", "demo"),
            text.replace("\"at\"", "\"until\""),
        ] {
            assert!(Approval::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
