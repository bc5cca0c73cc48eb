//! A planner's session, driven step by step beside a model of what may start.
//!
//! In -> out: [`Session`] -> its decisions, and what was wrong with them.
//! Limits: 64 rounds to an end.
//! Invariant: only what the model holds for ready, within slots and what is left, may start, in any session; a strict
//! one may not wait while nothing runs either.
//! Not here: which sessions there are (`planner.rs`), the rules at run time (`orch-host`'s `drive/plan.rs`).

use std::collections::{BTreeMap, BTreeSet};

use orch_host::call::{Boxed, CallContext, Used};
use orch_host::engine::CallError;
use orch_host::role::planner::{Planner, PlannerChange, PlannerExport, PlannerSession};
use orch_host::role::{AnyExported, Listed};
use orch_journal::event::Decision;
use orch_task::Status;
use orch_trust::evidence::Candidate;

use super::answer::Answer;
use super::call::{Call, Seen};

const ROUNDS_MAX: usize = 64;

/// What a planner goes through.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) settings: String,
    pub(crate) kinds: Vec<String>,
    pub(crate) steps: Vec<Step>,
    /// What it is told makes sense, and so must what it says.
    pub(crate) strict: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Observe(Vec<PlannerChange>),
    Next {
        slots: u32,
    },
    /// Asks until it is finished; whatever starts ends like this.
    ToTheEnd {
        slots: u32,
        status: Status,
    },
}

/// What may start, as far as the planner was told.
#[derive(Default)]
struct Model {
    /// With what each costs.
    ready: BTreeMap<u32, u32>,
    running: BTreeSet<u32>,
    /// None: nobody spoke of a budget, so there is none.
    left: Option<u64>,
}

impl Model {
    fn tell(&mut self, change: PlannerChange) {
        match change {
            PlannerChange::Ready(task) => {
                // Told twice, the cheaper one counts: nothing says which.
                let cost = self.ready.get(&task.index).map_or(task.cost, |cost| task.cost.min(*cost));
                self.ready.insert(task.index, cost);
            }
            PlannerChange::Withdrawn(index) => {
                self.ready.remove(&index);
            }
            PlannerChange::Finished(index, _) => {
                self.running.remove(&index);
            }
            PlannerChange::Budget(left) => self.left = Some(left),
        }
    }

    /// Starts what was picked; else what is wrong with it.
    fn start(&mut self, picked: &[u32], slots: u32) -> Result<(), String> {
        if picked.is_empty() {
            return Err("starts an empty list".to_owned());
        }
        if picked.len() as u64 > u64::from(slots) {
            return Err(format!("starts {} tasks in {slots} slots", picked.len()));
        }
        let mut spent: u64 = 0;
        for index in picked {
            let Some(cost) = self.ready.remove(index) else {
                return Err(format!("starts task {index}, which is not ready"));
            };
            spent = spent.saturating_add(cost.into());
            self.running.insert(*index);
        }
        let Some(left) = self.left else { return Ok(()) };
        match left.checked_sub(spent) {
            Some(left) => {
                self.left = Some(left);
                Ok(())
            }
            None => Err("starts what costs more than is left".to_owned()),
        }
    }
}

/// One session under way.
struct Drive {
    live: PlannerSession,
    model: Model,
    strict: bool,
    used: Used,
    decisions: Vec<Decision>,
    faults: Vec<String>,
}

impl Call for Session {
    fn make<'a>(
        &'a self,
        plugin: &'a AnyExported<Candidate>,
        context: CallContext<Candidate>,
    ) -> Boxed<'a, Seen> {
        Box::pin(async move {
            let Some(planner) = PlannerExport::of(plugin) else {
                unreachable!("cases are made for the role that is linked")
            };
            // A session has no report.
            let (answer, used) = self.play(planner, context).await;
            Seen::of(answer, used)
        })
    }
}

impl Session {
    /// Its decisions, and the most that any of its calls used.
    async fn play(
        &self,
        planner: &Planner<Candidate>,
        context: CallContext<Candidate>,
    ) -> (Result<Answer, CallError>, Used) {
        let live = match planner.open(context, &self.settings, &self.kinds).await {
            Ok(live) => live,
            Err(error) => return (Err(error), Used::default()),
        };
        let mut drive = Drive {
            used: live.used(),
            live,
            model: Model::default(),
            strict: self.strict,
            decisions: Vec::new(),
            faults: Vec::new(),
        };
        for step in &self.steps {
            let gone_on = match step {
                Step::Observe(changes) => drive.observe(changes).await,
                Step::Next { slots } => drive.next(*slots).await.map(drop),
                Step::ToTheEnd { slots, status } => drive.go_to_the_end(*slots, *status).await,
            };
            if let Err(error) = gone_on {
                return (Err(error), drive.used);
            }
            if !drive.faults.is_empty() {
                break;
            }
        }
        let Drive { decisions, faults: wrong, used, .. } = drive;
        (Ok(Answer { text: format!("{decisions:?}"), wrong, asked: Vec::new() }), used)
    }
}

impl Drive {
    async fn observe(&mut self, changes: &[PlannerChange]) -> Result<(), CallError> {
        let observed = self.live.observe(changes).await;
        self.measure();
        for change in changes {
            self.model.tell(*change);
        }
        observed
    }

    async fn next(&mut self, slots: u32) -> Result<Decision, CallError> {
        let answer = self.live.next(slots).await;
        self.measure();
        let decision = answer?;
        let wrong = match &decision {
            Decision::Start(picked) => self.model.start(picked, slots).err(),
            Decision::Wait if self.strict && self.model.running.is_empty() => {
                Some("waits while nothing runs".to_owned())
            }
            Decision::Finished(_) if self.strict && self.can_start() && self.decisions.is_empty() => {
                Some("is finished, though a task is ready and there is budget".to_owned())
            }
            Decision::Wait | Decision::Finished(_) => None,
        };
        let gone_on = wrong.is_none() && matches!(decision, Decision::Start(_));
        self.faults.extend(wrong);
        self.decisions.push(decision.clone());
        // A host says what is left after every change to it, before it asks again.
        if let Some(left) = self.model.left.filter(|_| gone_on) {
            self.observe(&[PlannerChange::Budget(left)]).await?;
        }
        Ok(decision)
    }

    async fn go_to_the_end(&mut self, slots: u32, status: Status) -> Result<(), CallError> {
        for _ in 0..ROUNDS_MAX {
            let decision = self.next(slots).await?;
            if !self.faults.is_empty() || matches!(decision, Decision::Finished(_)) {
                return Ok(());
            }
            let ended = std::mem::take(&mut self.model.running);
            let changes: Vec<PlannerChange> =
                ended.into_iter().map(|index| PlannerChange::Finished(index, status)).collect();
            self.observe(&changes).await?;
        }
        self.faults.push("is not finished when nothing is left to start".to_owned());
        Ok(())
    }

    /// Whether a ready task fits what is left.
    fn can_start(&self) -> bool {
        let fits = |cost: &u32| self.model.left.is_none_or(|left| u64::from(*cost) <= left);
        self.model.ready.values().any(fits)
    }

    fn measure(&mut self) {
        let used = self.live.used();
        self.used.fuel = self.used.fuel.max(used.fuel);
        self.used.memory_bytes = self.used.memory_bytes.max(used.memory_bytes);
        self.used.host_calls = self.used.host_calls.max(used.host_calls);
    }
}

#[cfg(test)]
mod tests {
    use orch_host::role::planner::ReadyTask;

    use super::*;

    fn told(changes: &[PlannerChange]) -> Model {
        let mut model = Model::default();
        for change in changes {
            model.tell(*change);
        }
        model
    }

    #[track_caller]
    fn check(picked: &[u32], slots: u32, expected: Result<(), &str>) {
        let ready = |index, cost| PlannerChange::Ready(ReadyTask { index, priority: 0, cost, kind: 0 });
        let changes = [
            PlannerChange::Budget(5),
            ready(0, 2),
            ready(1, 3),
            ready(2, 1),
            ready(3, 9),
            PlannerChange::Withdrawn(2),
        ];
        let found = told(&changes).start(picked, slots);
        assert_eq!(found, expected.map_err(str::to_owned));
    }

    #[test]
    fn only_what_is_ready_starts_within_slots_and_budget() {
        check(&[0, 1], 2, Ok(()));
        check(&[], 2, Err("starts an empty list"));
        check(&[0, 1], 1, Err("starts 2 tasks in 1 slots"));
        check(&[2], 2, Err("starts task 2, which is not ready"));
        check(&[0, 0], 2, Err("starts task 0, which is not ready"));
        check(&[3], 2, Err("starts what costs more than is left"));
        let ready = ReadyTask { index: 0, priority: 0, cost: 9, kind: 0 };
        assert_eq!(told(&[PlannerChange::Ready(ready)]).start(&[0], 1), Ok(()), "no budget was told");
    }
}
