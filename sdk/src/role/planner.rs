//! Planner: chooses which of the ready tasks start.
//!
//! In -> out: what changed since it was last asked -> at most `slots` tasks to start.
//! Invariant: one value a run, kept by the host between calls; the only role whose instance lives on.
//! Not here: readiness, dependencies and budget, which the host owns.

use std::cell::RefCell;
use std::marker::PhantomData;

use crate::Failure;
use crate::bindings::capabilities::orch::types::types as wire;
pub use crate::bindings::planner::exports::orch::planner::planner::{Change, Decision, ReadyTask};
use crate::bindings::planner::exports::orch::planner::planner::{Guest, GuestSession, Session};

/// A plugin that chooses among ready tasks. Its value is the session of one run.
pub trait Planner: Sized + 'static {
    /// Once for each run, and again after a restart. `settings`: a JSON object; `kinds`: what
    /// [`ReadyTask::kind`] counts in, at most 256.
    fn open(settings: String, kinds: Vec<String>) -> Result<Self, Failure>;

    /// At most 1000 changes, oldest first.
    fn observe(&mut self, changes: Vec<Change>) -> Result<(), Failure>;

    /// `slots`: how many more tasks can start now, at least 1.
    fn next(&mut self, slots: u32) -> Result<Decision, Failure>;
}

#[doc(hidden)]
pub struct Exported<T>(PhantomData<T>);

#[doc(hidden)]
pub struct ExportedSession<T>(RefCell<T>);

impl<T: Planner> Guest for Exported<T> {
    type Session = ExportedSession<T>;
}

impl<T: Planner> GuestSession for ExportedSession<T> {
    fn open(settings: String, kinds: Vec<String>) -> Result<Session, wire::Failure> {
        crate::panic::report();
        let session = T::open(settings, kinds).map_err(Failure::into_wit)?;
        Ok(Session::new(Self(RefCell::new(session))))
    }

    fn observe(&self, changes: Vec<Change>) -> Result<(), wire::Failure> {
        self.0.borrow_mut().observe(changes).map_err(Failure::into_wit)
    }

    fn next(&self, slots: u32) -> Result<Decision, wire::Failure> {
        self.0.borrow_mut().next(slots).map_err(Failure::into_wit)
    }
}

#[doc(hidden)]
pub fn is_role<T: Planner>() {}
