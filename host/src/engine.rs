//! The engine: compiles what was vouched for and runs it inside its limits.
//!
//! In -> out: evidence -> [`Compiled`](compile::Compiled) -> [`Linked`](link::Linked) -> one store for each call.
//! Invariant: a component is made in `compile.rs` and in `cache.rs` only; a linker only from a `Compiled`'s grant.
//! Not here: what host functions do (`capability/`), the exports (`role/`).

pub mod cache;
pub mod call_error;
pub mod compile;
pub mod config;
pub mod limits;
pub mod link;
pub mod store;
pub mod ticker;
mod wall;
pub mod withdrawal;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
pub mod version;

use orch_trust::facts::Facts;

pub use cache::NativeCache;
pub use call_error::CallError;
pub use compile::{CompileError, Compiled};
pub use config::{EngineKind, FEATURES};
pub use limits::CallLimits;

/// Slots of the pool besides one for each job and each planner.
const SLOTS_SPARE: u32 = 8;
/// Fuel of a certification call: enough for every limit on time to come first.
const FUEL_MAX: u64 = u64::MAX / 2;

/// One engine with its ticks. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    inner: wasmtime::Engine,
    kind: EngineKind,
    fuel_max: u64,
    fixed: bool,
}

/// An engine that could not be made.
#[derive(Debug, thiserror::Error)]
#[error("engine `{kind}` could not be made: {message}")]
pub struct EngineError {
    kind: &'static str,
    message: String,
}

impl Engine {
    /// The engine of a run: pooled, copy on write, sized for `jobs` calls and `planners` sessions at once.
    pub fn run(jobs: u32, planners: u32) -> Result<Self, EngineError> {
        let slots = jobs.saturating_add(SLOTS_SPARE).saturating_add(planners);
        Self::of(EngineKind::Run { slots })
    }

    /// For components that do not fit the pool.
    pub fn large() -> Result<Self, EngineError> {
        Self::of(EngineKind::Large)
    }

    /// For certification and authors' tests: the same calls give the same results.
    pub fn certification() -> Result<Self, EngineError> {
        Self::of(EngineKind::Certification)
    }

    /// A pool with one place, so that each call gets the memory of the one before it; to show that nothing is left there.
    pub fn single() -> Result<Self, EngineError> {
        Self::of(EngineKind::Run { slots: 1 })
    }

    /// The same engine, with clocks and random numbers that are the same in each call; for certification.
    pub fn with_fixed_clocks(&self) -> Self {
        Self { fixed: true, ..self.clone() }
    }

    /// The same engine, with at most so much fuel for each call; only the engine of certification counts it.
    pub fn with_fuel(&self, fuel_max: u64) -> Self {
        Self { fuel_max, ..self.clone() }
    }

    fn of(kind: EngineKind) -> Result<Self, EngineError> {
        let failed = |message: String| EngineError { kind: kind.as_str(), message };
        let inner = wasmtime::Engine::new(&kind.config()).map_err(|error| failed(format!("{error:#}")))?;
        ticker::start(&inner).map_err(|error| failed(error.to_string()))?;
        Ok(Self { inner, kind, fuel_max: FUEL_MAX, fixed: kind == EngineKind::Certification })
    }

    pub fn kind(&self) -> EngineKind {
        self.kind
    }

    /// True if a component of these facts can run in this engine; else [`Engine::large`] can.
    pub fn fits(&self, facts: &Facts) -> bool {
        match self.kind {
            EngineKind::Run { .. } => config::fits_pool(facts),
            EngineKind::Large | EngineKind::Certification => true,
        }
    }

    /// Fuel of one call; `None` if this engine counts none.
    fn fuel_max(&self) -> Option<u64> {
        (self.kind == EngineKind::Certification).then_some(self.fuel_max)
    }

    pub(crate) fn inner(&self) -> &wasmtime::Engine {
        &self.inner
    }
}
