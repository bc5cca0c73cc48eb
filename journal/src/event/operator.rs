//! What an operator decided: the events of the operator's stream, which lies in the operator's folder.
//!
//! Invariant: a decision holds names and digests only; never a token, its MAC, or anything else that gives authority.
//! All of them in a list: `docs/events.md`. Not here: what a decision changes (`orch-host`'s `config/operator`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What an operator decided about its host.
pub const OPERATOR_STREAM: &str = "operator";

/// One decision. Digests and key ids are 64 hex digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum OperatorDecision {
    /// It may do what its manifest asks for, as far as the policy allows that.
    PluginApproved {
        id: String,
        version: String,
        /// SHA-256 of `manifest.json`, which says what was asked for.
        manifest: String,
        /// SHA-256 of `component.wasm`.
        component: String,
        /// `certified (local)` or `certified`: what certifiers vouched for at that moment.
        trust: String,
    },
    /// It never runs again on this host.
    Denied {
        subject: DeniedSubject,
        /// For people; may be empty.
        reason: String,
    },
    DenialTakenBack {
        subject: DeniedSubject,
    },
    /// A file of a publisher or certifier counts from now on.
    KeyTrusted {
        role: TrustedRole,
        key: String,
        owner: String,
    },
    /// Roots and lists of a trust root, by where they lie in the folder, with their SHA-256.
    TrustTaken {
        files: BTreeMap<String, String>,
    },
    /// Runs may be started there.
    WorkspaceKnown {
        path: String,
    },
    TokenAdded {
        name: String,
        scopes: Vec<String>,
    },
    TokenRevoked {
        name: String,
    },
}

/// What is denied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeniedSubject {
    /// Every version of that plugin.
    Plugin(String),
    /// Every package that has a file of that digest.
    File(String),
    /// Everything that the key of that id published or certified.
    Key(String),
}

/// Whose key it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrustedRole {
    Publisher,
    Certifier,
}

impl OperatorDecision {
    /// The value of `decision` in the stored bytes.
    pub fn name(&self) -> &'static str {
        match self {
            Self::PluginApproved { .. } => "plugin_approved",
            Self::Denied { .. } => "denied",
            Self::DenialTakenBack { .. } => "denial_taken_back",
            Self::KeyTrusted { .. } => "key_trusted",
            Self::TrustTaken { .. } => "trust_taken",
            Self::WorkspaceKnown { .. } => "workspace_known",
            Self::TokenAdded { .. } => "token_added",
            Self::TokenRevoked { .. } => "token_revoked",
        }
    }
}
