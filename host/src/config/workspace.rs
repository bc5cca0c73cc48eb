//! The workspace: `config.yaml` binds plugins to roles and kinds, gives settings, and may narrow.
//!
//! In -> out: layers -> [`WorkspaceConfig`].
//! Limits: the settings of one plugin 64 KiB as JSON.
//! Invariant: no key of it can grant, trust or widen; such keys are refused by name, not ignored.
//! Not here: where layers come from (`workspace/layers.rs`), what plugins may do (the operator's folder), `tasks.yml`
//! (`drive/task_file.rs`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use orch_task::model::SETTINGS_BYTES_MAX;
use orch_task::{Env, EnvError};
use orch_trust::manifest::Role;
use orch_trust::name::PluginId;
use orch_trust::permission::Permissions;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use super::bindings::{Bindings, Ids};
use crate::drive::desk::{HeldTo, Notices};
use crate::drive::retry::Backoff;

pub mod error;
mod foreign;
pub mod layers;

pub use error::WorkspaceError;
pub use layers::one_spelling;

use layers::{FILES, Layer, Origin};

const KILL_AFTER_SECONDS_MAX: f64 = 600.0;
const KILL_AFTER_DEFAULT: Duration = Duration::from_secs(5);

/// Keys of the operator's folder that have no business in a workspace.
const AUTHORITY: [&str; 15] = [
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
    "development",
    "deny",
];

/// Variables are read by [`read_written`], as they are written.
fn read_apart<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Env, D::Error> {
    IgnoredAny::deserialize(deserializer)?;
    Ok(Env::default())
}

/// Where attempts edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// In the workspace itself.
    None,
    /// In a tree of their own each; what is kept of it lies on the run's branch.
    Worktree,
}

/// What a run keeps of what its guests are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Record {
    /// Digests.
    #[default]
    Digests,
    /// Questions and answers word for word, so that the run can be replayed.
    Full,
}

/// A key, what it says, and what it may say.
struct Wrong(&'static str, String, &'static str);

impl Wrong {
    fn at(self, path: PathBuf) -> WorkspaceError {
        let Self(key, found, expected) = self;
        WorkspaceError::Value { path, key: key.to_owned(), found, expected }
    }
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
    /// What all this was made of.
    #[serde(skip)]
    pub layers: Arc<[Layer]>,
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
    /// Where attempts edit; none: as the executors' manifests have it.
    pub isolation: Option<Isolation>,
    /// What a run keeps of questions and answers.
    pub record: Record,
    /// Of one log file, in MiB.
    pub log_mib: Option<u64>,
    /// Seconds from SIGTERM to SIGKILL, for what commands started.
    pub kill_after: Option<f64>,
}

impl WorkspaceConfig {
    /// The configuration of that workspace; everything at its default when it has none.
    ///
    /// # Errors
    /// Of files and variables, each by its name; of what they say together.
    pub fn read(workspace: &Path) -> Result<Self, WorkspaceError> {
        Self::of(layers::read(workspace)?)
    }

    /// What one file says, and nothing else.
    ///
    /// # Errors
    /// As of [`Self::read`].
    pub fn of_text(path: &Path, text: &str) -> Result<Self, WorkspaceError> {
        Self::of(vec![Layer::of_file(path.to_owned(), text)?])
    }

    /// Each layer must do alone, so that an error is told where it stands.
    fn of(layers: Vec<Layer>) -> Result<Self, WorkspaceError> {
        for layer in &layers {
            Self::alone(layer)?;
        }
        let path = || layers.last().map_or_else(|| FILES[0].into(), |layer| layer.origin.path());
        let merged = |source| WorkspaceError::Merged { path: path(), source: Box::new(source) };
        let read: Self = serde_json::from_value(layers::merged(&layers).into()).map_err(merged)?;
        let config = read.with_roles().and_then(Self::whole);
        let mut config = config.map_err(|wrong| wrong.at(path()))?;
        for plugin in config.settings.keys() {
            let found_bytes = config.settings_of(plugin).len();
            if found_bytes > SETTINGS_BYTES_MAX {
                let plugin = plugin.escape_default().to_string();
                return Err(WorkspaceError::SettingsTooLarge { path: path(), plugin, found_bytes });
            }
        }
        let env: BTreeMap<_, _> = layers.iter().flat_map(|layer| layer.env.iter()).collect();
        let env = env.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let too_much = |why: EnvError| Wrong("env", why.to_string(), "fewer").at(path());
        config.env = Env::of(env).map_err(too_much)?;
        config.layers = layers.into();
        Ok(config)
    }

    /// One layer, as if there were no other.
    fn alone(layer: &Layer) -> Result<(), WorkspaceError> {
        let path = layer.origin.path();
        let read: Self = match &layer.origin {
            Origin::File { text, .. } if text.trim().is_empty() => return Ok(()),
            Origin::File { text, .. } => {
                if let Some(key) = layer.rest.keys().find(|key| AUTHORITY.contains(&key.as_str())) {
                    return Err(WorkspaceError::Widens { path, key: key.clone() });
                }
                if let Some((key, instead)) = layers::foreign(layer) {
                    let line = layers::line_of(text, &[key]);
                    let key = key.escape_debug().to_string();
                    return Err(WorkspaceError::NotAKey { path, line, key, instead });
                }
                // Errors say a line and a column; people have the file itself.
                let options = serde_saphyr::options! {
                    with_snippet: false,
                    // A word of a command may be one.
                    non_finite_float_policy: serde_saphyr::NonFiniteFloatPolicy::PassThrough,
                };
                serde_saphyr::from_str_with_options(text, options).map_err(|source| {
                    WorkspaceError::Malformed { path: path.clone(), source: Box::new(source) }
                })?
            }
            Origin::Variable(variable) => {
                let value = layers::value_of(&layer.rest, variable.path);
                let wrong = |_| WorkspaceError::Value {
                    path: path.clone(),
                    key: variable.key(),
                    found: value.to_string(),
                    expected: variable.expected,
                };
                serde_json::from_value(layer.rest.clone().into()).map_err(wrong)?
            }
        };
        read.with_roles().and_then(|read| read.in_range()).map_err(|wrong| wrong.at(path))
    }

    /// With those that are bound as providers.
    fn with_roles(self) -> Result<Self, Wrong> {
        let expected = "a plugin for what plugins can provide: `notify: ID`, `llm: ID`, `embed: ID`, `retrieve: ID` or `llm: [ID, ID]`";
        let roles = self.roles.clone().with_providers(&self.providers);
        let roles = roles.map_err(|key| Wrong("providers", format!("`{key}`"), expected))?;
        Ok(Self { roles, ..self })
    }

    /// What one key says alone.
    fn in_range(&self) -> Result<(), Wrong> {
        let wrong = |key, found: String, expected| Err(Wrong(key, found, expected));
        if !(0.0..=1.0).contains(&self.budget.warn_at) {
            return wrong("budget.warn_at", self.budget.warn_at.to_string(), "0.0 to 1.0");
        }
        if self.jobs.is_some_and(|jobs| !(1..=256).contains(&jobs)) {
            return wrong("jobs", self.jobs.unwrap_or(0).to_string(), "1 to 256");
        }
        if self.kill_after.is_some_and(|seconds| !(0.0..=KILL_AFTER_SECONDS_MAX).contains(&seconds)) {
            return wrong("kill_after", self.kill_after.unwrap_or(0.0).to_string(), "0 to 600 seconds");
        }
        if let Some(service) = self.roles.of(Role::Service).find(|service| !service.key.starts_with('/')) {
            return wrong("roles.services", format!("`{}`", service.key), "paths that start with `/`");
        }
        match &self.audit.every {
            Some(AuditEvery::Word(word)) if word != "completion" && word != "end" => {
                wrong("audit.every", word.clone(), "`completion`, `end` or a number")
            }
            Some(AuditEvery::Count(0)) => {
                wrong("audit.every", "0".to_owned(), "`completion`, `end` or a number from 1")
            }
            _ => Ok(()),
        }
    }

    /// What keys say of each other.
    fn whole(self) -> Result<Self, Wrong> {
        let is_bound = |id: &str| self.roles.of(Role::Verifier).any(|bound| bound.id == id);
        let looks = self.asked.values().flat_map(|held_to| &held_to.verify);
        match looks.into_iter().find(|look| !is_bound(&look.verifier)) {
            Some(look) => {
                Err(Wrong("asked", format!("`{}` to verify", look.verifier), "one of `roles.verifiers`"))
            }
            None => Ok(self),
        }
    }

    /// Where a setting of that plugin stands, or what is around it: in words, for the middle of a sentence.
    pub fn place_of_setting(&self, plugin: &str, path: &[String]) -> String {
        let whole: Vec<&str> =
            ["settings", plugin].into_iter().chain(path.iter().map(String::as_str)).collect();
        layers::place_of(&self.layers, &whole)
    }

    /// Where a narrowing of that plugin stands.
    pub fn place_of_narrowing(&self, plugin: &str) -> String {
        layers::place_of(&self.layers, &["narrow", plugin])
    }

    /// From SIGTERM to SIGKILL.
    pub fn kill_after(&self) -> Duration {
        self.kill_after.map_or(KILL_AFTER_DEFAULT, Duration::from_secs_f64)
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
    use super::layers::VARIABLES;
    use super::*;

    fn parse(text: &str) -> Result<WorkspaceConfig, WorkspaceError> {
        WorkspaceConfig::of_text(Path::new("config.yaml"), text)
    }

    fn of_variable(name: &str, value: &str) -> Result<WorkspaceConfig, WorkspaceError> {
        let variable = VARIABLES.iter().find(|variable| variable.name == name).unwrap();
        WorkspaceConfig::of(vec![Layer::of_variable(variable, value.into())?.unwrap()])
    }

    #[test]
    fn a_default_is_what_counts_when_nobody_says_it() {
        let nothing = WorkspaceConfig::default();
        for variable in &VARIABLES {
            let Some(default) = variable.default else { continue };
            let said = of_variable(variable.name, default).unwrap();
            let counts = |config: &WorkspaceConfig| {
                let WorkspaceConfig { budget, findings, retry, isolation, record, .. } = config;
                let (log, kill) = (config.log_bytes_max(), config.kill_after());
                format!("{budget:?} {findings:?} {retry:?} {isolation:?} {record:?} {log} {kill:?}")
            };
            assert_eq!(counts(&said), counts(&nothing), "{}", variable.name);
            assert!(!said.layers[0].rest.is_empty());
        }
    }

    #[test]
    fn a_variable_says_one_key_and_nothing_else() {
        assert_eq!(of_variable("ORCH_JOBS", "7").unwrap().jobs, Some(7));
        assert_eq!(of_variable("ORCH_KILL_AFTER", "1.5").unwrap().kill_after, Some(1.5));
        assert_eq!(of_variable("ORCH_ISOLATION", "worktree").unwrap().isolation, Some(Isolation::Worktree));
        let wrong = |name, value| of_variable(name, value).unwrap_err().to_string();
        assert_eq!(wrong("ORCH_JOBS", "0"), "`ORCH_JOBS` sets `jobs` to 0, expected 1 to 256");
        assert_eq!(wrong("ORCH_JOBS", "many"), "`ORCH_JOBS` sets `jobs` to \"many\", expected 1 to 256");
        assert_eq!(
            wrong("ORCH_ISOLATION", "{worktree}"),
            "`ORCH_ISOLATION` sets `isolation` to \"{worktree}\", expected `none` or `worktree`"
        );
    }

    #[test]
    fn a_layer_is_read_alone_and_all_of_them_together() {
        let of = |local: &str| {
            let base =
                "roles: {verifiers: [demo/v]}\nenv: {A: base, B: base}\nasked: {x: {verify: [demo/v]}}\n";
            let layer = |name: &str, text| Layer::of_file(name.into(), text);
            WorkspaceConfig::of(vec![layer("config.yaml", base)?, layer("config.local.yaml", local)?])
        };
        let env = of("env: {B: local}\n").unwrap().env;
        assert_eq!(env.iter().collect::<Vec<_>>(), [("A", "base"), ("B", "local")]);
        let wrong = |local| of(local).unwrap_err().to_string();
        assert_eq!(wrong("jobs: 0\n"), "`config.local.yaml` sets `jobs` to 0, expected 1 to 256");
        assert_eq!(
            wrong("grant: {}\n"),
            "`config.local.yaml` sets `grant`, which only the operator's folder can"
        );
        let unbound = wrong("roles: {verifiers: []}\n");
        assert!(unbound.contains("`asked` to `demo/v` to verify"), "{unbound}");
    }

    fn code(text: &str) -> Option<&'static str> {
        parse(text).err().map(|error| error.code())
    }

    #[test]
    fn binds_roles_and_gives_settings() {
        let text = "roles:\n  planner: demo/p\n  executors: {shell: demo/e}\n  verifiers: [demo/v, demo/e]\nsettings:\n  demo/v: {threshold: 3}\naudit: {every: 5}\n";
        let config = parse(text).unwrap();
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
        assert_eq!(code("role: {}\n"), Some("workspace-unknown-key"));
        assert_eq!(code("qqqqqq: {}\n"), Some("workspace-config"));
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
        let asked = "asked: {phase: {verify: [demo/v], retries: 2, timeout: 60, on_doubt: retry}}\n";
        assert_eq!(code(&format!("roles: {{verifiers: [demo/v]}}\n{asked}")), None);
        assert_eq!(code(asked), Some("workspace-config"), "nobody is bound who could look");
        assert_eq!(code("asked: {phase: {timeout: 0}}\n"), Some("workspace-config"));
        assert_eq!(code("asked: {phase: {on_doubt: again}}\n"), Some("workspace-config"));
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
