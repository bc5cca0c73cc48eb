//! Provider of notices: delivers what other plugins, and the host itself, have to say to people.
//!
//! In -> out: [`Order`], [`Message`] -> [`Receipt`].
//! Invariant: the same `key` again is the same notice, and is not delivered twice.

use std::marker::PhantomData;

use crate::Failure;
use crate::bindings::capabilities::orch::types::types as wire;
use crate::bindings::provider_notify::exports::orch::notify::provide::Guest;
pub use crate::notify::{Message, Receipt};
pub use wire::Order;

/// A plugin that delivers notices.
pub trait NotifyProvider {
    /// `message`: inside its limits; who asks may use its channel.
    fn send(order: Order, message: Message) -> Result<Receipt, Failure>;
}

impl Receipt {
    /// Delivered, by that name or by none.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into() }
    }
}

#[doc(hidden)]
pub struct Exported<T>(PhantomData<T>);

impl<T: NotifyProvider> Guest for Exported<T> {
    fn send(order: Order, message: Message) -> Result<Receipt, wire::Failure> {
        crate::panic::report();
        T::send(order, message).map_err(Failure::into_wit)
    }
}

#[doc(hidden)]
pub fn is_role<T: NotifyProvider>() {}
