//! Providers of vectors.
//!
//! In -> out: [`AskVectors`] -> a vector for each text, or the provider's word why there is none.
//! Limits: those of an answer (`capability/embed/check.rs`).

use std::time::Duration;

use orch_journal::event::Writes;
use orch_trust::permission::DomainName;
use wasmtime::Store;

use super::{Carried, ProviderExport, ProviderPre, lacks, order_to_wit};
use crate::bindings::provider_embed::exports::orch::embed::provide as wire;
use crate::bindings::types::types::Failure;
use crate::capability::embed::{Answer, Target, Texts, check};
use crate::capability::llm::ChatError;
use crate::capability::provided::Order;
use crate::capability::tasks::AskedTask;
use crate::engine::CallError;
use crate::engine::store::CallState;
use crate::role::Ask;

/// Ask that model for vectors of texts, which are inside their limits.
#[derive(Clone, Debug)]
pub struct AskVectors {
    pub order: Order,
    pub texts: Texts,
}

impl Carried for Texts {
    type Ask = AskVectors;

    fn ask(self, order: Order) -> AskVectors {
        AskVectors { order, texts: self }
    }
}

impl Ask for AskVectors {
    const NAME: &'static str = "ask-vectors";
    type Of = ProviderExport;
    type Raw = Result<Answer, ChatError>;
    type Answer = Result<Answer, ChatError>;

    async fn ask(
        &self,
        pre: &ProviderPre,
        store: &mut Store<CallState>,
        wall: Duration,
    ) -> wasmtime::Result<Result<Self::Raw, Failure>> {
        let pre = pre.embed.as_ref().ok_or_else(|| lacks(DomainName::Embed))?;
        let order = order_to_wit(&self.order, wall);
        let Target { model, base_url, dimension } = self.texts.target.clone();
        let target = wire::Target { model, base_url, dimension: dimension.get() };
        let instance = pre.instantiate_async(&mut *store).await?;
        instance.orch_embed_provide().call_embed(store, &order, &target, &self.texts.request).await.map(Ok)
    }

    fn check(&self, raw: Self::Raw, state: &mut CallState) -> Result<Self::Answer, CallError> {
        match raw.as_ref().map(|answer| check::answer(&self.texts, answer)) {
            Ok(Err(why)) => Err(state.wrong_answer(why)),
            Ok(Ok(())) | Err(_) => Ok(raw),
        }
    }

    fn keep(_answer: &Self::Answer, _writes: &mut Writes) {}

    fn asked(_answer: &Self::Answer) -> Vec<AskedTask> {
        Vec::new()
    }
}
