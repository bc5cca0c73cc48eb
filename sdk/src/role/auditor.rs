//! Auditor: measures the workspace and asks for tasks, as often as `audit.every` says.
//!
//! In -> out: paths -> metrics; what finished since the last audit -> new tasks.
//! Invariant: repeatable, and never changes sources.

use std::marker::PhantomData;

pub use crate::bindings::auditor::exports::orch::auditor::auditor::FinishedTask;
use crate::bindings::auditor::exports::orch::auditor::auditor::Guest;
use crate::bindings::capabilities::orch::types::types as wire;
use crate::{Failure, Metric, NewTask};

/// A plugin that measures, and asks for tasks.
pub trait Auditor {
    /// Values for these files, relative to the workspace; an empty list means all.
    fn analyze(paths: Vec<String>) -> Result<Vec<Metric>, Failure>;

    /// `finished`: since the last audit, at most 1000. At most `tasks.add` of the grant come back.
    fn audit(finished: Vec<FinishedTask>) -> Result<Vec<NewTask>, Failure>;
}

#[doc(hidden)]
pub struct Exported<T>(PhantomData<T>);

impl<T: Auditor> Guest for Exported<T> {
    fn analyze(paths: Vec<String>) -> Result<Vec<Metric>, wire::Failure> {
        crate::panic::report();
        T::analyze(paths).map_err(Failure::into_wit)
    }

    fn audit(finished: Vec<FinishedTask>) -> Result<Vec<NewTask>, wire::Failure> {
        crate::panic::report();
        T::audit(finished).map_err(Failure::into_wit)
    }
}

#[doc(hidden)]
pub fn is_role<T: Auditor>() {}
