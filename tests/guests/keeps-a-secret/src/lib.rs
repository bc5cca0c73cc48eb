//! Keeps a value under a label that another plugin has too. Ends as: done, and says what it kept before.

use orch_sdk::{Attempt, Completion, Executor, Failure, Task, kv::Bucket};

pub struct KeepsASecret;

impl Executor for KeepsASecret {
    fn execute(task: Task, _attempt: Attempt) -> Result<Completion, Failure> {
        let notes = Bucket::open("notes")?;
        let before = notes.value("secret")?.map(|value| String::from_utf8_lossy(&value).into_owned());
        notes.set("secret", format!("of {}", task.id).as_bytes())?;
        Ok(Completion::new(format!("kept before: {before:?}, keys: {:?}", notes.keys("")?)))
    }
}

orch_sdk::export!(executor: KeepsASecret);
