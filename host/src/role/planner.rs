//! Planners: a live session that hears what changed and chooses what starts.
//!
//! In -> out: [`PlannerChange`]s -> [`Decision`].
//! Limits: 1000 changes and 256 kinds a call, a reason of 1024 bytes.
//! Invariant: the deadline is armed and busy time starts at zero for each call; after a fault the session is over.
//! Not here: whether a decision may be followed (`drive/plan.rs`).

use std::sync::Arc;

use orch_journal::event::{Decision, TaskIndex};
use orch_task::Status;
use orch_trust::evidence::Compilable;
use orch_trust::manifest::Role;
use wasmtime::Store;
use wasmtime::component::{InstancePre, ResourceAny};

use super::auditor::outcome_of;
use super::{Export, Exported, Form};
use crate::bindings::planner::exports::orch::planner::planner as wit;
use crate::bindings::planner::{Planner as Instance, PlannerPre};
use crate::call::{CallContext, Used};
use crate::cut::cut_to;
use crate::engine::CallError;
use crate::engine::store::{self, CallState};

const CHANGES_MAX: usize = 1000;
const KINDS_MAX: usize = 256;
const REASON_BYTES_MAX: usize = 1024;

/// The role's export.
pub struct PlannerExport;

impl Export for PlannerExport {
    const ROLE: Role = Role::Planner;
    const FORM: Form = Form::One("planner");
    type Pre = PlannerPre<CallState>;

    fn pre(pre: InstancePre<CallState>) -> wasmtime::Result<Self::Pre> {
        PlannerPre::new(pre)
    }
}

/// A linked planner.
pub type Planner<E> = Exported<PlannerExport, E>;

/// A task whose dependencies are all done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadyTask {
    pub index: TaskIndex,
    /// Higher goes first.
    pub priority: i32,
    pub cost: u32,
    /// Place in the list of kinds that `open` got.
    pub kind: u16,
}

/// Something that a planner hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlannerChange {
    Ready(ReadyTask),
    Withdrawn(TaskIndex),
    Finished(TaskIndex, Status),
    /// What is left.
    Budget(u64),
}

/// More than a planner takes in one call: the host's own fault.
#[derive(Debug, thiserror::Error)]
#[error("{found} {what} for a planner, limit is {limit}")]
struct TooMany {
    what: &'static str,
    found: usize,
    limit: usize,
}

impl<E: Compilable> Planner<E> {
    /// A session of its own instance. `kinds`: what a ready task's `kind` counts in, at most 256.
    pub async fn open(
        &self,
        context: CallContext<E>,
        settings: &str,
        kinds: &[String],
    ) -> Result<PlannerSession, CallError> {
        let plugin = self.linked.plugin().clone();
        check_count(&plugin, "kinds", kinds.len(), KINDS_MAX)?;
        let mut store = self.linked.store(context);
        let wall = store::arm(&mut store)?;
        let call = async {
            let instance = self.pre.instantiate_async(&mut store).await?;
            let session = instance.orch_planner_planner().session();
            let opened = session.call_open(&mut store, settings, kinds).await?;
            Ok((instance, opened))
        };
        let outcome = wall.wait(call).await;
        let (instance, opened) = store::outcome(&mut store, outcome)?;
        let session = store::answered(&store, opened)?;
        Ok(PlannerSession { plugin, store, instance, session, over: false })
    }
}

fn check_count(plugin: &Arc<str>, what: &'static str, found: usize, limit: usize) -> Result<(), CallError> {
    match found <= limit {
        true => Ok(()),
        false => {
            Err(CallError::Host { plugin: plugin.clone(), source: TooMany { what, found, limit }.into() })
        }
    }
}

/// A planner that listens: one live instance.
pub struct PlannerSession {
    plugin: Arc<str>,
    store: Store<CallState>,
    instance: Instance,
    session: ResourceAny,
    over: bool,
}

impl PlannerSession {
    /// Tells the planner what changed, oldest first, at most 1000 at a time.
    pub async fn observe(&mut self, changes: &[PlannerChange]) -> Result<(), CallError> {
        check_count(&self.plugin, "changes", changes.len(), CHANGES_MAX)?;
        self.check_open()?;
        let changes: Vec<wit::Change> = changes.iter().map(change_to_wit).collect();
        let wall = store::arm(&mut self.store)?;
        let session = self.instance.orch_planner_planner().session();
        let outcome = wall.wait(session.call_observe(&mut self.store, self.session, &changes)).await;
        let answer = self.outcome(outcome)?;
        store::answered(&self.store, answer)
    }

    /// Asks what starts in at most so many slots.
    pub async fn next(&mut self, slots: u32) -> Result<Decision, CallError> {
        self.check_open()?;
        let wall = store::arm(&mut self.store)?;
        let session = self.instance.orch_planner_planner().session();
        let outcome = wall.wait(session.call_next(&mut self.store, self.session, slots)).await;
        let answer = self.outcome(outcome)?;
        Ok(match store::answered(&self.store, answer)? {
            wit::Decision::Start(picked) => Decision::Start(picked),
            wit::Decision::Wait => Decision::Wait,
            wit::Decision::Finished(why) => Decision::Finished(cut_to(&why, REASON_BYTES_MAX).to_owned()),
        })
    }

    /// What the last call used; memory is the session's.
    pub fn used(&self) -> Used {
        store::used(&self.store)
    }

    /// After a trap an instance cannot be entered again.
    fn check_open(&self) -> Result<(), CallError> {
        match self.over {
            true => Err(CallError::Closed { plugin: self.plugin.clone(), why: None }),
            false => Ok(()),
        }
    }

    fn outcome<T>(&mut self, outcome: Option<wasmtime::Result<T>>) -> Result<T, CallError> {
        let outcome = store::outcome(&mut self.store, outcome);
        self.over = outcome.is_err();
        outcome
    }
}

fn change_to_wit(change: &PlannerChange) -> wit::Change {
    match *change {
        PlannerChange::Ready(ReadyTask { index, priority, cost, kind }) => {
            wit::Change::Ready(wit::ReadyTask { index, priority, cost, kind })
        }
        PlannerChange::Withdrawn(index) => wit::Change::Withdrawn(index),
        PlannerChange::Finished(index, status) => wit::Change::Finished((index, outcome_of(status))),
        PlannerChange::Budget(left) => wit::Change::Budget(left),
    }
}
