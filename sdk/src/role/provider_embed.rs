//! Provider of vectors: answers other plugins' texts with them.
//!
//! In -> out: [`Order`], [`VectorTarget`], [`Request`](crate::embed::Request) -> [`Answer`].
//! Limits: texts are inside their own; an answer has a vector of the target's dimension for each, or the host takes none of it.
//! Invariant: that it may be asked, and what it may cost, the host has looked at before.

use std::marker::PhantomData;

use crate::bindings::capabilities::orch::embed::shapes as wire;
use crate::bindings::capabilities::orch::llm::shapes::ChatError as WireError;
use crate::bindings::provider_embed::exports::orch::embed::provide::Guest;
pub use crate::bindings::provider_embed::exports::orch::embed::provide::Target as VectorTarget;
use crate::embed::{Answer, Request};
use crate::llm::ChatError;
use crate::role::provider_notify::Order;

/// A plugin that makes vectors of texts.
pub trait EmbedProvider {
    /// `target`: where the operator says that the model is, and how many numbers its vectors have.
    fn embed(order: Order, target: VectorTarget, request: Request) -> Result<Answer, ChatError>;
}

#[doc(hidden)]
pub struct Exported<T>(PhantomData<T>);

impl<T: EmbedProvider> Guest for Exported<T> {
    fn embed(order: Order, target: VectorTarget, request: wire::Request) -> Result<wire::Answer, WireError> {
        crate::panic::report();
        T::embed(order, target, request).map_err(ChatError::into_wit)
    }
}

#[doc(hidden)]
pub fn is_role<T: EmbedProvider>() {}
