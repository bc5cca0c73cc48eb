//! Plans a run's goal as one phase for each file that it names. A phase writes the goal into its file, and after an attempt that
//! failed what a verifier's finding expects; it is `done` only by what it is told of the earlier attempt.

use orch_sdk::{Attempt, Completion, Cycle, Executor, Failure, NewTask, Reflector, Task, files};

pub struct PlansAndMends;

impl Reflector for PlansAndMends {
    fn reflect(cycle: Cycle) -> Result<Vec<NewTask>, Failure> {
        let goal = cycle.goal.unwrap_or_default();
        let named = goal.split_whitespace().filter(|word| word.ends_with(".txt"));
        let mut phases: Vec<NewTask> = Vec::new();
        for (nth, file) in (1..).zip(named) {
            let before = phases.last().and_then(|phase| phase.id.clone());
            let phase = NewTask::new("phase", file).with_id(format!("phase-{nth:03}"));
            phases.push(NewTask { dependencies: before.into_iter().collect(), ..phase });
        }
        Ok(phases)
    }
}

impl Executor for PlansAndMends {
    fn execute(task: Task, attempt: Attempt) -> Result<Completion, Failure> {
        let text = match attempt.earlier {
            None => attempt.goal,
            Some(earlier) => {
                let words =
                    earlier.findings.iter().find_map(|finding| finding.message.split_once("expected "));
                let word = words.map(|(_, word)| word.trim().to_owned());
                let seen = word.filter(|_| earlier.diff.contains(&format!("+{}", attempt.goal)));
                seen.ok_or_else(|| Failure::new(format!("told too little: {earlier:?}")))?
            }
        };
        files::write(&task.description, format!("{text}\n").as_bytes())?;
        Ok(Completion::new(format!("wrote {}", task.description)).mendable())
    }
}

orch_sdk::export!(executor: PlansAndMends, reflector: PlansAndMends);
