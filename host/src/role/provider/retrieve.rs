//! Providers of passages.
//!
//! In -> out: [`FindPassages`] -> passages, the best first.
//! Limits: those of an answer (`capability/retrieve/check.rs`).

use std::time::Duration;

use orch_journal::event::Writes;
use orch_trust::permission::DomainName;
use wasmtime::Store;

use super::{Carried, ProviderExport, ProviderPre, lacks, order_to_wit};
use crate::bindings::types::types::Failure;
use crate::capability::provided::Order;
use crate::capability::retrieve::{Passage, Query, check};
use crate::capability::tasks::AskedTask;
use crate::engine::CallError;
use crate::engine::store::CallState;
use crate::role::Ask;

/// Find what says something to that, which is inside its limits.
#[derive(Clone, Debug)]
pub struct FindPassages {
    pub order: Order,
    pub query: Query,
}

impl Carried for Query {
    type Ask = FindPassages;

    fn ask(self, order: Order) -> FindPassages {
        FindPassages { order, query: self }
    }
}

impl Ask for FindPassages {
    const NAME: &'static str = "find-passages";
    type Of = ProviderExport;
    type Raw = Vec<Passage>;
    type Answer = Vec<Passage>;

    async fn ask(
        &self,
        pre: &ProviderPre,
        store: &mut Store<CallState>,
        wall: Duration,
    ) -> wasmtime::Result<Result<Vec<Passage>, Failure>> {
        let pre = pre.retrieve.as_ref().ok_or_else(|| lacks(DomainName::Retrieve))?;
        let order = order_to_wit(&self.order, wall);
        let instance = pre.instantiate_async(&mut *store).await?;
        instance.orch_retrieve_provide().call_find(store, &order, &self.query).await
    }

    fn check(&self, found: Vec<Passage>, state: &mut CallState) -> Result<Vec<Passage>, CallError> {
        match check::answer(&self.query, &found) {
            Ok(()) => Ok(found),
            Err(why) => Err(state.wrong_answer(why)),
        }
    }

    fn keep(_answer: &Vec<Passage>, _writes: &mut Writes) {}

    fn asked(_answer: &Vec<Passage>) -> Vec<AskedTask> {
        Vec::new()
    }
}
