//! Interfaces that another plugin answers: what it is asked, by whom, and what it leaves with who asked.
//!
//! In -> out: a question whose fields were checked -> its intent -> the provider's answer, or what the guest is told.
//! Limits: depth [`DEPTH_MAX`]; the provider has what is left of the call that asks, less what that needs to answer.
//! Invariant: no provider is asked before the intent is recorded; what it wrote is kept with the call that asked or not at
//! all; a guest that asks learns nothing of the provider but its answer.
//! Not here: permissions and fields (a file for each interface), asking (`ask.rs`), the call itself (`drive/providers.rs`).

use std::collections::BTreeMap;
use std::sync::Arc;

use orch_journal::event::Writes;
use orch_trust::manifest::Role;
use orch_trust::permission::{DomainName, Permissions};

use serde_json::Value;

use super::effect::Boxed;
use super::notes::Notes;

/// Providers that call each other, one beneath the other.
pub const DEPTH_MAX: usize = 4;

/// One question that a plugin answers for others.
pub trait Provided: Send + Sync + 'static {
    const DOMAIN: DomainName;
    /// Asking uses something up and changes nothing, so that it may be asked again; so does what its provider sends for it.
    const SPENDS: bool;
    type Answer: Send + 'static;

    /// What of it an event names: a channel.
    fn subject(&self) -> &str;
    /// All of it that who asks can have an influence on, for a run that keeps texts.
    fn written(&self) -> Value;
    /// The same of an answer.
    fn written_answer(answer: &Self::Answer) -> Value;
    /// An answer that was kept.
    fn read_answer(kept: Value) -> Option<Self::Answer>;
}

/// A plugin that answers such questions; `L` is what calls are lent.
pub trait Provider<Q: Provided, L>: Send + Sync {
    fn id(&self) -> &str;
    /// What the operator lets it be asked for.
    fn provides(&self) -> &Permissions;
    /// It is not called any more.
    fn is_withdrawn(&self) -> bool;
    /// Calls it. `lent`: of the call that asks, with that call's time. Dropping what comes back ends the call.
    fn answer(&self, lent: L, order: Order, question: Q) -> Boxed<'_, Left<Q::Answer>>;
}

/// Who asks, as far as the key of what is asked goes.
#[derive(Clone, Debug, Default)]
pub struct Asking {
    /// Id of the run; empty for a service's call.
    pub run: Arc<str>,
    /// Names the call; the keys of what it asks for begin with it.
    pub key: Arc<str>,
    /// In which the plugin is called, where that is known.
    pub role: Option<Role>,
    /// Of the task that the call is for; and that one's id.
    pub kind: Option<Arc<str>>,
    pub task: Option<Arc<str>>,
    /// Id of the task that a look is about.
    pub about: Option<Arc<str>>,
}

/// On whose behalf a provider is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Empty: the host itself.
    pub consumer: String,
    pub key: String,
    pub run: Arc<str>,
    pub workspace: Arc<str>,
}

/// What a provider's call left.
pub struct Left<A, E = NoAnswer> {
    pub answer: Result<A, E>,
    /// By plugin: its own, and those of providers that it asked itself.
    pub writes: BTreeMap<String, Writes>,
    pub notes: Notes,
    /// It may have changed something outside.
    pub changed: bool,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// The provider says that it never can.
    Refused(String),
    /// It failed, or may answer another time: for the operator.
    Failed(String),
    /// The host ends the call that asks.
    Closed,
}
