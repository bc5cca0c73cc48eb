//! Who waits for whom.
//!
//! In -> out: tasks and their statuses -> how many dependencies each task still misses.
//! Invariant: `missing` counts what a task waits for: dependencies that are not done and verified (an allowed failure is as
//! good), or, of one that starts in any case, those that are not over; each is counted once; a change of one status costs its
//! dependents only.
//! Not here: whether a task starts (the planner), whether a graph is sound (`orch-task`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use orch_journal::RunState;
use orch_journal::event::TaskIndex;
use orch_task::Status;

/// Dependencies of a run's tasks, turned around.
#[derive(Debug, Default)]
pub struct Graph {
    nodes: Vec<Node>,
    only: Option<BTreeSet<TaskIndex>>,
}

#[derive(Clone, Debug, Default)]
struct Node {
    dependents: Vec<TaskIndex>,
    missing: u32,
    /// Starts once what it depends on is over, however it ended.
    always: bool,
    /// Counted by its dependents.
    stands: Stands,
}

/// What a task is for those that depend on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Stands {
    done: bool,
    over: bool,
}

impl Stands {
    fn of(state: &RunState, task: TaskIndex) -> Self {
        let Some(found) = state.tasks.get(task as usize) else { return Self::default() };
        let (done, over) = match found.status {
            Status::Done => (state.is_verified(task), state.is_verified(task)),
            Status::Failed => (found.task.allow_failure, true),
            Status::Cancelled => (false, true),
            _ => (false, false),
        };
        Self { done, over }
    }

    fn frees(self, always: bool) -> bool {
        if always { self.over } else { self.done }
    }
}

impl Graph {
    /// The graph of all tasks of the run.
    /// With `only`, what a task depends on beside those is taken as it is.
    pub fn of(state: &RunState, only: Option<BTreeSet<TaskIndex>>) -> Self {
        let mut graph = Self { only, ..Self::default() };
        graph.extend(state);
        graph
    }

    /// Takes in the tasks that were added since.
    pub fn extend(&mut self, state: &RunState) {
        let known = self.nodes.len();
        for (place, added) in state.tasks.iter().enumerate().skip(known) {
            let stands = Stands::of(state, place as TaskIndex);
            self.nodes.push(Node { always: added.task.always, stands, ..Node::default() });
        }
        for (place, added) in state.tasks.iter().enumerate().skip(known) {
            for dependency in &added.task.dependencies {
                let Some(&on) = state.by_id.get(dependency) else { continue };
                if self.only.as_ref().is_some_and(|only| !only.contains(&on)) {
                    continue;
                }
                let Some(node) = self.nodes.get_mut(on as usize) else { continue };
                node.dependents.push(place as TaskIndex);
                let is_missed = !node.stands.frees(added.task.always);
                if let Some(node) = self.nodes.get_mut(place) {
                    node.missing += u32::from(is_missed);
                }
            }
        }
    }

    /// True when the task waits for nothing any more.
    pub fn is_free(&self, task: TaskIndex) -> bool {
        self.nodes.get(task as usize).is_some_and(|node| node.missing == 0)
    }

    /// Takes note of how a task stands now; gives the tasks that miss nothing any more.
    pub fn settle(&mut self, state: &RunState, task: TaskIndex) -> Vec<TaskIndex> {
        self.count(task, Stands::of(state, task))
    }

    /// Takes note that a task will not start; gives those that start in any case, and miss nothing any more.
    pub fn give_up(&mut self, task: TaskIndex) -> Vec<TaskIndex> {
        self.count(task, Stands { done: false, over: true })
    }

    fn count(&mut self, task: TaskIndex, now: Stands) -> Vec<TaskIndex> {
        let Some(node) = self.nodes.get_mut(task as usize) else { return Vec::new() };
        let before = node.stands;
        node.stands = Stands { done: before.done || now.done, over: before.over || now.over };
        let after = node.stands;
        let mut freed = Vec::new();
        if before == after {
            return freed;
        }
        for dependent in node.dependents.clone() {
            let Some(node) = self.nodes.get_mut(dependent as usize) else { continue };
            if after.frees(node.always) && !before.frees(node.always) {
                node.missing = node.missing.saturating_sub(1);
                if node.missing == 0 {
                    freed.push(dependent);
                }
            }
        }
        freed
    }

    /// Everything that depends on one of the tasks, directly or not, in no order.
    pub fn downstream(&self, tasks: &[TaskIndex]) -> Vec<TaskIndex> {
        let mut seen = vec![false; self.nodes.len()];
        let mut found = Vec::new();
        let mut open = tasks.to_vec();
        while let Some(next) = open.pop() {
            for &dependent in self.nodes.get(next as usize).map_or(&[][..], |node| &node.dependents) {
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

    /// Tasks that cannot start because one failed or was cancelled, each with one that is in its way.
    pub fn stuck(&self, state: &RunState) -> BTreeMap<TaskIndex, TaskIndex> {
        let ended = |task: &TaskIndex| {
            let stands = Stands::of(state, *task);
            stands.over && !stands.done
        };
        self.behind(&(0..self.nodes.len() as TaskIndex).filter(ended).collect::<Vec<_>>())
    }

    /// Tasks that cannot start unless all of these are done, each with one of them.
    pub fn behind(&self, tasks: &[TaskIndex]) -> BTreeMap<TaskIndex, TaskIndex> {
        let mut behind = BTreeMap::new();
        let mut open: VecDeque<(TaskIndex, TaskIndex)> = tasks.iter().map(|task| (*task, *task)).collect();
        while let Some((next, by)) = open.pop_front() {
            for &dependent in self.nodes.get(next as usize).map_or(&[][..], |node| &node.dependents) {
                let waits = self.nodes.get(dependent as usize).is_some_and(|node| !node.always);
                if waits && !behind.contains_key(&dependent) {
                    behind.insert(dependent, by);
                    open.push_back((dependent, by));
                }
            }
        }
        behind
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
                AddedTask { task, status: *status, added_by: None, added_for: None, env: None }
            })
            .collect();
        let started = RunStarted {
            run: "r".into(),
            goal: String::new(),
            goal_said: false,
            plugins: vec![],
            jobs: 1,
            durability: "process".into(),
            budget: 0,
            unsigned: false,
            texts: false,
            store: None,
            tasks: None,
            at: 0,
            mac: String::new(),
        };
        let events = [Event::RunStarted(started), Event::TasksAdded { first: 0, tasks, at: 0 }];
        RunState::replay(&events).unwrap()
    }

    fn done(graph: &mut Graph, state: &mut RunState, task: TaskIndex) -> Vec<TaskIndex> {
        state.tasks[task as usize].status = Status::Done;
        graph.settle(state, task)
    }

    #[test]
    fn a_failure_frees_what_starts_in_any_case_and_an_allowed_one_everything() {
        let mut state = state(&[
            ("a", &[], Status::Pending),
            ("b", &["a"], Status::Pending),
            ("clean", &["a", "b"], Status::Pending),
            ("c", &["b"], Status::Pending),
            ("after", &["clean"], Status::Pending),
        ]);
        state.tasks[2].task.always = true;
        let mut graph = Graph::of(&state, None);
        state.tasks[0].status = Status::Failed;
        assert!(graph.settle(&state, 0).is_empty());
        assert_eq!(graph.stuck(&state).into_iter().collect::<Vec<_>>(), [(1, 0), (3, 0)]);
        assert_eq!(graph.give_up(1), [2], "`b` does not start any more");
        assert!(graph.give_up(1).is_empty() && !graph.is_free(3) && !graph.is_free(4));
        // What is put right afterwards is counted once more, by those that wait for success.
        state.tasks[1].status = Status::Done;
        assert_eq!(graph.settle(&state, 1), [3]);

        state.tasks[0].task.allow_failure = true;
        let graph = Graph::of(&state, None);
        assert!(graph.is_free(1) && graph.is_free(2) && graph.stuck(&state).is_empty());
        state.tasks[1].status = Status::Cancelled;
        let graph = Graph::of(&state, None);
        assert!(graph.is_free(2) && !graph.is_free(3));
    }

    #[test]
    fn a_task_is_free_when_all_its_dependencies_are_done() {
        let mut state = state(&[
            ("a", &[], Status::Done),
            ("b", &["a"], Status::Pending),
            ("c", &["a", "b"], Status::Pending),
            ("d", &["c"], Status::Pending),
        ]);
        let mut graph = Graph::of(&state, None);
        assert!(graph.is_free(1) && !graph.is_free(2) && !graph.is_free(3));
        assert_eq!(done(&mut graph, &mut state, 1), [2]);
        assert!(graph.is_free(2) && !graph.is_free(3));
        assert!(done(&mut graph, &mut state, 1).is_empty(), "it is counted once");
        let mut downstream = graph.downstream(&[0]);
        downstream.sort_unstable();
        assert_eq!(downstream, [1, 2, 3]);
        assert!(graph.downstream(&[3]).is_empty());
    }

    #[test]
    fn what_is_done_and_not_verified_is_missed() {
        let mut state = state(&[("a", &[], Status::Done), ("b", &["a"], Status::Pending)]);
        state.unverified.insert(Some(0), Vec::new());
        let mut graph = Graph::of(&state, None);
        assert!(!graph.is_free(1) && graph.settle(&state, 0).is_empty());
        state.unverified.clear();
        assert_eq!(graph.settle(&state, 0), [1]);
    }

    #[test]
    fn a_task_that_is_added_while_another_comes_to_its_end_misses_only_the_others() {
        let mut state = state(&[("a", &[], Status::InProgress), ("b", &[], Status::Pending)]);
        let mut graph = Graph::of(&state, None);
        // Done by the journal, and not yet for the graph.
        state.tasks[0].status = Status::Done;
        let mut task = Task::new(TaskId::parse("c").unwrap(), Kind::shell());
        task.dependencies = ["a", "b"].map(|id| TaskId::parse(id).unwrap()).to_vec();
        let added = AddedTask { task, status: Status::Pending, added_by: None, added_for: None, env: None };
        state.apply(&Event::TasksAdded { first: 2, tasks: vec![added], at: 0 }).unwrap();
        graph.extend(&state);
        assert!(graph.settle(&state, 0).is_empty(), "`b` is missed");
        assert_eq!(done(&mut graph, &mut state, 1), [2]);
    }
}
