//! What a case says that the host has and answers.
//!
//! In -> out: [`Script`] -> fakes that answer so, and the files of its workspace.
//! Invariant: nothing is written but the case's own folder.
//! Not here: the fakes themselves (`orch_host::trial`), grants and limits, which the engine enforces around them.

use std::collections::BTreeMap;
use std::path::Path;

use orch_host::capability::control::Standing;
use orch_host::capability::trial::{Fakes, Mood, ScriptedCommand};
use orch_task::Task;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::exchange::ScriptedExchange;
use super::scripted_model::ScriptedModel;

/// What the host has.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    pub settings: Map<String, Value>,
    /// The run's tasks, all pending.
    pub tasks: Vec<Task>,
    /// The workspace: path -> text.
    pub files: BTreeMap<String, String>,
    /// Label -> key -> text.
    pub kv: BTreeMap<String, BTreeMap<String, String>>,
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
                fakes.kv().commit(label, key, value.as_bytes());
            }
        }
        fakes
    }

    /// Writes the workspace's files; an error says which path is none.
    pub(super) fn write_files(&self, workspace: &Path) -> Result<(), String> {
        for (name, text) in &self.files {
            let path = workspace.join(name);
            let written = || {
                path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
                std::fs::write(&path, text)
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

/// True of a path that leads to no other folder.
pub(super) fn is_inside(path: &str) -> bool {
    !path.is_empty() && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_stay_inside_the_case_s_folder() {
        let folder = tempfile::tempdir().unwrap();
        let script =
            |name: &str| Script { files: [(name.to_owned(), "x".to_owned())].into(), ..Script::default() };
        script("a/b.txt").write_files(folder.path()).unwrap();
        assert_eq!(std::fs::read_to_string(folder.path().join("a/b.txt")).unwrap(), "x");
        for wrong in ["../x", "/x", "a//b", "", "a/../../x"] {
            assert!(script(wrong).write_files(folder.path()).is_err(), "{wrong}");
        }
    }
}
