//! Verifier: checks the workspace at the end of a run, and after a task that names it.
//!
//! In -> out: [`Subject`] -> findings, at most 1000.
//! Invariant: repeatable; not being able to look is a [`Failure`], never an empty list.

use std::marker::PhantomData;

use crate::bindings::capabilities::orch::types::types as wire;
use crate::bindings::verifier::exports::orch::verifier::verifier::Guest;
pub use crate::bindings::verifier::exports::orch::verifier::verifier::Subject;
use crate::{Failure, Finding};

/// A plugin that reports findings.
pub trait Verifier {
    /// An empty list says that all is well.
    fn verify(subject: Subject) -> Result<Vec<Finding>, Failure>;
}

#[doc(hidden)]
pub struct Exported<T>(PhantomData<T>);

impl<T: Verifier> Guest for Exported<T> {
    fn verify(subject: Subject) -> Result<Vec<Finding>, wire::Failure> {
        crate::panic::report();
        T::verify(subject).map_err(Failure::into_wit)
    }
}

#[doc(hidden)]
pub fn is_role<T: Verifier>() {}
