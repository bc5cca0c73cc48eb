//! The permission grammar: one shape for a manifest, a namespace's maximum, a policy and error text.
//!
//! In -> out: JSON or TOML -> [`Permissions`].
//! Units: bytes, entries; an absent field asks for nothing.
//! Invariant: unknown fields are refused everywhere.
//! Not here: what an operator allows (`policy.rs`), the intersection (`grant.rs`), enforcement (`orch-host`'s `capability`).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What one plugin asks for, or what somebody allows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Permissions {
    /// Lines in the host's log: `orch:log`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<Plain>,
    /// The plugin's settings: `orch:settings`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<Plain>,
    /// Labelled byte stores: `orch:kv`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kv: Option<KvPermission>,
    /// The run's tasks: `orch:tasks`; also bounds what a reflector or auditor returns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks: Option<TasksPermission>,
    /// Files inside the workspace: `orch:files`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<FilesPermission>,
    /// Programs of the host: `orch:process`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessPermission>,
    /// Findings besides those a verifier returns: `orch:findings`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub findings: Option<Plain>,
    /// Measured values: `orch:metrics`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<Plain>,
    /// Outgoing HTTP: `wasi:http/outgoing-handler`. No host offers it yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpPermission>,
    /// Opaque secrets, filled in at egress. No host offers it yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secrets: Option<SecretsPermission>,
    /// Interfaces of WASI 0.2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wasi: Option<WasiPermission>,
}

/// A permission that is there or not: `{}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plain {}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KvPermission {
    /// Names of buckets, 1..=64 of `[a-z0-9-]`; a trailing `*` covers every continuation (not in manifests).
    pub labels: Vec<String>,
    /// For all labels together: keys and values.
    pub bytes: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TasksPermission {
    /// May read the run's tasks.
    #[serde(default)]
    pub read: bool,
    /// How many tasks one call may ask for.
    #[serde(default)]
    pub add: u32,
    /// Of which kinds; `*` is every kind (not in manifests).
    #[serde(default)]
    pub kinds: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FilesPermission {
    /// Globs relative to the workspace: `*` inside one part, `**` across parts.
    #[serde(default)]
    pub read: Vec<String>,
    #[serde(default)]
    pub write: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProcessPermission {
    /// Names without `/`, resolved once along the host's `PATH`, or absolute paths. In a manifest `*` stands for
    /// "the programs that the operator names".
    pub programs: Vec<String>,
    /// Environment variables handed on, exact names.
    #[serde(default)]
    pub env: Vec<String>,
    /// Asked for and recorded; enforced only by an operating-system sandbox.
    #[serde(default)]
    pub network: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpPermission {
    /// `host:port`; `*.` in front covers exactly one label.
    pub hosts: Vec<String>,
    pub methods: Vec<String>,
    /// Prefixes.
    pub paths: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretsPermission {
    #[serde(rename = "use")]
    pub uses: Vec<SecretUse>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretUse {
    pub name: String,
    pub host: String,
}

/// Which of WASI 0.2, each with what it pulls in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WasiPermission {
    /// `wasi:clocks/monotonic-clock`, `wasi:clocks/wall-clock`, with `wasi:io/poll`.
    #[serde(default)]
    pub clocks: bool,
    /// `wasi:random/random`.
    #[serde(default)]
    pub random: bool,
    /// `wasi:http/types` with `wasi:io`, for the role `service`: answering, not asking.
    #[serde(default)]
    pub http_types: bool,
}
