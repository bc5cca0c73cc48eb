//! Which tasks a run is asked for.
//!
//! In -> out: what a person named, the run's tasks -> the tasks that may start, those that are put back to `pending`.
//! Invariant: what is asked for is in the journal with who asked before anything starts; a task that is left out keeps its
//! status; nothing starts before what it depends on, unless `--only` says that this is taken as it is.
//! Not here: how a run takes and holds them (`run/chosen.rs`), what its end says of the others (`finish.rs`).

use std::collections::BTreeSet;

use orch_journal::RunState;
use orch_journal::event::{Choice, TaskIndex};
use orch_task::{FileTask, Status, Task, TaskId};
use serde::{Deserialize, Serialize};

use super::graph::Graph;
use crate::console::lines::{argument, option};

/// Of a goal.
const GOAL_BYTES_MAX: usize = 8 << 10;

/// What a person asks of a run: which tasks, and which of them again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::Args, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Wanted {
    /// What a new run is for, in words: reflectors that plan ask for tasks towards it
    #[arg(long, value_name = "TEXT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub goal: Option<String>,
    /// Only this task and what it depends on; may be said again
    #[arg(id = "wanted-tasks", long = "task", value_name = "TASK", help_heading = "Which tasks")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<String>,
    /// This task and all that depends on it, again; may be said again
    #[arg(long, value_name = "TASK", help_heading = "Which tasks")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<String>,
    /// Only tasks with this tag and what they depend on; may be said again
    #[arg(id = "wanted-tags", long = "tag", value_name = "TAG", help_heading = "Which tasks")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Leave out this task, or all with this tag; may be said again
    #[arg(long, value_name = "TASK|TAG", help_heading = "Which tasks")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// Nothing that the named tasks depend on: that is taken as it is
    #[arg(long, help_heading = "Which tasks")]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub only: bool,
    /// Try again what has failed
    #[arg(long, help_heading = "Which tasks")]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub retry_failed: bool,
    /// Do again what is done: the named tasks, or all
    #[arg(long, help_heading = "Which tasks")]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
    /// Once a task has failed start nothing more but what starts in any case
    #[arg(long, help_heading = "Which tasks")]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub fail_fast: bool,
}

/// Why there is no such choice.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ChoiceError {
    #[error("a goal has 1 to {GOAL_BYTES_MAX} bytes of words, this one has {bytes}")]
    Goal { bytes: usize },
    #[error("there is no task `{task}`")]
    TaskUnknown { task: String, nearest: Option<String> },
    #[error("no task has the tag `{tag}`")]
    TagUnknown { tag: String },
    #[error("`{what}` is neither a task nor a tag of one")]
    ExcludeUnknown { what: String },
    #[error("`--only` names no task")]
    OnlyOfNone,
    #[error("task `{task}` is asked for and left out")]
    Both { task: String },
    #[error("task `{task}` depends on `{on}`, which is not done and left out")]
    Needed { task: String, on: String },
    #[error("of what is asked for nothing is left: `--exclude` leaves out all tasks, or what they depend on")]
    Nothing,
}

impl ChoiceError {
    pub fn code(&self) -> &'static str {
        match self {
            Self::TaskUnknown { .. } | Self::TagUnknown { .. } | Self::ExcludeUnknown { .. } => {
                "choice-unknown"
            }
            Self::Goal { .. } => "goal-malformed",
            Self::OnlyOfNone => "choice-only",
            Self::Both { .. } => "choice-both",
            Self::Needed { .. } => "choice-needed",
            Self::Nothing => "choice-empty",
        }
    }

    pub fn hint(&self) -> String {
        match self {
            Self::TaskUnknown { nearest: Some(nearest), .. } => {
                format!("the nearest is `{}`", option("--task", nearest))
            }
            Self::Goal { .. } => "say in a sentence or two what is to come of the run".to_owned(),
            Self::Both { .. } => "say one of the two".to_owned(),
            Self::OnlyOfNone => "say which with `--task TASK`, `--from TASK` or `--tag TAG`".to_owned(),
            Self::Needed { on, .. } => {
                format!(
                    "`orch-host task skip {}` takes it for done, and `--only` all that the named tasks depend on",
                    argument(on)
                )
            }
            _ => "`orch-host tasks list` shows all, with their tags".to_owned(),
        }
    }
}

impl Wanted {
    /// What of it stays true while the run goes on.
    pub(super) fn choice(&self) -> Choice {
        let Self { tasks, from, tags, exclude, only, .. } = self.clone();
        Choice { tasks, from, tags, exclude, only }
    }

    /// Fails if it names something that no task of a file is.
    pub fn check(&self, tasks: &[FileTask]) -> Result<(), ChoiceError> {
        if let Some(goal) = self.goal.as_deref().map(str::trim)
            && !(1..=GOAL_BYTES_MAX).contains(&goal.len())
        {
            return Err(ChoiceError::Goal { bytes: goal.len() });
        }
        named(&self.choice(), &tasks.iter().map(|found| &found.task).collect::<Vec<_>>()).map(drop)
    }
}

/// The tasks that a choice names: those that are wanted, those to start from, those left out.
struct Named {
    wanted: BTreeSet<TaskIndex>,
    from: BTreeSet<TaskIndex>,
    excluded: BTreeSet<TaskIndex>,
}

fn named(choice: &Choice, tasks: &[&Task]) -> Result<Named, ChoiceError> {
    let with = |fits: &dyn Fn(&Task) -> bool| -> BTreeSet<TaskIndex> {
        let fitting = tasks.iter().enumerate().filter(|(_, task)| fits(task));
        fitting.map(|(place, _)| place as TaskIndex).collect()
    };
    let of_id = |id: &String| {
        let found = with(&|task| task.id.as_str() == id);
        match found.is_empty() {
            true => Err(ChoiceError::TaskUnknown {
                task: id.escape_debug().to_string(),
                nearest: nearest(id, tasks),
            }),
            false => Ok(found),
        }
    };
    let mut named = Named { wanted: BTreeSet::new(), from: BTreeSet::new(), excluded: BTreeSet::new() };
    for id in &choice.tasks {
        named.wanted.extend(of_id(id)?);
    }
    for id in &choice.from {
        named.from.extend(of_id(id)?);
    }
    for tag in &choice.tags {
        let found = with(&|task| task.tags.contains(tag));
        if found.is_empty() {
            return Err(ChoiceError::TagUnknown { tag: tag.escape_debug().to_string() });
        }
        named.wanted.extend(found);
    }
    for what in &choice.exclude {
        let found = with(&|task| task.id.as_str() == what || task.tags.contains(what));
        if found.is_empty() {
            return Err(ChoiceError::ExcludeUnknown { what: what.escape_debug().to_string() });
        }
        named.excluded.extend(found);
    }
    match choice.only && !choice.names_tasks() {
        true => Err(ChoiceError::OnlyOfNone),
        false => Ok(named),
    }
}

/// The id that somebody probably meant.
fn nearest(id: &str, tasks: &[&Task]) -> Option<String> {
    const DISTANCE_MAX: usize = 2;
    let distance = |task: &&&Task| strsim::damerau_levenshtein(id, task.id.as_str());
    let nearest = tasks.iter().min_by_key(distance)?;
    (distance(&nearest) <= DISTANCE_MAX).then(|| nearest.id.to_string())
}

/// The tasks of a run that a choice lets start, in their order; none for every task.
pub fn chosen(
    state: &RunState,
    graph: &Graph,
    choice: &Choice,
) -> Result<Option<BTreeSet<TaskIndex>>, ChoiceError> {
    if choice.is_all() {
        return Ok(None);
    }
    let tasks: Vec<&Task> = state.tasks.iter().map(|found| &found.task).collect();
    let Named { mut wanted, from, excluded } = named(choice, &tasks)?;
    let is_done =
        |task: &TaskIndex| state.tasks.get(*task as usize).is_some_and(|found| found.status == Status::Done);
    // What cannot start because of what is left out.
    let out: Vec<TaskIndex> = excluded.iter().filter(|task| !is_done(task)).copied().collect();
    let behind = graph.behind(&out);
    let id = |task: TaskIndex| tasks.get(task as usize).map(|found| found.id.to_string()).unwrap_or_default();
    if let Some(both) = wanted.union(&from).find(|task| excluded.contains(task)) {
        return Err(ChoiceError::Both { task: id(*both) });
    }
    for task in wanted.union(&from).filter(|task| !excluded.contains(task) && !choice.only) {
        if let Some(on) = behind.get(task) {
            return Err(ChoiceError::Needed { task: id(*task), on: id(*on) });
        }
    }
    wanted.extend(graph.downstream(&from.iter().copied().collect::<Vec<_>>()));
    wanted.extend(from);
    if !choice.names_tasks() {
        wanted = (0..tasks.len() as TaskIndex).collect();
    } else if !choice.only {
        wanted = with_dependencies(state, wanted);
    }
    wanted.retain(|task| !excluded.contains(task) && (choice.only || !behind.contains_key(task)));
    Ok(Some(wanted))
}

/// These and all that they depend on.
fn with_dependencies(state: &RunState, tasks: BTreeSet<TaskIndex>) -> BTreeSet<TaskIndex> {
    let mut open: Vec<TaskIndex> = tasks.iter().copied().collect();
    let mut all = tasks;
    while let Some(next) = open.pop() {
        let dependencies = state.tasks.get(next as usize).map_or(&[][..], |found| &found.task.dependencies);
        let places = dependencies.iter().filter_map(|id: &TaskId| state.by_id.get(id).copied());
        for place in places.collect::<Vec<_>>() {
            if all.insert(place) {
                open.push(place);
            }
        }
    }
    all
}

/// What a person asks for means of tasks that stand so: those that may start (none: every task), of them those that do so
/// again, and those that run after these however they end.
pub(super) struct Meant {
    chosen: Option<BTreeSet<TaskIndex>>,
    pub(super) again: Vec<TaskIndex>,
    pub(super) after: Vec<TaskIndex>,
}

impl Meant {
    /// What `--only` passes over: tasks that are not done and take no part, each with the first that starts all the same.
    pub(super) fn passed_over(&self, state: &RunState) -> Vec<(TaskIndex, TaskIndex)> {
        let mut passed: Vec<(TaskIndex, TaskIndex)> = Vec::new();
        let Some(chosen) = &self.chosen else { return passed };
        let status = |task: TaskIndex| state.tasks.get(task as usize).map(|found| found.status);
        let starts = |task: &TaskIndex| {
            let is_open = status(*task).is_some_and(|status| !status.is_final());
            is_open || self.again.binary_search(task).is_ok() || self.after.binary_search(task).is_ok()
        };
        for task in chosen.iter().copied().filter(starts) {
            let dependencies =
                state.tasks.get(task as usize).map_or(&[][..], |found| &found.task.dependencies);
            let places = dependencies.iter().filter_map(|id| state.by_id.get(id).copied());
            for on in places.filter(|on| !chosen.contains(on) && status(*on) != Some(Status::Done)) {
                if passed.iter().all(|(known, _)| *known != on) {
                    passed.push((on, task));
                }
            }
        }
        passed
    }
}

pub(super) fn meant(state: &RunState, wanted: &Wanted) -> Result<Meant, ChoiceError> {
    let choice = wanted.choice();
    let graph = Graph::of(state, None);
    let chosen = chosen(state, &graph, &choice)?;
    if chosen.as_ref().is_some_and(BTreeSet::is_empty) {
        return Err(ChoiceError::Nothing);
    }
    let tasks: Vec<&Task> = state.tasks.iter().map(|found| &found.task).collect();
    let Named { wanted: named, from, .. } = named(&choice, &tasks)?;
    let downstream = graph.downstream(&from.iter().copied().collect::<Vec<_>>());
    let downstream: BTreeSet<TaskIndex> = downstream.into_iter().collect();
    let is_again = |task: &TaskIndex| {
        let Some(found) = state.tasks.get(*task as usize) else { return false };
        let is_named = named.contains(task) || from.contains(task) || !choice.names_tasks();
        match found.status {
            Status::Failed => wanted.retry_failed || wanted.force || choice.names_tasks(),
            Status::Cancelled => choice.names_tasks() && is_named,
            Status::Done => (wanted.force && is_named) || from.contains(task) || downstream.contains(task),
            _ => false,
        }
    };
    let is_chosen = |task: &TaskIndex| chosen.as_ref().is_none_or(|chosen| chosen.contains(task));
    let all = 0..state.tasks.len() as TaskIndex;
    let again: Vec<TaskIndex> = all.filter(|task| is_chosen(task) && is_again(task)).collect();
    // What runs after them however they end does so again.
    let is_after = |task: &TaskIndex| {
        let found = state.tasks.get(*task as usize);
        is_chosen(task)
            && again.binary_search(task).is_err()
            && found.is_some_and(|found| found.task.always && found.status == Status::Done)
    };
    // What is behind a failure that is not tried again does not start.
    let ended = (0..state.tasks.len() as TaskIndex).filter(|task| {
        let stuck = state.tasks.get(*task as usize).is_some_and(|found| match found.status {
            Status::Failed => !found.task.allow_failure,
            status => status == Status::Cancelled,
        });
        stuck && again.binary_search(task).is_err()
    });
    let stuck = graph.behind(&ended.collect::<Vec<_>>());
    let is_pending = |task: &TaskIndex| {
        let found = state.tasks.get(*task as usize);
        is_chosen(task)
            && !stuck.contains_key(task)
            && found.is_some_and(|found| matches!(found.status, Status::Pending | Status::Blocked))
    };
    let pending = (0..state.tasks.len() as TaskIndex).filter(is_pending);
    let before: Vec<TaskIndex> = again.iter().copied().chain(pending).collect();
    let mut after: Vec<TaskIndex> = graph.downstream(&before).into_iter().filter(is_after).collect();
    after.sort_unstable();
    Ok(Meant { again, after, chosen })
}

/// The tasks of a file that a new run would be asked for, as they would stand then.
pub fn planned(tasks: &[FileTask], wanted: &Wanted) -> Result<Vec<FileTask>, ChoiceError> {
    let state = RunState::of_tasks(tasks.iter().map(|found| (&found.task, found.status_or_pending())));
    let Meant { chosen, again, after } = meant(&state, wanted)?;
    let mut planned = Vec::new();
    for (place, found) in (0..).zip(tasks) {
        if chosen.as_ref().is_none_or(|chosen| chosen.contains(&place)) {
            let mut found = found.clone();
            if again.contains(&place) || after.contains(&place) {
                found.status = Some(Status::Pending);
            }
            planned.push(found);
        }
    }
    Ok(planned)
}

#[cfg(test)]
mod tests;
