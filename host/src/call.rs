//! One call of a plugin's export: what the host lends to it and what comes back.
//!
//! In -> out: [`CallContext`] -> [`CallReport`].
//! Invariant: what a call wrote into the host's own store is in its report and nowhere else, so that it is kept with
//! the call's result or not at all; an effect reaches the outside only after the context's [`EffectGate`] agreed.
//! Not here: what stands behind each capability (`capability/`), the export's own arguments (`role/`), the limits' enforcement (`engine/limits.rs`).

use orch_journal::event::Writes;

pub use crate::capability::effect::Boxed;
pub use crate::capability::lent::{CallContext, Lent};
use crate::capability::notes::Notes;
use crate::capability::tasks::backend::AskedTask;
use crate::engine::call_error::CallError;

/// What a call used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Guest code that ran, in the engine's fuel; counted by the engine of certification only.
    pub fuel: Option<u64>,
    /// Linear memory at the end, all memories together. It never shrinks.
    pub memory_bytes: u64,
    /// Calls from the guest into the host.
    pub host_calls: u64,
    /// What all its log lines take, those without room too.
    pub log_bytes: u64,
}

impl<T> CallReport<T> {
    /// Of a call that the host did not make.
    pub(crate) fn never_made(error: CallError) -> Self {
        Self {
            result: Err(error),
            used: Used::default(),
            writes: Writes::default(),
            asked: Vec::new(),
            denied: Vec::new(),
            notes: Notes::default(),
            effect: false,
            log_cut: false,
        }
    }
}

impl<T> CallReport<T> {
    /// Of a call that was made before, and whose answer was written down.
    pub(crate) fn of_before(answer: T, writes: Writes, asked: Vec<AskedTask>, effect: bool) -> Self {
        Self {
            result: Ok(answer),
            used: Used::default(),
            writes,
            asked,
            denied: Vec::new(),
            notes: Notes::default(),
            effect,
            log_cut: false,
        }
    }
}

/// What came of one call.
#[derive(Debug)]
pub struct CallReport<T> {
    pub result: Result<T, CallError>,
    pub used: Used,
    /// To be kept only with an accepted result.
    pub writes: Writes,
    /// Asked for through `orch:tasks`, to be added only with an accepted result.
    pub asked: Vec<AskedTask>,
    /// What was denied, for the operator: `process: program `curl``.
    pub denied: Vec<String>,
    /// What the operator hears of providers that it asked.
    pub notes: Notes,
    /// An intent was recorded.
    pub effect: bool,
    /// Log lines were dropped at `logKiB`.
    pub log_cut: bool,
}
