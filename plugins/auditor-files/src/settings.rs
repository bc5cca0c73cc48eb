//! What the operator's binding says to this auditor.
//!
//! In -> out: a JSON object -> [`Settings`], with defaults for what it leaves out.
//! Invariant: unknown keys are refused, so that a misspelt one is seen.

use serde::Deserialize;

/// The manifest's `tasks.add`: more tasks at once would be the plugin's fault.
pub const SUGGESTIONS_MAX: u32 = 100;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Globs of the files to measure when the host names none.
    pub paths: Vec<String>,
    /// A file with more lines is suggested for splitting.
    pub lines_max: u64,
    /// Tasks asked for at once, the longest files first; 1..=[`SUGGESTIONS_MAX`].
    pub limit: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { paths: vec!["**/*.py".to_owned(), "**/*.rs".to_owned()], lines_max: 500, limit: 20 }
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_and_single_keys() {
        assert_eq!(Settings::parse("{}").unwrap(), Settings::default());
        let settings = Settings::parse(r#"{"lines_max": 9, "paths": ["*.c"]}"#).unwrap();
        assert_eq!(settings, Settings { lines_max: 9, paths: vec!["*.c".to_owned()], limit: 20 });
    }

    #[test]
    fn wrong_settings_are_named() {
        for (json, part) in
            [(r#"{"lines": 1}"#, "lines"), (r#"{"limit": 0}"#, "`limit` is 0"), ("", "settings:")]
        {
            assert!(Settings::parse(json).unwrap_err().contains(part), "{json}");
        }
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
