//! `orch:notify`: notices to people, which another plugin sends.
//!
//! In -> out: WIT calls -> [`Message`]s for the bound provider -> its receipts.
//! Limits: those of the WIT text, checked before the provider is asked.
//! Invariant: no provider is asked for a channel that is not granted, nor for one that the operator does not let it serve.
//! Not here: asking it (`provided.rs`), its side (`role/provider/notify.rs`).

pub(crate) mod fake;

use std::sync::Arc;

use orch_trust::interfaces::Import;
use orch_trust::permission::{DomainName, NotifyPermission};
use wasmtime::component::Linker;

use super::lent::Lent;
use super::provided::Provided;
use super::shape::{Capability, HasView, Holds, HostEnvironment, Kept, Opening, View};
use super::trial::Watched;
use crate::bindings::notify::notify::{Host, add_to_linker};
use crate::bindings::notify::shapes;
use crate::bindings::types::types::Error;

const TITLE_BYTES_MAX: usize = 256;
const TEXT_BYTES_MAX: usize = 16 << 10;
const LINK_BYTES_MAX: usize = 2048;
pub(crate) const RECEIPT_BYTES_MAX: usize = 256;

pub use shapes::{Message, Receipt, Severity};

impl Provided for Message {
    const DOMAIN: DomainName = DomainName::Notify;
    type Answer = Receipt;

    fn subject(&self) -> &str {
        &self.channel
    }
}

/// Succeeds if every field is inside its limits.
pub(crate) fn check(message: &Message) -> Result<(), String> {
    let Message { channel: _, title, text, severity: _, link } = message;
    if !(1..=TITLE_BYTES_MAX).contains(&title.len()) || title.chars().any(char::is_control) {
        return Err(format!("title is not one line of 1 to {TITLE_BYTES_MAX} bytes"));
    }
    if text.len() > TEXT_BYTES_MAX {
        return Err(format!("text of {} bytes, limit is {TEXT_BYTES_MAX}", text.len()));
    }
    if text.chars().any(|one| one.is_control() && !matches!(one, '\n' | '\r' | '\t')) {
        return Err("text has control characters besides line ends and tabs".to_owned());
    }
    let is_address = |link: &String| {
        let rest = link.strip_prefix("https://").or_else(|| link.strip_prefix("http://"));
        rest.is_some_and(|rest| !rest.is_empty())
            && link.len() <= LINK_BYTES_MAX
            && link.bytes().all(|byte| byte.is_ascii_graphic())
    };
    match link {
        Some(link) if !is_address(link) => {
            Err(format!("link is no `http` or `https` address of at most {LINK_BYTES_MAX} bytes"))
        }
        _ => Ok(()),
    }
}

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
        let provider = match self.provider(&lent.providers.notify) {
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
