//! Plugins that answer for others: bound, lent to whoever asks, called on the guests' threads.
//!
//! In -> out: bound plugins, the operator's policy -> [`Providers`]; a question -> a call on a fresh instance.
//! Invariant: the call has the provider's own grant, settings and limits, and at most the time that is left to who asks; it
//! ends when whoever asks is gone. It has no task and no program, and adds no task.
//! Not here: what may be asked (`capability/provided.rs`), circles and depth (`plugins/providers.rs`).

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use orch_journal::event::{Actor, Writes};
use orch_task::Task;
use orch_trust::manifest::Role;
use orch_trust::name::PluginId;
use orch_trust::permission::{DomainName, Permissions};
use orch_trust::policy::Policy;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::roles::{Bound, Roles};
use crate::call::{CallReport, Lent};
use crate::capability::effect::Boxed;
use crate::capability::lent::Providers;
use crate::capability::llm::catalogue::Catalogue;
use crate::capability::notes::Notes;
use crate::capability::nothing::Nothing;
use crate::capability::provided::{Asking, Left, NoAnswer, Order, Provided, Provider};
use crate::capability::purse::Purse;
use crate::engine::CallError;
use crate::engine::withdrawal::Withdrawal;
use crate::role::provider::Carried;

/// The providers of a workspace.
pub fn of(
    roles: &Roles,
    policy: &Policy,
    (models, purse): (Arc<Catalogue>, Arc<Purse>),
    workspace: &Path,
    guests: &Handle,
) -> Providers {
    let named = |domain: DomainName| {
        roles.by_key(Role::Provider, domain.as_str()).map(|bound| {
            let provides = PluginId::parse(&bound.id).ok().map(|id| policy.provided(&id).0.clone());
            Arc::new(BoundProvider {
                withdrawal: roles.withdrawals().get(&bound.id).cloned().unwrap_or_default(),
                provides: provides.unwrap_or_default(),
                guests: guests.clone(),
                bound: bound.clone(),
            })
        })
    };
    let name = workspace.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Providers {
        workspace: name.into(),
        notify: named(DomainName::Notify).next().map(|provider| provider as _),
        llm: named(DomainName::Llm).map(|provider| provider as _).collect(),
        models,
        purse,
    }
}

impl Asking {
    /// Of an attempt or a call of that run.
    pub fn of(run: &str, by: Actor) -> Self {
        let key = match by {
            Actor::Attempt { task, attempt } => format!("{run}-t{task}.{attempt}"),
            Actor::Call { number } => format!("{run}-c{number}"),
        };
        Self { run: run.into(), key: key.into(), ..Self::default() }
    }

    /// Of a plugin that is called in that role, for that task.
    pub fn by(self, role: Role, task: Option<&Task>) -> Self {
        let (kind, task) = task.map(|task| (task.kind.as_str().into(), task.id.as_str().into())).unzip();
        Self { role: Some(role), kind, task, ..self }
    }
}

struct BoundProvider {
    bound: Arc<Bound>,
    withdrawal: Arc<Withdrawal>,
    provides: Permissions,
    guests: Handle,
}

impl<Q: Carried> Provider<Q, Lent> for BoundProvider {
    fn id(&self) -> &str {
        &self.bound.id
    }

    fn provides(&self) -> &Permissions {
        &self.provides
    }

    fn is_withdrawn(&self) -> bool {
        self.withdrawal.withdrawn().is_some()
    }

    fn answer(&self, lent: Lent, order: Order, question: Q) -> Boxed<'_, Left<<Q as Provided>::Answer>> {
        Box::pin(async move {
            let Lent {
                workspace,
                kv,
                effects,
                log,
                egress,
                secrets,
                providers,
                asking,
                earlier,
                spending,
                deltas,
                wall,
                ..
            } = lent;
            let lent = Lent {
                settings: self.bound.settings.clone(),
                kv,
                effects,
                log,
                secrets,
                egress,
                providers,
                asking,
                earlier,
                spending,
                deltas,
                ..Nothing::lent(workspace, wall.min(self.bound.wall))
            };
            let (bound, ask) = (self.bound.clone(), question.ask(order));
            // Ends with whoever waits for it.
            let mut call = JoinSet::new();
            call.spawn_on(async move { bound.call(lent, &ask).await }, &self.guests);
            match call.join_next().await {
                Some(Ok(report)) => left(&self.bound.id, report),
                _ => Left {
                    answer: Err(NoAnswer::Failed("its call did not come back".to_owned())),
                    writes: BTreeMap::new(),
                    notes: Notes::default(),
                    // Whatever it did, it is not known.
                    changed: true,
                },
            }
        })
    }
}

/// What a provider's call leaves with who asked.
fn left<A>(id: &str, report: CallReport<A>) -> Left<A> {
    let CallReport { result, writes, denied, mut notes, log_cut, effect, .. } = report;
    let denied = denied.into_iter().map(|what| (id.to_owned(), what)).collect();
    let cut = log_cut.then(|| ("log-cut", format!("`{id}` wrote more log than its `logKiB`")));
    notes.take(Notes { denied, warned: cut.into_iter().collect() });
    let answer = result.map_err(|error| match error {
        CallError::Failure { message, retriable: false, .. } => NoAnswer::Refused(message),
        CallError::Failure { message, .. } => NoAnswer::Failed(message),
        CallError::Closed { .. } => NoAnswer::Closed,
        error => NoAnswer::Failed(format!("{} ({})", error, error.code())),
    });
    let mut by_plugin = BTreeMap::new();
    if answer.is_ok() {
        let Writes { provided, kv, metrics, .. } = writes;
        let own = Writes { plugin: id.to_owned(), kv, metrics, ..Writes::default() };
        by_plugin.extend(provided.into_iter().chain([own]).map(|one| (one.plugin.clone(), one)));
    }
    Left { answer, writes: by_plugin, notes, changed: effect }
}
