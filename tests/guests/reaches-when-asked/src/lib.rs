//! Provides notices: reaches for values and hosts, and calls the notice by what it reached. Ends as: delivered.

use orch_sdk::{Failure, Message, NotifyProvider, Order, Receipt};

mod reach;

pub struct ReachesWhenAsked;

impl NotifyProvider for ReachesWhenAsked {
    fn send(_order: Order, _message: Message) -> Result<Receipt, Failure> {
        Ok(Receipt::new(reach::reach()))
    }
}

orch_sdk::export!(provider_notify: ReachesWhenAsked);
