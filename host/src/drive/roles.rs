//! The plugins of a run, each in its role.
//!
//! In -> out: linked plugins with their settings -> [`Roles`], looked up by kind and id.
//! Invariant: only plugins that were admitted can be here; a `Candidate` does not fit the type.
//! Not here: finding and admitting them (`plugins.rs`), what a role's calls look like (`role/`).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use orch_task::{FileTask, Kind, Task};
use orch_trust::evidence::Admitted;
use orch_trust::manifest::Role;

use super::error::DriveError;
use super::offers::Offers;
use crate::call::{CallContext, CallReport, Lent};
use crate::engine::CallError;
use crate::engine::withdrawal::Withdrawal;
use crate::role::Binding;
use crate::role::{AnyExported, Ask, Listed};
use crate::told::{Told, check_task};

/// A plugin in one role, with what its binding in the workspace says.
pub struct Bound {
    pub plugin: AnyExported<Admitted>,
    pub id: String,
    /// A JSON object.
    pub settings: Arc<str>,
    /// From the manifest's `wallMs`.
    pub wall: Duration,
    /// Its grant reaches something outside the host's store.
    pub effectful: bool,
    /// Its grant lets whoever reaches it change something, if only in the host's store.
    pub changes: bool,
    /// Its grant reaches something outside in another way than by programs.
    pub changes_more: bool,
    /// Its grant lets it look into the workspace, itself or by programs.
    pub looks_around: bool,
    /// SHA-256 of component, grant and settings.
    pub identity: Arc<str>,
    /// What it may be told to run.
    pub told: Option<Told>,
    /// How long its last call took.
    pub pace: Pace,
}

impl Bound {
    /// Asks the plugin, which is bound in the role that the question is for. Whatever came of it, no process of it is
    /// left.
    pub async fn call<A: Ask<Of: Listed>>(&self, lent: Lent, ask: &A) -> CallReport<A::Answer> {
        let Some(exported) = <A::Of as Listed>::of(&self.plugin) else {
            return CallReport::never_made(CallError::other_role(&self.id));
        };
        let processes = lent.processes.clone();
        let report = exported.call(CallContext::of_run(lent), ask).await;
        processes.over(report.result.is_ok()).await;
        report
    }
}

/// How long the last call of a plugin took, in nanoseconds; of one that was never called nothing is known.
#[derive(Debug)]
pub struct Pace(AtomicU64);

/// What two changes of threads cost, and some.
const QUICK: Duration = Duration::from_micros(60);

impl Default for Pace {
    fn default() -> Self {
        Self(AtomicU64::new(u64::MAX))
    }
}

impl Pace {
    pub fn took(&self, time: Duration) {
        self.0.store(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// True if the last call was over sooner than another thread would have begun it.
    pub fn is_quick(&self) -> bool {
        u128::from(self.0.load(Ordering::Relaxed)) < QUICK.as_nanos()
    }
}

/// Everything that a run calls.
pub struct Roles {
    /// In the order of the workspace's bindings.
    bound: Vec<(Binding, Arc<Bound>)>,
    planner: Arc<Bound>,
    executors: HashMap<Kind, Arc<Bound>>,
    pub offers: Offers,
    /// Of each plugin, by id: whether it may still be called.
    withdrawals: BTreeMap<String, Arc<Withdrawal>>,
}

impl Roles {
    /// `None`: no planner is bound.
    pub fn new(
        bound: Vec<(Binding, Arc<Bound>)>,
        offers: Offers,
        withdrawals: BTreeMap<String, Arc<Withdrawal>>,
    ) -> Option<Self> {
        let of = |role| bound.iter().filter(move |(binding, _)| binding.role == role);
        let planner = of(Role::Planner).next()?.1.clone();
        // A key that is no kind is no task's either.
        let executor =
            |(binding, bound): &(Binding, Arc<Bound>)| Some((Kind::parse(&binding.key).ok()?, bound.clone()));
        let executors = of(Role::Executor).filter_map(executor).collect();
        Some(Self { bound, planner, executors, offers, withdrawals })
    }

    pub fn planner(&self) -> &Arc<Bound> {
        &self.planner
    }

    /// The plugins of one role, in the order in which they are bound.
    pub fn of(&self, role: Role) -> impl Iterator<Item = &Arc<Bound>> {
        self.bound.iter().filter(move |(binding, _)| binding.role == role).map(|(_, bound)| bound)
    }

    /// The plugins of one role that are bound by that key or by `*`, in the order in which they are bound.
    pub fn by_key<'a>(&'a self, role: Role, key: &'a str) -> impl Iterator<Item = &'a Arc<Bound>> {
        let is_bound = move |binding: &Binding| binding.role == role && [key, "*"].contains(&&*binding.key);
        self.bound.iter().filter(move |(binding, _)| is_bound(binding)).map(|(_, bound)| bound)
    }

    /// The plugin of that role and id.
    pub fn by_id(&self, role: Role, id: &str) -> Option<&Arc<Bound>> {
        self.of(role).find(|bound| bound.id == id)
    }

    /// The executor of tasks of that kind.
    pub fn executor_of(&self, kind: &Kind) -> Option<&Arc<Bound>> {
        self.executors.get(kind)
    }

    /// The executor of the task's kind.
    pub fn executor(&self, task: &Task) -> Result<&Arc<Bound>, DriveError> {
        self.executor_of(&task.kind)
            .ok_or_else(|| DriveError::NoExecutor { kind: task.kind.to_string(), task: task.id.to_string() })
    }

    pub fn withdrawals(&self) -> &BTreeMap<String, Arc<Withdrawal>> {
        &self.withdrawals
    }

    /// Fails if one of the plugins may not be called any more; whoever asks a provider is told by itself.
    pub fn check_withdrawals(&self) -> Result<(), DriveError> {
        let of_loop = |id: &str| self.by_id(Role::Provider, id).is_none();
        let mut withdrawals = self.withdrawals.iter().filter(|(id, _)| of_loop(id));
        let gone = withdrawals.find_map(|(id, withdrawal)| Some((id, withdrawal.withdrawn()?)));
        match gone {
            None => Ok(()),
            Some((id, why)) => Err(DriveError::Plugin {
                plugin: id.clone(),
                call: "run",
                source: CallError::withdrawn(&id.as_str().into(), why),
            }),
        }
    }

    /// Fails if the task needs a plugin that is not bound, or what its executor is not granted.
    pub fn check(&self, found: &FileTask) -> Result<(), DriveError> {
        self.offers.check(found)?;
        self.check_told(found)
    }

    /// Fails if its executor is not granted what the task tells it.
    pub fn check_told(&self, found: &FileTask) -> Result<(), DriveError> {
        let Some(executor) = self.executor_of(&found.task.kind) else { return Ok(()) };
        let offer = self.offers.executors.get(found.task.kind.as_str());
        let task_keys = offer.map_or(&[][..], |offer| &offer.task_keys);
        check_task(executor.told.as_ref(), &executor.id, task_keys, found)
            .map_err(|error| DriveError::Told(Box::new(error)))
    }

    /// All kinds that some executor handles, sorted; a planner sees kinds as places in this list.
    pub fn kinds(&self) -> Vec<Kind> {
        let mut kinds: Vec<Kind> = self.executors.keys().cloned().collect();
        kinds.sort();
        kinds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_is_quick_only_while_its_last_call_was() {
        let pace = Pace::default();
        assert!(!pace.is_quick(), "nothing is known of it");
        pace.took(QUICK / 2);
        assert!(pace.is_quick());
        pace.took(QUICK);
        assert!(!pace.is_quick());
    }
}
