//! `control`: starting and stopping runs of a host that serves, and seeing how they stand.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rule::{Flag, Rule, fields, own_interface};
use super::{Domain, Effect, PermissionExcess, PermissionForm, Side};
use crate::import::Import;
use crate::role::Role;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ControlPermission {
    /// Begin a run, or go on with the open one.
    #[serde(default)]
    pub start: bool,
    /// Let a run start nothing more.
    #[serde(default)]
    pub stop: bool,
    /// See whether a run is at work, which tasks it works at, and how the last ones ended.
    #[serde(default)]
    pub read: bool,
}

impl Domain for ControlPermission {
    own_interface!("control");

    /// A run is no part of itself, and only a host that serves begins another one.
    fn is_for(role: Role) -> bool {
        role == Role::Service
    }

    /// What a run does cannot be taken back, nor can what was not done because it ended.
    fn effect(&self) -> Effect {
        match self.start || self.stop {
            true => Effect::Changing,
            false => Effect::None,
        }
    }

    fn keeps(&self) -> bool {
        self.start || self.stop
    }

    fn beyond_nothing(&self) -> Result<(), PermissionExcess> {
        self.check_within(&Self::default())
    }

    fn lines(&self) -> Vec<String> {
        let Self { start, stop, read } = *self;
        let lines = [
            (start, "control: start runs of this workspace, or go on with the open one"),
            (stop, "control: let the run at work start nothing more"),
            (read, "control: see how runs stand, and which tasks they work at"),
        ];
        lines.into_iter().filter(|(is, _)| *is).map(|(_, line)| line.to_owned()).collect()
    }

    fields! { start: "control.start" => Flag, stop: "control.stop" => Flag, read: "control.read" => Flag }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_starts_or_stops_changes_something_and_whoever_looks_does_not() {
        for (start, stop, read, changes) in [
            (true, false, false, true),
            (false, true, false, true),
            (false, false, true, false),
            (false, false, false, false),
        ] {
            let permission = ControlPermission { start, stop, read };
            assert_eq!(permission.effect() == Effect::Changing, changes, "{permission:?}");
            assert_eq!(permission.keeps(), changes, "{permission:?}");
            assert_eq!(permission.lines().len(), usize::from(start || stop || read));
        }
        assert!(Role::ALL.iter().all(|role| ControlPermission::is_for(*role) == (*role == Role::Service)));
    }
}
