//! What the operator's binding says to this reflector.
//!
//! In -> out: a JSON object -> [`Settings`], with defaults for what it leaves out.
//! Invariant: unknown keys are refused, so that a misspelt one is seen.
//! Not here: reading it from the host (`lib.rs`).

use serde::Deserialize;

/// The manifest's `tasks.add`: more suggestions at once would be the plugin's fault.
pub const SUGGESTIONS_MAX: u32 = 100;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// A block is suggested when its complexity is above this.
    pub threshold: u32,
    /// Globs of the files to measure; `.py` and `.rs` are measured, others are passed over.
    pub paths: Vec<String>,
    /// Folder names whose content is passed over, at any depth.
    pub skip_folders: Vec<String>,
    /// Suggestions in one cycle, the most complex first; 1..=[`SUGGESTIONS_MAX`].
    pub limit: u32,
    /// Kind of the tasks asked for; must be in the plugin's `tasks.kinds`.
    pub kind: String,
}

impl Default for Settings {
    fn default() -> Self {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Self {
            threshold: 10,
            paths: owned(&["**/*.py", "**/*.rs"]),
            skip_folders: owned(&[
                ".git",
                ".orch",
                ".tox",
                ".venv",
                "__pycache__",
                "build",
                "dist",
                "node_modules",
                "site-packages",
                "target",
                "venv",
            ]),
            limit: 20,
            kind: "note".to_owned(),
        }
    }
}

impl Settings {
    /// Parses the settings.
    ///
    /// # Errors
    /// What is wrong with which key, for people.
    pub fn parse(json: &str) -> Result<Self, String> {
        let settings: Self = serde_json::from_str(json).map_err(|error| format!("settings: {error}"))?;
        if settings.limit == 0 || settings.limit > SUGGESTIONS_MAX {
            return Err(format!("settings: `limit` is {}, expected 1..={SUGGESTIONS_MAX}", settings.limit));
        }
        Ok(settings)
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
    fn nothing_set_means_the_defaults() {
        let settings = Settings::parse("{}").unwrap();
        assert_eq!(settings, Settings::default());
        assert_eq!(settings.threshold, 10);
        assert_eq!(settings.paths, ["**/*.py", "**/*.rs"]);
    }

    #[test]
    fn one_key_set_leaves_the_others() {
        let settings = Settings::parse(r#"{"threshold": 3, "kind": "review"}"#).unwrap();
        assert_eq!(settings, Settings { threshold: 3, kind: "review".to_owned(), ..Settings::default() });
    }

    #[test]
    fn wrong_settings_are_named() {
        for (json, part) in [
            (r#"{"treshold": 3}"#, "treshold"),
            (r#"{"threshold": -1}"#, "-1"),
            (r#"{"limit": 0}"#, "`limit` is 0"),
            (r#"{"limit": 101}"#, "`limit` is 101"),
            ("[", "settings:"),
        ] {
            let error = Settings::parse(json).unwrap_err();
            assert!(error.contains(part), "{json}: {error}");
        }
    }

    #[test]
    fn only_whole_folder_names_are_skipped() {
        let settings = Settings::default();
        assert!(settings.skips("target/debug/a.rs"));
        assert!(settings.skips("web/node_modules/x/a.py"));
        assert!(!settings.skips("targets/a.rs"));
        assert!(!settings.skips("src/target"));
        assert!(!settings.skips("a.py"));
    }

    #[test]
    fn the_manifests_schema_knows_these_keys_and_these_defaults() {
        let manifest: serde_json::Value = serde_json::from_str(include_str!("../plugin.json")).unwrap();
        let keys = manifest["settingsSchema"]["properties"].as_object().unwrap();
        let defaults: serde_json::Map<_, _> =
            keys.iter().map(|(key, part)| (key.clone(), part["default"].clone())).collect();
        let json = serde_json::Value::Object(defaults).to_string();
        assert_eq!(Settings::parse(&json).unwrap(), Settings::default());
        let debug = format!("{:?}", Settings::default());
        assert!(keys.keys().all(|key| debug.contains(&format!("{key}: "))));
        assert_eq!(debug.matches(": ").count(), keys.len(), "{debug}");
    }
}
