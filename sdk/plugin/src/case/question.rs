//! What the call of a case goes through.
//!
//! In -> out: a call as a case file writes it, what it is given -> [`Found`].
//! Not here: which calls there are (`call.rs`), comparing (`expectation.rs`).

use orch_host::call::{CallContext, CallReport};
use orch_host::capability::tasks::AskedTask;
use orch_host::engine::{CallError, Compiled, Engine};
use orch_host::role::{Ask, Exported};
use orch_trust::evidence::Candidate;
use serde_json::{Value, json};

use super::content::show_writes;
use super::expectation::{Ending, Found};
use super::script::Script;

/// What one call has.
pub(super) struct Given<'a> {
    pub(super) engine: &'a Engine,
    pub(super) compiled: Compiled<Candidate>,
    pub(super) context: CallContext<Candidate>,
    pub(super) script: &'a Script,
}

/// A call as a case file writes it.
pub(super) trait Called {
    /// What came of it, but for what the host's fakes heard.
    async fn call(&self, given: Given<'_>) -> Found;
}

/// One that is a question to a role's export.
pub(super) trait Question {
    type Ask: Ask;

    /// What the host asks; else how the case ends without it.
    fn ask(&self, script: &Script) -> Result<Self::Ask, Ending>;
    /// The answer, as an expectation writes it.
    fn show(answer: <Self::Ask as Ask>::Answer) -> Value;
}

impl<Q: Question> Called for Q {
    async fn call(&self, given: Given<'_>) -> Found {
        let ask = match self.ask(given.script) {
            Ok(ask) => ask,
            Err(ending) => return found(ending),
        };
        let exported = match Exported::link(given.engine, given.compiled) {
            Ok(exported) => exported,
            Err(error) => return found(ended(error)),
        };
        let CallReport { result, writes, asked, denied, .. } = exported.call(given.context, &ask).await;
        let ending = result.map_or_else(ended, |answer| Ending::Answer(Self::show(answer)));
        Found { writes: show_writes(&writes), asked: show_tasks(&asked), denied, ..found(ending) }
    }
}

/// A call that left nothing but its ending.
pub(super) fn found(ending: Ending) -> Found {
    Found {
        ending,
        log: Vec::new(),
        writes: json!({}),
        asked: json!([]),
        files: Value::Null,
        denied: Vec::new(),
        unscripted: Vec::new(),
    }
}

/// The ending of a call without an answer.
pub(super) fn ended(error: CallError) -> Ending {
    match error {
        CallError::Failure { message, retriable, .. } => {
            Ending::Failure(json!({ "message": message, "retriable": retriable }))
        }
        other => Ending::Error(other.code(), other.to_string()),
    }
}

/// Tasks that were asked for, as an expectation writes them.
pub(super) fn show_tasks(tasks: &[AskedTask]) -> Value {
    let show = |task: &AskedTask| {
        json!({
            "id": task.id, "description": task.description, "kind": task.kind, "command": task.command,
            "priority": task.priority, "cost": task.cost, "dependencies": task.dependencies, "settings": task.settings,
        })
    };
    tasks.iter().map(show).collect()
}

/// The run's id, where a case names none.
pub(super) fn run_id() -> String {
    "run".to_owned()
}
