//! The way from an effect to the journal.
//!
//! In -> out: what an attempt or a call is about to do -> an event that is durable before the effect goes on.
//! Invariant: the loop alone appends; a gate asks it and waits for the store, so an effect never overtakes its intent.
//! Not here: which effects need a gate (`capability/`), what an intent means after a crash (`recover.rs`).

use std::sync::Arc;

use orch_journal::event::{Actor, AnswerKept, Event, HttpRequested};
use orch_journal::{Journal, Level, failpoint};
use tokio::sync::{mpsc, oneshot};

use super::desk::Desk;
use crate::call::Boxed;
use crate::capability::effect::{HttpRequest, KeptAnswer};
use crate::capability::{EffectGate, EffectRecord, GateClosed};
use crate::clock::now_ms;

/// An effect that an attempt or a call is about to have.
#[derive(Debug)]
pub struct Asked {
    pub by: Actor,
    pub effect: EffectRecord,
    /// The place of its event.
    pub answer: oneshot::Sender<u64>,
}

/// The gate of one attempt, or of one call that is repeatable by contract.
pub struct Gate {
    by: Actor,
    ask: mpsc::UnboundedSender<Asked>,
    journal: Arc<Journal>,
    /// Of an intent: an attempt's decides whether it may run again, a call is made again whatever it says.
    level: Level,
}

impl Gate {
    pub fn new(by: Actor, ask: mpsc::UnboundedSender<Asked>, desk: &Desk) -> Self {
        let level = match by {
            Actor::Attempt { .. } => desk.rules().durability.effects(),
            Actor::Call { .. } => desk.rules().durability.answers(),
        };
        Self { by, ask, journal: desk.journal.clone(), level }
    }
}

impl EffectGate for Gate {
    fn record(&self, effect: EffectRecord) -> Boxed<'_, Result<(), GateClosed>> {
        Box::pin(async move {
            let must_be_durable = effect.is_intent();
            let (answer, place) = oneshot::channel();
            self.ask.send(Asked { by: self.by, effect, answer }).map_err(|_| GateClosed)?;
            let place = place.await.map_err(|_| GateClosed)?;
            if must_be_durable {
                failpoint::hit("inside-intent");
                self.journal.durable(place, self.level).await.map_err(|_| GateClosed)?;
                failpoint::hit("after-intent");
            }
            Ok(())
        })
    }

    fn tell(&self, effect: EffectRecord) {
        let (answer, _) = oneshot::channel();
        // A loop that is gone records nothing any more.
        let _ = self.ask.send(Asked { by: self.by, effect, answer });
    }
}

/// What a guest was told, as its event has it.
pub fn kept(by: Actor, KeptAnswer { line, nth, of, question, answer, masked }: KeptAnswer) -> Event {
    let of = of.to_owned();
    Event::AnswerKept(Box::new(AnswerKept { by, line, nth, of, question, answer, masked, at: now_ms() }))
}

/// A request as its event has it.
pub fn requested(by: Actor, HttpRequest { plugin, request, target }: HttpRequest) -> Event {
    let origin = format!("{}://{}", target.scheme.as_str(), target.host_and_port());
    let (method, path) = (target.method, target.path);
    Event::HttpRequested(Box::new(HttpRequested { by, plugin, request, method, origin, path, at: now_ms() }))
}
