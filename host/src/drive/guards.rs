//! Guards, asked before a task starts, before an attempt's edits are kept, and before a person takes a run's in.
//!
//! In -> out: a task that the planner chose -> it may start, or it waits for a person, or it has failed; edits -> [`Verdict`];
//! a merge -> what guards have against it.
//! Invariant: a guard that cannot judge does not let pass; a person's approval of this very task outweighs what a guard
//! escalates whose words were there by then, and never what guards refuse.
//! Not here: the call (`role/guard.rs`), approving (`commands/approvals.rs`), what becomes of edits (`held.rs`, `keep.rs`).

use std::sync::Arc;

use orch_journal::event::{Event, TaskIndex, task_digest};
use orch_journal::state::TaskState;
use orch_task::Status;
use orch_trust::manifest::Role;

use super::branch::Branch;
use super::consult;
use super::desk::Desk;
use super::ended::Ended;
use super::error::DriveError;
use super::lodging::leave;
use super::roles::Bound;
use super::run::Run;
use crate::clock::now_ms;
use crate::git::{GitError, Oid};
use crate::role::guard::{
    ChangedFile, Difference, FILES_MAX, FileStatus, Judgement, PATCH_BYTES_MAX, PATHS_BYTES_MAX,
    ProposedChange, ProposedEdits, ProposedMerge, TASKS_MAX,
};

/// Asks every guard of the task's kind, in order, until one has something against it; true if it may start. Else it was
/// moved, with the guard's words.
pub async fn let_pass(run: &mut Run, desk: &Desk, index: TaskIndex) -> Result<bool, DriveError> {
    let Some(TaskState { task, env, approved, approved_after, held, .. }) =
        run.state().tasks.get(index as usize).cloned()
    else {
        return Ok(false);
    };
    // It was done already; what a person lets is that its edits are kept.
    if held.is_some_and(|held| held.is_approved) {
        return Ok(true);
    }
    let digest = task_digest(&task, env.as_ref());
    let is_approved = digest.is_ok_and(|digest| approved.as_deref() == Some(digest.as_str()));
    let is_outweighed = |guard: &String| is_approved && approved_after.contains(guard);
    for guard in desk.roles.by_key(Role::Guard, task.kind.as_str()) {
        let change = ProposedChange::Task(Box::new(task.clone()));
        let judged = consult::asked(run, desk, guard, (Some(index), None), change).await?;
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

/// What comes of an attempt's edits.
pub enum Verdict {
    Keep,
    /// Why they are not kept.
    Refuse(String),
    /// A person decides, who reads this guard's words.
    Hold {
        guard: String,
        why: String,
    },
}

/// Asks every guard of the task's kind about what an attempt changed between two commits, in order, until one has something
/// against it. What a person has read of a guard and let be is not asked of it again.
pub async fn judge_edits(
    run: &mut Run,
    desk: &Desk,
    ended: &Ended,
    (old, new): (&Oid, &Oid),
) -> Result<Verdict, DriveError> {
    let index = ended.task;
    let task = run.state().tasks.get(index as usize).map(|found| found.task.clone());
    let (Some(task), Some(branch)) = (task, desk.branch.clone()) else {
        return Err(DriveError::Lost { what: "the task of an attempt" });
    };
    let guards: Vec<_> = desk.roles.by_key(Role::Guard, task.kind.as_str()).cloned().collect();
    if guards.is_empty() {
        return Ok(Verdict::Keep);
    }
    let difference = proposed(run, desk, branch, (old, new)).await?;
    let edits = ProposedEdits { task, attempt: ended.attempt, difference };
    let seat = ended.tree.as_ref().map(|tree| tree.seat().clone());
    let is_read = |guard: &String| ended.held.as_ref().is_some_and(|held| held.guards.contains(guard));
    for guard in guards {
        let change = ProposedChange::Edits(Box::new(edits.clone()));
        let judged = consult::asked(run, desk, &guard, (Some(index), seat.as_ref()), change).await?;
        let why = match judged.map(|advice| advice.answer) {
            Some(Judgement::Allow) => continue,
            Some(Judgement::Refuse { reason }) => {
                return Ok(Verdict::Refuse(format!("guard `{}` refused its edits: {reason}", guard.id)));
            }
            Some(Judgement::Escalate { .. }) | None if is_read(&guard.id) => continue,
            Some(Judgement::Escalate { risk, reason }) => {
                format!("guard `{}` asks about its edits ({} risk): {reason}", guard.id, risk.as_str())
            }
            None => format!("guard `{}` could not judge its edits", guard.id),
        };
        return Ok(Verdict::Hold { guard: guard.id.clone(), why });
    }
    Ok(Verdict::Keep)
}

/// What a person is about to take in.
pub struct Merge {
    /// Whose edits it has.
    pub tasks: Vec<TaskIndex>,
    /// The person's branch; none: their checkout is on none.
    pub onto: Option<String>,
    /// Where their checkout is, and where it would come to.
    pub head: Oid,
    pub commit: Oid,
}

/// What one guard has against a merge.
pub struct Objection {
    pub guard: String,
    pub why: String,
    /// Nobody may outweigh it.
    pub is_refusal: bool,
}

/// Asks every guard of these tasks' kinds about what a person takes in, each once and all of them: the person reads all that
/// there is against it.
pub async fn judge_merge(run: &mut Run, desk: &Desk, merge: Merge) -> Result<Vec<Objection>, DriveError> {
    let Merge { tasks, onto, head, commit } = merge;
    let Some(branch) = desk.branch.clone() else {
        return Err(DriveError::Lost { what: "the run's branch" });
    };
    let mut guards: Vec<Arc<Bound>> = Vec::new();
    let mut ids = Vec::new();
    for task in &tasks {
        let found = run.state().tasks.get(*task as usize).map(|found| found.task.clone());
        let task = found.ok_or(DriveError::Lost { what: "a task that is taken in" })?;
        for guard in desk.roles.by_key(Role::Guard, task.kind.as_str()) {
            if guards.iter().all(|known| known.id != guard.id) {
                guards.push(guard.clone());
            }
        }
        ids.push(task.id.to_string());
    }
    if guards.is_empty() {
        return Ok(Vec::new());
    }
    ids.truncate(TASKS_MAX);
    let difference = proposed(run, desk, branch.clone(), (&head, &commit)).await?;
    let change = ProposedMerge { run: run.id.clone(), tasks: ids, onto, difference };
    let tree = match guards.iter().any(|guard| guard.looks_around) {
        false => None,
        true => {
            let making = desk.guests.spawn_blocking(move || {
                let mut tree = branch.reserve();
                branch.make(&mut tree, &commit).map(|()| tree)
            });
            Some(run.serving(making).await?.map_err(|_| DriveError::Lost { what: "a tree to judge" })??)
        }
    };
    let mut objections = Vec::new();
    for guard in guards {
        let seat = tree.as_ref().map(|tree| tree.seat().clone());
        let change = ProposedChange::Merge(Box::new(change.clone()));
        let judged = consult::asked(run, desk, &guard, (None, seat.as_ref()), change).await?;
        let (why, is_refusal) = match judged.map(|advice| advice.answer) {
            Some(Judgement::Allow) => continue,
            Some(Judgement::Refuse { reason }) => {
                (format!("guard `{}` refuses it: {reason}", guard.id), true)
            }
            Some(Judgement::Escalate { risk, reason }) => {
                (format!("guard `{}` asks about it ({} risk): {reason}", guard.id, risk.as_str()), false)
            }
            None => (format!("guard `{}` could not judge it", guard.id), false),
        };
        objections.push(Objection { guard: guard.id.clone(), why, is_refusal });
    }
    leave(&desk.guests, tree).await;
    Ok(objections)
}

/// What changed between two commits, as guards see it.
async fn proposed(
    run: &mut Run,
    desk: &Desk,
    branch: Arc<Branch>,
    (old, new): (&Oid, &Oid),
) -> Result<Difference, DriveError> {
    let (old, new) = (old.clone(), new.clone());
    let proposing = desk.guests.spawn_blocking(move || difference(&branch, &old, &new));
    Ok(run.serving(proposing).await?.map_err(|_| DriveError::Lost { what: "a change to judge" })??)
}

fn difference(branch: &Branch, old: &Oid, new: &Oid) -> Result<Difference, GitError> {
    let repository = branch.repository();
    let (changes, stats) = (repository.changes(old, new)?, repository.stats(old, new)?);
    let (patch, patch_is_whole) = repository.patch(old, new, PATCH_BYTES_MAX)?;
    let sum = |of: fn(&crate::git::FileStat) -> Option<u64>| stats.iter().filter_map(of).sum();
    let (added, removed) = (sum(|stat| stat.added), sum(|stat| stat.removed));
    let (mut files, mut bytes) = (Vec::new(), 0);
    // Both are in git's order.
    for (changed, stat) in changes.iter().zip(&stats) {
        let path = changed.path.to_string_lossy().into_owned();
        bytes += path.len();
        if files.len() >= FILES_MAX || bytes > PATHS_BYTES_MAX {
            break;
        }
        let status = match (&changed.from, &changed.to) {
            (None, _) => FileStatus::Added,
            (_, None) => FileStatus::Removed,
            _ => FileStatus::Changed,
        };
        let lines = |count: Option<u64>| count.map(|count| u32::try_from(count).unwrap_or(u32::MAX));
        files.push(ChangedFile { path, status, added: lines(stat.added), removed: lines(stat.removed) });
    }
    Ok(Difference {
        files,
        files_count: u32::try_from(changes.len()).unwrap_or(u32::MAX),
        added,
        removed,
        patch: String::from_utf8_lossy(&patch).into_owned(),
        patch_is_whole,
    })
}
