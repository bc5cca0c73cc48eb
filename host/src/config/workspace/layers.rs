//! What a workspace says, in layers: `config.yaml`, `config.local.yaml` over it, variables over both.
//!
//! In -> out: a workspace, variables of this process -> [`Layer`]s, the least first; layers -> one mapping.
//! Limits: 1 MiB a file.
//! Invariant: mappings are merged key by key; whatever else stands higher replaces what stands lower. A variable sets one of
//! [`VARIABLES`], which are limits and manners of a run, never who does what.
//! Not here: what keys mean and whether their values do (`workspace.rs`).

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use orch_task::file::place_of_key;
use orch_task::keys::nearest;
use orch_task::{Env, Written, read_written};
use serde_json::{Map, Value};

use super::error::{CONFIG_BYTES_MAX, WorkspaceError};
use super::foreign::instead_of;
use crate::regular_file::{self, Links, ReadError};

/// Files of a workspace, the least first. The second one is of one person or machine, and of no repository.
pub const FILES: [&str; 2] = ["config.yaml", "config.local.yaml"];
/// How the host's own variables begin.
const OURS: &str = "ORCH_";

/// A variable that sets one key.
#[derive(Debug, PartialEq, Eq)]
pub struct Variable {
    pub name: &'static str,
    /// Of the key, from the top.
    pub path: &'static [&'static str],
    /// Of its values, in words.
    pub expected: &'static str,
    /// What counts when nobody says it, as it would be written; nothing where that is no value.
    pub default: Option<&'static str>,
}

impl Variable {
    pub fn key(&self) -> String {
        self.path.join(".")
    }
}

macro_rules! variables {
    ($($name:literal $path:tt $expected:literal $default:expr;)*) => {
        [$(Variable { name: $name, path: &$path, expected: $expected, default: $default },)*]
    };
}

/// All of them; sorted by key.
pub const VARIABLES: [Variable; 13] = variables! {
    "ORCH_AUDIT_EVERY" ["audit", "every"] "`completion`, `end` or a number from 1" Some("end");
    "ORCH_BUDGET_LIMIT" ["budget", "limit"] "a number; 0 is unlimited" Some("0");
    "ORCH_BUDGET_WARN_AT" ["budget", "warn_at"] "0.0 to 1.0" Some("0.8");
    "ORCH_FINDINGS_MAX_MAJOR" ["findings", "max_major"] "a number" Some("0");
    "ORCH_FINDINGS_MAX_MEDIUM" ["findings", "max_medium"] "a number" Some("10");
    "ORCH_FINDINGS_MEDIUM_FAILS" ["findings", "medium_fails"] "`true` or `false`" Some("false");
    "ORCH_ISOLATION" ["isolation"] "`none` or `worktree`" None;
    "ORCH_JOBS" ["jobs"] "1 to 256" None;
    "ORCH_KILL_AFTER" ["kill_after"] "0 to 600 seconds" Some("5");
    "ORCH_LOG_MIB" ["log_mib"] "a number of MiB" Some("64");
    "ORCH_RECORD" ["record"] "`digests` or `full`" Some("digests");
    "ORCH_RETRY_BASE_MS" ["retry", "base_ms"] "milliseconds" Some("1000");
    "ORCH_RETRY_MAX_MS" ["retry", "max_ms"] "milliseconds" Some("60000");
};

/// Of all of them.
pub fn variable_names<'a>() -> impl Iterator<Item = &'a str> {
    VARIABLES.iter().map(|variable| variable.name)
}

/// Where a layer comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    File { path: PathBuf, text: Arc<str> },
    Variable(&'static Variable),
}

impl Origin {
    /// A file's name, or a variable's.
    pub fn name(&self) -> String {
        match self {
            Self::File { path, .. } => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            Self::Variable(variable) => format!("${}", variable.name),
        }
    }

    /// For messages.
    pub(super) fn path(&self) -> PathBuf {
        match self {
            Self::File { path, .. } => path.clone(),
            Self::Variable(variable) => variable.name.into(),
        }
    }
}

/// One of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    pub origin: Origin,
    /// But for `env`.
    pub rest: Map<String, Value>,
    pub env: Env,
}

impl Layer {
    pub(super) fn of_file(path: PathBuf, text: &str) -> Result<Self, WorkspaceError> {
        let written = |source| WorkspaceError::Written { path: path.clone(), source: Box::new(source) };
        let Written { rest, env } = read_written(text).map_err(written)?;
        Ok(Self { origin: Origin::File { path, text: text.into() }, rest, env })
    }

    /// Nothing if the variable is empty.
    pub(super) fn of_variable(
        variable: &'static Variable,
        value: OsString,
    ) -> Result<Option<Self>, WorkspaceError> {
        let unread = || WorkspaceError::VariableUnread { variable: variable.name };
        let text = value.into_string().map_err(|_| unread())?;
        if text.is_empty() {
            return Ok(None);
        }
        let word = |text: &str| Value::String(text.to_owned());
        // As it would be read in the file; what is no number there and no boolean is a word.
        let value = match serde_json::from_str(text.trim()) {
            Ok(value @ (Value::Number(_) | Value::Bool(_))) => value,
            _ => word(&text),
        };
        let nest = |inner, key: &&str| Value::Object(Map::from_iter([((*key).to_owned(), inner)]));
        let Value::Object(rest) = variable.path.iter().rev().fold(value, nest) else {
            unreachable!("a variable sets a key")
        };
        Ok(Some(Self { origin: Origin::Variable(variable), rest, env: Env::default() }))
    }

    fn has(&self, path: &[&str]) -> bool {
        *value_of(&self.rest, path) != Value::Null
    }
}

/// What that workspace says, and what variables of this process say of it.
///
/// # Errors
/// Those of one file that cannot be read, and of a variable that is no text.
pub(super) fn read(workspace: &Path) -> Result<Vec<Layer>, WorkspaceError> {
    let files = FILES.into_iter().map(|name| read_file(one_spelling(workspace.join(name))?));
    let variables = VARIABLES
        .iter()
        .filter_map(|variable| Some(Layer::of_variable(variable, std::env::var_os(variable.name)?)));
    files.chain(variables).filter_map(Result::transpose).collect()
}

fn read_file(path: PathBuf) -> Result<Option<Layer>, WorkspaceError> {
    match regular_file::read_text(&path, Links::Refused, CONFIG_BYTES_MAX) {
        Ok((text, _)) => Layer::of_file(path, &text).map(Some),
        Err(ReadError::NotRegular) => Err(WorkspaceError::NotAFile { path }),
        Err(error) if error.is_missing() => Ok(None),
        Err(ReadError::TooLarge { found_bytes, .. }) => Err(WorkspaceError::TooLarge { path, found_bytes }),
        Err(error) => Err(WorkspaceError::Io { path, source: error.into() }),
    }
}

/// All of them as one.
pub fn merged(layers: &[Layer]) -> Map<String, Value> {
    layers.iter().fold(Map::new(), |mut whole, layer| {
        merge(&mut whole, &layer.rest);
        whole
    })
}

fn merge(lower: &mut Map<String, Value>, higher: &Map<String, Value>) {
    for (key, value) in higher {
        match (lower.get_mut(key), value) {
            (Some(Value::Object(lower)), Value::Object(higher)) => merge(lower, higher),
            (Some(lower), _) => *lower = value.clone(),
            (None, _) => drop(lower.insert(key.clone(), value.clone())),
        }
    }
}

/// What stands at that path.
pub(super) fn value_of<'a>(map: &'a Map<String, Value>, path: &[&str]) -> &'a Value {
    let (first, rest) = path.split_first().map_or(("", path), |(first, rest)| (*first, rest));
    rest.iter().fold(map.get(first).unwrap_or(&Value::Null), |here, key| &here[*key])
}

/// Who says that key; nothing if nobody does.
pub fn origin_of<'a>(layers: &'a [Layer], path: &[&str]) -> Option<&'a Origin> {
    layers.iter().rev().find(|layer| layer.has(path)).map(|layer| &layer.origin)
}

/// Which file says that key, or what is around it, and at which line: in words, for the middle of a sentence.
pub fn place_of(layers: &[Layer], path: &[&str]) -> String {
    let depths = (1..=path.len()).rev().filter_map(|depth| path.get(..depth));
    let said = depths.into_iter().find_map(|above| origin_of(layers, above));
    let Some(origin @ Origin::File { text, .. }) = said else {
        return format!("`{}`", FILES[0]);
    };
    format!("`{}`{}", origin.name(), line_of(text, path))
}

/// The line of a key, for the middle of a sentence behind the file's name.
pub(super) fn line_of(text: &str, path: &[&str]) -> String {
    let path: Vec<String> = path.iter().map(|key| (*key).to_owned()).collect();
    place_of_key(text, &path).map_or_else(String::new, |place| format!(", line {},", place.line))
}

/// The first key of a layer for which something else is written here, and what.
pub(super) fn foreign(layer: &Layer) -> Option<(&str, String)> {
    layer.rest.iter().find_map(|(key, value)| Some((key.as_str(), instead_of(key, value)?)))
}

/// Variables that begin like the host's own and are none, with the one that is probably meant.
pub fn misspelt(names: impl Iterator<Item = OsString>) -> Vec<(String, &'static str)> {
    let known: BTreeMap<String, &'static str> =
        VARIABLES.iter().map(|variable| (variable.name.to_ascii_lowercase(), variable.name)).collect();
    let lower: Vec<&str> = known.keys().map(String::as_str).collect();
    let meant = |name: OsString| {
        let name = name.into_string().ok().filter(|name| name.starts_with(OURS))?;
        let meant = known.get(nearest(&name, &lower)?).filter(|meant| **meant != name)?;
        Some((name, *meant))
    };
    names.filter_map(meant).collect()
}

/// `.yaml` for `.yml`, and the other way round; none of any other name.
pub fn other_spelling(path: &Path) -> Option<PathBuf> {
    match path.extension().and_then(|end| end.to_str()) {
        Some("yml") => Some(path.with_extension("yaml")),
        Some("yaml") => Some(path.with_extension("yml")),
        _ => None,
    }
}

/// The file of that name, or the one that ends in the other of `.yml` and `.yaml` where there is only that.
///
/// # Errors
/// `TwoFiles`: nobody could say which one counts.
pub fn one_spelling(said: PathBuf) -> Result<PathBuf, WorkspaceError> {
    let Some(other) = other_spelling(&said) else { return Ok(said) };
    let is_there = |path: &Path| path.symlink_metadata().is_ok();
    match (is_there(&said), is_there(&other)) {
        (_, false) => Ok(said),
        (false, true) => Ok(other),
        (true, true) => Err(WorkspaceError::TwoFiles { path: said, other }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Layer {
        Layer::of_file("config.yaml".into(), text).unwrap()
    }

    #[test]
    fn mappings_are_merged_and_everything_else_is_replaced() {
        let lower =
            "roles: {planner: a/p, verifiers: [a/v, a/w]}\njobs: 4\nsettings: {a/v: {deep: {x: 1, y: 2}}}\n";
        let higher = "roles: {verifiers: [a/x]}\nsettings: {a/v: {deep: {y: 3}}, a/w: {z: 0}}\n";
        let expected = serde_json::json!({
            "roles": {"planner": "a/p", "verifiers": ["a/x"]},
            "jobs": 4,
            "settings": {"a/v": {"deep": {"x": 1, "y": 3}}, "a/w": {"z": 0}},
        });
        assert_eq!(Value::Object(merged(&[file(lower), file(higher)])), expected);
        assert_eq!(Value::Object(merged(&[])), serde_json::json!({}));
    }

    #[test]
    fn a_key_is_where_the_highest_layer_says_it() {
        let mut local = file("settings:\n  a/v:\n    deep: {y: 3}\n");
        local.origin = Origin::File {
            path: "config.local.yaml".into(),
            text: "settings:\n  a/v:\n    deep: {y: 3}\n".into(),
        };
        let layers = [file("jobs: 4\n\nsettings: {a/v: {deep: {x: 1}}}\n"), local];
        let place = |path: &[&str]| place_of(&layers, path);
        assert_eq!(place(&["settings", "a/v", "deep", "y"]), "`config.local.yaml`, line 3,");
        assert_eq!(place(&["settings", "a/v", "deep", "x"]), "`config.yaml`, line 3,");
        assert_eq!(place(&["settings", "a/v", "deep", "z"]), "`config.local.yaml`, line 3,");
        assert_eq!(place(&["narrow", "a/v"]), "`config.yaml`");
        assert_eq!(origin_of(&layers, &["jobs"]), Some(&layers[0].origin));
        assert_eq!(origin_of(&layers, &["jobs", "x"]), None);
    }

    #[test]
    fn a_variable_is_read_as_it_would_be_in_the_file() {
        let read = |text: &str| {
            let jobs = VARIABLES.iter().find(|variable| variable.name == "ORCH_AUDIT_EVERY").unwrap();
            Layer::of_variable(jobs, text.into()).unwrap().map(|layer| Value::Object(layer.rest))
        };
        assert_eq!(read("5"), Some(serde_json::json!({"audit": {"every": 5}})));
        assert_eq!(read("end"), Some(serde_json::json!({"audit": {"every": "end"}})));
        assert_eq!(read("[1]"), Some(serde_json::json!({"audit": {"every": "[1]"}})));
        assert_eq!(read(""), None);
        let bad = std::os::unix::ffi::OsStringExt::from_vec(vec![0xff]);
        assert_eq!(Layer::of_variable(&VARIABLES[0], bad).unwrap_err().code(), "workspace-config");
    }

    #[test]
    fn what_is_nearly_a_variable_of_ours_is_told() {
        let names = ["ORCH_JOBZ", "ORCH_JOBS", "ORCH_TOKEN", "JOBS", "ORCH_BUDGET_LIMT"];
        let found = misspelt(names.into_iter().map(OsString::from));
        let expected = [("ORCH_JOBZ", "ORCH_JOBS"), ("ORCH_BUDGET_LIMT", "ORCH_BUDGET_LIMIT")];
        assert_eq!(found, expected.map(|(found, meant)| (found.to_owned(), meant)));
    }
}
