//! `orch:settings`: the plugin's settings from its binding.
//!
//! In -> out: the workspace's JSON object -> the same text in each call of a run.
//! Not here: reading and bounding it (`config/workspace.rs`).

use std::sync::Arc;

use wasmtime::component::HasData;

use crate::bindings::settings::settings::Host;

/// State of this capability in one store.
pub struct Settings {
    json: Arc<str>,
}

impl Settings {
    pub fn new(json: Arc<str>) -> Self {
        Self { json }
    }
}

pub struct SettingsView<'a> {
    pub settings: &'a mut Settings,
}

pub struct HasSettings;

impl HasData for HasSettings {
    type Data<'a> = SettingsView<'a>;
}

impl Host for SettingsView<'_> {
    async fn read(&mut self) -> wasmtime::Result<String> {
        Ok(match self.settings.json.is_empty() {
            true => "{}".to_owned(),
            false => self.settings.json.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn none_set_reads_as_an_empty_object() {
        for (json, expected) in [("", "{}"), ("{\"a\":1}", "{\"a\":1}")] {
            let mut settings = Settings::new(json.into());
            assert_eq!(SettingsView { settings: &mut settings }.read().await.unwrap(), expected);
        }
    }
}
