//! Judges a task by its id: `refuse`, `fail` and whatever begins with `escalate` do that, every other is allowed, and so are
//! all edits and what people take in.

use orch_sdk::{Failure, Guard, Judgement, ProposedChange, Risk};

pub struct JudgesById;

impl Guard for JudgesById {
    fn judge(change: ProposedChange) -> Result<Judgement, Failure> {
        let ProposedChange::Task(task) = change else { return Ok(Judgement::Allow) };
        match task.id.as_str() {
            "refuse" => Ok(Judgement::refuse("too dangerous")),
            id if id.starts_with("escalate") => Ok(Judgement::escalate(Risk::High, "somebody should look")),
            "fail" => Err(Failure::new("no idea")),
            _ => Ok(Judgement::Allow),
        }
    }
}

orch_sdk::export!(guard: JudgesById);
