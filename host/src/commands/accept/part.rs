//! `accept --tasks`: what some tasks changed, as if nobody else had changed anything.
//!
//! In -> out: kept edits of a run, tasks -> the last of some commits that begin where the run began.
//! Invariant: the same tasks give the same commits, whenever they are asked for.
//! Not here: taking them in (`commands/accept.rs`).

use std::path::PathBuf;

use orch_journal::Reader;
use orch_journal::event::{EditsKept, Event, TaskIndex};
use orch_task::TaskId;

use super::super::diff::unknown;
use super::super::run_branch::{RunBranch, undecided};
use crate::drive::lodging::oid;
use crate::exit::Fault;
use crate::git::{Merged, Oid, Signed};
use crate::place;

/// What was kept of a run, in order.
pub(super) fn kept(run: &str, reader: &Reader) -> Result<Vec<EditsKept>, Fault> {
    let mut kept = Vec::new();
    for event in reader.events(run) {
        if let Event::EditsKept(found) = event?.1 {
            kept.push(*found);
        }
    }
    Ok(kept)
}

/// The tasks that are named, sorted.
///
/// # Errors
/// `task-unknown`; `task-without-edits` if nothing of one is kept.
pub(super) fn named(of: &RunBranch, kept: &[EditsKept], names: &[String]) -> Result<Vec<TaskIndex>, Fault> {
    let mut found = Vec::new();
    for name in names {
        let index = TaskId::parse(name).ok().and_then(|id| of.state.by_id.get(&id).copied());
        let index = index.ok_or_else(|| unknown(&of.run, name))?;
        if !kept.iter().any(|kept| kept.finished.task == index) {
            let hint = "`orch-host diff --stat` shows what is on the run's branch".to_owned();
            let what = format!("nothing that task `{name}` changed is on the run's branch");
            return Err(place::input("task-without-edits", Some(hint), what));
        }
        found.push(index);
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// A commit with what these tasks changed, and no other.
///
/// # Errors
/// `accept-entangled` if one changed what another one had changed before it; whatever git says.
pub(super) fn tip(of: &RunBranch, kept: &[EditsKept], only: &[TaskIndex]) -> Result<Oid, Fault> {
    let repository = &of.repository;
    let (mut tip, _) = of.ends()?;
    for kept in kept.iter().filter(|kept| only.contains(&kept.finished.task)) {
        let (old, new) = (oid(&kept.old)?, oid(&kept.new)?);
        if tip == old {
            tip = new;
            continue;
        }
        let tree = match repository.applied(&tip, (&old, &new))? {
            Merged::Tree(tree) => tree,
            Merged::Conflict(paths) => return Err(entangled(of, kept, &paths)),
        };
        let message = repository.log(&new, 0, 1)?.pop().map_or_else(String::new, |commit| commit.message);
        let by = Signed::by_host(kept.finished.at);
        tip = repository.commit(&tree, &[&tip], &format!("{message}\n"), &by)?;
    }
    Ok(tip)
}

fn entangled(of: &RunBranch, kept: &EditsKept, paths: &[PathBuf]) -> Fault {
    let id = of.state.tasks.get(kept.finished.task as usize).map(|found| found.task.id.to_string());
    let named: Vec<String> =
        paths.iter().map(|path| format!("`{}`", path.to_string_lossy().escape_debug())).collect();
    let what = format!(
        "task `{}` changed lines of {} that another task had changed before it, which is not named",
        id.unwrap_or_default(),
        named.join(", ")
    );
    let hint = "`git log -- FILE` of the run's branch says which; name it too, or take all";
    undecided("accept-entangled", hint, what)
}
