//! `notify`: notices to people, which another plugin sends.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rule::{Entries, Rule, Star, fields, named, own_interface};
use super::text::{NAME, covers_any, is_name_or_any};
use super::{Domain, Effect, PermissionExcess, PermissionForm, Side};
use crate::import::Import;
use crate::role::Role;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotifyPermission {
    /// Whom a notice may be for, 1..=64 of `[a-z0-9-]`; `*` is every channel (not in manifests).
    pub channels: Vec<String>,
}

const CHANNELS: Entries = named(NAME, is_name_or_any, Star::NotInManifests);

impl NotifyPermission {
    /// True if notices for that channel are allowed.
    pub fn allows(&self, channel: &str) -> bool {
        self.channels.iter().any(|granted| covers_any(granted, channel))
    }
}

impl Domain for NotifyPermission {
    own_interface!("notify" provided);

    /// Whose calls are made again after a crash hands the same key over again; sessions of planners have none.
    fn is_for(role: Role) -> bool {
        role != Role::Planner
    }

    fn effect(&self) -> Effect {
        Effect::Changing
    }

    fn keeps(&self) -> bool {
        false
    }

    fn beyond_nothing(&self) -> Result<(), PermissionExcess> {
        Err(PermissionExcess::entries("notify", &self.channels))
    }

    fn lines(&self) -> Vec<String> {
        vec![format!("notify: send notices to {}", self.channels.join(", "))]
    }

    fields! { channels: "notify.channels" => CHANNELS }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_is_allowed_by_its_name_or_by_a_star() {
        let allows = |channels: &[&str], channel: &str| {
            let channels = channels.iter().map(|&one| one.to_owned()).collect();
            NotifyPermission { channels }.allows(channel)
        };
        assert!(allows(&["ops"], "ops") && allows(&["*"], "ops"));
        for other in ["op", "opss", "OPS", "*", ""] {
            assert!(!allows(&["ops"], other), "{other}");
        }
        assert!(!allows(&[], "ops"));
    }
}
