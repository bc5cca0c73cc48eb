//! One call of a plugin's export: what the host lends to it and what comes back.
//!
//! In -> out: [`CallContext`] -> [`CallReport`].
//! Invariant: what a call wrote into the host's own store is in its report and nowhere else, so that it is kept with
//! the call's result or not at all; an effect reaches the outside only after the context's [`EffectGate`] agreed.
//! Not here: what stands behind each capability (`capability/`), the export's own arguments (`role/`), the limits' enforcement (`engine/limits.rs`).

use std::future::Future;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use orch_journal::event::Writes;
use orch_trust::evidence::{Candidate, Compilable, Runnable};

use crate::capability::EffectGate;
use crate::capability::files::Protected;
use crate::capability::kv::KvReader;
use crate::capability::log::LogSink;
use crate::capability::process::Processes;
use crate::capability::tasks::{AskedTask, TaskReader};

/// A future that a trait object returns.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Everything that the host lends to one call (for a planner: to one session), with what stands behind its
/// capabilities.
#[derive(Clone)]
pub struct Lent {
    /// Absolute path of the workspace, without links.
    pub workspace: Arc<PathBuf>,
    /// Besides the host's own names.
    pub protected: Arc<Protected>,
    /// A JSON object.
    pub settings: Arc<str>,
    pub tasks: Arc<dyn TaskReader>,
    pub kv: Arc<dyn KvReader>,
    pub effects: Arc<dyn EffectGate>,
    pub processes: Arc<dyn Processes>,
    pub log: Arc<dyn LogSink>,
    /// For the whole call, host functions included; for a planner: for each call of its session.
    pub wall: Duration,
}

/// What is lent to a plugin of that evidence.
///
/// A run lends what is real, and [`Fakes`](crate::trial::Fakes) lend fakes to a `Candidate` only; neither fits the other:
///
/// ```compile_fail,E0308
/// use crate::call::CallContext;
/// use orch_trust::evidence::{Admitted, Candidate};
/// fn smuggle(fakes: CallContext<Candidate>) -> CallContext<Admitted> {
///     fakes
/// }
/// ```
///
/// Nor can a fake be taken out of them and be lent by hand:
///
/// ```compile_fail,E0616
/// use orch_host::trial::Fakes;
/// fn smuggle(fakes: Fakes) -> std::sync::Arc<dyn orch_host::capability::kv::KvReader> {
///     fakes.kv
/// }
/// ```
pub struct CallContext<E> {
    lent: Lent,
    evidence: PhantomData<fn() -> E>,
}

impl<E: Compilable> CallContext<E> {
    pub(crate) fn into_lent(self) -> Lent {
        self.lent
    }
}

impl<E: Runnable> CallContext<E> {
    /// What a run lends.
    pub(crate) fn of_run(lent: Lent) -> Self {
        Self { lent, evidence: PhantomData }
    }
}

impl CallContext<Candidate> {
    /// What a trial lends.
    pub(crate) fn of_trial(lent: Lent) -> Self {
        Self { lent, evidence: PhantomData }
    }
}

/// What a call used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Guest code that ran, in the engine's fuel; counted by the engine of certification only.
    pub fuel: Option<u64>,
    /// Linear memory at the end, all memories together. It never shrinks.
    pub memory_bytes: u64,
    /// Calls from the guest into the host.
    pub host_calls: u64,
}

impl<T> CallReport<T> {
    /// Of a call that the host did not make.
    pub(crate) fn never_made(error: crate::engine::CallError) -> Self {
        Self {
            result: Err(error),
            used: Used::default(),
            writes: Writes::default(),
            asked: Vec::new(),
            denied: Vec::new(),
            effect: false,
            log_cut: false,
        }
    }
}

/// What came of one call.
#[derive(Debug)]
pub struct CallReport<T> {
    pub result: Result<T, crate::engine::CallError>,
    pub used: Used,
    /// To be kept only with an accepted result.
    pub writes: Writes,
    /// Asked for through `orch:tasks`, to be added only with an accepted result.
    pub asked: Vec<AskedTask>,
    /// What was denied, for the operator: `process: program `curl``.
    pub denied: Vec<String>,
    /// An intent was recorded.
    pub effect: bool,
    /// Log lines were dropped at `logKiB`.
    pub log_cut: bool,
}
