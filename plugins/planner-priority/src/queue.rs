//! The ready tasks in the order in which they start.
//!
//! In -> out: changes one at a time -> a [`Choice`] whenever the host has free slots.
//! Units: costs and what is left of the budget are in the operator's unit; each change costs O(log n).
//! Invariant: a chosen task was ready, fits what is left, and is chosen once.
//! Not here: readiness and the budget itself (the host's), the session (`lib.rs`).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// What to do with the free slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Start these, in this order; never empty.
    Start(Vec<u32>),
    /// Nothing now, and something runs.
    Wait,
    /// Nothing more, and why.
    Finished(String),
}

/// What happens to a ready task that costs more than is left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OverBudget {
    /// Tasks that fit go before it.
    #[default]
    Skip,
    /// Nothing starts while it is first in line: the order by priority is kept at all costs.
    Stop,
}

/// Ready tasks and how many run.
#[derive(Debug, Default)]
pub struct Queue {
    over_budget: OverBudget,
    /// Where each waiting task stands.
    waiting: BTreeMap<u32, Task>,
    /// Highest priority first, then in file order.
    line: BTreeSet<(Reverse<i32>, u32)>,
    /// Tasks that did not fit when they were first in line, cheapest first.
    unaffordable: BTreeSet<(u32, u32)>,
    running: BTreeSet<u32>,
    /// None: unlimited.
    left: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Task {
    priority: i32,
    cost: u32,
}

impl Queue {
    #[must_use]
    pub fn new(over_budget: OverBudget) -> Self {
        Self { over_budget, ..Self::default() }
    }

    /// A task is ready; one that was ready before takes its new priority and cost.
    pub fn ready(&mut self, index: u32, priority: i32, cost: u32) {
        self.withdraw(index);
        self.running.remove(&index);
        self.waiting.insert(index, Task { priority, cost });
        self.line.insert((Reverse(priority), index));
    }

    /// A task is not ready any more.
    pub fn withdraw(&mut self, index: u32) {
        if let Some(task) = self.waiting.remove(&index) {
            self.line.remove(&(Reverse(task.priority), index));
            self.unaffordable.remove(&(task.cost, index));
        }
    }

    /// A task ended, however it ended.
    pub fn finish(&mut self, index: u32) {
        self.withdraw(index);
        self.running.remove(&index);
    }

    /// What is left of the budget now.
    pub fn set_left(&mut self, left: u64) {
        self.left = Some(left);
        while let Some((cost, index)) = self.unaffordable.first().copied() {
            if !self.fits(cost) {
                break;
            }
            self.unaffordable.remove(&(cost, index));
            if let Some(task) = self.waiting.get(&index) {
                self.line.insert((Reverse(task.priority), index));
            }
        }
    }

    /// Chooses at most `slots` tasks; they count as running from now on.
    pub fn choose(&mut self, slots: u32) -> Choice {
        let mut chosen = Vec::new();
        while u32::try_from(chosen.len()).is_ok_and(|length| length < slots) {
            let Some((_, index)) = self.line.first().copied() else { break };
            let Some(task) = self.waiting.get(&index).copied() else { break };
            if self.fits(task.cost) {
                self.withdraw(index);
                self.running.insert(index);
                self.left = self.left.map(|left| left.saturating_sub(u64::from(task.cost)));
                chosen.push(index);
            } else if self.over_budget == OverBudget::Skip {
                self.line.remove(&(Reverse(task.priority), index));
                self.unaffordable.insert((task.cost, index));
            } else {
                break;
            }
        }
        if !chosen.is_empty() {
            Choice::Start(chosen)
        } else if !self.running.is_empty() {
            Choice::Wait
        } else {
            Choice::Finished(self.why_nothing_starts())
        }
    }

    /// An exhausted budget admits nothing, not even what costs nothing.
    fn fits(&self, cost: u32) -> bool {
        self.left.is_none_or(|left| left > 0 && u64::from(cost) <= left)
    }

    fn why_nothing_starts(&self) -> String {
        match (self.waiting.len(), self.left) {
            (0, _) => "no task is ready".to_owned(),
            (ready, Some(0)) => format!("the budget is used up; {}", tasks_are(ready, "ready")),
            (ready, left) => {
                format!(
                    "{}, none fits the {} left of the budget",
                    tasks_are(ready, "ready"),
                    left.unwrap_or(u64::MAX)
                )
            }
        }
    }
}

fn tasks_are(count: usize, state: &str) -> String {
    if count == 1 { format!("1 task is {state}") } else { format!("{count} tasks are {state}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (index, priority, cost)
    fn queue(tasks: &[(u32, i32, u32)]) -> Queue {
        let mut queue = Queue::default();
        for (index, priority, cost) in tasks {
            queue.ready(*index, *priority, *cost);
        }
        queue
    }

    fn finished(reason: &str) -> Choice {
        Choice::Finished(reason.to_owned())
    }

    #[test]
    fn highest_priority_first_and_file_order_on_a_tie() {
        let mut queue = queue(&[(4, 1, 1), (2, 5, 1), (0, -3, 1), (3, 5, 1), (1, 5, 1)]);
        assert_eq!(queue.choose(10), Choice::Start(vec![1, 2, 3, 4, 0]));
    }

    #[test]
    fn never_more_than_the_slots() {
        let mut queue = queue(&[(0, 0, 1), (1, 0, 1), (2, 0, 1)]);
        assert_eq!(queue.choose(2), Choice::Start(vec![0, 1]));
        assert_eq!(queue.choose(2), Choice::Start(vec![2]));
        assert_eq!(queue.choose(2), Choice::Wait);
    }

    #[test]
    fn waits_while_something_runs_and_finishes_when_nothing_does() {
        let mut queue = queue(&[(0, 0, 1)]);
        assert_eq!(queue.choose(1), Choice::Start(vec![0]));
        assert_eq!(queue.choose(1), Choice::Wait);
        queue.finish(0);
        assert_eq!(queue.choose(1), finished("no task is ready"));
    }

    #[test]
    fn a_withdrawn_task_is_not_chosen() {
        let mut queue = queue(&[(0, 9, 1), (1, 1, 1)]);
        queue.withdraw(0);
        queue.withdraw(7);
        assert_eq!(queue.choose(5), Choice::Start(vec![1]));
    }

    #[test]
    fn a_task_that_became_ready_again_takes_its_new_priority_and_runs_once() {
        let mut queue = queue(&[(0, 1, 1), (1, 2, 1)]);
        queue.ready(0, 3, 1);
        assert_eq!(queue.choose(5), Choice::Start(vec![0, 1]));
        queue.ready(0, 3, 1);
        assert_eq!(queue.choose(5), Choice::Start(vec![0]));
        assert_eq!(queue.choose(5), Choice::Wait);
    }

    #[test]
    fn never_names_what_costs_more_than_is_left() {
        let mut queue = queue(&[(0, 9, 6), (1, 5, 4), (2, 1, 3), (3, 0, 2)]);
        queue.set_left(6);
        assert_eq!(queue.choose(1), Choice::Start(vec![0]));
        assert_eq!(queue.choose(4), Choice::Wait);
        queue.finish(0);
        queue.set_left(0);
        assert_eq!(queue.choose(4), finished("the budget is used up; 3 tasks are ready"));
    }

    #[test]
    fn what_does_not_fit_lets_others_pass_and_comes_back_with_the_budget() {
        let mut queue = queue(&[(0, 9, 6), (1, 5, 2), (2, 4, 2), (3, 3, 2)]);
        queue.set_left(5);
        assert_eq!(queue.choose(4), Choice::Start(vec![1, 2]));
        queue.finish(1);
        queue.finish(2);
        queue.set_left(1);
        assert_eq!(queue.choose(4), finished("2 tasks are ready, none fits the 1 left of the budget"));
        queue.set_left(8);
        assert_eq!(queue.choose(4), Choice::Start(vec![0, 3]));
    }

    #[test]
    fn stop_keeps_the_order_at_all_costs() {
        let mut queue = Queue::new(OverBudget::Stop);
        queue.ready(0, 9, 6);
        queue.ready(1, 5, 2);
        queue.set_left(5);
        assert_eq!(queue.choose(4), finished("2 tasks are ready, none fits the 5 left of the budget"));
        queue.set_left(6);
        assert_eq!(queue.choose(4), Choice::Start(vec![0]));
    }

    #[test]
    fn an_exhausted_budget_admits_not_even_what_costs_nothing() {
        let mut queue = queue(&[(0, 0, 0)]);
        queue.set_left(0);
        assert_eq!(queue.choose(1), finished("the budget is used up; 1 task is ready"));
        queue.set_left(1);
        assert_eq!(queue.choose(1), Choice::Start(vec![0]));
    }

    #[test]
    fn a_withdrawn_task_that_did_not_fit_does_not_come_back() {
        let mut queue = queue(&[(0, 0, 5)]);
        queue.set_left(1);
        assert!(matches!(queue.choose(1), Choice::Finished(_)));
        queue.withdraw(0);
        queue.set_left(9);
        assert_eq!(queue.choose(1), finished("no task is ready"));
    }

    /// The same answers as a list that is sorted anew for each decision, over 2000 changes of each of 20 seeds.
    #[test]
    fn equals_a_simple_model() {
        for seed in 1..=20_u64 {
            let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mut below = |bound: u64| {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                random % bound
            };
            let mut queue = Queue::default();
            let mut model: Vec<(Reverse<i32>, u32, u32)> = Vec::new();
            let (mut running, mut left) = (BTreeSet::new(), u64::MAX);
            for _ in 0..2000 {
                let index = u32::try_from(below(50)).unwrap();
                match below(5) {
                    0 | 1 => {
                        let (priority, cost) = (below(7) as i32 - 3, below(9) as u32);
                        queue.ready(index, priority, cost);
                        model.retain(|task| task.1 != index);
                        model.push((Reverse(priority), index, cost));
                        running.remove(&index);
                    }
                    2 => {
                        queue.finish(index);
                        model.retain(|task| task.1 != index);
                        running.remove(&index);
                    }
                    3 => {
                        left = below(12);
                        queue.set_left(left);
                    }
                    _ => {
                        let slots = below(4) + 1;
                        let mut expected = Vec::new();
                        model.sort_unstable();
                        model.retain(|(_, index, cost)| {
                            let starts =
                                (expected.len() as u64) < slots && left > 0 && u64::from(*cost) <= left;
                            if starts {
                                expected.push(*index);
                                running.insert(*index);
                                left -= u64::from(*cost);
                            }
                            !starts
                        });
                        match queue.choose(u32::try_from(slots).unwrap()) {
                            Choice::Start(chosen) => assert_eq!(chosen, expected, "seed {seed}"),
                            Choice::Wait => {
                                assert!(expected.is_empty() && !running.is_empty(), "seed {seed}")
                            }
                            Choice::Finished(_) => {
                                assert!(expected.is_empty() && running.is_empty(), "seed {seed}")
                            }
                        }
                    }
                }
            }
        }
    }
}
