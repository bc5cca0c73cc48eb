//! Roles: what a plugin exports.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a plugin exports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    Planner,
    Executor,
    Reflector,
    Auditor,
    Verifier,
    Guard,
    Provider,
    Service,
}

impl Role {
    pub const ALL: [Self; 8] = [
        Self::Planner,
        Self::Executor,
        Self::Reflector,
        Self::Auditor,
        Self::Verifier,
        Self::Guard,
        Self::Provider,
        Self::Service,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planner => "planner",
            Self::Executor => "executor",
            Self::Reflector => "reflector",
            Self::Auditor => "auditor",
            Self::Verifier => "verifier",
            Self::Guard => "guard",
            Self::Provider => "provider",
            Self::Service => "service",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }
}
