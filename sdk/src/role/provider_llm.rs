//! Provider of models: answers what other plugins ask of them.
//!
//! In -> out: [`Order`], [`Target`], [`Request`](crate::llm::Request) -> [`Answer`], while it is written by [`show`].
//! Limits: a request is inside its own; temperature and tokens are filled in.
//! Invariant: a call is for one answer; that it may be asked, and what it may cost, the host has looked at before.

use std::marker::PhantomData;

use crate::bindings::capabilities::orch::llm::{deltas, shapes as wire};
use crate::bindings::provider_llm::exports::orch::llm::provide::Guest;
pub use crate::bindings::provider_llm::exports::orch::llm::provide::Target;
use crate::llm::{Answer, ChatError, Request};
use crate::role::provider_notify::Order;

/// A plugin that asks models.
pub trait LlmProvider {
    /// `target`: where the operator says that the model is.
    fn chat(order: Order, target: Target, request: Request) -> Result<Answer, ChatError>;
}

/// Shows a piece of the answer to who watches.
pub fn show(text: &str) {
    deltas::show(text);
}

#[doc(hidden)]
pub struct Exported<T>(PhantomData<T>);

impl<T: LlmProvider> Guest for Exported<T> {
    fn chat(order: Order, target: Target, request: wire::Request) -> Result<wire::Answer, wire::ChatError> {
        crate::panic::report();
        T::chat(order, target, request).map_err(ChatError::into_wit)
    }
}

#[doc(hidden)]
pub fn is_role<T: LlmProvider>() {}
