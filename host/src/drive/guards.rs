//! Guards, asked before a task starts.
//!
//! In -> out: a task that the planner chose -> it may start, or it waits for a person, or it has failed.
//! Invariant: a guard that cannot judge does not let pass; a person's approval of this very task outweighs what a guard
//! escalates whose words were there by then, and never what guards refuse.
//! Not here: the call (`role/guard.rs`), approving (`commands/approvals.rs`).

use orch_journal::event::{Event, TaskIndex, task_digest};
use orch_journal::state::TaskState;
use orch_task::Status;
use orch_trust::manifest::Role;

use super::consult;
use super::desk::Desk;
use super::error::DriveError;
use super::run::Run;
use crate::clock::now_ms;
use crate::role::guard::{Judgement, ProposedChange};

/// Asks every guard of the task's kind, in order, until one has something against it; true if it may start. Else it was
/// moved, with the guard's words.
pub async fn let_pass(run: &mut Run, desk: &Desk, index: TaskIndex) -> Result<bool, DriveError> {
    let Some(TaskState { task, env, approved, approved_after, .. }) =
        run.state().tasks.get(index as usize).cloned()
    else {
        return Ok(false);
    };
    let digest = task_digest(&task, env.as_ref());
    let is_approved = digest.is_ok_and(|digest| approved.as_deref() == Some(digest.as_str()));
    let is_outweighed = |guard: &String| is_approved && approved_after.contains(guard);
    for guard in desk.roles.by_key(Role::Guard, task.kind.as_str()) {
        let change = ProposedChange::Task(Box::new(task.clone()));
        let judged = consult::asked(run, desk, guard, Some(index), change).await?;
        let (to, why) = match judged.map(|advice| advice.answer) {
            Some(Judgement::Allow) => continue,
            Some(Judgement::Refuse { reason }) => {
                (Status::Failed, format!("guard `{}` refused it: {reason}", guard.id))
            }
            Some(Judgement::Escalate { .. }) | None if is_outweighed(&guard.id) => continue,
            Some(Judgement::Escalate { risk, reason }) => {
                let risk = risk.as_str();
                (Status::WaitingApproval, format!("guard `{}` asks ({risk} risk): {reason}", guard.id))
            }
            None => (Status::WaitingApproval, format!("guard `{}` could not judge it", guard.id)),
        };
        run.record(Event::TaskMoved { task: index, to, why, who: None, at: now_ms() })?;
        run.held_up(index, to, now_ms());
        return Ok(false);
    }
    Ok(true)
}
