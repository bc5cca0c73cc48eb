//! What the host lends to one call: what stands behind each capability.
//!
//! Invariant: what is lent to a plugin of a run is never a fake, by its type.
//! Not here: what the capabilities do with it (a file each), what comes back (`call.rs`).

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use orch_journal::event::Writes;
use orch_trust::evidence::{Candidate, Compilable, Runnable};
use orch_trust::time::UnixSeconds;

use super::control::backend::Controls;
use super::effect::EffectGate;
use super::embed::texts::Texts;
use super::files::protected::Protected;
use super::git::backend::Repositories;
use super::http::backend::Egress;
use super::kv::backend::KvReader;
use super::ledger::Ledger;
use super::llm::backend::Deltas;
use super::llm::catalogue::Catalogue;
use super::llm::chat::Chat;
use super::log::backend::LogSink;
use super::metrics::backend::MetricReader;
use super::notify::message::Message;
use super::process::backend::Processes;
use super::process::env::CommandEnv;
use super::provided::{Asking, Provided, Provider};
use super::purse::Purse;
use super::retrieve::query::Query;
use super::secrets::backend::SecretReader;
use super::tape::{CallTape, Tape};
use super::tasks::backend::TaskReader;
use super::vectors::backend::VectorStore;

/// The plugins that answer for others in this workspace: a field for each interface.
#[derive(Clone, Default)]
pub struct Providers {
    /// Name of the workspace's folder.
    pub workspace: Arc<str>,
    pub notify: Option<Arc<dyn Provider<Message, Lent>>>,
    /// Of models; the first one is asked where a model names none.
    pub llm: Vec<Arc<dyn Provider<Chat, Lent>>>,
    /// Of vectors, as those of models.
    pub embed: Vec<Arc<dyn Provider<Texts, Lent>>>,
    pub retrieve: Option<Arc<dyn Provider<Query, Lent>>>,
    pub models: Arc<Catalogue>,
    /// What may be spent.
    pub purse: Arc<Purse>,
}

impl Providers {
    /// The provider of models of that id; none: the first.
    pub(super) fn llm_of(&self, id: Option<&str>) -> Option<&Arc<dyn Provider<Chat, Lent>>> {
        named(&self.llm, id)
    }

    /// The provider of vectors of that id; none: the first.
    pub(super) fn embed_of(&self, id: Option<&str>) -> Option<&Arc<dyn Provider<Texts, Lent>>> {
        named(&self.embed, id)
    }
}

fn named<'a, Q: Provided>(
    providers: &'a [Arc<dyn Provider<Q, Lent>>],
    id: Option<&str>,
) -> Option<&'a Arc<dyn Provider<Q, Lent>>> {
    match id {
        Some(id) => providers.iter().find(|provider| provider.id() == id),
        None => providers.first(),
    }
}

/// Everything that the host lends to one call (for a planner: to one session), with what stands behind its
/// capabilities.
#[derive(Clone)]
pub struct Lent {
    /// Absolute path of the workspace, without links.
    pub workspace: Arc<PathBuf>,
    /// It is a work tree: what is changed in it is kept with the call's answer, or gone with it.
    pub is_kept: bool,
    pub git: Arc<dyn Repositories>,
    /// Besides the host's own names.
    pub protected: Arc<Protected>,
    /// A JSON object.
    pub settings: Arc<str>,
    pub tasks: Arc<dyn TaskReader>,
    pub kv: Arc<dyn KvReader>,
    /// What plugins measured before.
    pub metrics: Arc<dyn MetricReader>,
    pub vectors: Arc<dyn VectorStore>,
    pub effects: Arc<dyn EffectGate>,
    pub processes: Arc<dyn Processes>,
    pub env: CommandEnv,
    pub controls: Arc<dyn Controls>,
    pub egress: Arc<dyn Egress>,
    pub log: Arc<dyn LogSink>,
    pub secrets: Arc<dyn SecretReader>,
    /// Plugins that answer for others.
    pub providers: Providers,
    pub asking: Asking,
    /// What providers wrote so far for the call that asks this one, by plugin; nothing unless this one is asked so.
    pub earlier: Arc<BTreeMap<String, Writes>>,
    /// It answers for what spends: what it sends is part of that, and changes nothing.
    pub spending: bool,
    pub deltas: Arc<dyn Deltas>,
    pub tape: Tape,
    /// Where a clock starts that moves only when it is asked; nothing: at a time of its own.
    pub fixed_start: Option<UnixSeconds>,
    /// For the whole call, host functions included; for a planner: for each call of its session.
    pub wall: Duration,
}

impl Lent {
    /// For a call of that plugin. What providers wrote for the call that asked it stands, until they write again.
    pub(crate) fn ledger(&self, plugin: &str) -> Ledger {
        let tape = CallTape::of(&self.tape, plugin, &self.asking);
        let ledger = Ledger::new(self.effects.clone()).spending(self.spending).taped(tape);
        ledger.going_on(self.asking.key.clone(), (*self.earlier).clone())
    }
}

/// What is lent to a plugin of that evidence.
///
/// A run lends what is real, and [`Fakes`](crate::capability::trial::Fakes) lend fakes to a `Candidate` only; neither fits the other:
///
/// ```compile_fail,E0308
/// use orch_host::capability::lent::CallContext;
/// use orch_trust::evidence::{Admitted, Candidate};
/// fn smuggle(fakes: CallContext<Candidate>) -> CallContext<Admitted> {
///     fakes
/// }
/// ```
///
/// Nor can a fake be taken out of them and be lent by hand:
///
/// ```compile_fail,E0616
/// use orch_host::capability::trial::Fakes;
/// fn smuggle(fakes: Fakes) -> std::sync::Arc<dyn orch_host::capability::kv::KvReader> {
///     fakes.kv
/// }
/// ```
pub struct CallContext<E> {
    lent: Lent,
    evidence: PhantomData<fn() -> E>,
}

impl<E: Compilable> CallContext<E> {
    pub(crate) fn into_lent(self) -> Lent {
        self.lent
    }
}

impl<E: Runnable> CallContext<E> {
    /// What a run lends.
    pub(crate) fn of_run(lent: Lent) -> Self {
        Self { lent, evidence: PhantomData }
    }
}

impl CallContext<Candidate> {
    /// What a trial lends.
    pub(crate) fn of_trial(lent: Lent) -> Self {
        Self { lent, evidence: PhantomData }
    }
}
