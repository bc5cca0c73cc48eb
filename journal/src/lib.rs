//! The journal: a hash-chained list of events for each run, and the tables derived from it.
//!
//! In -> out: [`Event`] -> stored bytes, rows of the seeds' tables; stored bytes -> [`RunState`].
//! Invariant: one writer thread changes the store, events and projections in the same transaction.
//! Not here: what happens next in a run (`orch-host`'s `drive`), `tasks.yml` (`orch-task`).

pub mod artifacts;
mod chain;
mod connection;
mod durability;
pub mod error;
pub mod event;
pub mod events;
pub mod failpoint;
pub mod head;
mod iso_time;
pub mod journal;
mod lock;
pub mod metrics;
mod migration;
pub mod place;
mod projection;
pub mod prune;
mod queue;
pub mod reader;
pub mod rebuild;
mod refused;
pub mod rows;
mod schema;
pub mod spending;
pub mod state;
mod statements;
pub mod store;
pub mod verify;
mod writer;

pub use connection::STORE_FILE;
pub use error::StoreError;
pub use event::Event;
pub use head::JournalKeys;
pub use iso_time::iso_time;
pub use journal::{EventIndex, Journal, JournalError, Level};
pub use reader::{Reader, SharedReader};
pub use rebuild::{StoreCheck, db_check};
pub use refused::Refused;
pub use state::RunState;
pub use store::{Store, StoreOptions};
pub use verify::{
    AuditFault, AuditReport, HEAD_UNREADABLE, audit_folder, audit_verify, forget_missing_runs, missing_runs,
};
