//! What tasks may ask of the plugins that are bound.
//!
//! In -> out: a task -> nothing, or what it needs and nobody offers.
//! Invariant: a task that passes has an executor that reads each of its keys, and verifiers with each check that it names.
//! A verifier's checks are what its settings have under `checks`, each by its `name`: a task that names some has it look
//! with settings that have those alone.
//! Not here: whose plugins those are (`plugins.rs`), calling them (`roles.rs`).

use std::collections::BTreeMap;
use std::sync::Arc;

use orch_task::keys::{KEYS, nearest};
use orch_task::{FileTask, Look, Task, Tree};
use serde_json::{Map, Value};

use super::error::DriveError;
use crate::plugin_settings;

/// The key of a verifier's settings that lists its checks.
const CHECKS: &str = "checks";

/// By kind and by id.
#[derive(Clone, Debug, Default)]
pub struct Offers {
    pub executors: BTreeMap<String, ExecutorOffer>,
    /// The names of their checks.
    pub verifiers: BTreeMap<String, Vec<String>>,
    /// Edits of a run go to a branch.
    pub isolated: bool,
}

/// What an executor reads.
#[derive(Clone, Debug)]
pub struct ExecutorOffer {
    pub id: String,
    /// Its attempts edit the person's tree alone.
    pub only_mine: bool,
    /// Keys of a task, besides the host's own.
    pub task_keys: Vec<String>,
    /// What they may say.
    pub task_schema: Map<String, Value>,
}

impl Offers {
    /// Fails if the task needs a plugin that is not bound, or if a person gave it a key that nobody reads. What a plugin
    /// asks for is between it and the executor.
    pub fn check(&self, found: &FileTask) -> Result<(), DriveError> {
        let task = &found.task;
        let Some(executor) = self.executors.get(task.kind.as_str()) else {
            return Err(DriveError::NoExecutor { kind: task.kind.to_string(), task: task.id.to_string() });
        };
        if self.keeps_out(task) {
            return Err(DriveError::TaskTree { task: task.id.to_string(), executor: executor.id.clone() });
        }
        if let (None, Some(key)) = (&found.added_by, executor.unread(&task.settings)) {
            return Err(DriveError::TaskKey {
                task: task.id.to_string(),
                key: key.escape_default().to_string(),
                executor: executor.id.clone(),
                instead: executor.instead_of(key),
            });
        }
        if found.added_by.is_none() {
            plugin_settings::check_written(&executor.task_schema, &task.settings).map_err(|wrong| {
                DriveError::TaskSetting {
                    task: task.id.to_string(),
                    key: wrong.key(),
                    executor: executor.id.clone(),
                    what: wrong.what,
                }
            })?;
        }
        for Look { verifier, checks } in &task.verify {
            let (task, verifier) = (task.id.to_string(), verifier.clone());
            if !self.verifiers.contains_key(&verifier) {
                return Err(DriveError::NoVerifier { task, verifier });
            }
            if let Some(why) = self.unknown_check(&verifier, checks) {
                return Err(DriveError::NoCheck { task, verifier, why });
            }
        }
        Ok(())
    }

    /// True of a task whose executor edits the person's tree alone, in runs whose edits go to a branch, if it does not say that it
    /// may.
    pub fn keeps_out(&self, task: &Task) -> bool {
        let executor = self.executors.get(task.kind.as_str());
        self.isolated && task.tree == Tree::Own && executor.is_some_and(|executor| executor.only_mine)
    }

    /// Why that verifier cannot make these checks; nothing if it has each of them.
    pub fn unknown_check(&self, verifier: &str, checks: &[String]) -> Option<String> {
        let known: Vec<&str> = self.verifiers.get(verifier)?.iter().map(String::as_str).collect();
        let unknown = checks.iter().find(|check| !known.contains(&check.as_str()))?;
        let instead = match (nearest(unknown, &known), known.is_empty()) {
            (Some(near), _) => format!("the nearest is `{near}`"),
            (None, true) => "its settings name none".to_owned(),
            (None, false) => format!("it has `{}`", known.join("`, `")),
        };
        Some(format!("it has no check `{}`: {instead}", unknown.escape_default()))
    }
}

/// What a verifier's settings call its checks.
pub fn check_names(settings: &str) -> Vec<String> {
    let settings: Value = serde_json::from_str(settings).unwrap_or_default();
    let checks = settings.get(CHECKS).and_then(Value::as_array).into_iter().flatten();
    checks.filter_map(name_of).map(str::to_owned).collect()
}

/// A verifier's settings with these checks alone, in the order of the settings; none named: as they are.
pub fn with_checks(settings: &Arc<str>, checks: &[String]) -> Arc<str> {
    if checks.is_empty() {
        return settings.clone();
    }
    let mut narrowed: Value = serde_json::from_str(settings).unwrap_or_default();
    if let Some(Value::Array(all)) = narrowed.get_mut(CHECKS) {
        all.retain(|check| name_of(check).is_some_and(|name| checks.iter().any(|one| one == name)));
    }
    narrowed.to_string().into()
}

fn name_of(check: &Value) -> Option<&str> {
    check.get("name").and_then(Value::as_str)
}

impl ExecutorOffer {
    /// The first of these keys that this executor does not read.
    fn unread<'a>(&self, keys: &'a Map<String, Value>) -> Option<&'a str> {
        keys.keys().map(String::as_str).find(|key| !self.task_keys.iter().any(|read| read == key))
    }

    fn instead_of(&self, key: &str) -> String {
        let own = self.task_keys.iter().map(String::as_str);
        let known: Vec<&str> = KEYS.into_iter().chain(own).collect();
        match nearest(key, &known) {
            Some(near) => format!("; the nearest is `{near}`"),
            None if self.task_keys.is_empty() => "; that plugin reads no keys of its own".to_owned(),
            None => format!("; that plugin reads `{}`", self.task_keys.join("`, `")),
        }
    }
}

#[cfg(test)]
mod tests {
    use orch_task::TaskFile;

    use super::*;

    #[test]
    fn who_edits_the_persons_tree_alone_is_kept_out_of_runs_with_a_branch_unless_the_task_lets_it() {
        let offer = |id: &str, only_mine| ExecutorOffer {
            id: id.to_owned(),
            only_mine,
            task_keys: Vec::new(),
            task_schema: Map::new(),
        };
        let executors = [("deploy", offer("demo/deploy", true)), ("note", offer("demo/note", false))];
        let executors: BTreeMap<_, _> = executors.map(|(kind, offer)| (kind.to_owned(), offer)).into();
        let check = |isolated, text: &str| {
            let offers = Offers { executors: executors.clone(), isolated, ..Offers::default() };
            let file = TaskFile::parse(text.as_bytes().to_vec()).unwrap();
            offers.check(&file.tasks()[0]).err().map(|error| error.code())
        };
        assert_eq!(check(true, "- {id: t, kind: deploy}\n"), Some("task-tree"));
        assert_eq!(check(true, "- {id: t, kind: deploy, added_by: demo/x}\n"), Some("task-tree"));
        assert_eq!(check(true, "- {id: t, kind: deploy, tree: mine}\n"), None);
        assert_eq!(check(true, "- {id: t, kind: note}\n"), None);
        assert_eq!(check(false, "- {id: t, kind: deploy}\n"), None);
    }

    #[test]
    fn a_key_is_read_by_the_executor_of_its_kind_or_refused_with_what_was_meant() {
        let offer = |id: &str, keys: &[&str]| ExecutorOffer {
            id: id.to_owned(),
            only_mine: false,
            task_keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            task_schema: Map::new(),
        };
        let executors =
            [("shell", offer("demo/shell", &["directory", "retry_on"])), ("note", offer("demo/note", &[]))];
        let executors = executors.map(|(kind, offer)| (kind.to_owned(), offer));
        let offers = Offers { executors: executors.into(), ..Offers::default() };
        let said = |kind: &str, key: &str, more: &str| {
            let text = format!("- {{id: t, kind: {kind}, {key}: 1{more}}}\n");
            let file = TaskFile::parse(text.into_bytes()).unwrap();
            offers.check(&file.tasks()[0]).map_err(|error| (error.code(), error.to_string()))
        };
        assert_eq!(said("shell", "directory", ""), Ok(()));
        assert_eq!(said("note", "whatever", ", added_by: demo/x"), Ok(()), "no person wrote it");
        for (kind, key, code, part) in [
            (
                "shell",
                "directry",
                "task-unknown-key",
                "`directry`, which neither the host nor `demo/shell` reads; the nearest is `directory`",
            ),
            ("shell", "labels", "task-unknown-key", "; that plugin reads `directory`, `retry_on`"),
            (
                "note",
                "directory",
                "task-unknown-key",
                "`demo/note` reads; that plugin reads no keys of its own",
            ),
            ("other", "directory", "no-executor", "`other`"),
        ] {
            let found = said(kind, key, "").unwrap_err();
            assert!(found.0 == code && found.1.contains(part), "{found:?}");
        }
    }

    #[test]
    fn checks_are_what_the_settings_name_and_a_look_has_those_that_are_meant_alone() {
        let settings: Arc<str> =
            r#"{"a":1,"checks":[{"name":"unit","x":1},{"name":"lint"},{"noname":1},{"name":"unit"}]}"#.into();
        assert_eq!(check_names(&settings), ["unit", "lint", "unit"]);
        let with = |checks: &[&str]| {
            let checks: Vec<String> = checks.iter().map(|check| (*check).to_owned()).collect();
            with_checks(&settings, &checks).to_string()
        };
        assert_eq!(with(&[]), *settings);
        assert_eq!(with(&["lint"]), r#"{"a":1,"checks":[{"name":"lint"}]}"#);
        assert_eq!(with(&["unit"]), r#"{"a":1,"checks":[{"name":"unit","x":1},{"name":"unit"}]}"#);
        for none in ["{}", r#"{"checks":{"name":"x"}}"#, "no json"] {
            assert!(check_names(none).is_empty(), "{none}");
        }
        let verifiers = [("demo/v", vec!["unit".to_owned(), "lint".to_owned()]), ("demo/none", Vec::new())];
        let verifiers = verifiers.map(|(id, names)| (id.to_owned(), names)).into();
        let offers = Offers { verifiers, ..Offers::default() };
        let unknown = |verifier: &str, check: &str| {
            offers.unknown_check(verifier, &["lint".to_owned(), check.to_owned()])
        };
        assert_eq!(unknown("demo/v", "unit"), None);
        assert_eq!(unknown("demo/v", "unti").unwrap(), "it has no check `unti`: the nearest is `unit`");
        assert_eq!(unknown("demo/v", "mypy").unwrap(), "it has no check `mypy`: it has `unit`, `lint`");
        assert_eq!(unknown("demo/none", "x").unwrap(), "it has no check `lint`: its settings name none");
    }
}
