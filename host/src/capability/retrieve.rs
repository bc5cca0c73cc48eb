//! `orch:retrieve`: passages that say something to a question, which another plugin finds.
//!
//! In -> out: WIT calls -> [`Query`]s for the bound provider -> its passages.
//! Limits: those of the WIT text, checked before the provider is asked.
//! Invariant: no provider is asked for a collection that is not granted, nor for one that the operator does not let it serve; an
//! answer has no more passages than were asked for, and none outside of the paths that were.
//! Not here: asking (`ask.rs`), the provider's side (`role/provider/retrieve.rs`).

pub(crate) mod check;
pub(crate) mod fake;
pub mod query;

use std::sync::Arc;

use orch_trust::interfaces::Import;
use orch_trust::permission::RetrievePermission;
use wasmtime::component::Linker;

pub use self::query::{Passage, Query, Way};
use super::environment::HostEnvironment;
use super::lent::Lent;
use super::shape::{Capability, HasView, Holds, Kept, Opening, View};
use super::trial::Watched;
use crate::bindings::retrieve::retrieve::{Host, add_to_linker};
use crate::bindings::retrieve::shapes;
use crate::bindings::types::types::Error;

const NAME_SHOWN_MAX: usize = 64;

/// State of this capability in one store.
pub struct Retrieve {
    granted: Arc<RetrievePermission>,
    plugin: Arc<str>,
    lent: Lent,
}

impl Capability for Retrieve {
    type Permission = RetrievePermission;
    type Granted = Arc<RetrievePermission>;

    fn grant(permission: RetrievePermission, _host: &HostEnvironment) -> Arc<RetrievePermission> {
        Arc::new(permission)
    }

    fn open(granted: &Arc<RetrievePermission>, opening: Opening<'_>) -> Self {
        Self { granted: granted.clone(), plugin: opening.plugin.clone(), lent: opening.lent.clone() }
    }

    fn link<S: Holds<Self>>(linker: &mut Linker<S>, _import: Import<'_>) -> wasmtime::Result<()> {
        add_to_linker::<_, HasView<Self>>(linker, S::view)
    }

    fn keep(self, _kept: &mut Kept) {}

    fn beyond(granted: Option<&RetrievePermission>, watched: &Watched<'_>) -> Vec<String> {
        let allows = |collection: &str| granted.is_some_and(|granted| granted.allows(collection));
        let asked = watched.fakes.retrieve().asked();
        let beyond = asked.iter().filter(|(_, query)| !allows(&query.collection));
        beyond.map(|(_, query)| format!("the collection `{}` was searched", query.collection)).collect()
    }
}

impl Host for View<'_, Retrieve> {
    async fn find(&mut self, query: Query) -> wasmtime::Result<Result<Vec<Passage>, Error>> {
        self.ledger.forget_reason();
        if !self.state.granted.allows(&query.collection) {
            let shown: String = query.collection.chars().take(NAME_SHOWN_MAX).collect();
            return Ok(Err(self.ledger.deny("retrieve", format!("collection `{shown}`"))));
        }
        if let Err(why) = check::query(&query) {
            return Ok(Err(Error::Invalid(why)));
        }
        let lent = self.state.lent.clone();
        let provider = match self.provider(lent.providers.retrieve.as_ref()) {
            Ok(provider) => provider,
            Err(error) => return Ok(Err(error)),
        };
        if !provider.provides().retrieve.as_ref().is_some_and(|may| may.allows(&query.collection)) {
            let why = format!("`{}` may not search the collection `{}`", provider.id(), query.collection);
            return Ok(Err(self.ledger.refuse(Error::Unavailable, why)));
        }
        let plugin = self.state.plugin.clone();
        Ok(self.ask_provider(&plugin, &lent, &*provider, query).await?)
    }
}

impl shapes::Host for View<'_, Retrieve> {}

#[cfg(test)]
mod tests;
