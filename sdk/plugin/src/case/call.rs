//! Calls of cases: the list of them, and what each goes through.
//!
//! In -> out: a call as a case file writes it, what it is given -> [`Found`].
//! Invariant: every role of `orch-trust` has a line in the list; one that has none does not compile.
//! Not here: the form of a call and how its answer is shown (`case/ROLE.rs`), comparing (`expectation.rs`).

use orch_host::call::{CallContext, CallReport};
use orch_host::capability::tasks::AskedTask;
use orch_host::engine::{CallError, Compiled, Engine};
use orch_host::role::{Ask, Exported};
use orch_trust::evidence::Candidate;
use orch_trust::manifest::Role;
use serde::Deserialize;
use serde_json::{Value, json};

use super::expectation::{Ending, Found};
use super::script::Script;
use super::{auditor, executor, guard, planner, reflector, service, verifier};

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
        Found { writes: json!(writes), asked: show_tasks(&asked), denied, ..found(ending) }
    }
}

/// The list of calls, by role.
macro_rules! calls {
    ($($Role:ident: $($Call:ident($Form:ty)),+;)+) => {
        /// Which export is called, and with what.
        #[derive(Debug, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Call {
            $($($Call($Form),)+)+
        }

        impl Call {
            pub(super) async fn make(&self, given: Given<'_>) -> Found {
                match self {
                    $($(Self::$Call(form) => form.call(given).await,)+)+
                }
            }
        }

        const _: fn(Role) = |role| match role {
            $(Role::$Role => {})+
        };
    };
}

calls! {
    Planner: Session(planner::Session);
    Executor: Execute(executor::Execute);
    Reflector: Reflect(reflector::Reflect);
    Auditor: Analyze(auditor::Analyze), Audit(auditor::Audit);
    Verifier: VerifyRun(verifier::VerifyRun), VerifyTask(verifier::VerifyTask);
    Guard: JudgeTask(guard::JudgeTask);
    Service: Handle(service::Handle);
}

/// A call that left nothing but its ending.
pub(super) fn found(ending: Ending) -> Found {
    Found {
        ending,
        log: Vec::new(),
        writes: json!({}),
        asked: json!([]),
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

#[cfg(test)]
mod tests {
    use orch_task::{Kind, Task, TaskId};

    use super::*;

    #[test]
    fn every_call_has_its_form_and_no_other_field() {
        let task = Task::new(TaskId::parse("a").unwrap(), Kind::shell());
        let steps = json!([{ "observe": [{ "budget": 3 }, { "withdrawn": 1 }] }, { "next": 1 }]);
        for (name, form) in [
            ("session", json!({ "steps": steps })),
            ("execute", json!({ "task": task })),
            ("reflect", json!({})),
            ("analyze", json!({})),
            ("audit", json!({ "finished": [{ "index": 0, "id": "a", "status": "done" }] })),
            ("verify-run", json!({})),
            ("verify-task", json!({ "task": task })),
            ("judge-task", json!({ "task": task })),
            ("handle", json!({ "method": "GET", "path": "/" })),
        ] {
            let read = |form: &Value| serde_json::from_value::<Call>(json!({ name: form }));
            assert!(read(&form).is_ok(), "{name}: {:?}", read(&form).err());
            let mut other = form;
            other["misspelt"] = json!(1);
            assert!(read(&other).is_err(), "{name}");
        }
    }
}
