//! Sends a notice to the channel that its task's description begins with, its title the rest, and says what came of it. Ends
//! as: done; a task whose id begins with `fails` ends as failed, one with `traps` as `plugin-trap`, both after the notice; one
//! with `twice` sends it twice.

use orch_sdk::{Attempt, Completion, Executor, Failure, Message, Task, kv, notify};

pub struct SendsNotices;

impl Executor for SendsNotices {
    fn execute(task: Task, _attempt: Attempt) -> Result<Completion, Failure> {
        let (channel, title) = task.description.split_once(' ').unwrap_or(("ops", &task.description));
        let message = Message::new(channel, title);
        let mut answers = vec![notify::send(&message)];
        if task.id.starts_with("twice") {
            answers.push(notify::send(&message));
        }
        kv::Bucket::open("notes")?.set("consumer", task.id.as_bytes())?;
        match () {
            () if task.id.starts_with("fails") => Err(Failure::new("as the task says")),
            () if task.id.starts_with("traps") => panic!("as the task says"),
            () => Ok(Completion::new(format!("{answers:?}"))),
        }
    }
}

orch_sdk::export!(executor: SendsNotices);
