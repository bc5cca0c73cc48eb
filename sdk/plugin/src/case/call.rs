//! Calls of cases: the list of them.
//! Invariant: every role of `orch-trust` has a line in the list; one that has none does not compile.
//! Not here: the form of a call and how its answer is shown (`case/ROLE.rs`), what each goes through (`question.rs`).

use orch_trust::manifest::Role;
use serde::Deserialize;

use super::expectation::Found;
use super::question::{Called, Given};
use super::{
    auditor, embed, executor, guard, llm, planner, provider, reflector, retrieve, service, verifier,
};

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
    Guard: JudgeTask(guard::JudgeTask), JudgeEdits(guard::JudgeEdits), JudgeMerge(guard::JudgeMerge);
    Provider: SendNotice(provider::SendNotice), AskModel(llm::AskModel), AskVectors(embed::AskVectors),
        FindPassages(retrieve::FindPassages);
    Service: Handle(service::Handle);
}

#[cfg(test)]
mod tests {
    use orch_task::{Kind, Task, TaskId};
    use serde_json::{Value, json};

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
            (
                "judge-edits",
                json!({ "task": task, "files": [{ "path": "a", "status": "changed", "added": 1 }] }),
            ),
            (
                "judge-merge",
                json!({ "run": "r", "tasks": ["a"], "files": [{ "path": "a", "status": "changed", "added": 1 }] }),
            ),
            (
                "send-notice",
                json!({ "order": { "key": "k" }, "message": { "channel": "ops", "title": "t", "severity": "info" } }),
            ),
            ("ask-model", json!({ "order": { "key": "k" }, "request": { "messages": [{ "user": "u" }] } })),
            (
                "find-passages",
                json!({ "order": { "key": "k" }, "query": { "collection": "c", "text": "t" } }),
            ),
            ("ask-vectors", json!({ "order": { "key": "k" }, "target": { "dimension": 8 }, "texts": ["u"] })),
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
