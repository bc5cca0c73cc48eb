//! The workspace: `config.yaml` binds plugins to roles and kinds, gives settings, and may narrow.
//!
//! In -> out: text of `config.yaml` -> [`WorkspaceConfig`].
//! Limits: 1 MiB; the settings of one plugin 64 KiB as JSON.
//! Invariant: no key of it can grant, trust or widen; such keys are refused by name, not ignored.
//! Not here: what plugins may do (the operator's folder), `tasks.yml` (`drive/task_file.rs`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use orch_task::file::place_of_key;
use orch_task::model::SETTINGS_BYTES_MAX;
use orch_task::{Env, TaskFileError, Written, read_written};
use orch_trust::manifest::Role;
use orch_trust::name::PluginId;
use orch_trust::permission::Permissions;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::bindings::{Bindings, Ids};
use crate::drive::desk::{HeldTo, Notices};
use crate::drive::retry::Backoff;
use crate::regular_file::{self, Links, ReadError};

const CONFIG_BYTES_MAX: u64 = 1 << 20;
const KILL_AFTER_SECONDS_MAX: f64 = 600.0;

/// Keys of the operator's folder that have no business in a workspace.
const AUTHORITY: [&str; 14] = [
    "allow",
    "grant",
    "grants",
    "permissions",
    "policy",
    "trust",
    "publishers",
    "certifiers",
    "keys",
    "approvals",
    "packages",
    "plugins",
    "minimum_level",
    "deny",
];

/// Why a workspace cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    #[error("`{path}` is not a folder")]
    NotAFolder { path: PathBuf },
    #[error("cannot read `{path}`")]
    Io {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("`{path}` is a link or no regular file")]
    NotAFile { path: PathBuf },
    #[error("there are both `{path}` and `{other}`")]
    TwoFiles { path: PathBuf, other: PathBuf },
    #[error("`{path}` is {found_bytes} bytes, limit is {CONFIG_BYTES_MAX}")]
    TooLarge { path: PathBuf, found_bytes: u64 },
    #[error("`{path}` sets `{key}`, which only the operator's folder can")]
    Widens { path: PathBuf, key: String },
    #[error("`{path}` is malformed")]
    Malformed {
        path: PathBuf,
        #[source]
        source: Box<serde_saphyr::Error>,
    },
    #[error("`{path}` is malformed")]
    Written {
        path: PathBuf,
        #[source]
        source: Box<TaskFileError>,
    },
    #[error("`{path}` sets `{key}` to {found}, expected {expected}")]
    Value { path: PathBuf, key: &'static str, found: String, expected: &'static str },
    #[error(
        "`{path}` has settings of {found_bytes} bytes for `{plugin}`, limit is {SETTINGS_BYTES_MAX} as JSON"
    )]
    SettingsTooLarge { path: PathBuf, plugin: String, found_bytes: usize },
    #[error("workspace `{path}` is not known on this host")]
    Unknown { path: PathBuf },
}

impl WorkspaceError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotAFolder { .. } => "workspace-missing",
            Self::Io { .. } => "workspace-io",
            Self::NotAFile { .. } => "workspace-config-not-a-file",
            Self::TwoFiles { .. } => "two-files",
            Self::TooLarge { .. } => "workspace-config-too-large",
            Self::Widens { .. } => "workspace-widens",
            Self::SettingsTooLarge { .. } => "settings-too-large",
            Self::Malformed { .. } | Self::Written { .. } | Self::Value { .. } => "workspace-config",
            Self::Unknown { .. } => "workspace-unknown",
        }
    }

    /// What the operator can do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Widens { key, .. } => format!(
                "remove `{key}` from `config.yaml`; what plugins may do is said in `policy.toml` of the operator's folder"
            ),
            Self::Unknown { path } => format!(
                "`orch-host init {0}` makes it known, or run once with `--trust-workspace`",
                path.display()
            ),
            Self::NotAFile { .. } => {
                "put the file itself there: a link could lead outside the workspace".to_owned()
            }
            Self::TwoFiles { .. } => "keep the one that counts, and move the other one away".to_owned(),
            Self::NotAFolder { path } => {
                format!("`orch-host init {}` makes a workspace there", path.display())
            }
            Self::SettingsTooLarge { .. } => {
                "put what is long into a file of the workspace that the plugin may read".to_owned()
            }
            Self::Malformed { .. } => "`orch-host init` writes an example into an empty folder".to_owned(),
            Self::Written { source, .. } => return source.hint(),
            _ => return None,
        })
    }
}

/// Variables are read by [`read_written`], as they are written.
fn read_apart<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Env, D::Error> {
    IgnoredAny::deserialize(deserializer)?;
    Ok(Env::default())
}

/// The file of that name, or the one that ends in the other of `.yml` and `.yaml` where there is only that.
///
/// # Errors
/// `TwoFiles`: nobody could say which one counts.
pub fn one_spelling(said: PathBuf) -> Result<PathBuf, WorkspaceError> {
    let other = match said.extension().and_then(|end| end.to_str()) {
        Some("yml") => said.with_extension("yaml"),
        Some("yaml") => said.with_extension("yml"),
        _ => return Ok(said),
    };
    let is_there = |path: &Path| path.symlink_metadata().is_ok();
    match (is_there(&said), is_there(&other)) {
        (_, false) => Ok(said),
        (false, true) => Ok(other),
        (true, true) => Err(WorkspaceError::TwoFiles { path: said, other }),
    }
}

/// Where attempts edit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// In the workspace itself.
    #[default]
    None,
    /// In a tree of their own each; what is kept of it lies on the run's branch.
    Worktree,
}

/// When auditors are called.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum AuditEvery {
    Count(u32),
    /// `completion` or `end`.
    Word(String),
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuditConfig {
    pub every: Option<AuditEvery>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BudgetConfig {
    /// 0 is unlimited.
    pub limit: u64,
    /// Part of the limit after which the run warns once.
    pub warn_at: f64,
}

impl Default for BudgetConfig {
    fn default() -> Self {
        Self { limit: 0, warn_at: 0.8 }
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FindingsConfig {
    /// More major findings abort the run.
    pub max_major: u32,
    /// More medium findings give a warning.
    pub max_medium: u32,
    /// More medium findings are as bad as too many major ones.
    pub medium_fails: bool,
}

impl Default for FindingsConfig {
    fn default() -> Self {
        Self { max_major: 0, max_medium: 10, medium_fails: false }
    }
}

/// `config.yaml`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorkspaceConfig {
    pub roles: Bindings,
    /// By interface; [`Self::roles`] has them too.
    pub providers: BTreeMap<String, Ids>,
    /// Of all commands that plugins run.
    #[serde(deserialize_with = "read_apart")]
    pub env: Env,
    /// By plugin id; a mapping each.
    pub settings: BTreeMap<String, serde_json::Map<String, serde_json::Value>>,
    /// The file's own, for messages about what stands in it.
    #[serde(skip)]
    pub text: Arc<str>,
    /// By plugin id; less than the operator allows.
    pub narrow: BTreeMap<PluginId, Permissions>,
    /// Channels of the provider of notices that hear of a run's end.
    pub notify: Notices,
    /// What tasks are held to that plugins ask for, by kind.
    pub asked: BTreeMap<String, HeldTo>,
    pub audit: AuditConfig,
    pub budget: BudgetConfig,
    pub findings: FindingsConfig,
    pub retry: Backoff,
    pub jobs: Option<u32>,
    /// Where attempts edit.
    pub isolation: Isolation,
    /// Of one log file, in MiB.
    pub log_mib: Option<u64>,
    /// Seconds from SIGTERM to SIGKILL, for what commands started.
    pub kill_after: Option<f64>,
}

impl WorkspaceConfig {
    /// The configuration of that workspace; everything at its default when it has none.
    pub fn read(workspace: &Path) -> Result<Self, WorkspaceError> {
        let path = one_spelling(workspace.join("config.yaml"))?;
        match regular_file::read_text(&path, Links::Refused, CONFIG_BYTES_MAX) {
            Ok((text, _)) => Self::parse(&path, &text),
            Err(ReadError::NotRegular) => Err(WorkspaceError::NotAFile { path }),
            Err(error) if error.is_missing() => Ok(Self::default()),
            Err(ReadError::TooLarge { found_bytes, .. }) => {
                Err(WorkspaceError::TooLarge { path, found_bytes })
            }
            Err(error) => Err(WorkspaceError::Io { path, source: error.into() }),
        }
    }

    fn parse(path: &Path, text: &str) -> Result<Self, WorkspaceError> {
        let malformed =
            |source| WorkspaceError::Malformed { path: path.to_owned(), source: Box::new(source) };
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        // Errors say a line and a column; people have the file itself.
        let options = || {
            serde_saphyr::options! {
                with_snippet: false,
                // A word of a command may be one.
                non_finite_float_policy: serde_saphyr::NonFiniteFloatPolicy::PassThrough,
            }
        };
        let keys: BTreeMap<String, serde_json::Value> =
            serde_saphyr::from_str_with_options(text, options()).map_err(malformed)?;
        if let Some(key) = keys.keys().find(|key| AUTHORITY.contains(&key.as_str())) {
            return Err(WorkspaceError::Widens { path: path.to_owned(), key: key.clone() });
        }
        let read: Self = serde_saphyr::from_str_with_options(text, options()).map_err(malformed)?;
        let wrong = |key, found: String, expected| {
            Err(WorkspaceError::Value { path: path.to_owned(), key, found, expected })
        };
        let roles = match read.roles.with_providers(&read.providers) {
            Ok(roles) => roles,
            Err(key) => {
                let expected = "a plugin for what plugins can provide: `notify: ID`, `llm: ID`, `embed: ID`, `retrieve: ID` or `llm: [ID, ID]`";
                return wrong("providers", format!("`{key}`"), expected);
            }
        };
        let mut config = Self { text: text.into(), roles, ..read };
        let written = |source| WorkspaceError::Written { path: path.to_owned(), source: Box::new(source) };
        let Written { mut rest, env } = read_written(text).map_err(written)?;
        config.env = env;
        // As they are written: what a word is, YAML does not know.
        for (plugin, settings) in &mut config.settings {
            if let Some(Value::Object(found)) = rest.get_mut("settings").and_then(|all| all.get_mut(plugin)) {
                *settings = std::mem::take(found);
            }
        }
        if !(0.0..=1.0).contains(&config.budget.warn_at) {
            return wrong("budget.warn_at", config.budget.warn_at.to_string(), "0.0 to 1.0");
        }
        if config.jobs.is_some_and(|jobs| !(1..=256).contains(&jobs)) {
            return wrong("jobs", config.jobs.unwrap_or(0).to_string(), "1 to 256");
        }
        if config.kill_after.is_some_and(|seconds| !(0.0..=KILL_AFTER_SECONDS_MAX).contains(&seconds)) {
            return wrong("kill_after", config.kill_after.unwrap_or(0.0).to_string(), "0 to 600 seconds");
        }
        let is_bound = |id: &str| config.roles.of(Role::Verifier).any(|bound| bound.id == id);
        let looks = config.asked.values().flat_map(|held_to| &held_to.verify);
        if let Some(look) = looks.into_iter().find(|look| !is_bound(&look.verifier)) {
            return wrong("asked", format!("`{}` to verify", look.verifier), "one of `roles.verifiers`");
        }
        if let Some(service) = config.roles.of(Role::Service).find(|service| !service.key.starts_with('/')) {
            return wrong("roles.services", format!("`{}`", service.key), "paths that start with `/`");
        }
        for plugin in config.settings.keys() {
            let found_bytes = config.settings_of(plugin).len();
            if found_bytes > SETTINGS_BYTES_MAX {
                let plugin = plugin.escape_default().to_string();
                return Err(WorkspaceError::SettingsTooLarge { path: path.to_owned(), plugin, found_bytes });
            }
        }
        match &config.audit.every {
            Some(AuditEvery::Word(word)) if word != "completion" && word != "end" => {
                wrong("audit.every", word.clone(), "`completion`, `end` or a number")
            }
            Some(AuditEvery::Count(0)) => {
                wrong("audit.every", "0".to_owned(), "`completion`, `end` or a number from 1")
            }
            _ => Ok(config),
        }
    }

    /// The line of a setting of that plugin, or of what is around it; nothing if nothing of it is written.
    pub fn line_of_setting(&self, plugin: &str, path: &[String]) -> Option<u32> {
        let whole: Vec<&str> =
            ["settings", plugin].into_iter().chain(path.iter().map(String::as_str)).collect();
        self.line_of(&whole)
    }

    /// The line of a key, or of what is around it; nothing if nothing of it is written.
    pub fn line_of(&self, path: &[&str]) -> Option<u32> {
        let path: Vec<String> = path.iter().map(|key| (*key).to_owned()).collect();
        place_of_key(&self.text, &path).map(|place| place.line)
    }

    /// Of one log file.
    pub fn log_bytes_max(&self) -> u64 {
        const LOG_MIB_DEFAULT: u64 = 64;
        self.log_mib.unwrap_or(LOG_MIB_DEFAULT) << 20
    }

    /// The settings of one plugin, as a JSON object.
    pub fn settings_of(&self, plugin: &str) -> String {
        self.settings
            .get(plugin)
            .map_or_else(|| "{}".to_owned(), |found| serde_json::Value::Object(found.clone()).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Option<&'static str> {
        WorkspaceConfig::parse(Path::new("config.yaml"), text).err().map(|error| error.code())
    }

    #[test]
    fn binds_roles_and_gives_settings() {
        let text = "roles:\n  planner: demo/p\n  executors: {shell: demo/e}\n  verifiers: [demo/v, demo/e]\nsettings:\n  demo/v: {threshold: 3}\naudit: {every: 5}\n";
        let config = WorkspaceConfig::parse(Path::new("config.yaml"), text).unwrap();
        assert_eq!(config.roles.ids(), ["demo/e", "demo/p", "demo/v"]);
        assert_eq!(config.settings_of("demo/v"), r#"{"threshold":3}"#);
        assert_eq!(config.settings_of("demo/p"), "{}");
        assert_eq!(config.audit.every, Some(AuditEvery::Count(5)));
    }

    #[test]
    fn refuses_by_name_whatever_would_widen() {
        for key in AUTHORITY {
            assert_eq!(code(&format!("{key}: {{}}\n")), Some("workspace-widens"), "{key}");
        }
        assert_eq!(code("role: {}\n"), Some("workspace-config"));
        assert_eq!(code("roles: {planer: x}\n"), Some("workspace-config"));
        assert_eq!(code("budget: {warn_at: 2}\n"), Some("workspace-config"));
        assert_eq!(code("audit: {every: sometimes}\n"), Some("workspace-config"));
        assert_eq!(code("jobs: 0\n"), Some("workspace-config"));
        assert_eq!(code("roles: {services: {status: demo/s}}\n"), Some("workspace-config"));
        assert_eq!(code("roles: {services: {/status: demo/s}}\n"), None);
        assert_eq!(
            code("narrow: {demo: {}}\n"),
            Some("workspace-config"),
            "a narrowing that nobody has is no narrowing"
        );
        assert_eq!(code("narrow: {demo/x: {}}\n"), None);
        assert_eq!(code("providers: {notify: demo/n}\n"), None);
        assert_eq!(code("providers: {mail: demo/n}\n"), Some("workspace-config"));
        assert_eq!(code("providers: {notify: [demo/n]}\n"), Some("workspace-config"));
        assert_eq!(code("providers: {llm: [demo/n, demo/m]}\n"), None);
        assert_eq!(code("providers: {llm: []}\n"), Some("workspace-config"));
        assert_eq!(code("jobs: 4\naudit: {every: completion}\n"), None);
        let asked = "asked: {phase: {verify: [demo/v], retries: 2, timeout: 60}}\n";
        assert_eq!(code(&format!("roles: {{verifiers: [demo/v]}}\n{asked}")), None);
        assert_eq!(code(asked), Some("workspace-config"), "nobody is bound who could look");
        assert_eq!(code("asked: {phase: {timeout: 0}}\n"), Some("workspace-config"));
        assert_eq!(code("kill_after: 0\n"), None);
        assert_eq!(code("kill_after: 2.5\n"), None);
        for wrong in ["-1", "600.5", ".nan", ".inf"] {
            assert_eq!(code(&format!("kill_after: {wrong}\n")), Some("workspace-config"), "{wrong}");
        }
        assert_eq!(code(""), None);
        assert_eq!(code("roles:\nsettings: {}\n"), None);
        // With its quotes, key and braces.
        let settings = |bytes: usize| format!("settings: {{demo/x: {{a: {}}}}}\n", "x".repeat(bytes - 8));
        assert_eq!(code(&settings(SETTINGS_BYTES_MAX)), None);
        assert_eq!(code(&settings(SETTINGS_BYTES_MAX + 1)), Some("settings-too-large"));
    }
}
