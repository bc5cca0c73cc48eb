//! Reflector: asks for a note on what the run is for, and measures how many tasks there were.

use orch_sdk::{Cycle, Failure, Metric, NewTask, Reflector, log, metrics};

struct Scout;

impl Reflector for Scout {
    fn reflect(cycle: Cycle) -> Result<Vec<NewTask>, Failure> {
        log::info(format_args!("{} tasks, goal `{}`", cycle.tasks, cycle.goal));
        metrics::record(&Metric::new("scout.tasks", f64::from(cycle.tasks), "1"))
            .map_err(|error| Failure::new(error.to_string()))?;
        let goal: String = cycle.goal.chars().take(100).collect();
        Ok(vec![NewTask::new("note", format!("scouted: {goal}")).with_id("scouted")])
    }
}

orch_sdk::export!(reflector: Scout);
