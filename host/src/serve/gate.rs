//! The way from a service's call to a provider.
//!
//! In -> out: what a request's call is about to ask of a provider, or of others by HTTP -> events of the workspace's stream, those of intents durable before it goes on.
//! Invariant: a request has one number, however often its call is made; no other effect passes.
//! Not here: what may be asked (`capability/provided.rs`), the call (`mounts.rs`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use orch_journal::event::{Actor, Event, HttpEnded, ModelAnswered};
use orch_journal::{Journal, Level};
use orch_trust::permission::DomainName;

use crate::call::Boxed;
use crate::capability::{EffectGate, EffectRecord, GateClosed};
use crate::clock::now_ms;
use crate::drive::gate::requested;

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
        let (by, at) = (Actor::Call { number: self.number }, now_ms());
        let event = match effect {
            EffectRecord::ProviderAsked { domain, spends, asked } => {
                let (effect, provided) = (domain.as_str().to_owned(), Some(asked));
                Event::IntentRecorded { by, effect, provided, spends, at }
            }
            EffectRecord::Intent { domain: DomainName::Http, effect, spends } => {
                Event::IntentRecorded { by, effect: effect.to_owned(), provided: None, spends, at }
            }
            EffectRecord::ModelAnswered(answer) => {
                Event::ModelAnswered(Box::new(ModelAnswered { by, answer: *answer, at }))
            }
            EffectRecord::HttpRequested(request) => requested(by, request),
            EffectRecord::HttpEnded { plugin, request, exchange } => {
                Event::HttpEnded(Box::new(HttpEnded { by, plugin, request, exchange, at }))
            }
            _ => return Err(GateClosed),
        };
        let append = |event| self.stream.append(event).map_err(|_| GateClosed);
        if !self.has_begun.swap(true, Ordering::Relaxed) {
            let (call, plugin) = ("handle".to_owned(), self.service.clone());
            append(Event::CallStarted { call, plugin, task: None, number: self.number })?;
        }
        append(event)
    }
}

impl EffectGate for ServiceGate {
    fn record(&self, effect: EffectRecord) -> Boxed<'_, Result<(), GateClosed>> {
        Box::pin(async move {
            let must_be_durable = effect.is_intent();
            let place = self.append(effect)?;
            if !must_be_durable {
                return Ok(());
            }
            self.stream.durable(place, self.level).await.map_err(|_| GateClosed)
        })
    }

    fn tell(&self, effect: EffectRecord) {
        // A stream that takes nothing any more is said by whoever asks it next.
        let _ = self.append(effect);
    }
}
