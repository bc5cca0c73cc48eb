//! Attempts that were cut off: by the end of another host, or by a person.
//!
//! In -> out: tasks that are `in_progress` with nobody working on them -> an ending for each.
//! Limits: a task that may be repeated is repeated after [`CRASHES_MAX`] ends of its host, or `retries` if that is more.
//! Invariant: no task is touched before the processes of its last attempt are gone; an attempt without an intent
//! runs again, one with an intent is in doubt and follows the task's rule, and both are said in the journal.
//! Not here: an attempt that broke while the host lived (`attempt.rs`).

use std::time::Duration;

use orch_journal::event::{ABORTED, AttemptFinished, Ending, Event, HOST_GONE, TaskIndex, Writes};
use orch_journal::failpoint;
use orch_supervisor::ProcessIdentity;
use orch_task::{OnDoubt, Status};

use super::desk::Desk;
use super::error::DriveError;
use super::run::Run;
use crate::clock::now_ms;

/// A host that ends is seldom the task's fault, so these do not need `retries`; one that ends again and again may be.
pub const CRASHES_MAX: u32 = 3;

/// Who cut the attempts off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The host that ran them is gone.
    HostGone,
    /// A person ended them, the host lives.
    Aborted,
}

impl Cut {
    fn code(self) -> &'static str {
        match self {
            Self::HostGone => HOST_GONE,
            Self::Aborted => ABORTED,
        }
    }
}

/// An attempt that was cut off.
struct Open {
    task: TaskIndex,
    attempt: u32,
    intent: bool,
    rule: OnDoubt,
    /// Ends of hosts that the task was in before, and how many are borne.
    crashes: u32,
    crashes_max: u32,
    processes: Vec<ProcessIdentity>,
}

/// For supervisors to end what they were told to, after `kill_after`.
const PATIENCE: Duration = Duration::from_secs(5);

/// Ends every attempt that was cut off and is still open, after its processes and those of calls are gone; gives how many.
pub fn settle(run: &mut Run, desk: &Desk, cut: Cut) -> Result<usize, DriveError> {
    let open = open_attempts(run);
    let of_calls =
        run.state().open_calls.iter().flat_map(|call| identities(&call.processes)).collect::<Vec<_>>();
    let leftovers: Vec<ProcessIdentity> =
        open.iter().flat_map(|one| one.processes.iter().cloned()).chain(of_calls).collect();
    let patience = desk.rules().kill_after + PATIENCE;
    orch_supervisor::end_leftovers(&leftovers, patience).map_err(|source| DriveError::Io {
        what: "end the processes of",
        path: run.id.clone(),
        source,
    })?;
    if !open.is_empty() {
        failpoint::hit("before-settle");
    }
    for one in &open {
        let (ending, status) = fate(one, cut);
        let finished = AttemptFinished {
            task: one.task,
            attempt: one.attempt,
            ending,
            status,
            not_before: None,
            writes: Writes::default(),
            log: None,
            looked: Vec::new(),
            unkept: None,
            held: None,
            at: now_ms(),
        };
        run.record(Event::AttemptFinished(Box::new(finished)))?;
        if status.is_final() {
            run.moved(one.task, status, now_ms());
        }
        if status == Status::Done {
            run.say_done(one.task);
        }
    }
    if !open.is_empty() {
        failpoint::hit("after-settle");
    }
    Ok(open.len())
}

fn open_attempts(run: &Run) -> Vec<Open> {
    let state = run.state();
    let open = state.tasks.iter().enumerate().filter(|(_, task)| task.status == Status::InProgress);
    open.map(|(place, found)| Open {
        task: place as TaskIndex,
        attempt: found.attempts,
        intent: found.intent,
        rule: found.task.doubt_rule(),
        crashes: found.crashes,
        crashes_max: found.task.retries.max(CRASHES_MAX),
        processes: identities(&found.processes).collect(),
    })
    .collect()
}

fn identities(processes: &[(u32, u64, String)]) -> impl Iterator<Item = ProcessIdentity> {
    let identity = |(pid, start_ticks, boot_id): &(u32, u64, String)| ProcessIdentity {
        pid: *pid,
        start_ticks: *start_ticks,
        boot_id: boot_id.clone(),
    };
    processes.iter().map(identity)
}

/// How a cut attempt ended, and where its task stands.
fn fate(one: &Open, cut: Cut) -> (Ending, Status) {
    let code = cut.code().to_owned();
    if !one.intent {
        return (Ending::Rerun { code }, Status::Pending);
    }
    let status = match one.rule {
        OnDoubt::Ask => Status::InDoubt,
        OnDoubt::Retry if cut == Cut::HostGone && one.crashes >= one.crashes_max => Status::Failed,
        OnDoubt::Retry => Status::Pending,
        OnDoubt::Fail => Status::Failed,
        OnDoubt::Done => Status::Done,
    };
    let who = match cut {
        Cut::HostGone => "the host ended",
        Cut::Aborted => "a person ended it",
    };
    let mut message = format!("{who} after the attempt's first effect and before its answer");
    if one.rule == OnDoubt::Retry && status == Status::Failed {
        let (times, max) = (one.crashes + 1, one.crashes_max);
        message.push_str(&format!(", the {times}. time; it is repeated {max} times at most"));
    }
    (Ending::InDoubt { code, message }, status)
}

/// Puts tasks back that were blocked by a task that is not in their way any more.
pub fn unblock(run: &mut Run) -> Result<(), DriveError> {
    let stuck = run.stuck();
    let free: Vec<TaskIndex> = {
        let state = run.state();
        let blocked = state.tasks.iter().enumerate().filter(|(_, task)| task.status == Status::Blocked);
        blocked.map(|(place, _)| place as TaskIndex).filter(|place| !stuck.contains_key(place)).collect()
    };
    for task in free {
        let why = "what blocked it is resolved".to_owned();
        run.record(Event::TaskMoved { task, to: Status::Pending, why, who: None, at: now_ms() })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(intent: bool, rule: OnDoubt, crashes: u32, cut: Cut, expected: Status) -> Ending {
        let processes = Vec::new();
        let one = Open { task: 0, attempt: 1, intent, rule, crashes, crashes_max: 3, processes };
        let (ending, status) = fate(&one, cut);
        assert_eq!(status, expected, "{intent} {rule:?} {crashes} {cut:?}");
        ending
    }

    #[test]
    fn without_an_effect_it_runs_again_and_with_one_it_follows_the_rule() {
        for cut in [Cut::HostGone, Cut::Aborted] {
            for rule in [OnDoubt::Ask, OnDoubt::Retry, OnDoubt::Fail, OnDoubt::Done] {
                let ending = check(false, rule, 9, cut, Status::Pending);
                assert_eq!(ending, Ending::Rerun { code: cut.code().to_owned() });
            }
            check(true, OnDoubt::Ask, 9, cut, Status::InDoubt);
            check(true, OnDoubt::Retry, 0, cut, Status::Pending);
            check(true, OnDoubt::Fail, 0, cut, Status::Failed);
            check(true, OnDoubt::Done, 0, cut, Status::Done);
        }
    }

    #[test]
    fn a_task_whose_host_ends_again_and_again_is_failed_and_says_why() {
        check(true, OnDoubt::Retry, 2, Cut::HostGone, Status::Pending);
        let ending = check(true, OnDoubt::Retry, 3, Cut::HostGone, Status::Failed);
        assert!(ending.is_host_crash() && !ending.counts_against_retries());
        let Ending::InDoubt { message, .. } = ending else { unreachable!("it had an effect") };
        assert!(message.ends_with(", the 4. time; it is repeated 3 times at most"), "{message}");
    }

    #[test]
    fn what_a_person_ended_is_not_held_against_the_task() {
        let ending = check(true, OnDoubt::Retry, 3, Cut::Aborted, Status::Pending);
        assert!(!ending.is_host_crash() && !ending.counts_against_retries(), "{ending:?}");
    }
}
