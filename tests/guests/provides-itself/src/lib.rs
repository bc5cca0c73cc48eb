//! Provides notices by asking for the same, so that it would ask itself: no host binds it.

use orch_sdk::{Failure, Message, NotifyProvider, Order, Receipt, notify};

pub struct ProvidesItself;

impl NotifyProvider for ProvidesItself {
    fn send(_order: Order, message: Message) -> Result<Receipt, Failure> {
        Ok(Receipt::new(notify::send(&message)?))
    }
}

orch_sdk::export!(provider_notify: ProvidesItself);
