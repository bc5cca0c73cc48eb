//! Executor: carries out one attempt at one task.
//!
//! In -> out: [`Task`], [`Attempt`] -> [`Completion`] or [`Failure`].
//! Invariant: a fresh instance for each call, so nothing is left from the one before.

use std::marker::PhantomData;

use crate::bindings::capabilities::orch::types::types as wire;
use crate::bindings::executor::exports::orch::executor::executor::Guest;
pub use crate::bindings::executor::exports::orch::executor::executor::{Attempt, Completion, Earlier};
use crate::{Failure, Task};

/// A plugin that carries out tasks of the kinds in its manifest.
pub trait Executor {
    /// The task's own result. A command that ran and said no is a failure.
    fn execute(task: Task, attempt: Attempt) -> Result<Completion, Failure>;
}

impl Completion {
    /// `summary`: for people, at most 4096 bytes; longer is cut.
    pub fn new(summary: impl Into<String>) -> Self {
        Self { summary: summary.into(), mendable: false }
    }

    /// The same of an attempt after which another one may come to something else: if verifiers find too much in it and its
    /// edits are not kept, it is tried again within the task's retries.
    #[must_use]
    pub fn mendable(self) -> Self {
        Self { mendable: true, ..self }
    }
}

#[doc(hidden)]
pub struct Exported<T>(PhantomData<T>);

impl<T: Executor> Guest for Exported<T> {
    fn execute(task: Task, attempt: Attempt) -> Result<Completion, wire::Failure> {
        crate::panic::report();
        T::execute(task, attempt).map_err(Failure::into_wit)
    }
}

#[doc(hidden)]
pub fn is_role<T: Executor>() {}
