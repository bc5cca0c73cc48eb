//! Asks for a command as its grant allows. Ends as: waiting_approval, because the kind's executor has effects.

use orch_sdk::{Command, Cycle, Failure, NewTask, Reflector};

pub struct AsksForApproval;

impl Reflector for AsksForApproval {
    fn reflect(_cycle: Cycle) -> Result<Vec<NewTask>, Failure> {
        let command = Command::Argv(vec!["python3".into(), "-c".into(), "open('approved', 'w')".into()]);
        Ok(vec![NewTask::new("shell", "a command").with_id("wanted").with_command(command)])
    }
}

orch_sdk::export!(reflector: AsksForApproval);
