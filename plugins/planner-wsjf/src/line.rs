//! What is ready, in two orders: by the scores, and as the agent would have it.
//!
//! In -> out: changes one at a time -> which tasks start next.
//! Units: costs and what is left of the budget are in the operator's unit; a change costs O(log n), a choice as much as it passes.
//! Invariant: a chosen task was ready, fits what is left, and is chosen once; a higher priority goes first in both orders.
//! Not here: scores (`wsjf.rs`, `agent.rs`), the session (`lib.rs`).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::agent::Authority;

/// Of a shadow's line: more would tell nobody more.
const SHOWN_MAX: usize = 5;

/// A number that can be ordered; higher goes first.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Score(f64);

impl Eq for Score {}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Score {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

type Place = (Reverse<i32>, Reverse<Score>, u32);

/// A task that is ready.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    pub index: u32,
    pub priority: i32,
    pub cost: u32,
    pub baseline: f64,
    pub suggested: f64,
}

/// What is ready, and how many run.
#[derive(Debug, Default)]
pub struct Line {
    waiting: BTreeMap<u32, Candidate>,
    by_score: BTreeSet<Place>,
    by_agent: BTreeSet<Place>,
    running: BTreeSet<u32>,
    left: Option<u64>,
}

/// The front of both orders, where they differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub baseline: Vec<u32>,
    pub suggestion: Vec<u32>,
}

impl Line {
    /// A task is ready; one that was ready before takes its new numbers.
    pub fn add(&mut self, candidate: Candidate) {
        self.withdraw(candidate.index);
        self.running.remove(&candidate.index);
        self.by_score.insert(candidate.place(candidate.baseline));
        self.by_agent.insert(candidate.place(candidate.suggested));
        self.waiting.insert(candidate.index, candidate);
    }

    /// A task is not ready any more.
    pub fn withdraw(&mut self, index: u32) {
        if let Some(candidate) = self.waiting.remove(&index) {
            self.by_score.remove(&candidate.place(candidate.baseline));
            self.by_agent.remove(&candidate.place(candidate.suggested));
        }
    }

    /// A task ended, however it ended.
    pub fn finish(&mut self, index: u32) {
        self.withdraw(index);
        self.running.remove(&index);
    }

    pub fn set_left(&mut self, left: u64) {
        self.left = Some(left);
    }

    /// Chooses at most `slots` tasks: the agent's as far as its authority goes, then those of the scores. They count as running.
    pub fn choose(&mut self, slots: u32, authority: Authority) -> Vec<u32> {
        let slots = usize::try_from(slots).unwrap_or(usize::MAX);
        let share = authority.share_of(self.waiting.len()).min(slots);
        let mut chosen = self.start_from(true, share);
        chosen.extend(self.start_from(false, slots - chosen.len()));
        chosen
    }

    fn start_from(&mut self, by_agent: bool, count: usize) -> Vec<u32> {
        let order: Vec<u32> = match by_agent {
            true => self.affordable(&self.by_agent, count),
            false => self.affordable(&self.by_score, count),
        };
        for index in &order {
            let cost = self.waiting.get(index).map_or(0, |candidate| candidate.cost);
            self.left = self.left.map(|left| left.saturating_sub(u64::from(cost)));
            self.withdraw(*index);
            self.running.insert(*index);
        }
        order
    }

    /// The first of an order that fit what is left together.
    fn affordable(&self, order: &BTreeSet<Place>, count: usize) -> Vec<u32> {
        let mut left = self.left;
        let fits = |(_, _, index): &Place| {
            let cost = u64::from(self.waiting.get(index)?.cost);
            // An exhausted budget admits nothing, not even what costs nothing.
            if left.is_some_and(|left| left == 0 || cost > left) {
                return None;
            }
            left = left.map(|left| left - cost);
            Some(*index)
        };
        order.iter().filter_map(fits).take(count).collect()
    }

    #[must_use]
    pub fn is_running(&self) -> bool {
        !self.running.is_empty()
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// What the agent would have first and the scores would not; none where they agree.
    #[must_use]
    pub fn difference(&self) -> Option<Difference> {
        let front =
            |order: &BTreeSet<Place>| order.iter().map(|place| place.2).take(SHOWN_MAX).collect::<Vec<u32>>();
        let (baseline, suggestion) = (front(&self.by_score), front(&self.by_agent));
        (baseline != suggestion).then_some(Difference { baseline, suggestion })
    }
}

impl Candidate {
    fn place(&self, score: f64) -> Place {
        (Reverse(self.priority), Reverse(Score(score)), self.index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Index, priority, cost, score, the agent's score.
    fn line(tasks: &[(u32, i32, u32, f64, f64)]) -> Line {
        let mut line = Line::default();
        for (index, priority, cost, baseline, suggested) in tasks.iter().copied() {
            line.add(Candidate { index, priority, cost, baseline, suggested });
        }
        line
    }

    const FOUR: [(u32, i32, u32, f64, f64); 4] =
        [(0, 0, 1, 4.0, 1.0), (1, 0, 1, 3.0, 2.0), (2, 0, 1, 2.0, 3.0), (3, 0, 1, 1.0, 4.0)];

    #[test]
    fn authority_says_how_many_of_the_front_are_the_agents() {
        for (authority, expected) in [
            (0.0, [0, 1, 2, 3]),
            (0.25, [3, 0, 1, 2]),
            (0.5, [3, 2, 0, 1]),
            (0.6, [3, 2, 1, 0]),
            (1.0, [3, 2, 1, 0]),
        ] {
            assert_eq!(line(&FOUR).choose(9, Authority::new(authority)), expected, "{authority}");
        }
        assert_eq!(line(&FOUR).choose(1, Authority::new(1.0)), [3]);
    }

    #[test]
    fn priority_goes_first_and_the_file_decides_what_is_equal() {
        let mut equal =
            line(&[(3, 1, 1, 0.0, 0.0), (1, 0, 1, 9.0, 9.0), (0, 0, 1, 1.0, 1.0), (2, 0, 1, 1.0, 1.0)]);
        assert_eq!(equal.choose(2, Authority::new(1.0)), [3, 1]);
        assert_eq!(equal.choose(9, Authority::new(0.0)), [0, 2]);
        assert!(equal.is_running() && equal.is_empty());
    }

    #[test]
    fn never_more_than_is_left_and_nothing_of_nothing() {
        let mut poor =
            line(&[(0, 0, 5, 3.0, 3.0), (1, 0, 2, 2.0, 2.0), (2, 0, 2, 1.0, 1.0), (3, 0, 0, 0.0, 0.0)]);
        poor.set_left(3);
        assert_eq!(poor.choose(9, Authority::new(0.5)), [1, 3]);
        poor.set_left(0);
        assert_eq!(poor.choose(9, Authority::new(0.0)), [0; 0]);
        assert_eq!(poor.len(), 2);
    }

    #[test]
    fn orders_that_differ_are_shown_and_equal_ones_are_not() {
        let mut found = line(&FOUR);
        let difference = found.difference().unwrap();
        assert_eq!((difference.baseline, difference.suggestion), (vec![0, 1, 2, 3], vec![3, 2, 1, 0]));
        (1..4).for_each(|index| found.finish(index));
        assert_eq!(found.difference(), None);
    }
}
