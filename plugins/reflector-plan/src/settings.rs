//! What the operator's binding says to this reflector.
//!
//! In -> out: a JSON object -> [`Settings`], with defaults for what it leaves out.
//! Invariant: unknown keys are refused, so that a misspelt one is seen.
//! Not here: reading it from the host (`lib.rs`).

use serde::Deserialize;

/// The manifest's `tasks.add`.
pub const PHASES_MAX: usize = 50;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Name of a model; empty: what the workspace's `models.yaml` gives.
    pub model: String,
    /// Of one plan, 1..=[`PHASES_MAX`].
    pub phases_max: usize,
    /// Globs of files whose beginning the model is shown.
    pub shown: Vec<String>,
    /// Of all that is shown.
    pub shown_bytes_max: usize,
    /// Passages that it is shown besides, if the workspace binds a plugin that finds them; 0: none.
    pub passages: u32,
    /// Of all of them.
    pub passage_tokens: u32,
    /// Paths that it is told.
    pub paths_max: usize,
    /// Folder names whose content is passed over, at any depth.
    pub skip_folders: Vec<String>,
    /// Said besides what a plan is.
    pub instructions: String,
}

impl Default for Settings {
    fn default() -> Self {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Self {
            model: String::new(),
            phases_max: 12,
            shown: owned(&["README*", "*.toml", "*.json", "*.cfg", "Makefile"]),
            shown_bytes_max: 24 * 1024,
            passages: 12,
            passage_tokens: 6000,
            paths_max: 400,
            skip_folders: owned(&[
                ".git",
                ".orch",
                ".tox",
                ".venv",
                "__pycache__",
                "build",
                "dist",
                "logs",
                "node_modules",
                "target",
                "venv",
            ]),
            instructions: String::new(),
        }
    }
}

impl Settings {
    /// # Errors
    /// What is wrong with which key, for people.
    pub fn parse(json: &str) -> Result<Self, String> {
        let settings: Self = serde_json::from_str(json).map_err(|error| format!("settings: {error}"))?;
        match (1..=PHASES_MAX).contains(&settings.phases_max) {
            true => Ok(settings),
            false => {
                Err(format!("settings: `phases_max` is {}, expected 1..={PHASES_MAX}", settings.phases_max))
            }
        }
    }

    /// True if the file lies in one of the folders to skip.
    #[must_use]
    pub fn skips(&self, path: &str) -> bool {
        let folders = path.rsplit_once('/').map_or("", |(folders, _)| folders);
        folders.split('/').any(|folder| self.skip_folders.iter().any(|skipped| skipped == folder))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifests_schema_knows_these_keys_and_these_defaults() {
        let manifest: serde_json::Value = serde_json::from_str(include_str!("../plugin.json")).unwrap();
        let keys = manifest["settingsSchema"]["properties"].as_object().unwrap();
        let defaults: serde_json::Map<_, _> =
            keys.iter().map(|(key, part)| (key.clone(), part["default"].clone())).collect();
        let json = serde_json::Value::Object(defaults).to_string();
        assert_eq!(Settings::parse(&json).unwrap(), Settings::default());
        let debug = format!("{:?}", Settings::default());
        assert_eq!(debug.matches(": ").count(), keys.len(), "{debug}");
    }

    #[test]
    fn wrong_settings_are_named() {
        for (json, part) in
            [(r#"{"phase_max": 3}"#, "phase_max"), (r#"{"phases_max": 51}"#, "`phases_max` is 51")]
        {
            let error = Settings::parse(json).unwrap_err();
            assert!(error.contains(part), "{json}: {error}");
        }
        assert!(Settings::default().skips("a/.git/config") && !Settings::default().skips("src/gitlog.py"));
    }
}
