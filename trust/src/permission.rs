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

/// A permission that goes beyond what contains it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{path} = {asked}` goes beyond `{allowed}`")]
pub struct PermissionExcess {
    /// Where in the grammar: `process.programs`.
    pub path: String,
    pub asked: String,
    /// What would contain it: the bound, or `nothing`.
    pub allowed: String,
}

/// A permission that is malformed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` has `{found}`, expected {expected}")]
pub struct PermissionForm {
    pub path: &'static str,
    pub found: String,
    pub expected: &'static str,
}

const ENTRIES_MAX: usize = 64;
const TEXT_BYTES_MAX: usize = 1024;

/// Stands for everything of its kind where the grammar allows it.
pub const ANY: &str = "*";

impl Permissions {
    /// Succeeds if every field has the grammar's form.
    pub fn check_form(&self) -> Result<(), PermissionForm> {
        let plain = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        };
        if let Some(kv) = &self.kv {
            let label = |text: &str| plain(text.strip_suffix('*').unwrap_or(text)) || text == ANY;
            each("kv.labels", &kv.labels, "1 to 64 of `[a-z0-9-]`", |text| text.len() <= 64 && label(text))?;
        }
        if let Some(tasks) = &self.tasks {
            each("tasks.kinds", &tasks.kinds, "1 to 64 of `[a-z0-9-]`", |text| {
                text.len() <= 64 && (plain(text) || text == ANY)
            })?;
        }
        if let Some(files) = &self.files {
            for (path, globs) in [("files.read", &files.read), ("files.write", &files.write)] {
                each(path, globs, "a glob inside the workspace", |text| {
                    !text.starts_with('/')
                        && !text.split('/').any(|part| part == ".." || part == ".")
                        && !text.contains(['\\', '\0'])
                })?;
            }
        }
        if let Some(process) = &self.process {
            each("process.programs", &process.programs, "a name, an absolute path or `*`", |text| {
                text == ANY
                    || text.starts_with('/')
                    || (!text.contains('/') && text != "." && text != ".." && !text.contains('*'))
            })?;
            each("process.env", &process.env, "a variable's name", |text| !text.contains(['=', '\0', '*']))?;
        }
        if let Some(http) = &self.http {
            each("http.hosts", &http.hosts, "`host:port`", |text| {
                text.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok())
            })?;
            each("http.methods", &http.methods, "an upper-case method", |text| {
                text.bytes().all(|byte| byte.is_ascii_uppercase())
            })?;
            each("http.paths", &http.paths, "a prefix that starts with `/`", |text| text.starts_with('/'))?;
        }
        if let Some(secrets) = &self.secrets {
            let names: Vec<String> = secrets.uses.iter().map(|one| one.name.clone()).collect();
            each("secrets.use", &names, "1 to 64 of `[a-z0-9-]`", |text| text.len() <= 64 && plain(text))?;
        }
        Ok(())
    }

    /// Succeeds if nothing here goes beyond `outer`; the one rule for manifests, maxima, policies and approvals.
    pub fn within(&self, outer: &Self) -> Result<(), PermissionExcess> {
        flag("log", self.log.is_some(), outer.log.is_some())?;
        flag("settings", self.settings.is_some(), outer.settings.is_some())?;
        flag("findings", self.findings.is_some(), outer.findings.is_some())?;
        flag("metrics", self.metrics.is_some(), outer.metrics.is_some())?;
        if let Some(kv) = &self.kv {
            let bound = outer.kv.as_ref().ok_or_else(|| nothing("kv", &kv.labels))?;
            list("kv.labels", &kv.labels, &bound.labels, covers_prefix)?;
            number("kv.bytes", kv.bytes, bound.bytes)?;
        }
        if let Some(tasks) = &self.tasks {
            let bound = outer.tasks.as_ref().ok_or_else(|| nothing("tasks", &tasks.kinds))?;
            flag("tasks.read", tasks.read, bound.read)?;
            number("tasks.add", tasks.add.into(), bound.add.into())?;
            list("tasks.kinds", &tasks.kinds, &bound.kinds, covers_any)?;
        }
        if let Some(files) = &self.files {
            let all: Vec<String> = files.read.iter().chain(&files.write).cloned().collect();
            let bound = outer.files.as_ref().ok_or_else(|| nothing("files", &all))?;
            list("files.read", &files.read, &bound.read, covers_glob)?;
            list("files.write", &files.write, &bound.write, covers_glob)?;
        }
        if let Some(process) = &self.process {
            let bound = outer.process.as_ref().ok_or_else(|| nothing("process", &process.programs))?;
            list("process.programs", &process.programs, &bound.programs, covers_any)?;
            list("process.env", &process.env, &bound.env, covers_any)?;
            flag("process.network", process.network, bound.network)?;
        }
        if let Some(http) = &self.http {
            let bound = outer.http.as_ref().ok_or_else(|| nothing("http", &http.hosts))?;
            list("http.hosts", &http.hosts, &bound.hosts, covers_host)?;
            list("http.methods", &http.methods, &bound.methods, covers_any)?;
            list("http.paths", &http.paths, &bound.paths, |outer, inner| inner.starts_with(outer))?;
        }
        if let Some(secrets) = &self.secrets {
            let names = |of: &SecretsPermission| {
                of.uses.iter().map(|one| format!("{} for {}", one.name, one.host)).collect::<Vec<_>>()
            };
            let bound = outer.secrets.as_ref().ok_or_else(|| nothing("secrets", &names(secrets)))?;
            list("secrets.use", &names(secrets), &names(bound), |outer, inner| outer == inner)?;
        }
        if let Some(wasi) = &self.wasi {
            let bound = outer.wasi.clone().unwrap_or_default();
            flag("wasi.clocks", wasi.clocks, bound.clocks)?;
            flag("wasi.random", wasi.random, bound.random)?;
            flag("wasi.http_types", wasi.http_types, bound.http_types)?;
        }
        Ok(())
    }

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

fn each(
    path: &'static str,
    entries: &[String],
    expected: &'static str,
    fits: impl Fn(&str) -> bool,
) -> Result<(), PermissionForm> {
    if entries.len() > ENTRIES_MAX {
        return Err(PermissionForm {
            path,
            found: format!("{} entries", entries.len()),
            expected: "at most 64 entries",
        });
    }
    let wrong = |text: &&String| {
        text.is_empty() || text.len() > TEXT_BYTES_MAX || text.chars().any(char::is_control) || !fits(text)
    };
    match entries.iter().find(wrong) {
        Some(found) => {
            Err(PermissionForm { path, found: found.escape_default().take(100).collect(), expected })
        }
        None => Ok(()),
    }
}

fn excess(path: &str, asked: impl ToString, allowed: impl ToString) -> PermissionExcess {
    PermissionExcess { path: path.to_owned(), asked: asked.to_string(), allowed: allowed.to_string() }
}

fn nothing(path: &str, asked: &[String]) -> PermissionExcess {
    excess(path, format!("[{}]", asked.join(", ")), "nothing")
}

fn flag(path: &str, asked: bool, allowed: bool) -> Result<(), PermissionExcess> {
    match asked && !allowed {
        true => Err(excess(path, "true", "nothing")),
        false => Ok(()),
    }
}

fn number(path: &str, asked: u64, allowed: u64) -> Result<(), PermissionExcess> {
    match asked > allowed {
        true => Err(excess(path, asked, allowed)),
        false => Ok(()),
    }
}

/// Every entry must lie in one entry of the bound.
fn list(
    path: &str,
    asked: &[String],
    bound: &[String],
    covers: fn(&str, &str) -> bool,
) -> Result<(), PermissionExcess> {
    match asked.iter().find(|entry| !bound.iter().any(|outer| covers(outer, entry))) {
        Some(entry) => Err(excess(path, entry, format!("[{}]", bound.join(", ")))),
        None => Ok(()),
    }
}

fn covers_any(outer: &str, inner: &str) -> bool {
    outer == inner || outer == ANY
}

fn covers_prefix(outer: &str, inner: &str) -> bool {
    outer == inner || outer.strip_suffix('*').is_some_and(|prefix| inner.starts_with(prefix))
}

/// `**` covers everything; `folder/**` covers what lies below that folder, if the folder is written out; else equal.
fn covers_glob(outer: &str, inner: &str) -> bool {
    match outer.strip_suffix("**") {
        Some("") => true,
        Some(folder) if folder.ends_with('/') && !folder.contains(['*', '?', '[', '{']) => {
            inner.starts_with(folder)
        }
        _ => outer == inner,
    }
}

fn covers_host(outer: &str, inner: &str) -> bool {
    let (outer, inner) = (outer.to_ascii_lowercase(), inner.to_ascii_lowercase());
    match outer.strip_prefix("*.") {
        Some(parent) => {
            inner.split_once('.').is_some_and(|(label, rest)| rest == parent && !label.is_empty())
        }
        None => outer == inner,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permissions(json: &str) -> Permissions {
        serde_json::from_str(json).unwrap()
    }

    #[track_caller]
    fn check(inner: &str, outer: &str, excess: Option<&str>) {
        let found = permissions(inner).within(&permissions(outer)).err().map(|found| found.path);
        assert_eq!(found.as_deref(), excess, "{inner} within {outer}");
    }

    #[test]
    fn nothing_goes_beyond_its_bound() {
        check("{}", "{}", None);
        check(r#"{"log":{}}"#, "{}", Some("log"));
        check(r#"{"log":{}}"#, r#"{"log":{}}"#, None);
        check(r#"{"kv":{"labels":["a"],"bytes":5}}"#, r#"{"kv":{"labels":["a*"],"bytes":5}}"#, None);
        check(
            r#"{"kv":{"labels":["b"],"bytes":5}}"#,
            r#"{"kv":{"labels":["a*"],"bytes":5}}"#,
            Some("kv.labels"),
        );
        check(
            r#"{"kv":{"labels":["a"],"bytes":6}}"#,
            r#"{"kv":{"labels":["a"],"bytes":5}}"#,
            Some("kv.bytes"),
        );
        check(
            r#"{"kv":{"labels":["a*"],"bytes":5}}"#,
            r#"{"kv":{"labels":["a"],"bytes":5}}"#,
            Some("kv.labels"),
        );
        check(r#"{"tasks":{"read":true}}"#, r#"{"tasks":{"add":3}}"#, Some("tasks.read"));
        check(
            r#"{"tasks":{"add":4,"kinds":["note"]}}"#,
            r#"{"tasks":{"add":3,"kinds":["*"]}}"#,
            Some("tasks.add"),
        );
        check(
            r#"{"tasks":{"add":3,"kinds":["shell"]}}"#,
            r#"{"tasks":{"add":3,"kinds":["note"]}}"#,
            Some("tasks.kinds"),
        );
        check(r#"{"files":{"read":["src/**/*.py"]}}"#, r#"{"files":{"read":["src/**"]}}"#, None);
        check(r#"{"files":{"read":["srcs/x"]}}"#, r#"{"files":{"read":["src/**"]}}"#, Some("files.read"));
        check(r#"{"files":{"write":["a"]}}"#, r#"{"files":{"read":["**"]}}"#, Some("files.write"));
        check(r#"{"files":{"read":["**/*.py"]}}"#, r#"{"files":{"read":["**"]}}"#, None);
        check(r#"{"files":{"read":["**"]}}"#, r#"{"files":{"read":["**/*.py"]}}"#, Some("files.read"));
        check(
            r#"{"process":{"programs":["sh"]}}"#,
            r#"{"process":{"programs":["python3"]}}"#,
            Some("process.programs"),
        );
        check(
            r#"{"process":{"programs":["sh"],"network":true}}"#,
            r#"{"process":{"programs":["sh"]}}"#,
            Some("process.network"),
        );
        let http = |host: &str| format!(r#"{{"http":{{"hosts":["{host}"],"methods":[],"paths":[]}}}}"#);
        check(&http("api.example.com:443"), &http("*.example.com:443"), None);
        check(&http("a.b.example.com:443"), &http("*.example.com:443"), Some("http.hosts"));
        check(&http("example.com:443"), &http("*.example.com:443"), Some("http.hosts"));
        check(&http("API.EXAMPLE.COM:443"), &http("*.example.com:443"), None);
        check(r#"{"wasi":{"random":true}}"#, "{}", Some("wasi.random"));
    }

    #[test]
    fn malformed_permissions_are_named() {
        let path = |json: &str| permissions(json).check_form().err().map(|found| found.path);
        assert_eq!(path(r#"{"files":{"read":["../x"]}}"#), Some("files.read"));
        assert_eq!(path(r#"{"files":{"write":["/etc"]}}"#), Some("files.write"));
        assert_eq!(path(r#"{"process":{"programs":["bin/sh"]}}"#), Some("process.programs"));
        assert_eq!(path(r#"{"process":{"programs":["s\u0007h"]}}"#), Some("process.programs"));
        assert_eq!(
            path(r#"{"process":{"programs":["/bin/sh","python3","*"],"env":["A=B"]}}"#),
            Some("process.env")
        );
        assert_eq!(path(r#"{"kv":{"labels":["A"],"bytes":1}}"#), Some("kv.labels"));
        assert_eq!(path(r#"{"tasks":{"kinds":["shell"]},"files":{"read":["**/*.py"]}}"#), None);
    }
}
