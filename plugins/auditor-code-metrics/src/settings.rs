//! What the operator's binding says to this auditor.
//!
//! In -> out: a JSON object -> [`Settings`], with defaults for what it leaves out.
//! Invariant: unknown keys are refused, so that a misspelt one is seen.

use code_metrics::maintainability::Rank;
use serde::Deserialize;

use crate::revisions::REVISIONS_MAX;

/// The manifest's `tasks.add`: more tasks at once would be the plugin's fault.
pub const SUGGESTIONS_MAX: u32 = 100;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// A block above it is too complex.
    pub complexity_threshold: u32,
    /// A file of a worse rank is too hard to maintain.
    #[serde(deserialize_with = "rank")]
    pub maintainability_threshold: Rank,
    /// What got worse since the measurement before, or else the revision before, is more urgent, what got better less.
    pub use_wily: bool,
    /// With that: so many of the branch's last commits are looked at; 0..=[`REVISIONS_MAX`].
    pub revisions: u32,
    /// Globs of the files to measure when the host names none.
    pub paths: Vec<String>,
    /// Folder names whose content is passed over, at any depth.
    pub skip_folders: Vec<String>,
    /// Tasks asked for at once, the most urgent first; 1..=[`SUGGESTIONS_MAX`].
    pub limit: u32,
}

impl Default for Settings {
    fn default() -> Self {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Self {
            complexity_threshold: 15,
            maintainability_threshold: Rank::B,
            use_wily: false,
            revisions: 10,
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
        if settings.revisions > REVISIONS_MAX {
            return Err(format!(
                "settings: `revisions` is {}, expected 0..={REVISIONS_MAX}",
                settings.revisions
            ));
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

/// The index has three ranks.
fn rank<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Rank, D::Error> {
    let word = String::deserialize(deserializer)?;
    match word.as_str() {
        "A" => Ok(Rank::A),
        "B" => Ok(Rank::B),
        "C" => Ok(Rank::C),
        _ => Err(serde::de::Error::custom(format!(
            "maintainability_threshold is `{word}`, expected A, B or C"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_the_seeds_and_one_key_leaves_the_others() {
        let settings = Settings::parse("{}").unwrap();
        assert_eq!(settings, Settings::default());
        assert_eq!((settings.complexity_threshold, settings.use_wily), (15, false));
        let settings = Settings::parse(r#"{"maintainability_threshold": "A"}"#).unwrap();
        assert_eq!(settings, Settings { maintainability_threshold: Rank::A, ..Settings::default() });
    }

    #[test]
    fn wrong_settings_are_named() {
        for (json, part) in [
            (r#"{"complexity": 1}"#, "complexity"),
            (r#"{"limit": 0}"#, "`limit` is 0"),
            (r#"{"revisions": 51}"#, "`revisions` is 51, expected 0..=50"),
            (r#"{"maintainability_threshold": "D"}"#, "`D`, expected A, B or C"),
            ("", "settings:"),
        ] {
            assert!(Settings::parse(json).unwrap_err().contains(part), "{json}");
        }
    }

    #[test]
    fn folders_are_skipped_by_name_at_any_depth() {
        let settings = Settings::default();
        assert!(settings.skips("target/a.rs") && settings.skips("web/node_modules/x/a.py"));
        assert!(!settings.skips("targets/a.rs") && !settings.skips("src/target") && !settings.skips("a.py"));
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
