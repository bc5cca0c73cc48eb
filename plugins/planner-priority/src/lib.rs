//! Starts the ready task of the highest priority first, within the budget.
//!
//! In -> out: what changed in the run -> at most as many tasks as there are slots.
//! Units: settings are `{"over_budget": "skip" | "stop"}`.
//! Invariant: with the same changes it gives the same answers; nothing outside is asked.
//! Not here: the order itself (`queue.rs`); readiness, the budget and its warning are the host's.

pub mod queue;

use orch_sdk::{Change, Decision, Failure, Planner};
use serde::Deserialize;

use crate::queue::{Choice, OverBudget, Queue};

/// The session of one run.
pub struct PriorityPlanner {
    queue: Queue,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    over_budget: OverBudget,
}

impl Planner for PriorityPlanner {
    fn open(settings: String, _kinds: Vec<String>) -> Result<Self, Failure> {
        let settings: Settings =
            serde_json::from_str(&settings).map_err(|error| Failure::new(format!("settings: {error}")))?;
        Ok(Self { queue: Queue::new(settings.over_budget) })
    }

    fn observe(&mut self, changes: Vec<Change>) -> Result<(), Failure> {
        for change in changes {
            match change {
                Change::Ready(task) => self.queue.ready(task.index, task.priority, task.cost),
                Change::Withdrawn(index) => self.queue.withdraw(index),
                Change::Finished((index, _)) => self.queue.finish(index),
                Change::Budget(left) => self.queue.set_left(left),
            }
        }
        Ok(())
    }

    fn next(&mut self, slots: u32) -> Result<Decision, Failure> {
        Ok(match self.queue.choose(slots) {
            Choice::Start(tasks) => Decision::Start(tasks),
            Choice::Wait => Decision::Wait,
            Choice::Finished(why) => Decision::Finished(why),
        })
    }
}

orch_sdk::export!(planner: PriorityPlanner);

#[cfg(test)]
mod tests {
    use orch_sdk::{Outcome, ReadyTask};

    use super::*;

    fn ready(index: u32, priority: i32, cost: u32) -> Change {
        Change::Ready(ReadyTask { index, priority, cost, kind: 0 })
    }

    fn starts(decision: Decision) -> Vec<u32> {
        match decision {
            Decision::Start(tasks) => tasks,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_run_from_its_first_task_to_its_last() {
        let mut planner = PriorityPlanner::open("{}".to_owned(), vec!["shell".to_owned()]).unwrap();
        planner.observe(vec![Change::Budget(3), ready(0, 0, 1), ready(1, 5, 1), ready(2, 5, 9)]).unwrap();
        assert_eq!(starts(planner.next(1).unwrap()), [1]);
        planner
            .observe(vec![Change::Budget(2), Change::Finished((1, Outcome::Done)), ready(3, 9, 1)])
            .unwrap();
        assert_eq!(starts(planner.next(4).unwrap()), [3, 0]);
        assert!(matches!(planner.next(2).unwrap(), Decision::Wait));
        planner
            .observe(vec![Change::Finished((3, Outcome::Failed)), Change::Finished((0, Outcome::InDoubt))])
            .unwrap();
        planner.observe(vec![Change::Withdrawn(2)]).unwrap();
        let Decision::Finished(why) = planner.next(4).unwrap() else { panic!("not finished") };
        assert_eq!(why, "no task is ready");
    }

    #[test]
    fn wrong_settings_are_refused() {
        for settings in ["", "7", r#"{"over_budget": "pray"}"#, r#"{"overbudget": "skip"}"#] {
            let Err(failure) = PriorityPlanner::open(settings.to_owned(), Vec::new()) else {
                panic!("{settings}")
            };
            assert!(failure.message.starts_with("settings: "), "{}", failure.message);
        }
    }

    #[test]
    fn stop_is_a_setting() {
        let mut planner = PriorityPlanner::open(r#"{"over_budget": "stop"}"#.to_owned(), Vec::new()).unwrap();
        planner.observe(vec![Change::Budget(3), ready(0, 9, 9), ready(1, 5, 1)]).unwrap();
        assert!(matches!(planner.next(1).unwrap(), Decision::Finished(_)));
    }

    #[test]
    fn the_manifests_schema_knows_these_settings() {
        let manifest: serde_json::Value = serde_json::from_str(include_str!("../plugin.json")).unwrap();
        let keys = manifest["settingsSchema"]["properties"].as_object().unwrap();
        assert_eq!(keys.keys().collect::<Vec<_>>(), ["over_budget"]);
        for word in keys["over_budget"]["enum"].as_array().unwrap() {
            assert!(PriorityPlanner::open(format!("{{\"over_budget\": {word}}}"), Vec::new()).is_ok());
        }
        assert_eq!(keys["over_budget"]["default"], "skip", "{:?}", OverBudget::default());
    }
}
