//! What a call was denied, and its way to effects.
//!
//! In -> out: what a capability is about to do -> [`Ledger`] -> [`EffectGate`]; a denial -> the call's report.
//! Invariant: no effect begins before its intent is recorded; after a limit that is used up none begins at all.
//! Not here: what an effect is (`effect.rs`).

use std::collections::BTreeMap;
use std::sync::Arc;

use orch_journal::event::{AskedProvider, Writes};
use orch_trust::permission::DomainName;

use super::effect::{EffectGate, EffectRecord, GateClosed};
use super::notes::Notes;
use super::tape::CallTape;
use crate::bindings::types::types::Error;

/// Denials that one call's report keeps; a guest that asks on is told so all the same.
const DENIED_MAX: usize = 100;

/// What a call was denied, and the way to its effects.
pub struct Ledger {
    gate: Arc<dyn EffectGate>,
    denied: Vec<String>,
    intended: Vec<&'static str>,
    /// An intent was recorded of something that changes.
    changes: bool,
    /// What it sends is spent for who asks.
    spending: bool,
    closed: bool,
    /// Why the host did not do what it was asked last.
    reason: Option<String>,
    /// Names the call, and how often it asked a provider.
    key: Arc<str>,
    asked: u32,
    /// What providers wrote for this call, by plugin.
    pub(crate) provided: BTreeMap<String, Writes>,
    /// What the operator hears of them.
    pub(crate) notes: Notes,
    /// What the guest is told that it could not work out again.
    pub(crate) tape: CallTape,
}

impl Ledger {
    pub fn new(gate: Arc<dyn EffectGate>) -> Self {
        Self {
            gate,
            denied: Vec::new(),
            intended: Vec::new(),
            changes: false,
            spending: false,
            closed: false,
            reason: None,
            key: Arc::default(),
            asked: 0,
            provided: BTreeMap::new(),
            notes: Notes::default(),
            tape: CallTape::default(),
        }
    }

    /// Of a call that answers for what spends, or not.
    pub(crate) fn spending(self, spending: bool) -> Self {
        Self { spending, ..self }
    }

    /// Of a call with that tape.
    pub(crate) fn taped(self, tape: CallTape) -> Self {
        Self { tape, ..self }
    }

    /// Keeps what was asked and answered, if the run does.
    pub(crate) fn keep(&mut self, of: &'static str, question: &[u8], answer: &[u8]) {
        self.tape.keep(&*self.gate, of, question, answer);
    }

    /// Of a call with that key. What providers wrote for the call that asked it stands, until they write again.
    pub(crate) fn going_on(self, key: Arc<str>, provided: BTreeMap<String, Writes>) -> Self {
        Self { key, provided, ..self }
    }

    /// Notes a denial for the operator, each once; gives it back for the guest.
    pub(crate) fn deny(&mut self, interface: &str, what: String) -> Error {
        let line = format!("{interface}: {what}");
        if self.denied.len() < DENIED_MAX && !self.denied.contains(&line) {
            self.denied.push(line);
        }
        Error::Denied(what)
    }

    /// Notes the system's own reason for what the host did not do, for people; gives back what the guest is told.
    pub(crate) fn refuse(&mut self, error: Error, reason: impl Into<String>) -> Error {
        self.reason = Some(reason.into());
        error
    }

    /// Something else is asked: what was refused before is not why the call fails.
    pub(crate) fn forget_reason(&mut self) {
        self.reason = None;
    }

    /// Why the host did not do what it was asked last, unless the guest has asked for something else since.
    pub(crate) fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// From now on there is no effect any more.
    pub(crate) fn close(&mut self) {
        self.closed = true;
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// What a capability did whose effects go on while the guest does: its denials, the reason of its last fault, and whether
    /// its intent was recorded.
    pub(crate) fn take_in(
        &mut self,
        denied: Vec<String>,
        reason: Option<String>,
        intended: Option<&'static str>,
    ) {
        for line in denied {
            if self.denied.len() < DENIED_MAX && !self.denied.contains(&line) {
                self.denied.push(line);
            }
        }
        self.reason = reason.or(self.reason.take());
        // It is what was sent.
        self.changes |= intended.is_some() && !self.spending;
        self.intended.extend(intended);
    }

    /// Records the intent of an effect, before the first of its kind.
    pub(crate) async fn intend(
        &mut self,
        domain: DomainName,
        effect: &'static str,
    ) -> Result<(), GateClosed> {
        if self.closed {
            return Err(GateClosed);
        }
        if !self.intended.contains(&effect) {
            self.gate.record(EffectRecord::Intent { domain, effect, spends: false }).await?;
            self.intended.push(effect);
            self.changes = true;
        }
        Ok(())
    }

    /// Lets something go on that is no effect: it is kept with the call's answer, or gone with it.
    pub(crate) fn go_on(&self) -> Result<(), GateClosed> {
        if self.closed { Err(GateClosed) } else { Ok(()) }
    }

    /// Names what the call asks of a provider next: the same where the call is made again and asks for the same.
    pub(crate) fn next_key(&mut self) -> String {
        self.asked += 1;
        self.last_key()
    }

    /// The key that what is asked next will have.
    pub(crate) fn coming_key(&self) -> String {
        format!("{}.{}", self.key, self.asked + 1)
    }

    /// The key of what was asked last.
    pub(crate) fn last_key(&self) -> String {
        format!("{}.{}", self.key, self.asked)
    }

    /// Records that a provider is asked, each time.
    pub(crate) async fn intend_to_ask(
        &mut self,
        domain: DomainName,
        spends: bool,
        asked: AskedProvider,
    ) -> Result<(), GateClosed> {
        if self.closed {
            return Err(GateClosed);
        }
        self.gate.record(EffectRecord::ProviderAsked { domain, spends, asked }).await?;
        self.intended.push(domain.as_str());
        self.changes |= !spends;
        Ok(())
    }

    pub(crate) fn gate(&self) -> &Arc<dyn EffectGate> {
        &self.gate
    }

    /// A provider that was asked changed something.
    pub(crate) fn take_change(&mut self, changed: bool) {
        self.changes |= changed;
    }

    /// The denials, and whether an intent was recorded of something that changes.
    pub(crate) fn into_parts(mut self) -> (Vec<String>, bool) {
        self.tape.keep_readings(&*self.gate);
        (self.denied, self.changes)
    }
}
