//! Names the file `made.txt` and hands bytes over. Ends as: done; a task that is called `fails` ends as failed, and
//! nothing of it is kept.

use orch_sdk::{Attempt, Completion, Executor, Failure, Task, artifacts};

pub struct MakesArtifacts;

impl Executor for MakesArtifacts {
    fn execute(task: Task, _attempt: Attempt) -> Result<Completion, Failure> {
        artifacts::add_file("made", "text/plain", "made.txt")?;
        artifacts::add_bytes("notes", "text/markdown", b"# seen\n")?;
        let refused = artifacts::add_bytes("picture", "image/png", b"");
        match task.id.as_str() {
            "fails" => Err(Failure::new("as the task says")),
            _ => Ok(Completion::new(format!("{refused:?}"))),
        }
    }
}

orch_sdk::export!(executor: MakesArtifacts);
