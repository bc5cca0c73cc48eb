//! What plugins do for others, and for the host itself.
//!
//! Not here: what they wrote (`writes.rs`).

use serde::{Deserialize, Serialize};

use super::Writes;

/// A plugin that is asked on behalf of another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedProvider {
    /// Empty: the host itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub consumer: String,
    pub provider: String,
    /// What it is about: a channel.
    pub subject: String,
    /// The same where the same is asked again.
    pub key: String,
}

/// What became of a notice of the host's own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NoticeSent {
    /// As `run_finished` has it.
    pub key: String,
    /// Why it was not sent, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// What the provider wrote.
    #[serde(default, skip_serializing_if = "Writes::is_empty")]
    pub writes: Writes,
    pub at: u64,
}
