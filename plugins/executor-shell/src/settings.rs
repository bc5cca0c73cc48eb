//! What a task says to this executor besides its command.
//!
//! In -> out: the task's settings, a JSON object -> [`Settings`].
//! Invariant: keys of other executors are passed over; our own are refused when they are malformed, and every key where
//! there is no command that it could be for.
//! Not here: the command (`invocation.rs`), retries and their number (the host's).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

/// Our keys of a task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Settings {
    /// Which failures another attempt may cure.
    #[serde(default)]
    pub retry_on: RetryOn,
    /// Folder to run in, relative to the workspace; empty is the workspace.
    #[serde(default)]
    pub directory: String,
}

/// `true`, `false`, or the exit codes after which another attempt makes sense.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum RetryOn {
    Always(bool),
    Codes(Vec<i32>),
}

impl Default for RetryOn {
    fn default() -> Self {
        Self::Always(false)
    }
}

impl RetryOn {
    /// True if a command that exited with `code` may be tried again.
    #[must_use]
    pub fn allows_code(&self, code: i32) -> bool {
        match self {
            Self::Always(always) => *always,
            Self::Codes(codes) => codes.contains(&code),
        }
    }

    /// True if a command that a signal or its time limit ended may be tried again.
    #[must_use]
    pub fn allows_everything(&self) -> bool {
        *self == Self::Always(true)
    }
}

impl Settings {
    /// Parses a task's settings; an empty text means none.
    ///
    /// # Errors
    /// What is wrong, for people.
    pub fn parse(json: &str) -> Result<Self, String> {
        if json.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_str(json).map_err(|error| {
            format!("settings of the task: {error}; `retry_on` is true, false or a list of exit codes")
        })
    }
}

/// Whether a task without a command may be done: one that waits for others has no keys for an executor. Any other has
/// its command under a key that nobody reads, or has lost it.
///
/// # Errors
/// Which keys it has, for people.
pub fn check_join(json: &str) -> Result<(), String> {
    const SHOWN_MAX: usize = 8;
    const LETTERS_MAX: usize = 64;
    let keys: BTreeMap<String, IgnoredAny> = match json {
        "" => BTreeMap::new(),
        json => serde_json::from_str(json).map_err(|error| format!("settings of the task: {error}"))?,
    };
    let shown = |key: &String| {
        let start: String = key.chars().take(LETTERS_MAX).collect();
        format!("`{}`", start.escape_debug())
    };
    let shown: Vec<String> = keys.keys().take(SHOWN_MAX).map(shown).collect();
    match shown.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "task has no `command`, and nothing ran: write one, or remove {} if it only waits for others",
            shown.join(", ")
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_without_a_command_may_only_join_others() {
        assert_eq!(check_join(""), Ok(()));
        assert_eq!(check_join("{}"), Ok(()));
        assert_eq!(
            check_join(r#"{"run": "make", "directory": "src"}"#).unwrap_err(),
            "task has no `command`, and nothing ran: write one, or remove `directory`, `run` if it only waits for others"
        );
        let many: Vec<String> = (0..100).map(|nth| format!(r#""k{nth}{}": 1"#, "x".repeat(600))).collect();
        assert!(check_join(&format!("{{{}}}", many.join(", "))).unwrap_err().len() < 1024);
        assert!(check_join("[1]").unwrap_err().starts_with("settings of the task: "));
        // Whatever the keys are and hold.
        for value in ["null", "0", "[]", "{}", r#""""#, "false"] {
            for key in ["", "cmd", "retry_on", "\\u001b", "Kommando"] {
                let said = check_join(&format!(r#"{{"{key}": {value}}}"#)).unwrap_err();
                assert!(said.starts_with("task has no `command`") && !said.contains('\u{1b}'), "{said}");
            }
        }
    }

    #[test]
    fn nothing_said_means_never_again() {
        for json in ["", "{}", r#"{"other": [1]}"#] {
            let retry_on = Settings::parse(json).unwrap().retry_on;
            assert!(!retry_on.allows_code(1) && !retry_on.allows_everything(), "{json}");
        }
    }

    #[test]
    fn codes_allow_themselves_only() {
        let retry_on = Settings::parse(r#"{"retry_on": [75, 1]}"#).unwrap().retry_on;
        assert!(retry_on.allows_code(75) && retry_on.allows_code(1));
        assert!(!retry_on.allows_code(2) && !retry_on.allows_everything());
    }

    #[test]
    fn true_allows_everything() {
        let retry_on = Settings::parse(r#"{"retry_on": true}"#).unwrap().retry_on;
        assert!(retry_on.allows_code(2) && retry_on.allows_everything());
    }

    #[test]
    fn malformed_settings_are_refused() {
        for json in [r#"{"retry_on": "yes"}"#, r#"{"retry_on": [1.5]}"#, r#"{"directory": 1}"#, "[1", "7"] {
            assert!(Settings::parse(json).unwrap_err().starts_with("settings of the task: "), "{json}");
        }
    }

    #[test]
    fn the_manifest_names_these_keys() {
        let manifest: serde_json::Value = serde_json::from_str(include_str!("../plugin.json")).unwrap();
        assert_eq!(manifest["taskKeys"], serde_json::json!(["directory", "retry_on"]));
        let schema = manifest["taskSchema"]["properties"].as_object().unwrap();
        assert_eq!(schema.keys().collect::<Vec<_>>(), ["directory", "retry_on"]);
        let debug = format!("{:?}", Settings::default());
        assert!(debug.contains(" directory: ") && debug.contains(" retry_on: "), "{debug}");
        assert_eq!(debug.matches(": ").count(), 2, "{debug}");
    }
}
