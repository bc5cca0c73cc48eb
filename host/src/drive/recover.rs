//! What the end of another host left behind.
//!
//! In -> out: tasks that are `in_progress` with nobody working on them -> an ending for each.
//! Invariant: no task is touched before the processes of its last attempt are gone; an attempt without an intent
//! runs again, one with an intent is in doubt and follows the task's rule, and both are said in the journal.
//! Not here: an attempt that broke while the host lived (`attempt.rs`).

use orch_journal::event::{AttemptFinished, Ending, Event, HOST_GONE, TaskIndex, Writes};
use orch_supervisor::ProcessIdentity;
use orch_task::{OnDoubt, Status};

use super::desk::now_ms;
use super::error::DriveError;
use super::run::Run;

/// An attempt that was cut off.
struct Cut {
    task: TaskIndex,
    attempt: u32,
    intent: bool,
    rule: OnDoubt,
    processes: Vec<ProcessIdentity>,
}

/// Ends every attempt that a host before this one left open; gives how many.
pub fn settle(run: &mut Run) -> Result<usize, DriveError> {
    let cuts: Vec<Cut> = {
        let state = run.state();
        let open = state.tasks.iter().enumerate().filter(|(_, task)| task.status == Status::InProgress);
        open.map(|(place, found)| Cut {
            task: place as TaskIndex,
            attempt: found.attempts,
            intent: found.intent,
            rule: found.task.doubt_rule(),
            processes: found
                .processes
                .iter()
                .map(|(pid, start_ticks, boot_id)| ProcessIdentity {
                    pid: *pid,
                    start_ticks: *start_ticks,
                    boot_id: boot_id.clone(),
                })
                .collect(),
        })
        .collect()
    };
    let leftovers: Vec<ProcessIdentity> = cuts.iter().flat_map(|cut| cut.processes.iter().cloned()).collect();
    orch_supervisor::end_leftovers(&leftovers).map_err(|source| DriveError::Io {
        what: "end the processes of",
        path: run.id.clone(),
        source,
    })?;
    for cut in &cuts {
        let (ending, status) = match (cut.intent, cut.rule) {
            (false, _) => (Ending::Rerun { code: HOST_GONE.to_owned() }, Status::Pending),
            (true, rule) => {
                let message =
                    "the host ended after the attempt's first effect and before its answer".to_owned();
                let status = match rule {
                    OnDoubt::Ask => Status::InDoubt,
                    OnDoubt::Retry => Status::Pending,
                    OnDoubt::Fail => Status::Failed,
                    OnDoubt::Done => Status::Done,
                };
                (Ending::InDoubt { code: HOST_GONE.to_owned(), message }, status)
            }
        };
        let finished = AttemptFinished {
            task: cut.task,
            attempt: cut.attempt,
            ending,
            status,
            not_before: None,
            writes: Writes::default(),
            log: None,
            at: now_ms(),
        };
        run.record(Event::AttemptFinished(Box::new(finished)))?;
        if status == Status::Done {
            run.moved(cut.task, status, now_ms());
        }
    }
    Ok(cuts.len())
}

/// Puts tasks back that were blocked by a task that is not in their way any more.
pub fn unblock(run: &mut Run) -> Result<(), DriveError> {
    let stuck: std::collections::BTreeSet<TaskIndex> = {
        let state = run.state();
        let failed = |task: &Status| matches!(task, Status::Failed | Status::Cancelled);
        let ends = state.tasks.iter().enumerate().filter(|(_, task)| failed(&task.status));
        ends.flat_map(|(place, _)| run.downstream(place as TaskIndex)).collect()
    };
    let free: Vec<TaskIndex> = {
        let state = run.state();
        let blocked = state.tasks.iter().enumerate().filter(|(_, task)| task.status == Status::Blocked);
        blocked.map(|(place, _)| place as TaskIndex).filter(|place| !stuck.contains(place)).collect()
    };
    for task in free {
        let why = "what blocked it is resolved".to_owned();
        run.record(Event::TaskMoved { task, to: Status::Pending, why, at: now_ms() })?;
    }
    Ok(())
}
