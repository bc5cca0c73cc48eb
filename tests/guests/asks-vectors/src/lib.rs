//! Asks the model that its task's description begins with (`-`: the one that the workspace picks) for vectors of the rest of it,
//! split at `|`, and says how many numbers each has and whether the first two are equal, or why there are none. Ends as: done.

use orch_sdk::{Attempt, Completion, Executor, Failure, Task, embed};

pub struct AsksVectors;

impl Executor for AsksVectors {
    fn execute(task: Task, _attempt: Attempt) -> Result<Completion, Failure> {
        let (model, text) = task.description.split_once(' ').unwrap_or(("-", &task.description));
        let model = if model == "-" { "" } else { model };
        let texts = text.split('|').map(str::to_owned).collect();
        let known: Vec<String> =
            embed::models().into_iter().map(|one| format!("{} {}", one.name, one.dimension)).collect();
        let came = match embed::texts(model, texts) {
            Ok(answer) => {
                let lengths: Vec<usize> = answer.vectors.iter().map(Vec::len).collect();
                let equal = answer.vectors.first() == answer.vectors.get(1);
                format!("{lengths:?} equal {equal}")
            }
            Err(error) => format!("{error:?}"),
        };
        Ok(Completion::new(format!("{came} of {}", known.join(", "))))
    }
}

orch_sdk::export!(executor: AsksVectors);
