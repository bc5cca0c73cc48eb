//! The way from a service's call to a provider.
//!
//! In -> out: what a request's call is about to ask of a provider -> events of the workspace's stream, durable before it asks.
//! Invariant: a request has one number, however often its call is made; no other effect passes.
//! Not here: what may be asked (`capability/provided.rs`), the call (`mounts.rs`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use orch_journal::event::{Actor, Event};
use orch_journal::{Journal, Level};

use crate::call::Boxed;
use crate::capability::{EffectGate, EffectRecord, GateClosed};
use crate::clock::now_ms;

/// Of one request.
pub(super) struct ServiceGate {
    stream: Arc<Journal>,
    level: Level,
    service: String,
    number: u64,
    has_begun: AtomicBool,
}

impl ServiceGate {
    /// `number`: no other request's.
    pub(super) fn new(stream: Arc<Journal>, level: Level, service: String, number: u64) -> Self {
        Self { stream, level, service, number, has_begun: AtomicBool::new(false) }
    }

    /// What the keys begin with of all that the call asks for.
    pub(super) fn key(&self, stream: &str) -> String {
        format!("{stream}-c{}", self.number)
    }

    fn append(&self, effect: EffectRecord) -> Result<u64, GateClosed> {
        let EffectRecord::ProviderAsked { domain, asked } = effect else { return Err(GateClosed) };
        let append = |event| self.stream.append(event).map_err(|_| GateClosed);
        if !self.has_begun.swap(true, Ordering::Relaxed) {
            let (call, plugin) = ("handle".to_owned(), self.service.clone());
            append(Event::CallStarted { call, plugin, task: None, number: self.number })?;
        }
        let (by, effect) = (Actor::Call { number: self.number }, domain.as_str().to_owned());
        append(Event::IntentRecorded { by, effect, provided: Some(asked), at: now_ms() })
    }
}

impl EffectGate for ServiceGate {
    fn record(&self, effect: EffectRecord) -> Boxed<'_, Result<(), GateClosed>> {
        Box::pin(async move {
            let place = self.append(effect)?;
            self.stream.durable(place, self.level).await.map_err(|_| GateClosed)
        })
    }
}
