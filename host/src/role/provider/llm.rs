//! Providers of models.
//!
//! In -> out: [`AskModel`] -> an answer, or the provider's word why there is none.
//! Limits: those of an answer (`capability/llm/check.rs`).

use std::time::Duration;

use orch_journal::event::Writes;
use orch_trust::permission::DomainName;
use wasmtime::Store;

use super::{Carried, ProviderExport, ProviderPre, lacks, order_to_wit};
use crate::bindings::provider_llm::exports::orch::llm::provide as wire;
use crate::bindings::types::types::Failure;
use crate::capability::llm::{Answer, Chat, ChatError, Target, check};
use crate::capability::provided::Order;
use crate::capability::tasks::AskedTask;
use crate::engine::CallError;
use crate::engine::store::CallState;
use crate::role::Ask;

/// Ask that model; the request is inside its limits.
#[derive(Clone, Debug)]
pub struct AskModel {
    pub order: Order,
    pub chat: Chat,
}

impl Carried for Chat {
    type Ask = AskModel;

    fn ask(self, order: Order) -> AskModel {
        AskModel { order, chat: self }
    }
}

impl Ask for AskModel {
    const NAME: &'static str = "ask-model";
    type Of = ProviderExport;
    type Raw = Result<Answer, ChatError>;
    type Answer = Result<Answer, ChatError>;

    async fn ask(
        &self,
        pre: &ProviderPre,
        store: &mut Store<CallState>,
        wall: Duration,
    ) -> wasmtime::Result<Result<Self::Raw, Failure>> {
        let pre = pre.llm.as_ref().ok_or_else(|| lacks(DomainName::Llm))?;
        let order = order_to_wit(&self.order, wall);
        let Target { model, base_url } = self.chat.target.clone();
        let target = wire::Target { model, base_url };
        let instance = pre.instantiate_async(&mut *store).await?;
        instance.orch_llm_provide().call_chat(store, &order, &target, &self.chat.request).await.map(Ok)
    }

    fn check(&self, raw: Self::Raw, state: &mut CallState) -> Result<Self::Answer, CallError> {
        match raw.as_ref().map(check::answer) {
            Ok(Err(why)) => Err(state.wrong_answer(why)),
            Ok(Ok(())) | Err(_) => Ok(raw),
        }
    }

    fn keep(_answer: &Self::Answer, _writes: &mut Writes) {}

    fn asked(_answer: &Self::Answer) -> Vec<AskedTask> {
        Vec::new()
    }
}
