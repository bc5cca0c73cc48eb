//! Roles: the exports of plugins, called with checked answers.
//!
//! In -> out: a compiled plugin -> a role, linked once; a call -> [`CallReport`](crate::call::CallReport).
//! Invariant: a fresh instance for each call, but for a planner's session; an answer that leaves here is inside its
//! limits. A role keeps what it was made from, so that one made from a `Candidate` fits no run:
//!
//! ```compile_fail,E0308
//! use orch_host::role::executor::Executor;
//! use orch_trust::evidence::{Admitted, Candidate};
//! fn smuggle(of_a_test: Executor<Candidate>) -> Executor<Admitted> {
//!     of_a_test
//! }
//! ```
//!
//! ```
//! use orch_host::role::executor::Executor;
//! use orch_trust::evidence::Admitted;
//! fn bind(admitted: Executor<Admitted>) -> Executor<Admitted> {
//!     admitted
//! }
//! ```
//!
//! Not here: when roles are called and what comes of it (`drive`), host functions (`capability/`).

pub mod auditor;
pub mod executor;
pub mod planner;
pub mod reflector;
pub mod service;
pub mod verifier;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use orch_trust::permission::TasksPermission;

use crate::bindings::types::types::{Failure, NewTask};
use crate::call::AskedTask;
use crate::capability::tasks::check_asked;
use crate::engine::CallError;

/// The plugin's own answer, or its failure.
fn answered<T>(plugin: &Arc<str>, answer: Result<T, Failure>) -> Result<T, CallError> {
    answer.map_err(|failure| CallError::failure(plugin, &failure.message, failure.retriable))
}

/// The tasks of an answer, after `already` that the same call asked for.
fn check_tasks(
    plugin: &Arc<str>,
    tasks: Vec<NewTask>,
    granted: &TasksPermission,
    already: usize,
) -> Result<Vec<AskedTask>, CallError> {
    let check = |(place, task)| check_asked(task, granted, already.saturating_add(place));
    let checked: Result<Vec<AskedTask>, _> = tasks.into_iter().enumerate().map(check).collect();
    checked.map_err(|refusal| CallError::answer(plugin, format!("it asks for a task: {refusal}")))
}
