//! What calls use: fuel and memory, as the engine says at the end of each.
//!
//! In -> out: the engine's event at the end of a call -> [`Measured`], the largest of all.
//! Invariant: evidence only; a planner's session has no such event and counts as nothing.
//! Not here: the counting itself (`orch-host`'s `engine/store.rs`).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use orch_trust::certificate::Measured;
use tracing::field::{Field, Visit};
use tracing::span;
use tracing::{Event, Metadata, Subscriber};

const TARGET: &str = "orch_host::engine::store";

/// Listens to the engine of this process. Clones share what they heard.
#[derive(Clone, Default)]
pub struct Gauge(Arc<Peaks>);

#[derive(Default)]
struct Peaks {
    fuel: AtomicU64,
    memory_bytes: AtomicU64,
}

impl Gauge {
    /// The most that any call used so far.
    pub fn measured(&self) -> Measured {
        Measured {
            fuel_max: self.0.fuel.load(Ordering::Relaxed),
            memory_bytes_max: self.0.memory_bytes.load(Ordering::Relaxed),
        }
    }
}

impl Visit for &Peaks {
    fn record_u64(&mut self, field: &Field, value: u64) {
        let peak = match field.name() {
            "fuel" => &self.fuel,
            "memory_bytes" => &self.memory_bytes,
            _ => return,
        };
        peak.fetch_max(value, Ordering::Relaxed);
    }

    fn record_debug(&mut self, _field: &Field, _value: &dyn std::fmt::Debug) {}
}

impl Subscriber for Gauge {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && metadata.target() == TARGET
    }

    fn event(&self, event: &Event<'_>) {
        event.record(&mut &*self.0);
    }

    fn new_span(&self, _attributes: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _span: &span::Id, _values: &span::Record<'_>) {}

    fn record_follows_from(&self, _span: &span::Id, _follows: &span::Id) {}

    fn enter(&self, _span: &span::Id) {}

    fn exit(&self, _span: &span::Id) {}
}
