//! Provider of passages: finds for other plugins what says something to a question.
//!
//! In -> out: [`Order`], [`Query`] -> [`Passage`]s, the best first.
//! Limits: a query is inside its own; an answer has no more passages than it asks for, and none outside of its paths and languages.

use std::marker::PhantomData;

use crate::Failure;
use crate::bindings::capabilities::orch::types::types as wire;
use crate::bindings::provider_retrieve::exports::orch::retrieve::provide::Guest;
use crate::retrieve::{Passage, Query};
use crate::role::provider_notify::Order;

/// A plugin that finds passages.
pub trait RetrieveProvider {
    fn find(order: Order, query: Query) -> Result<Vec<Passage>, Failure>;
}

#[doc(hidden)]
pub struct Exported<T>(PhantomData<T>);

impl<T: RetrieveProvider> Guest for Exported<T> {
    fn find(order: Order, query: Query) -> Result<Vec<Passage>, wire::Failure> {
        crate::panic::report();
        T::find(order, query).map_err(Failure::into_wit)
    }
}

#[doc(hidden)]
pub fn is_role<T: RetrieveProvider>() {}
