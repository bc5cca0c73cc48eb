//! What programs of plugins reached through the host.
//!
//! Units: bytes of connections as they went over the wire, milliseconds.
//! Invariant: hosts and ports only, never what was said: that is between the program and whom it reached.

use serde::{Deserialize, Serialize};

use super::Actor;

/// Of one program and all that it started, when it was over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkUsed {
    #[serde(flatten)]
    pub by: Actor,
    /// As in `process_started`.
    pub pid: u32,
    /// By target, each once.
    pub uses: Vec<NetworkUse>,
    /// Connections to targets that are not among them, there being too many.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub others: u32,
    pub at: u64,
}

/// Of one target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkUse {
    /// `host:port`.
    pub target: String,
    /// That were let through, whether or not anybody answered.
    pub connections: u32,
    /// That were not.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub refused: u32,
    pub sent: u64,
    pub received: u64,
    /// Of all connections, one after the other.
    pub ms: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}
