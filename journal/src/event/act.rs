//! What a service may ask of a host that serves.
//!
//! In -> out: one JSON object, `{"act": ..}` first.
//! Invariant: a type of its own: whatever approves, resolves, waives, skips, retries or makes tokens is not in it.
//! Not here: what people may ask (`orch-host`'s `drive/act.rs`), what becomes of it (`drive/acts.rs`).

use serde::{Deserialize, Serialize};

/// One that was asked for, until the host did it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedAct {
    /// Place of the call in the workspace's stream.
    pub call: u64,
    pub plugin: String,
    /// Name of the token that was shown to the service.
    pub token: Option<String>,
    pub act: ServiceAct,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "kebab-case", deny_unknown_fields)]
pub enum ServiceAct {
    /// Begin a run, or go on with the open one: with these tasks only, or with all.
    Start {
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tasks: Vec<String>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tags: Vec<String>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        exclude: Vec<String>,
        #[serde(default, rename = "failFast", skip_serializing_if = "std::ops::Not::not")]
        fail_fast: bool,
    },
    /// Start nothing more, let what runs end.
    Stop,
}
