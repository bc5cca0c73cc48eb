//! What a task says to this executor besides its command.
//!
//! In -> out: the task's settings, a JSON object -> [`Settings`].
//! Invariant: keys of other executors are passed over; our own are refused when they are malformed.
//! Not here: the command (`invocation.rs`), retries and their number (the host's).

use serde::Deserialize;

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
