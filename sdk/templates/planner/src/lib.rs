//! Planner: highest priority first, in file order on a tie, within what is left of the budget.

use orch_sdk::{Change, Decision, Failure, Planner, ReadyTask};

#[derive(Default)]
struct Plugin {
    ready: Vec<ReadyTask>,
    running: u32,
    /// None until the host says one.
    budget: Option<u64>,
}

impl Planner for Plugin {
    fn open(_settings: String, _kinds: Vec<String>) -> Result<Self, Failure> {
        Ok(Self::default())
    }

    fn observe(&mut self, changes: Vec<Change>) -> Result<(), Failure> {
        for change in changes {
            match change {
                Change::Ready(task) => {
                    self.ready.retain(|other| other.index != task.index);
                    self.ready.push(task);
                }
                Change::Withdrawn(index) => self.ready.retain(|task| task.index != index),
                Change::Finished(_) => self.running = self.running.saturating_sub(1),
                Change::Budget(left) => self.budget = Some(left),
            }
        }
        Ok(())
    }

    fn next(&mut self, slots: u32) -> Result<Decision, Failure> {
        self.ready.sort_by_key(before);
        let mut left = self.budget.unwrap_or(u64::MAX);
        let mut started = Vec::new();
        self.ready.retain(|task| {
            let starts = started.len() < slots as usize && u64::from(task.cost) <= left;
            if starts {
                left -= u64::from(task.cost);
                started.push(task.index);
            }
            !starts
        });
        self.running += started.len() as u32;
        if !started.is_empty() {
            return Ok(Decision::Start(started));
        }
        match (self.running, self.ready.is_empty()) {
            (0, true) => Ok(Decision::Finished("nothing is ready".to_owned())),
            (0, false) => Ok(Decision::Finished("what is ready costs more than is left".to_owned())),
            _ => Ok(Decision::Wait),
        }
    }
}

orch_sdk::export!(planner: Plugin);

/// Tasks start in the order of this value, lowest first.
fn before(task: &ReadyTask) -> (i64, u32) {
    (-i64::from(task.priority), task.index)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(index: u32, priority: i32, cost: u32) -> Change {
        Change::Ready(ReadyTask { index, priority, cost, kind: 0 })
    }

    fn opened(changes: Vec<Change>) -> Plugin {
        let mut plugin = Plugin::open("{}".to_owned(), Vec::new()).unwrap();
        plugin.observe(changes).unwrap();
        plugin
    }

    #[test]
    fn priority_goes_before_file_order() {
        let mut plugin = opened(vec![ready(0, 1, 1), ready(1, 5, 1), ready(2, 5, 1)]);
        assert_eq!(plugin.next(2).unwrap(), Decision::Start(vec![1, 2]));
        assert_eq!(plugin.next(2).unwrap(), Decision::Start(vec![0]));
        assert_eq!(plugin.next(2).unwrap(), Decision::Wait);
    }

    #[test]
    fn nothing_starts_that_costs_more_than_is_left() {
        let mut plugin = opened(vec![ready(0, 1, 3), Change::Budget(2)]);
        assert!(matches!(plugin.next(1).unwrap(), Decision::Finished(_)));
    }
}
