//! Effects: the one way from a call to what lies outside the host's own store.
//!
//! In -> out: what a capability did or is about to do -> [`EffectRecord`] -> [`EffectGate`] -> the journal.
//! Not here: which capabilities have effects (`orch-trust`'s `permission`), what a call may still do (`ledger.rs`), what becomes of
//! effects (`drive/gate.rs`).

pub(crate) mod fake;

use std::future::Future;
use std::pin::Pin;

use orch_journal::artifacts::Artifact;
use orch_journal::event::{AskedProvider, FileChange, HttpExchange, Line, ModelAnswer, NetworkUse};
use orch_trust::permission::{DomainName, HttpTarget};

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

/// A question and its answer, before it is known by whose effect.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptAnswer {
    pub line: Line,
    /// Counted in the call, from 1.
    pub nth: u32,
    pub of: &'static str,
    pub question: Artifact,
    pub answer: Artifact,
    /// Values of secrets stood in it.
    pub masked: bool,
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
