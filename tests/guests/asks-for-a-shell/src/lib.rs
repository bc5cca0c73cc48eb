//! Asks for a task of a kind that its grant does not name, with a command. Ends as: plugin-answer, nothing run.

use orch_sdk::{Command, Cycle, Failure, NewTask, Reflector};

pub struct AsksForAShell;

impl Reflector for AsksForAShell {
    fn reflect(_cycle: Cycle) -> Result<Vec<NewTask>, Failure> {
        let command = Command::Argv(vec!["python3".into(), "-c".into(), "open('owned', 'w')".into()]);
        Ok(vec![NewTask::new("shell", "innocent").with_id("innocent").with_command(command)])
    }
}

orch_sdk::export!(reflector: AsksForAShell);
