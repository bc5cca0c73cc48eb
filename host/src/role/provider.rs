//! Providers: what plugins answer for others, and for the host itself.
//!
//! In -> out: an [`Order`] with a question -> the answer.
//! Invariant: of the interfaces that there are, one that a component exports has its form.
//! Not here: who may ask (`capability/provided.rs`), how it is called meanwhile (`drive/providers.rs`), each interface
//! (a file beside this one).

mod embed;
mod llm;
mod notify;
mod retrieve;

use orch_trust::interfaces::provided_by;
use orch_trust::manifest::Role;
use orch_trust::permission::DomainName;
use wasmtime::component::InstancePre;

use super::{Ask, Export, Exported, Form};
use crate::bindings::provider_embed::ProviderEmbedPre;
use crate::bindings::provider_llm::ProviderLlmPre;
use crate::bindings::provider_notify::ProviderNotifyPre;
use crate::bindings::provider_retrieve::ProviderRetrievePre;
use crate::bindings::types::types as wire;
use crate::capability::provided::{Order, Provided};
use crate::engine::store::CallState;

pub use embed::AskVectors;
pub use llm::AskModel;
pub use notify::SendNotice;
pub use retrieve::FindPassages;

/// The role's export: one interface or several.
pub struct ProviderExport;

/// Where the functions are of each interface that the component exports.
pub struct ProviderPre {
    notify: Option<ProviderNotifyPre<CallState>>,
    llm: Option<ProviderLlmPre<CallState>>,
    embed: Option<ProviderEmbedPre<CallState>>,
    retrieve: Option<ProviderRetrievePre<CallState>>,
}

impl Export for ProviderExport {
    const ROLE: Role = Role::Provider;
    const FORM: Form = Form::Beside { name: "providers", by: "interface" };
    type Pre = ProviderPre;

    fn pre(pre: InstancePre<CallState>) -> wasmtime::Result<ProviderPre> {
        let component = pre.component().clone();
        let seen = component.component_type();
        let provided: Vec<DomainName> =
            seen.exports(component.engine()).filter_map(|(name, _)| provided_by(name)).collect();
        if provided.is_empty() {
            return Err(wasmtime::Error::msg("it exports nothing that plugins provide"));
        }
        let has = |domain| provided.contains(&domain);
        Ok(ProviderPre {
            notify: has(DomainName::Notify).then(|| ProviderNotifyPre::new(pre.clone())).transpose()?,
            llm: has(DomainName::Llm).then(|| ProviderLlmPre::new(pre.clone())).transpose()?,
            embed: has(DomainName::Embed).then(|| ProviderEmbedPre::new(pre.clone())).transpose()?,
            retrieve: has(DomainName::Retrieve).then(|| ProviderRetrievePre::new(pre)).transpose()?,
        })
    }
}

/// A linked provider.
pub type Provider<E> = Exported<ProviderExport, E>;

/// What a capability asks, as the role's export is asked it.
pub(crate) trait Carried: Provided {
    type Ask: Ask<Of = ProviderExport, Answer = Self::Answer> + 'static;

    fn ask(self, order: Order) -> Self::Ask;
}

/// The error of a question for an interface that the plugin does not export.
fn lacks(domain: DomainName) -> wasmtime::Error {
    wasmtime::Error::msg(format!("it does not provide `{}`", domain.as_str()))
}

fn order_to_wit(order: &Order, wall: std::time::Duration) -> wire::Order {
    wire::Order {
        consumer: order.consumer.clone(),
        key: order.key.clone(),
        run: order.run.to_string(),
        workspace: order.workspace.to_string(),
        wall_ms: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX),
    }
}
