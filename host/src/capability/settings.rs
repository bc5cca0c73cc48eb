//! `orch:settings`: the plugin's settings from its binding.
//!
//! In -> out: the workspace's JSON object -> the same text in each call of a run.
//! Not here: reading and bounding it (`config/workspace.rs`).

use std::sync::Arc;

use orch_trust::interfaces::Import;
use orch_trust::permission::SettingsPermission;
use wasmtime::component::Linker;

use super::environment::HostEnvironment;
use super::shape::{Capability, HasView, Holds, Kept, Opening, View};
use super::trial::Watched;
use crate::bindings::settings::settings::{Host, add_to_linker};

/// State of this capability in one store.
pub struct Settings {
    json: Arc<str>,
}

impl Capability for Settings {
    type Permission = SettingsPermission;
    type Granted = ();

    fn grant(_permission: SettingsPermission, _host: &HostEnvironment) {}

    fn open(_granted: &(), opening: Opening<'_>) -> Self {
        Self { json: opening.lent.settings.clone() }
    }

    fn link<S: Holds<Self>>(linker: &mut Linker<S>, _import: Import<'_>) -> wasmtime::Result<()> {
        add_to_linker::<_, HasView<Self>>(linker, S::view)
    }

    fn keep(self, _kept: &mut Kept) {}

    fn beyond(_granted: Option<&SettingsPermission>, _watched: &Watched<'_>) -> Vec<String> {
        // Read from the binding and handed back: there is nothing beyond it.
        Vec::new()
    }
}

impl Host for View<'_, Settings> {
    async fn read(&mut self) -> wasmtime::Result<String> {
        Ok(match self.state.json.is_empty() {
            true => "{}".to_owned(),
            false => self.state.json.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use wasmtime::component::ResourceTable;

    use super::*;
    use crate::capability::bench::Bench;

    #[tokio::test]
    async fn none_set_reads_as_an_empty_object() {
        for (json, expected) in [("", "{}"), ("{\"a\":1}", "{\"a\":1}")] {
            let (mut table, mut ledger) = (ResourceTable::new(), Bench::new().ledger());
            let mut settings = Settings { json: json.into() };
            let mut view = View::of(&mut settings, &mut table, &mut ledger);
            assert_eq!(view.read().await.unwrap(), expected);
        }
    }
}
