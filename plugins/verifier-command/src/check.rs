//! The commands that this verifier runs.
//!
//! In -> out: the plugin's settings, a JSON object -> [`Settings`].
//! Invariant: there is at least one check, names differ, every command names a program; unknown keys are refused.
//! Not here: running them (`lib.rs`), what they write means (`format.rs`).

use serde::Deserialize;

use crate::format::Format;
use crate::parsed::Severity;
use crate::places::joined;

pub const CHECKS_MAX: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// In the order in which they run.
    pub checks: Vec<Check>,
}

/// One command and how to read what it prints.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// Said in every finding.
    pub name: String,
    pub category: Category,
    /// Program and arguments; no shell reads them.
    pub command: Vec<String>,
    #[serde(default)]
    pub format: Format,
    /// Files that the command writes, in `directory`: a path or a glob. What they say is read in place of standard
    /// output.
    #[serde(default)]
    pub report: Option<String>,
    /// For everything that the tool found; unset: what it says, else what the category says.
    #[serde(default)]
    pub severity: Option<Severity>,
    /// Folder to run in, relative to the workspace.
    #[serde(default)]
    pub directory: String,
    /// Put before relative paths of the output; unset: `directory`.
    #[serde(default)]
    pub prefix: Option<String>,
    /// For the whole command, in milliseconds; 0: what is left of the call.
    #[serde(default)]
    pub timeout_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Category {
    Build,
    Test,
    Lint,
    Security,
    Custom,
}

impl Settings {
    /// Parses the settings.
    ///
    /// # Errors
    /// What is wrong with which check, for people.
    pub fn parse(json: &str) -> Result<Self, String> {
        let settings: Self = serde_json::from_str(json).map_err(|error| format!("settings: {error}"))?;
        if settings.checks.is_empty() || settings.checks.len() > CHECKS_MAX {
            return Err(format!("settings: {} checks, expected 1..={CHECKS_MAX}", settings.checks.len()));
        }
        for (index, check) in settings.checks.iter().enumerate() {
            if check.command.first().is_none_or(String::is_empty) {
                return Err(format!("settings: check `{}` names no program", check.name));
            }
            if check.report.is_some() && (check.format == Format::Plain || check.report_glob().is_none()) {
                return Err(format!("settings: check `{}` has a report that cannot be read", check.name));
            }
            if settings.checks.iter().take(index).any(|earlier| earlier.name == check.name) {
                return Err(format!("settings: two checks are named `{}`", check.name));
            }
        }
        Ok(settings)
    }
}

impl Check {
    /// Where relative paths of the output lie.
    #[must_use]
    pub fn path_prefix(&self) -> &str {
        self.prefix.as_deref().unwrap_or(&self.directory)
    }

    /// The reports, relative to the workspace; none: there are none, or they lie outside.
    #[must_use]
    pub fn report_glob(&self) -> Option<String> {
        joined(&self.directory, self.report.as_deref().filter(|report| !report.starts_with('/'))?)
    }

    /// Severity of a finding whose output does not say one.
    #[must_use]
    pub fn default_severity(&self) -> Severity {
        match self.category {
            Category::Build | Category::Test | Category::Security => Severity::Major,
            Category::Lint | Category::Custom => Severity::Medium,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_needs_name_category_and_command() {
        let json = r#"{"checks": [{"name": "unit", "category": "test", "command": ["python3", "-m", "unittest"],
                       "format": "unittest"}]}"#;
        let settings = Settings::parse(json).unwrap();
        assert_eq!(settings.checks[0].format, Format::Unittest);
        assert_eq!(settings.checks[0].severity, None);
        assert_eq!(settings.checks[0].default_severity(), Severity::Major);
    }

    #[test]
    fn every_format_and_severity_has_its_word() {
        for (word, format) in [
            ("bandit", Format::Bandit),
            ("cargo-audit", Format::CargoAudit),
            ("cargo-check", Format::CargoCheck),
            ("cargo-clippy", Format::CargoClippy),
            ("cargo-test", Format::CargoTest),
            ("eslint", Format::Eslint),
            ("go-test", Format::GoTest),
            ("junit", Format::Junit),
            ("mypy", Format::Mypy),
            ("path-line-col", Format::PathLineCol),
            ("plain", Format::Plain),
            ("pylint", Format::Pylint),
            ("pytest", Format::Pytest),
            ("ruff", Format::Ruff),
            ("rustc-json", Format::RustcJson),
            ("sarif", Format::Sarif),
            ("tsc", Format::Tsc),
            ("unittest", Format::Unittest),
        ] {
            let json = format!(
                r#"{{"checks": [{{"name": "a", "category": "lint", "command": ["a"], "format": "{word}", "severity": "minor"}}]}}"#
            );
            let check = Settings::parse(&json).unwrap().checks.remove(0);
            assert_eq!((check.format, check.severity), (format, Some(Severity::Minor)), "{word}");
        }
    }

    #[test]
    fn wrong_settings_are_named() {
        for (json, part) in [
            ("{}", "checks"),
            (r#"{"checks": []}"#, "0 checks"),
            (
                r#"{"checks": [{"name": "a", "category": "test", "command": []}]}"#,
                "check `a` names no program",
            ),
            (r#"{"checks": [{"name": "a", "category": "speed", "command": ["x"]}]}"#, "speed"),
            (r#"{"checks": [{"name": "a", "category": "test", "comand": ["x"]}]}"#, "comand"),
            (
                r#"{"checks": [{"name": "a", "category": "test", "command": ["x"], "report": "r.xml"}]}"#,
                "cannot be read",
            ),
            (
                r#"{"checks": [{"name": "a", "category": "test", "command": ["x"], "format": "junit", "report": "../r.xml"}]}"#,
                "cannot be read",
            ),
            (
                r#"{"checks": [{"name": "a", "category": "test", "command": ["x"]},
                              {"name": "a", "category": "lint", "command": ["y"]}]}"#,
                "two checks are named `a`",
            ),
        ] {
            let error = Settings::parse(json).unwrap_err();
            assert!(error.contains(part), "{json}: {error}");
        }
    }

    #[test]
    fn paths_lie_in_the_directory_unless_said_otherwise() {
        let parse = |more: &str| {
            let json =
                format!(r#"{{"checks": [{{"name": "a", "category": "test", "command": ["x"]{more}}}]}}"#);
            Settings::parse(&json).unwrap().checks.remove(0)
        };
        assert_eq!(parse("").path_prefix(), "");
        assert_eq!(parse(r#", "directory": "web""#).path_prefix(), "web");
        let reports =
            parse(r#", "directory": "web", "format": "junit", "report": "./out/*.xml""#).report_glob();
        assert_eq!(reports.as_deref(), Some("web/out/*.xml"));
        assert_eq!(parse(r#", "directory": "web", "prefix": "web/tests""#).path_prefix(), "web/tests");
    }

    #[test]
    fn the_manifests_schema_knows_these_keys_and_words() {
        let manifest: serde_json::Value = serde_json::from_str(include_str!("../plugin.json")).unwrap();
        let keys = &manifest["settingsSchema"]["properties"]["checks"]["items"]["properties"];
        let written = serde_json::json!({ "name": "a", "command": ["x"], "category": "lint" });
        let parse = |key: &str, value: &serde_json::Value| {
            let mut check = written.clone();
            check[key] = value.clone();
            Settings::parse(&serde_json::json!({ "checks": [check] }).to_string())
        };
        for (key, part) in keys.as_object().unwrap() {
            let words = part["enum"].as_array().into_iter().flatten();
            let others = (part.get("enum").is_none()).then(|| match part["type"].as_str() {
                Some("integer") => 1.into(),
                Some("array") => serde_json::json!(["x"]),
                _ => "x".into(),
            });
            // A report needs a format that reads it.
            for value in words.chain(others.as_ref()).filter(|_| key != "report") {
                assert!(parse(key, value).is_ok(), "{key}: {value}");
            }
            if let Some(default) = part.get("default") {
                assert_eq!(
                    parse(key, default).unwrap(),
                    Settings::parse(&serde_json::json!({ "checks": [written] }).to_string()).unwrap()
                );
            }
        }
        let debug = format!("{:?}", parse("name", &"a".into()).unwrap().checks[0]);
        assert_eq!(debug.matches(": ").count(), keys.as_object().unwrap().len(), "{debug}");
        let unknown = Settings::parse(&serde_json::json!({ "checks": [{ "name": "a", "command": ["x"], "category": "lint", "format": "?" }] }).to_string());
        let words = keys["format"]["enum"].as_array().unwrap();
        assert_eq!(
            unknown.unwrap_err().matches('`').count(),
            2 * (words.len() + 1),
            "serde names each format"
        );
    }
}
