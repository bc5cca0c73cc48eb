//! Effects: the one way from a call to what lies outside the host's own store, and what a call was denied.
//!
//! In -> out: what a capability is about to do -> [`Ledger`] -> [`EffectGate`] -> the journal.
//! Invariant: no effect begins before its intent is recorded; after a limit that is used up none begins at all.
//! Not here: which capabilities have effects (`orch-trust`'s `permission`), what becomes of them (`drive/gate.rs`).

pub(crate) mod fake;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use orch_journal::event::{AskedProvider, FileChange, HttpExchange, ModelAnswer, NetworkUse, Writes};
use orch_trust::permission::{DomainName, HttpTarget};

use super::notes::Notes;
use super::tape::{CallTape, KeptAnswer};
use crate::bindings::types::types::Error;

/// Denials that one call's report keeps; a guest that asks on is told so all the same.
const DENIED_MAX: usize = 100;

/// A future that a trait object returns.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Something that leaves the host's own store, or is about to.
#[derive(Clone, Debug, PartialEq)]
pub enum EffectRecord {
    /// Before the first of its kind: `process`, `files-write`. Durable when the gate agrees.
    Intent {
        domain: DomainName,
        effect: &'static str,
        /// It changes nothing, so that it may be done again.
        spends: bool,
    },
    /// Before each call of a provider. Durable when the gate agrees.
    ProviderAsked {
        domain: DomainName,
        spends: bool,
        asked: AskedProvider,
    },
    ProcessStarted {
        program: String,
        pid: u32,
        start_ticks: u64,
        boot_id: String,
    },
    /// A file or folder was changed. Digests as hex.
    FileWritten {
        path: String,
        change: FileChange,
        before: Option<String>,
        after: Option<String>,
        /// Bytes afterwards.
        size: Option<u64>,
        /// In a work tree, which is kept with the call's answer or gone.
        in_tree: bool,
    },
    /// `domain`: what it was asked for, an answer or vectors.
    ModelAnswered {
        domain: DomainName,
        answer: Box<ModelAnswer>,
    },
    /// What a guest was told, word for word.
    Kept(Box<KeptAnswer>),
    HttpRequested(HttpRequest),
    HttpEnded {
        plugin: String,
        /// As in what was requested.
        request: u32,
        exchange: HttpExchange,
    },
    /// What a program reached that was granted a network; it is over.
    NetworkUsed {
        pid: u32,
        uses: Vec<NetworkUse>,
        /// Connections to targets that are not listed, there being too many.
        others: u32,
    },
}

/// A request that goes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    pub plugin: String,
    /// Counted in the call, from 1.
    pub request: u32,
    pub target: HttpTarget,
}

impl EffectRecord {
    /// Whose effect it is; none: what was kept of one.
    pub fn domain(&self) -> Option<DomainName> {
        Some(match self {
            Self::Intent { domain, .. }
            | Self::ProviderAsked { domain, .. }
            | Self::ModelAnswered { domain, .. } => *domain,
            Self::ProcessStarted { .. } | Self::NetworkUsed { .. } => DomainName::Process,
            Self::FileWritten { .. } => DomainName::Files,
            Self::HttpRequested(_) | Self::HttpEnded { .. } => DomainName::Http,
            Self::Kept(_) => return None,
        })
    }

    /// True of what happened, whoever is gone by now.
    pub fn is_over(&self) -> bool {
        matches!(self, Self::NetworkUsed { .. })
    }

    /// True of what must be durable before anything happens. What a provider sends for a question that spends is not: the
    /// question itself was, and nothing more would be known of it.
    pub fn is_intent(&self) -> bool {
        matches!(self, Self::Intent { spends: false, .. } | Self::ProviderAsked { .. })
    }
}

/// The way to the journal for effects. A gate that refuses ends the call.
pub trait EffectGate: Send + Sync {
    fn record(&self, effect: EffectRecord) -> Boxed<'_, Result<(), GateClosed>>;

    /// Hands over what a call that was dropped did ([`EffectRecord::is_over`]): nobody waits for it.
    fn tell(&self, effect: EffectRecord);
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the attempt was ended by the host")]
pub struct GateClosed;

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
