//! Requests that plugins make of others.
//!
//! Units: bytes of bodies, milliseconds.
//! Invariant: never a query, a header or a body: those may hold what nobody else should read.

use serde::{Deserialize, Serialize};

use super::Actor;

/// A request, before its first byte.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpRequested {
    #[serde(flatten)]
    pub by: Actor,
    /// Who sends it: the plugin that is called, or one that provides for it.
    pub plugin: String,
    /// Counted in a plugin's call, from 1.
    pub request: u32,
    pub method: String,
    /// Scheme, host and port: `https://api.example.com:443`.
    pub origin: String,
    pub path: String,
    pub at: u64,
}

/// The same request, when its answer was read to the end, given up, or never came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpEnded {
    #[serde(flatten)]
    pub by: Actor,
    pub plugin: String,
    pub request: u32,
    #[serde(flatten)]
    pub exchange: HttpExchange,
    pub at: u64,
}

/// What went over the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpExchange {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why it did not come to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    pub sent: u64,
    pub received: u64,
    /// SHA-256 of the body that was sent, as far as it was.
    pub sent_sha256: String,
    /// Of the answer's body, as far as it was read.
    pub received_sha256: String,
    pub ms: u64,
}
