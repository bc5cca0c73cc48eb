//! Conformance of planners: starts only what is ready, within slots and budget, and comes to an end.
//!
//! In -> out: a trial -> its findings.
//! Limits: 64 rounds.
//! Not here: the rules at run time (`orch-host`'s `drive/plan.rs`).

use std::collections::BTreeSet;

use orch_host::engine::CallError;
use orch_host::role::planner::{Planner, PlannerChange, PlannerDecision, PlannerSession, ReadyTask};
use orch_task::Status;

use super::{Expected, Trial};

const ROUNDS_MAX: usize = 64;
const SLOTS: u32 = 2;

pub(super) async fn run(trial: &mut Trial) -> Result<(), CallError> {
    let planner = Planner::link(&trial.engine, trial.compiled.clone())?;
    let kinds = ["shell".to_owned(), "note".to_owned()];
    let opened = planner.open(trial.context(), "{}", &kinds).await;
    if let Some(mut session) = trial.judge("open", Expected::Answer, opened) {
        trial.measure(session.used());
        good(trial, &mut session).await;
    }
    let opened = planner.open(trial.context(), "\u{0}not json", &kinds).await;
    trial.judge("open with settings that are no JSON", Expected::AnswerOrFailure, opened);
    let opened = planner.open(trial.context(), "{}", &kinds).await;
    if let Some(mut session) = trial.judge("open again", Expected::Answer, opened) {
        hostile(trial, &mut session).await;
    }
    Ok(())
}

/// Five tasks and money for all: some start, each once, until it says that it is finished.
async fn good(trial: &mut Trial, session: &mut PlannerSession) {
    let tasks: Vec<ReadyTask> = (0..5)
        .map(|index| ReadyTask { index, priority: 5 - index as i32, cost: 1 + index % 2, kind: 0 })
        .collect();
    let mut ready: BTreeSet<u32> = (0..5).collect();
    let mut changes: Vec<PlannerChange> = vec![PlannerChange::Budget(100)];
    changes.extend(tasks.iter().copied().map(PlannerChange::Ready));
    let mut left = 100;
    for round in 0..ROUNDS_MAX {
        let observed = session.observe(&changes).await;
        trial.measure(session.used());
        if trial.judge("observe", Expected::Answer, observed).is_none() {
            return;
        }
        let answer = session.next(SLOTS).await;
        trial.measure(session.used());
        match trial.judge("next", Expected::Answer, answer) {
            None => return,
            Some(PlannerDecision::Wait) => return trial.wrong("next", "waits while nothing runs"),
            Some(PlannerDecision::Finished(_)) if round == 0 => {
                return trial.wrong("next", "is finished, though five tasks are ready and there is budget");
            }
            Some(PlannerDecision::Finished(_)) => return,
            Some(PlannerDecision::Start(picked)) => {
                if let Err(what) = take(&mut ready, &picked, SLOTS) {
                    return trial.wrong("next", &what);
                }
                let cost =
                    |index: &u32| tasks.iter().find(|task| task.index == *index).map_or(0, |task| task.cost);
                left -= u64::from(picked.iter().map(cost).sum::<u32>());
                changes = picked.iter().map(|index| PlannerChange::Finished(*index, Status::Done)).collect();
                changes.push(PlannerChange::Budget(left));
            }
        }
    }
    trial.wrong("next", "is not finished when nothing is left to start");
}

/// A thousand changes, most of them about tasks that nobody spoke of, and no money: nothing may start.
async fn hostile(trial: &mut Trial, session: &mut PlannerSession) {
    let ready = |index| ReadyTask { index, priority: i32::MIN, cost: u32::MAX, kind: 1 };
    let mut changes: Vec<PlannerChange> = (0..300).map(|index| PlannerChange::Ready(ready(index))).collect();
    changes.extend((0..300).map(PlannerChange::Withdrawn));
    changes.extend((0..200).map(|index| PlannerChange::Withdrawn(u32::MAX - index)));
    changes.extend((0..195).map(|index| PlannerChange::Finished(1_000_000 + index, Status::InDoubt)));
    changes.extend((7..10).map(|index| PlannerChange::Ready(ready(index))));
    changes.extend([PlannerChange::Budget(u64::MAX), PlannerChange::Budget(0)]);
    let observed = session.observe(&changes).await;
    trial.measure(session.used());
    if trial.judge("observe a thousand odd changes", Expected::AnswerOrFailure, observed).is_none() {
        return;
    }
    for slots in [1, u32::MAX] {
        let call = "next without budget";
        let answer = session.next(slots).await;
        trial.measure(session.used());
        match trial.judge(call, Expected::AnswerOrFailure, answer) {
            Some(PlannerDecision::Start(picked)) if !picked.is_empty() => {
                return trial.wrong(call, "starts a task that costs more than is left");
            }
            Some(_) => {}
            None => return,
        }
    }
}

/// Takes what was picked out of what is ready.
fn take(ready: &mut BTreeSet<u32>, picked: &[u32], slots: u32) -> Result<(), String> {
    if picked.is_empty() {
        return Err("starts an empty list".to_owned());
    }
    if picked.len() as u64 > u64::from(slots) {
        return Err(format!("starts {} tasks in {slots} slots", picked.len()));
    }
    match picked.iter().find(|index| !ready.remove(index)) {
        Some(index) => Err(format!("starts task {index}, which is not ready")),
        None => Ok(()),
    }
}
