//! Looks under the same label, and under labels made of the other plugin's name. Ends as: done, it saw nothing.

use orch_sdk::{Attempt, Completion, Executor, Failure, Task, kv::Bucket};

/// What might lead to the other plugin's values if names were glued together.
const TRIES: [&str; 6] = [
    "demo/keeps-a-secret",
    "demo/keeps-a-secret/notes",
    "../keeps-a-secret/notes",
    "notes\0demo/keeps-a-secret",
    "%",
    "*",
];

pub struct LooksForSecrets;

impl Executor for LooksForSecrets {
    fn execute(_task: Task, _attempt: Attempt) -> Result<Completion, Failure> {
        let notes = Bucket::open("notes")?;
        let opened: Vec<&str> = TRIES.into_iter().filter(|label| Bucket::open(label).is_ok()).collect();
        let secret = notes.value("secret")?;
        let keys = notes.keys("")?;
        // Its own writes are its own: they neither hide nor change the other's.
        notes.set("secret", b"of the one who looks")?;
        notes.delete("secret")?;
        Ok(Completion::new(format!("secret: {secret:?}, keys: {keys:?}, opened: {opened:?}")))
    }
}

orch_sdk::export!(executor: LooksForSecrets);
