//! The journal: a hash-chained list of events for each run, and the tables derived from it.
//!
//! In -> out: [`Event`] -> stored bytes, rows of the seeds' tables; stored bytes -> [`RunState`].
//! Invariant: one writer thread changes the store, events and projections in the same transaction.
//! Not here: what happens next in a run (`orch-host`'s `drive`), `tasks.yml` (`orch-task`).

pub mod event;
pub mod state;

pub use event::Event;
pub use state::RunState;
