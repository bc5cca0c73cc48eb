//! Providers of notices.
//!
//! In -> out: [`SendNotice`] -> [`Receipt`].
//! Limits: a receipt's name of 256 bytes without control characters.

use std::time::Duration;

use orch_journal::event::Writes;
use orch_trust::permission::DomainName;
use wasmtime::Store;

use super::{Carried, ProviderExport, ProviderPre, lacks, order_to_wit};
use crate::bindings::types::types::Failure;
use crate::capability::notify::{Message, RECEIPT_BYTES_MAX, Receipt};
use crate::capability::provided::Order;
use crate::capability::tasks::AskedTask;
use crate::engine::CallError;
use crate::engine::store::CallState;
use crate::role::Ask;

/// Deliver this notice, whose fields are inside their limits.
#[derive(Clone, Debug)]
pub struct SendNotice {
    pub order: Order,
    pub message: Message,
}

impl Carried for Message {
    type Ask = SendNotice;

    fn ask(self, order: Order) -> SendNotice {
        SendNotice { order, message: self }
    }
}

impl Ask for SendNotice {
    const NAME: &'static str = "send-notice";
    type Of = ProviderExport;
    type Raw = Receipt;
    type Answer = Receipt;

    async fn ask(
        &self,
        pre: &ProviderPre,
        store: &mut Store<CallState>,
        wall: Duration,
    ) -> wasmtime::Result<Result<Receipt, Failure>> {
        let pre = pre.notify.as_ref().ok_or_else(|| lacks(DomainName::Notify))?;
        let order = order_to_wit(&self.order, wall);
        let instance = pre.instantiate_async(&mut *store).await?;
        instance.orch_notify_provide().call_send(store, &order, &self.message).await
    }

    fn check(&self, receipt: Receipt, state: &mut CallState) -> Result<Receipt, CallError> {
        match receipt.id.len() <= RECEIPT_BYTES_MAX && !receipt.id.chars().any(char::is_control) {
            true => Ok(receipt),
            false => Err(state.wrong_answer(format!(
                "the name of a notice is not one line of at most {RECEIPT_BYTES_MAX} bytes"
            ))),
        }
    }

    fn keep(_answer: &Receipt, _writes: &mut Writes) {}

    fn asked(_answer: &Receipt) -> Vec<AskedTask> {
        Vec::new()
    }
}
