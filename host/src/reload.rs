//! What a workspace says, taken anew while a host serves it.
//!
//! In -> out: `config.yaml` and what lies over it, as they are now -> other [`RunRules`] from now on, or why not.
//! Limits: a file that was the same for 200 ms is written; looked at four times a second.
//! Invariant: all of it is taken or nothing; what can be taken is [`TAKEN`], in which is nothing of what a plugin may. Policy,
//! approvals, bindings, settings and what narrows them are those of the start.
//! Not here: what the keys mean (`config/workspace.rs`), how a run hears of it (`drive/standing.rs`).

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use orch_journal::event::{ConfigReloaded, Event};
use orch_trust::policy::Policy;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::clock::now_ms;
use crate::config::workspace::layers::{FILES, merged, other_spelling};
use crate::config::workspace::{AuditEvery, WorkspaceConfig, WorkspaceError};
use crate::console::escape;
use crate::drive::desk::{Audit, RunRules};
use crate::drive::file_watch::FileWatch;
use crate::drive::standing::{Standing, Watches};
use crate::exit::{Exit, Fault};
use crate::parallel;
use crate::plugins::PluginsError;
use crate::plugins::providers::check_channels;

/// Keys that are limits and manners of a run.
const TAKEN: [&str; 8] = ["asked", "audit", "budget", "findings", "jobs", "kill_after", "notify", "retry"];

/// Why what lies there now is not taken; what was taken before stays.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    #[error(transparent)]
    Plugins(#[from] PluginsError),
    #[error(
        "the workspace's configuration has {} other than the host that serves began with",
        keys.iter().map(|key| format!("`{}`", escape(key))).collect::<Vec<_>>().join(", ")
    )]
    NeedsStart { keys: Vec<String> },
    #[error("`jobs` is {wanted}, and the host that serves began with {most}")]
    MoreJobs { wanted: u32, most: u32 },
}

/// Code of what needs another start.
const CHANGED: &str = "config-changed";

impl NotTaken {
    pub fn code(&self) -> &'static str {
        match self {
            Self::Workspace(error) => error.code(),
            Self::Plugins(error) => error.code(),
            Self::NeedsStart { .. } | Self::MoreJobs { .. } => CHANGED,
        }
    }
}

impl From<NotTaken> for Fault {
    fn from(error: NotTaken) -> Self {
        match error {
            NotTaken::Workspace(error) => error.into(),
            NotTaken::Plugins(error) => error.into(),
            error => {
                let hint = "end `orch-host serve` and start it again, or put back what was there".to_owned();
                Self::new(Exit::Usage, CHANGED, Some(hint), error)
            }
        }
    }
}

/// What was found at a look.
#[derive(Debug)]
pub enum Found {
    Taken(ConfigReloaded),
    NotTaken(NotTaken),
}

impl Found {
    pub fn event(&self) -> Event {
        match self {
            Self::Taken(taken) => Event::ConfigReloaded(taken.clone()),
            Self::NotTaken(error) => Event::Warned { code: error.code().to_owned(), text: self.said() },
        }
    }

    /// For people.
    pub fn said(&self) -> String {
        match self {
            Self::Taken(taken) => {
                format!("the configuration is taken anew: {}", escape(&taken.keys.join(", ")))
            }
            Self::NotTaken(error) => {
                let mut text = format!("the configuration stays as it was: {error}");
                let mut source = std::error::Error::source(error);
                while let Some(cause) = source {
                    text += &format!(": {cause}");
                    source = cause.source();
                }
                text
            }
        }
    }
}

/// Looks at a workspace's configuration for a host that serves.
pub struct Reload {
    workspace: Arc<PathBuf>,
    policy: Policy,
    standing: Arc<Standing>,
    /// Tasks at once that there are threads and memory for.
    jobs_max: u32,
    known: Mutex<Known>,
}

struct Known {
    config: WorkspaceConfig,
    /// Of each file in both spellings of its name.
    watches: Vec<(PathBuf, FileWatch)>,
}

impl Reload {
    /// `config`: what was taken at the start; `standing`: what came of it.
    pub fn new(
        workspace: Arc<PathBuf>,
        policy: Policy,
        standing: Arc<Standing>,
        config: WorkspaceConfig,
    ) -> Self {
        let paths = FILES.iter().flat_map(|name| {
            let path = workspace.join(name);
            [other_spelling(&path), Some(path)]
        });
        let mut watches: Vec<_> = paths
            .flatten()
            .map(|path| {
                let watch = FileWatch::of(&path);
                (path, watch)
            })
            .collect();
        // Somebody may have written since it was read.
        for (_, watch) in &mut watches {
            watch.is_taken = false;
        }
        let jobs_max = standing.now().jobs;
        Self { workspace, policy, standing, jobs_max, known: Mutex::new(Known { config, watches }) }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what somebody changed since the last look, unless it may still be written at; nothing if there is nothing new.
    pub fn look(&self) -> Option<Found> {
        let (mut known, now) = (self.known(), Instant::now());
        let due = known.watches.iter_mut().filter(|(_, watch)| watch.next <= now);
        due.for_each(|(path, watch)| watch.look(path));
        let mut changed = known.watches.iter().filter(|(_, watch)| !watch.is_taken).peekable();
        changed.peek()?;
        if !changed.all(|(_, watch)| watch.is_quiet()) {
            return None;
        }
        known.watches.iter_mut().for_each(|(_, watch)| watch.is_taken = true);
        self.take(&mut known).unwrap_or_else(|error| Some(Found::NotTaken(error)))
    }

    /// The same at once, for a run that is about to begin: it begins with what lies there, or not.
    ///
    /// # Errors
    /// Why that cannot be.
    pub fn look_now(&self) -> Result<Option<Found>, NotTaken> {
        self.take(&mut self.known())
    }

    fn take(&self, known: &mut Known) -> Result<Option<Found>, NotTaken> {
        let config = WorkspaceConfig::read(&self.workspace)?;
        if config.layers == known.config.layers {
            return Ok(None);
        }
        let (old, new) = (merged(&known.config.layers), merged(&config.layers));
        let mut keys = differing(&old, &new);
        if config.env != known.config.env {
            keys.push("env".to_owned());
        }
        let top = |key: &str| key.split('.').next().unwrap_or_default().to_owned();
        let (_, fixed): (Vec<_>, Vec<_>) =
            keys.iter().cloned().partition(|key| TAKEN.contains(&top(key).as_str()));
        if !fixed.is_empty() {
            return Err(NotTaken::NeedsStart { keys: fixed });
        }
        let rules = under(RunRules::clone(&self.standing.now()), &config);
        if rules.jobs > self.jobs_max {
            return Err(NotTaken::MoreJobs { wanted: rules.jobs, most: self.jobs_max });
        }
        check_channels(&config, &self.policy)?;
        self.standing.set(rules);
        known.config = config;
        let (before, after) = (digest(&old), digest(&new));
        // Words for people are no keys.
        let taken = ConfigReloaded { keys, before, after, at: now_ms() };
        Ok((!taken.keys.is_empty()).then_some(Found::Taken(taken)))
    }
}

/// Between two looks of a host at which nothing else happens.
pub const LOOK: Duration = Duration::from_millis(250);

impl Watches for Reload {
    fn look(&self) -> Option<Event> {
        Self::look(self).map(|found| found.event())
    }
}

/// These rules, with what the workspace says of a run's limits and manners; the rest is of a host's start.
pub fn under(rules: RunRules, config: &WorkspaceConfig) -> RunRules {
    let audit = config.audit.every.as_ref().map_or(Audit::End, |every| match every {
        AuditEvery::Count(count) => Audit::Every(*count),
        AuditEvery::Word(word) if word == "completion" => Audit::Completion,
        AuditEvery::Word(_) => Audit::End,
    });
    RunRules {
        jobs: config.jobs.unwrap_or_else(|| parallel::cores() as u32),
        audit,
        budget: config.budget.limit,
        budget_warn_at: config.budget.warn_at,
        major_max: config.findings.max_major,
        medium_max: config.findings.max_medium,
        medium_fails: config.findings.medium_fails,
        backoff: config.retry,
        kill_after: config.kill_after(),
        notices: config.notify.clone(),
        asked: config.asked.clone(),
        ..rules
    }
}

/// Keys with other values, those of a mapping with its own before them; sorted.
fn differing(old: &Map<String, Value>, new: &Map<String, Value>) -> Vec<String> {
    let nothing = Map::new();
    let inner = |value: Option<&Value>| match value {
        Some(Value::Object(inner)) => Some(inner.clone()),
        None | Some(Value::Null) => Some(nothing.clone()),
        Some(_) => None,
    };
    let mut keys: Vec<String> = Vec::new();
    for key in old.keys().chain(new.keys()) {
        let (before, after) = (old.get(key), new.get(key));
        if before == after {
            continue;
        }
        match (inner(before), inner(after)) {
            (Some(before), Some(after)) if before != after => {
                let inside = before.keys().chain(after.keys());
                let others = inside.filter(|inside| before.get(*inside) != after.get(*inside));
                keys.extend(others.map(|inside| format!("{key}.{inside}")));
            }
            (Some(_), Some(_)) => {}
            _ => keys.push(key.clone()),
        }
    }
    keys.sort();
    keys.dedup();
    keys
}

/// SHA-256 of all keys but `env`, as JSON.
fn digest(map: &Map<String, Value>) -> String {
    hex::encode(Sha256::digest(Value::Object(map.clone()).to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(text: &str) -> Map<String, Value> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn keys_that_differ_are_named_where_they_stand() {
        for (old, new, expected) in [
            (r#"{"jobs": 1}"#, r#"{"jobs": 1}"#, &[][..]),
            (r#"{"jobs": 1}"#, r#"{"jobs": 2}"#, &["jobs"]),
            (r#"{"jobs": 1}"#, "{}", &["jobs"]),
            (
                r#"{"retry": {"base_ms": 1, "max_ms": 2}}"#,
                r#"{"retry": {"base_ms": 1, "max_ms": 3}}"#,
                &["retry.max_ms"],
            ),
            (r#"{"retry": null}"#, r#"{"findings": {"max_major": 1}}"#, &["findings.max_major"]),
            (r#"{"roles": {"planner": "a/b"}}"#, "{}", &["roles.planner"]),
            (r#"{"settings": null}"#, "{}", &[]),
            (r#"{"x": [1]}"#, r#"{"x": {"y": 1}}"#, &["x"]),
        ] {
            assert_eq!(differing(&map(old), &map(new)), expected, "{old} {new}");
        }
    }

    #[test]
    fn nothing_that_says_what_a_plugin_may_or_reads_is_taken() {
        for key in ["roles", "providers", "env", "settings", "narrow", "isolation", "record", "log_mib"] {
            assert!(!TAKEN.contains(&key), "{key}");
        }
    }
}
