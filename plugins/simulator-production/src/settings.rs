//! What `tasks.yml` says of a simulation.
//!
//! In -> out: the task's keys as JSON -> [`Settings`].
//! Limits: names of snapshots are 1..=64 of `[A-Za-z0-9_-]`.
//! Invariant: unknown keys are refused.

use serde::Deserialize;

const NAME_BYTES_MAX: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Path of the model.
    pub model: String,
    /// Path of the trace; none: no request comes.
    pub trace: Option<String>,
    #[serde(default = "one")]
    pub seed: u64,
    /// Where simulated time stops.
    pub until_us: Option<u64>,
    /// Name under which the state is kept.
    pub snapshot: Option<String>,
    /// Name of the state to go on from.
    pub restore: Option<String>,
}

fn one() -> u64 {
    1
}

impl Settings {
    /// Parses the task's keys.
    ///
    /// # Errors
    /// What is wrong with which key, for people.
    pub fn parse(json: &str) -> Result<Self, String> {
        let settings: Self =
            serde_json::from_str(json).map_err(|error| format!("the task's keys: {error}"))?;
        for (key, name) in [("snapshot", &settings.snapshot), ("restore", &settings.restore)] {
            let fits = |name: &String| {
                (1..=NAME_BYTES_MAX).contains(&name.len())
                    && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
            };
            if name.as_ref().is_some_and(|name| !fits(name)) {
                return Err(format!("`{key}` is not 1 to {NAME_BYTES_MAX} of `[A-Za-z0-9_-]`"));
            }
        }
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_and_wrong_ones_named() {
        let settings = Settings::parse(r#"{"model": "m.json", "until_us": 5, "restore": "day-1"}"#).unwrap();
        assert_eq!(
            (settings.seed, settings.until_us, settings.restore.as_deref()),
            (1, Some(5), Some("day-1"))
        );
        for (json, part) in [
            ("{}", "missing field `model`"),
            (r#"{"model": "m", "speed": 1}"#, "unknown field `speed`"),
            (r#"{"model": "m", "snapshot": "a/b"}"#, "`snapshot` is not 1 to 64"),
            (r#"{"model": "m", "seed": -1}"#, "the task's keys:"),
        ] {
            assert!(Settings::parse(json).unwrap_err().contains(part), "{json}");
        }
    }
}
