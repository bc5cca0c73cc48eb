//! Who waits for whom.
//!
//! In -> out: tasks and their statuses -> how many dependencies each task still misses.
//! Invariant: `missing` counts the dependencies that are not done and verified; a task is counted as done once; a change
//! of one status costs its dependents only.
//! Not here: whether a task starts (the planner), whether a graph is sound (`orch-task`).

use orch_journal::RunState;
use orch_journal::event::TaskIndex;
use orch_journal::state::TaskState;
use orch_task::Status;

/// Dependencies of a run's tasks, turned around.
#[derive(Debug, Default)]
pub struct Graph {
    dependents: Vec<Vec<TaskIndex>>,
    missing: Vec<u32>,
    /// Counted as done.
    done: Vec<bool>,
}

impl Graph {
    /// The graph of all tasks of the run.
    pub fn of(state: &RunState) -> Self {
        let mut graph = Self::default();
        graph.extend(state);
        graph
    }

    /// Takes in the tasks that were added since.
    pub fn extend(&mut self, state: &RunState) {
        let known = self.missing.len();
        self.dependents.resize(state.tasks.len(), Vec::new());
        self.missing.resize(state.tasks.len(), 0);
        let done = |(place, task): (usize, &TaskState)| {
            task.status == Status::Done && state.is_verified(place as TaskIndex)
        };
        self.done.extend(state.tasks.iter().enumerate().skip(known).map(done));
        for (place, added) in state.tasks.iter().enumerate().skip(known) {
            for dependency in &added.task.dependencies {
                let Some(&on) = state.by_id.get(dependency) else { continue };
                if let Some(dependents) = self.dependents.get_mut(on as usize) {
                    dependents.push(place as TaskIndex);
                }
                let done = self.done.get(on as usize).copied();
                if let (Some(false), Some(missing)) = (done, self.missing.get_mut(place)) {
                    *missing += 1;
                }
            }
        }
    }

    /// True when every dependency of the task is done and verified.
    pub fn is_free(&self, task: TaskIndex) -> bool {
        self.missing.get(task as usize) == Some(&0)
    }

    /// Takes note that a task is done and verified; gives the tasks that miss nothing any more.
    pub fn done(&mut self, task: TaskIndex) -> Vec<TaskIndex> {
        let Self { dependents, missing, done } = self;
        let mut freed = Vec::new();
        if done.get_mut(task as usize).is_none_or(|mark| std::mem::replace(mark, true)) {
            return freed;
        }
        for &dependent in dependents.get(task as usize).into_iter().flatten() {
            if let Some(count) = missing.get_mut(dependent as usize) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    freed.push(dependent);
                }
            }
        }
        freed
    }

    /// Everything that depends on the task, directly or not, in no order.
    pub fn downstream(&self, task: TaskIndex) -> Vec<TaskIndex> {
        let mut seen = vec![false; self.missing.len()];
        let mut found = Vec::new();
        let mut open = vec![task];
        while let Some(next) = open.pop() {
            for &dependent in self.dependents.get(next as usize).into_iter().flatten() {
                if let Some(mark) = seen.get_mut(dependent as usize)
                    && !std::mem::replace(mark, true)
                {
                    found.push(dependent);
                    open.push(dependent);
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use orch_journal::Event;
    use orch_journal::event::{AddedTask, RunStarted};
    use orch_task::{Kind, Task, TaskId};

    use super::*;

    fn state(tasks: &[(&str, &[&str], Status)]) -> RunState {
        let tasks = tasks
            .iter()
            .map(|(id, dependencies, status)| {
                let mut task = Task::new(TaskId::parse(id).unwrap(), Kind::shell());
                task.dependencies = dependencies.iter().map(|id| TaskId::parse(id).unwrap()).collect();
                AddedTask { task, status: *status, added_by: None, env: None }
            })
            .collect();
        let started = RunStarted {
            run: "r".into(),
            goal: String::new(),
            plugins: vec![],
            jobs: 1,
            durability: "process".into(),
            budget: 0,
            unsigned: false,
            store: None,
            at: 0,
            mac: String::new(),
        };
        let events = [Event::RunStarted(started), Event::TasksAdded { first: 0, tasks, at: 0 }];
        RunState::replay(&events).unwrap()
    }

    #[test]
    fn a_task_is_free_when_all_its_dependencies_are_done() {
        let state = state(&[
            ("a", &[], Status::Done),
            ("b", &["a"], Status::Pending),
            ("c", &["a", "b"], Status::Pending),
            ("d", &["c"], Status::Pending),
        ]);
        let mut graph = Graph::of(&state);
        assert!(graph.is_free(1) && !graph.is_free(2) && !graph.is_free(3));
        assert_eq!(graph.done(1), [2]);
        assert!(graph.is_free(2) && !graph.is_free(3));
        assert!(graph.done(1).is_empty(), "it is counted once");
        let mut downstream = graph.downstream(0);
        downstream.sort_unstable();
        assert_eq!(downstream, [1, 2, 3]);
        assert!(graph.downstream(3).is_empty());
    }

    #[test]
    fn what_is_done_and_not_verified_is_missed() {
        let mut state = state(&[("a", &[], Status::Done), ("b", &["a"], Status::Pending)]);
        state.unverified.insert(Some(0), Vec::new());
        let mut graph = Graph::of(&state);
        assert!(!graph.is_free(1));
        assert_eq!(graph.done(0), [1]);
    }

    #[test]
    fn a_task_that_is_added_while_another_comes_to_its_end_misses_only_the_others() {
        let mut state = state(&[("a", &[], Status::InProgress), ("b", &[], Status::Pending)]);
        let mut graph = Graph::of(&state);
        // Done by the journal, and not yet for the graph.
        state.tasks[0].status = Status::Done;
        let mut task = Task::new(TaskId::parse("c").unwrap(), Kind::shell());
        task.dependencies = ["a", "b"].map(|id| TaskId::parse(id).unwrap()).to_vec();
        let added = AddedTask { task, status: Status::Pending, added_by: None, env: None };
        state.apply(&Event::TasksAdded { first: 2, tasks: vec![added], at: 0 }).unwrap();
        graph.extend(&state);
        assert!(graph.done(0).is_empty(), "`b` is missed");
        assert_eq!(graph.done(1), [2]);
    }
}
