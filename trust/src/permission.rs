//! The permission grammar: one shape for a manifest, a namespace's maximum, a policy and error text.
//!
//! In -> out: JSON or TOML -> [`Permissions`].
//! Units: bytes, entries; an absent field asks for nothing.
//! Invariant: unknown fields are refused everywhere.
//! Not here: the form of each entry (`permission/form.rs`), what contains what (`within.rs`), what two have in common
//! (`meet.rs`), what an operator allows (`policy.rs`), the intersection (`grant.rs`), enforcement
//! (`orch-host`'s `capability`).

mod form;
pub(crate) mod meet;
pub(crate) mod within;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use form::PermissionForm;
pub(crate) use form::is_name;
pub use within::PermissionExcess;

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
    /// Globs relative to the workspace: `*` and `?` inside one part, `**` alone in a part across parts.
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

/// Stands for everything of its kind where the grammar allows it.
pub const ANY: &str = "*";

impl Permissions {
    /// True if something here reaches beyond the host's own store.
    pub fn is_effectful(&self) -> bool {
        self.process.is_some()
            || self.http.is_some()
            || self.secrets.is_some()
            || self.files.as_ref().is_some_and(|files| !files.write.is_empty())
    }

    /// One line for each permission, for people.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut say = |there: bool, line: String| {
            if there {
                lines.push(line);
            }
        };
        say(self.log.is_some(), "log: write lines into the host's log".to_owned());
        say(self.settings.is_some(), "settings: read its settings".to_owned());
        say(self.findings.is_some(), "findings: report findings".to_owned());
        say(self.metrics.is_some(), "metrics: record measured values".to_owned());
        if let Some(kv) = &self.kv {
            say(true, format!("kv: keep up to {} bytes under {}", kv.bytes, kv.labels.join(", ")));
        }
        if let Some(tasks) = &self.tasks {
            say(tasks.read, "tasks: read the run's tasks".to_owned());
            say(
                tasks.add > 0,
                format!("tasks: ask for up to {} tasks a call of kind {}", tasks.add, tasks.kinds.join(", ")),
            );
        }
        if let Some(files) = &self.files {
            say(!files.read.is_empty(), format!("files: read {}", files.read.join(", ")));
            say(!files.write.is_empty(), format!("files: WRITE {}", files.write.join(", ")));
        }
        if let Some(process) = &self.process {
            say(true, format!("process: RUN {}", process.programs.join(", ")));
            say(!process.env.is_empty(), format!("process: hand on {}", process.env.join(", ")));
            say(process.network, "process: use the network (not enforced)".to_owned());
        }
        if let Some(http) = &self.http {
            say(
                true,
                format!(
                    "http: {} {} {}",
                    http.methods.join(", "),
                    http.hosts.join(", "),
                    http.paths.join(", ")
                ),
            );
        }
        if let Some(secrets) = &self.secrets {
            for one in &secrets.uses {
                say(true, format!("secrets: use {} for {}", one.name, one.host));
            }
        }
        if let Some(wasi) = &self.wasi {
            say(wasi.clocks, "wasi: read the clocks".to_owned());
            say(wasi.random, "wasi: random numbers".to_owned());
            say(wasi.http_types, "wasi: answer HTTP requests".to_owned());
        }
        lines
    }
}
