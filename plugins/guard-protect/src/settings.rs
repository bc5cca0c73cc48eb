//! What the operator's binding says to this guard.
//!
//! In -> out: a JSON object -> [`Settings`], with defaults for what it leaves out.
//! Invariant: unknown keys are refused, so that a misspelt one is seen.

use serde::Deserialize;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    pub protect: Vec<Rule>,
    /// Edits of more files are escalated.
    pub files_max: u32,
    /// Edits with more lines, added and removed together, are escalated.
    pub lines_max: u64,
}

/// What becomes of edits of these paths.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Globs relative to the workspace.
    pub paths: Vec<String>,
    pub then: Then,
    /// For people.
    #[serde(default)]
    pub why: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Then {
    Refuse,
    Escalate,
}

/// What decides what runs elsewhere, and who is asked.
const PATHS: [&str; 4] = [".github/**", ".gitlab-ci.yml", ".gitmodules", "**/CODEOWNERS"];

impl Default for Settings {
    fn default() -> Self {
        let paths = PATHS.map(str::to_owned).to_vec();
        let rule = Rule { paths, then: Then::Escalate, why: None };
        Self { protect: vec![rule], files_max: 100, lines_max: 2000 }
    }
}

impl Settings {
    /// Parses the settings.
    ///
    /// # Errors
    /// What is wrong with which key, for people.
    pub fn parse(json: &str) -> Result<Self, String> {
        let settings: Self = serde_json::from_str(json).map_err(|error| format!("settings: {error}"))?;
        match settings.protect.iter().any(|rule| rule.paths.iter().any(String::is_empty)) {
            true => Err("settings: `paths` of `protect` has an empty glob, which covers nothing".to_owned()),
            false => Ok(settings),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_and_single_keys() {
        assert_eq!(Settings::parse("{}").unwrap(), Settings::default());
        let settings = Settings::parse(r#"{"files_max": 9, "protect": []}"#).unwrap();
        assert_eq!(settings, Settings { protect: Vec::new(), files_max: 9, lines_max: 2000 });
    }

    #[test]
    fn wrong_settings_are_named() {
        for (json, part) in [
            (r#"{"files": 1}"#, "files"),
            (r#"{"protect": [{"paths": ["a"], "then": "allow"}]}"#, "allow"),
            (r#"{"protect": [{"paths": [""], "then": "refuse"}]}"#, "empty glob"),
            ("", "settings:"),
        ] {
            assert!(Settings::parse(json).unwrap_err().contains(part), "{json}");
        }
    }

    #[test]
    fn the_manifests_schema_knows_these_keys_and_these_defaults() {
        let manifest: serde_json::Value = serde_json::from_str(include_str!("../plugin.json")).unwrap();
        let keys = manifest["settingsSchema"]["properties"].as_object().unwrap();
        let defaults: serde_json::Map<_, _> =
            keys.iter().map(|(key, part)| (key.clone(), part["default"].clone())).collect();
        assert_eq!(defaults.len(), 3);
        let json = serde_json::Value::Object(defaults).to_string();
        assert_eq!(Settings::parse(&json).unwrap(), Settings::default());
    }
}
