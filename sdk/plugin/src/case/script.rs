//! What a case says that the host has and answers.
//!
//! In -> out: [`Script`] -> fakes that answer so, and the files of its workspace.
//! Invariant: nothing is written but the case's own folder.
//! Not here: the fakes themselves (`orch_host::trial`), grants and limits, which the engine enforces around them.

use std::collections::BTreeMap;
use std::path::Path;

use orch_host::capability::control::Standing;
use orch_host::capability::trial::{Fakes, Mood, RecordedMetric, ScriptedCommand};
use orch_journal::event::Metric;
use orch_task::Task;
use orch_trust::time::UnixSeconds;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::content::Content;
use super::exchange::ScriptedExchange;
use super::scripted_model::ScriptedModel;

/// What the host has.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    pub settings: Map<String, Value>,
    /// The run's tasks, all pending.
    pub tasks: Vec<Task>,
    /// The workspace.
    pub files: BTreeMap<String, Content>,
    /// Label -> key -> value.
    pub kv: BTreeMap<String, BTreeMap<String, Content>>,
    /// Values that were recorded before, the oldest first.
    pub metrics: Vec<ScriptedMetric>,
    /// Where the clock starts, in the years 1970 to 9999; 2020-01-01T00:00:00Z if absent.
    #[serde(deserialize_with = "since_1970")]
    pub now: Option<UnixSeconds>,
    /// Where the host stands: `idle`, `starting`, `at-work` or `stopping`.
    pub control: Standing,
    /// Commands in the order in which they must come.
    pub commands: Vec<ScriptedCommand>,
    /// Requests in the order in which they must come, and their answers.
    pub http: Vec<ScriptedExchange>,
    /// Questions to models in the order in which they must come, and their answers.
    pub models: Vec<ScriptedModel>,
    /// A file beside the cases that has them in the place of `http`, as they were when they were made.
    pub recording: Option<String>,
}

/// A value that a plugin recorded before the call.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptedMetric {
    plugin: String,
    name: String,
    value: f64,
    #[serde(default)]
    unit: String,
    #[serde(default)]
    attributes: Vec<(String, String)>,
    /// Absent: a service recorded it.
    #[serde(default)]
    run: Option<String>,
    #[serde(default)]
    task: Option<String>,
    #[serde(default = "first_of_2020")]
    at: String,
}

fn first_of_2020() -> String {
    "2020-01-01T00:00:00.000Z".to_owned()
}

impl ScriptedMetric {
    fn recorded(&self) -> RecordedMetric {
        let Self { plugin, name, value, unit, attributes, run, task, at } = self.clone();
        let metric = Metric { name, value, unit, attributes };
        RecordedMetric { metric, plugin, run, task, recorded_at: at }
    }
}

impl Script {
    /// The settings as a JSON object.
    pub(super) fn settings(&self) -> String {
        Value::Object(self.settings.clone()).to_string()
    }

    pub(super) fn fakes(&self) -> Fakes {
        let fakes = Fakes::new(self.tasks.clone(), Mood::Good).scripted(self.commands.clone());
        let fakes = fakes.standing_at(self.control, self.tasks.len());
        let fakes = fakes.answered(self.http.iter().map(ScriptedExchange::answer));
        let fakes = fakes.saying(self.models.iter().map(ScriptedModel::answer));
        for (label, values) in &self.kv {
            for (key, value) in values {
                fakes.kv().commit(label, key, &value.0);
            }
        }
        for metric in &self.metrics {
            fakes.metrics().commit(metric.recorded());
        }
        match self.now {
            Some(now) => fakes.starting_at(now),
            None => fakes,
        }
    }

    /// Writes the workspace's files; an error says which path is none.
    pub(super) fn write_files(&self, workspace: &Path) -> Result<(), String> {
        for (name, content) in &self.files {
            let path = workspace.join(name);
            let written = || {
                path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
                std::fs::write(&path, &content.0)
            };
            match is_inside(name) {
                true => {
                    written().map_err(|error| format!("`{name}` of `files` cannot be written: {error}"))?
                }
                false => return Err(format!("`{name}` of `files` is not inside the workspace")),
            }
        }
        Ok(())
    }
}

/// A time that a guest's clock can show.
fn since_1970<'de, D: Deserializer<'de>>(from: D) -> Result<Option<UnixSeconds>, D::Error> {
    let now = UnixSeconds::deserialize(from)?;
    match now.0 >= 0 {
        true => Ok(Some(now)),
        false => Err(D::Error::custom(format!("`now` is `{now}`, expected a time since 1970"))),
    }
}

/// True of a path that leads to no other folder.
pub(super) fn is_inside(path: &str) -> bool {
    !path.is_empty() && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_set_to_a_time_that_it_can_show() {
        let now = |text: &str| serde_json::from_str::<Script>(&format!(r#"{{"now": {text}}}"#));
        assert_eq!(now("\"2026-11-30T12:00:00Z\"").unwrap().now, Some(UnixSeconds(1_796_040_000)));
        assert_eq!(now("\"1970-01-01T00:00:00Z\"").unwrap().now, Some(UnixSeconds(0)));
        for wrong in [
            "\"1969-12-31T23:59:59Z\"",
            "\"2026-11-30\"",
            "\"2026-11-30T12:00:00+01:00\"",
            "1796040000",
            "null",
        ] {
            assert!(now(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn files_stay_inside_the_case_s_folder() {
        let folder = tempfile::tempdir().unwrap();
        let script = |name: &str| Script {
            files: [(name.to_owned(), Content(b"x".to_vec()))].into(),
            ..Script::default()
        };
        script("a/b.txt").write_files(folder.path()).unwrap();
        assert_eq!(std::fs::read_to_string(folder.path().join("a/b.txt")).unwrap(), "x");
        for wrong in ["../x", "/x", "a//b", "", "a/../../x"] {
            assert!(script(wrong).write_files(folder.path()).is_err(), "{wrong}");
        }
    }
}
