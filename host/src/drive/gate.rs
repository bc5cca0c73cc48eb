//! The way from an effect to the journal.
//!
//! In -> out: [`Effect`] of one attempt -> an event that is durable before the effect goes on.
//! Invariant: the loop alone appends; a gate asks it and waits for the store, so an effect never overtakes its intent.
//! Not here: which effects need a gate (`capability/`), what an intent means after a crash (`recover.rs`).

use std::sync::Arc;

use orch_journal::event::TaskIndex;
use orch_journal::{Journal, Level, failpoint};
use tokio::sync::{mpsc, oneshot};

use crate::call::Boxed;
use crate::capability::{EffectGate, EffectRecord, GateClosed};

/// An effect that an attempt is about to have.
#[derive(Debug)]
pub struct Asked {
    pub task: TaskIndex,
    pub attempt: u32,
    pub effect: EffectRecord,
    /// The place of its event.
    pub answer: oneshot::Sender<u64>,
}

/// The gate of one attempt.
pub struct AttemptGate {
    task: TaskIndex,
    attempt: u32,
    ask: mpsc::UnboundedSender<Asked>,
    journal: Arc<Journal>,
    level: Level,
}

impl AttemptGate {
    pub fn new(
        task: TaskIndex,
        attempt: u32,
        ask: mpsc::UnboundedSender<Asked>,
        journal: Arc<Journal>,
        level: Level,
    ) -> Self {
        Self { task, attempt, ask, journal, level }
    }
}

impl EffectGate for AttemptGate {
    fn record(&self, effect: EffectRecord) -> Boxed<'_, Result<(), GateClosed>> {
        Box::pin(async move {
            let must_be_durable = matches!(effect, EffectRecord::Intent { .. });
            let (answer, place) = oneshot::channel();
            let asked = Asked { task: self.task, attempt: self.attempt, effect, answer };
            self.ask.send(asked).map_err(|_| GateClosed)?;
            let place = place.await.map_err(|_| GateClosed)?;
            if must_be_durable {
                failpoint::hit("inside-intent");
                self.journal.durable(place, self.level).await.map_err(|_| GateClosed)?;
                failpoint::hit("after-intent");
            }
            Ok(())
        })
    }
}

/// The gate of calls that are repeatable by contract (reflectors, auditors, verifiers): what they
/// start needs no intent, because they run again after a crash.
pub struct RepeatableGate;

impl EffectGate for RepeatableGate {
    fn record(&self, _effect: EffectRecord) -> Boxed<'_, Result<(), GateClosed>> {
        Box::pin(async { Ok(()) })
    }
}
