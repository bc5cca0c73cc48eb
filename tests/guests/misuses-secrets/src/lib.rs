//! Asks for secrets of other names, for more words than a call has, and with a user and a message that are none. Ends as:
//! done, with what each was answered.

use orch_sdk::secrets::{self, Encoding};
use orch_sdk::{Attempt, Completion, Executor, Failure, Task};

pub struct MisusesSecrets;

impl Executor for MisusesSecrets {
    fn execute(_task: Task, _attempt: Attempt) -> Result<Completion, Failure> {
        let others =
            ["hook", "TOKEN", "token ", "../token", "*", ""].map(|name| secrets::placeholder(name).err());
        let users = ["a:b", "a\r\nb"].map(|user| secrets::basic(user, "token").err());
        let message = secrets::hmac_sha256("token", &vec![0; (1 << 20) + 1], Encoding::Hex).err();
        let words = (0..).map_while(|_| secrets::placeholder("token").ok()).count();
        let more = secrets::placeholder("token").err();
        Ok(Completion::new(format!("{others:?}\n{users:?}\n{message:?}\n{words} words, then {more:?}")))
    }
}

orch_sdk::export!(executor: MisusesSecrets);
