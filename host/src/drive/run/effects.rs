//! Effects of attempts and calls that run: asked for, recorded, gone on.
//!
//! In -> out: what a gate asks -> an event -> its place, for which the gate waits.
//! Invariant: while the loop waits for anything else, effects go on.
//! Not here: the gates (`gate.rs`), which capability has effects (`capability/`).

use std::future::Future;

use orch_journal::event::{Event, HttpEnded, ModelAnswered, NetworkUsed};
use orch_journal::failpoint;
use tokio::sync::mpsc;

use super::Run;
use crate::capability::EffectRecord;
use crate::clock::now_ms;
use crate::drive::desk::{Control, Desk};
use crate::drive::error::DriveError;
use crate::drive::gate::{Asked, kept, requested};

impl Run {
    /// Where attempts and calls ask for their effects.
    pub fn ask(&self) -> mpsc::UnboundedSender<Asked> {
        self.ask.clone()
    }

    /// The next effect that is about to be had.
    pub async fn next_ask(&mut self) -> Option<Asked> {
        self.asks.recv().await
    }

    /// Records what those did who are gone, and forgets what they asked for.
    pub fn keep_told(&mut self) -> Result<(), DriveError> {
        while let Ok(asked) = self.asks.try_recv() {
            if asked.effect.is_over() {
                self.let_go_on(asked)?;
            }
        }
        Ok(())
    }

    /// Lets an effect go on: its event is in the journal, the gate waits until it is durable.
    pub fn let_go_on(&mut self, asked: Asked) -> Result<(), DriveError> {
        let Asked { by, effect, answer } = asked;
        let event = match effect {
            EffectRecord::Intent { effect, spends, .. } => {
                failpoint::hit("before-intent");
                Event::IntentRecorded { by, effect: effect.to_owned(), provided: None, spends, at: now_ms() }
            }
            EffectRecord::ProviderAsked { domain, spends, asked } => {
                failpoint::hit("before-intent");
                let (effect, provided) = (domain.as_str().to_owned(), Some(asked));
                Event::IntentRecorded { by, effect, provided, spends, at: now_ms() }
            }
            EffectRecord::ProcessStarted { program, pid, start_ticks, boot_id } => {
                Event::ProcessStarted { by, program, pid, start_ticks, boot_id }
            }
            EffectRecord::FileWritten { path, change, before, after, size, in_tree } => {
                let at = Some(now_ms());
                Event::FileWritten { by, path, change, before, after, size, in_tree, at }
            }
            EffectRecord::ModelAnswered { domain: _, answer } => {
                Event::ModelAnswered(Box::new(ModelAnswered { by, answer: *answer, at: now_ms() }))
            }
            EffectRecord::Kept(answer) => kept(by, *answer),
            EffectRecord::HttpRequested(request) => requested(by, request),
            EffectRecord::HttpEnded { plugin, request, exchange } => {
                Event::HttpEnded(Box::new(HttpEnded { by, plugin, request, exchange, at: now_ms() }))
            }
            EffectRecord::NetworkUsed { pid, uses, others } => {
                Event::NetworkUsed(Box::new(NetworkUsed { by, pid, uses, others, at: now_ms() }))
            }
        };
        let place = self.record(event)?;
        // Who is gone by now does not wait for the answer.
        let _ = answer.send(place);
        Ok(())
    }

    /// Waits for something while effects go on.
    pub async fn serving<T>(&mut self, wanted: impl Future<Output = T>) -> Result<T, DriveError> {
        let mut wanted = std::pin::pin!(wanted);
        loop {
            tokio::select! {
                biased;
                Some(asked) = self.asks.recv() => self.let_go_on(asked)?,
                answer = &mut wanted => return Ok(answer),
            }
        }
    }

    /// The same, until a person ends what runs.
    ///
    /// # Errors
    /// `Interrupted`; what was wanted is dropped then.
    pub async fn serving_a_call<T>(
        &mut self,
        desk: &Desk,
        wanted: impl Future<Output = T>,
    ) -> Result<T, DriveError> {
        let mut control = desk.control.clone();
        tokio::select! {
            biased;
            Ok(_) = control.wait_for(|control| *control == Control::Abort) => Err(DriveError::Interrupted),
            answer = self.serving(wanted) => answer,
        }
    }
}
