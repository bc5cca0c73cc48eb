//! `orch:notify`: notices to people, which another plugin sends.
//!
//! In -> out: WIT calls -> [`Message`]s for the bound provider -> its receipts.
//! Limits: those of the WIT text, checked before the provider is asked.
//! Invariant: no provider is asked for a channel that is not granted, nor for one that the operator does not let it serve.
//! Not here: what a notice may be (`notify/message.rs`), asking it (`ask.rs`), its side (`role/provider/notify.rs`).

pub(crate) mod fake;
pub mod message;

use std::sync::Arc;

use orch_trust::interfaces::Import;
use orch_trust::permission::NotifyPermission;
use wasmtime::component::Linker;

use super::environment::HostEnvironment;
use super::lent::Lent;
use super::shape::{Capability, HasView, Holds, Kept, Opening, View};
use super::trial::Watched;
use crate::bindings::notify::notify::{Host, add_to_linker};
use crate::bindings::types::types::Error;

pub use message::{Message, Receipt, Severity};
pub(crate) use message::{RECEIPT_BYTES_MAX, check};

/// State of this capability in one store.
pub struct Notify {
    granted: Arc<NotifyPermission>,
    plugin: Arc<str>,
    lent: Lent,
}

impl Capability for Notify {
    type Permission = NotifyPermission;
    type Granted = Arc<NotifyPermission>;

    fn grant(permission: NotifyPermission, _host: &HostEnvironment) -> Arc<NotifyPermission> {
        Arc::new(permission)
    }

    fn open(granted: &Arc<NotifyPermission>, opening: Opening<'_>) -> Self {
        Self { granted: granted.clone(), plugin: opening.plugin.clone(), lent: opening.lent.clone() }
    }

    fn link<S: Holds<Self>>(linker: &mut Linker<S>, _import: Import<'_>) -> wasmtime::Result<()> {
        add_to_linker::<_, HasView<Self>>(linker, S::view)
    }

    fn keep(self, _kept: &mut Kept) {}

    fn beyond(granted: Option<&NotifyPermission>, watched: &Watched<'_>) -> Vec<String> {
        let allows = |channel: &str| granted.is_some_and(|granted| granted.allows(channel));
        let sent = watched.fakes.notify().sent();
        let beyond = sent.iter().filter(|(_, message)| !allows(&message.channel));
        beyond.map(|(_, message)| format!("a notice for `{}` was sent", message.channel)).collect()
    }
}

impl View<'_, Notify> {
    /// The question, if it may be asked.
    fn check(&mut self, message: &Message) -> Result<(), Error> {
        if !self.state.granted.allows(&message.channel) {
            let shown: String = message.channel.chars().take(64).collect();
            return Err(self.ledger.deny("notify", format!("channel `{shown}`")));
        }
        check(message).map_err(Error::Invalid)
    }
}

impl Host for View<'_, Notify> {
    async fn send(&mut self, message: Message) -> wasmtime::Result<Result<Receipt, Error>> {
        self.ledger.forget_reason();
        if let Err(error) = self.check(&message) {
            return Ok(Err(error));
        }
        let lent = self.state.lent.clone();
        let provider = match self.provider(lent.providers.notify.as_ref()) {
            Ok(provider) => provider,
            Err(error) => return Ok(Err(error)),
        };
        if !provider.provides().notify.as_ref().is_some_and(|may| may.allows(&message.channel)) {
            let why = format!("`{}` may not be asked for channel `{}`", provider.id(), message.channel);
            return Ok(Err(self.ledger.refuse(Error::NotFound, why)));
        }
        let plugin = self.state.plugin.clone();
        Ok(self.ask_provider(&plugin, &lent, &*provider, message).await?)
    }
}

#[cfg(test)]
mod tests;
