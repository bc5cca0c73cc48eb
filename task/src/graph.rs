//! Whether tasks and their dependencies form a graph that can be run.
//!
//! In -> out: tasks -> nothing, or the first [`GraphError`].
//! Limits: time and memory grow with tasks plus dependencies; no recursion.
//! Invariant: a graph that passed has unique ids, no unknown dependency and no cycle.
//! Not here: who is ready (`orch-host`'s `drive/graph.rs`), places in a file (`file.rs`).

use std::collections::HashMap;

use crate::model::{Task, TaskId};

/// Why tasks are no graph. The numbers are positions among the checked tasks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    #[error("task id `{id}` is used twice")]
    DuplicateId { id: TaskId, first: Option<usize>, second: usize },
    #[error("task `{task}` depends on `{dependency}`, which does not exist")]
    UnknownDependency { task: TaskId, dependency: TaskId, at: usize, nth: usize },
    #[error("tasks depend on each other: {}", cycle_text(tasks))]
    Cycle { tasks: Vec<TaskId>, at: usize },
}

impl GraphError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::DuplicateId { .. } => "task-duplicate-id",
            Self::UnknownDependency { .. } => "task-unknown-dependency",
            Self::Cycle { .. } => "task-cycle",
        }
    }
}

/// One cycle in words, shortened when it is long.
pub(crate) fn cycle_text(tasks: &[TaskId]) -> String {
    const SHOWN_MAX: usize = 12;
    let mut text = String::new();
    for id in tasks.iter().take(SHOWN_MAX) {
        text.push_str(&format!("`{id}` -> "));
    }
    if tasks.len() > SHOWN_MAX {
        text.push_str(&format!("{} more -> ", tasks.len() - SHOWN_MAX));
    }
    match tasks.first() {
        Some(first) => text + &format!("`{first}`"),
        None => text,
    }
}

/// Checks a whole graph.
///
/// # Errors
/// `DuplicateId`, then `UnknownDependency`, then `Cycle`; each names the first found in the order of the tasks.
pub fn check_graph<'a>(tasks: impl IntoIterator<Item = &'a Task>) -> Result<(), GraphError> {
    check_added(|_| false, tasks)
}

/// Checks tasks that are added to a graph that passed before. Those that are there cannot depend on the new ones,
/// so only the new ones are walked.
///
/// # Errors
/// As [`check_graph`]; `DuplicateId` has no `first` when the id was there before.
pub fn check_added<'a>(
    is_known: impl Fn(&TaskId) -> bool,
    added: impl IntoIterator<Item = &'a Task>,
) -> Result<(), GraphError> {
    let tasks: Vec<&Task> = added.into_iter().collect();
    let mut places: HashMap<&TaskId, usize> = HashMap::with_capacity(tasks.len());
    for (at, task) in tasks.iter().enumerate() {
        if is_known(&task.id) {
            return Err(GraphError::DuplicateId { id: task.id.clone(), first: None, second: at });
        }
        if let Some(first) = places.insert(&task.id, at) {
            return Err(GraphError::DuplicateId { id: task.id.clone(), first: Some(first), second: at });
        }
    }

    let mut dependents: Vec<Vec<usize>> = vec![Vec::new(); tasks.len()];
    let mut missing: Vec<usize> = vec![0; tasks.len()];
    for (at, task) in tasks.iter().enumerate() {
        for (nth, dependency) in task.dependencies.iter().enumerate() {
            match places.get(dependency) {
                Some(&on) => {
                    if let (Some(list), Some(count)) = (dependents.get_mut(on), missing.get_mut(at)) {
                        list.push(at);
                        *count += 1;
                    }
                }
                None if is_known(dependency) => {}
                None => {
                    return Err(GraphError::UnknownDependency {
                        task: task.id.clone(),
                        dependency: dependency.clone(),
                        at,
                        nth,
                    });
                }
            }
        }
    }

    let mut free: Vec<usize> = (0..tasks.len()).filter(|at| missing.get(*at) == Some(&0)).collect();
    while let Some(at) = free.pop() {
        for &dependent in dependents.get(at).into_iter().flatten() {
            if let Some(count) = missing.get_mut(dependent) {
                *count -= 1;
                if *count == 0 {
                    free.push(dependent);
                }
            }
        }
    }
    match missing.iter().position(|count| *count > 0) {
        Some(stuck) => Err(one_cycle(&tasks, &places, &missing, stuck)),
        None => Ok(()),
    }
}

/// Walks from a task that never becomes free along dependencies that never do, until one is met again.
fn one_cycle(
    tasks: &[&Task],
    places: &HashMap<&TaskId, usize>,
    missing: &[usize],
    stuck: usize,
) -> GraphError {
    let mut path: Vec<usize> = Vec::new();
    let mut position: HashMap<usize, usize> = HashMap::new();
    let mut at = stuck;
    while !position.contains_key(&at) {
        position.insert(at, path.len());
        path.push(at);
        let next = tasks.get(at).and_then(|task| {
            let on = task.dependencies.iter().filter_map(|id| places.get(id).copied());
            on.into_iter().find(|on| missing.get(*on).is_some_and(|count| *count > 0))
        });
        let Some(next) = next else {
            unreachable!("a task that misses something has a dependency that does too")
        };
        at = next;
    }
    let start = position.get(&at).copied().unwrap_or(0);
    let ring = path.get(start..).unwrap_or_default();
    // Told from its first task in the file, so that the same cycle always reads the same.
    let smallest = ring.iter().enumerate().min_by_key(|(_, at)| **at).map_or(0, |(nth, _)| nth);
    let (before, after) = ring.split_at(smallest);
    let ids =
        after.iter().chain(before).filter_map(|at| tasks.get(*at)).map(|task| task.id.clone()).collect();
    GraphError::Cycle { tasks: ids, at: ring.iter().copied().min().unwrap_or(stuck) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Kind;

    fn graph(text: &[(&str, &[&str])]) -> Vec<Task> {
        text.iter()
            .map(|(id, on)| {
                let mut task = Task::new(TaskId::parse(id).unwrap(), Kind::shell());
                task.dependencies = on.iter().map(|id| TaskId::parse(id).unwrap()).collect();
                task
            })
            .collect()
    }

    #[track_caller]
    fn check(tasks: &[(&str, &[&str])], expected: Option<(&str, &str)>) {
        let found = check_graph(&graph(tasks)).err();
        assert_eq!(
            found.as_ref().map(|why| (why.code(), why.to_string())),
            expected.map(|(c, t)| (c, t.to_owned()))
        );
    }

    #[test]
    fn sound_graphs_pass() {
        check(&[], None);
        check(&[("a", &[])], None);
        check(&[("b", &["a"]), ("a", &[])], None);
        check(&[("a", &[]), ("b", &["a"]), ("c", &["a"]), ("d", &["b", "c"])], None);
    }

    #[test]
    fn each_fault_is_named() {
        check(&[("a", &[]), ("a", &[])], Some(("task-duplicate-id", "task id `a` is used twice")));
        check(
            &[("a", &["x"])],
            Some(("task-unknown-dependency", "task `a` depends on `x`, which does not exist")),
        );
        check(&[("a", &["a"])], Some(("task-cycle", "tasks depend on each other: `a` -> `a`")));
        // `z` waits for the cycle and is no part of it; `r` runs before it.
        check(
            &[("z", &["b"]), ("r", &[]), ("a", &["c", "r"]), ("b", &["a"]), ("c", &["b"])],
            Some(("task-cycle", "tasks depend on each other: `a` -> `c` -> `b` -> `a`")),
        );
    }

    #[test]
    fn added_tasks_may_lean_on_known_ones_and_nothing_else() {
        let known = |id: &TaskId| id.as_str() == "old";
        assert_eq!(check_added(known, &graph(&[("n", &["old"]), ("m", &["n"])])), Ok(()));
        let duplicate = check_added(known, &graph(&[("old", &[])])).unwrap_err();
        assert!(matches!(duplicate, GraphError::DuplicateId { first: None, second: 0, .. }));
        let unknown = check_added(known, &graph(&[("n", &["older"])])).unwrap_err();
        assert_eq!(unknown.code(), "task-unknown-dependency");
        let cycle = check_added(known, &graph(&[("n", &["m", "old"]), ("m", &["n"])])).unwrap_err();
        assert_eq!(cycle.code(), "task-cycle");
    }

    #[test]
    fn a_chain_of_200_000_tasks_is_walked_without_recursion() {
        let mut tasks: Vec<Task> = (0..200_000)
            .map(|at| {
                let mut task = Task::new(TaskId::parse(&format!("t{at}")).unwrap(), Kind::shell());
                task.dependencies =
                    (at > 0).then(|| TaskId::parse(&format!("t{}", at - 1)).unwrap()).into_iter().collect();
                task
            })
            .collect();
        assert_eq!(check_graph(&tasks), Ok(()));
        tasks[0].dependencies.push(TaskId::parse("t199999").unwrap());
        let Err(GraphError::Cycle { tasks: ring, at: 0 }) = check_graph(&tasks) else { panic!("no cycle") };
        assert_eq!(ring.len(), 200_000);
        assert!(cycle_text(&ring).len() < 300);
    }
}
