//! Reflector: looks at the workspace once before the loop and asks for tasks.
//!
//! In -> out: [`Cycle`] -> new tasks, at most `tasks.add` of the grant.
//! Invariant: repeatable; after a crash the host calls it again.

use std::marker::PhantomData;

use crate::bindings::capabilities::orch::types::types as wire;
pub use crate::bindings::reflector::exports::orch::reflector::reflector::Cycle;
use crate::bindings::reflector::exports::orch::reflector::reflector::Guest;
use crate::{Failure, NewTask};

/// A plugin that asks for tasks before the loop.
pub trait Reflector {
    /// Tasks of granted kinds. Give them ids of their own, so that asking twice adds them once.
    fn reflect(cycle: Cycle) -> Result<Vec<NewTask>, Failure>;
}

#[doc(hidden)]
pub struct Exported<T>(PhantomData<T>);

impl<T: Reflector> Guest for Exported<T> {
    fn reflect(cycle: Cycle) -> Result<Vec<NewTask>, wire::Failure> {
        crate::panic::report();
        T::reflect(cycle).map_err(Failure::into_wit)
    }
}

#[doc(hidden)]
pub fn is_role<T: Reflector>() {}
