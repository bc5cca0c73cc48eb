//! The plugin's settings, from its binding in the workspace's `config.yaml`.
//!
//! Permission: `settings`. At most 64 KiB, the same for a whole run. With a `settingsSchema` in the manifest they are what
//! it takes, its defaults filled in.

use crate::host::settings;

/// A JSON object; `{}` when none are set and the schema has no defaults.
pub fn read() -> String {
    settings::read()
}

/// The settings as a type of the plugin's own. Needs the feature `json`.
///
/// # Errors
/// When they are not what the type says; the message names the place.
#[cfg(feature = "json")]
pub fn parse<T: serde::de::DeserializeOwned>() -> Result<T, crate::Failure> {
    parse_text(&read())
}

/// Like [`parse`], from a text: a task's own settings, or a test's.
///
/// # Errors
/// When it is not what the type says; the message names the place.
#[cfg(feature = "json")]
pub fn parse_text<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, crate::Failure> {
    serde_json::from_str(text).map_err(|error| crate::Failure::new(format!("settings are wrong: {error}")))
}
