//! Draws a word of each sort for its two secrets, says them in its log, its `kv` and its answer, and what else it learned of
//! them. Ends as: done; a task whose id begins with `fails` ends as failed with the same text, one with `traps` as
//! `plugin-trap`.

use orch_sdk::secrets::{self, Encoding};
use orch_sdk::{Attempt, Completion, Executor, Failure, Task, kv, log};

pub struct UsesSecrets;

impl Executor for UsesSecrets {
    fn execute(task: Task, _attempt: Attempt) -> Result<Completion, Failure> {
        let answers = [
            secrets::placeholder("token"),
            secrets::basic("me", "token"),
            secrets::hmac_sha256("hook", b"message", Encoding::Hex),
            secrets::hmac_sha256("hook", b"message", Encoding::Base64),
        ];
        let said = format!("{answers:?}");
        log::info(format_args!("{said}"));
        kv::Bucket::open("notes")?.set("said", said.as_bytes())?;
        match () {
            () if task.id.starts_with("fails") => Err(Failure::new(said)),
            () if task.id.starts_with("traps") => panic!("{said}"),
            () => Ok(Completion::new(said)),
        }
    }
}

orch_sdk::export!(executor: UsesSecrets);
