//! Conformance: a plugin called in each of its roles, in an engine of its own and with fake capabilities.
//!
//! In -> out: package, role, an empty folder -> one result, and the most that any call used.
//! Limits: the manifest's, and 10 s of wall time for each call.
//! Invariant: each case has a name that its findings begin with, after the code; a trap, a used-up limit or an answer
//! outside the rules fails every case; an own failure fails those that must be answered.
//! Not here: the cases (`conformance/ROLE.rs`), how one is called (`call.rs`), the process around it (`sandbox.rs`).

pub(crate) mod answer;
mod auditor;
pub(crate) mod call;
pub(crate) mod case;
mod executor;
mod guard;
mod models;
mod passages;
mod planner;
mod provider;
mod reflector;
mod service;
mod session;
pub(crate) mod stage;
mod tasks;
mod value;
mod vectors;
mod verifier;
mod workspace;

use std::path::Path;
use std::sync::Arc;

use arbitrary::Unstructured;
use orch_host::engine::{CallError, Engine};
use orch_task::Kind;
use orch_trust::certificate::{CheckResult, Measured};
use orch_trust::manifest::Role;
use orch_trust::package::PackageBytes;

use crate::check::{Group, failed, judged, unfinished};
use call::{Call, Seen};
use case::{Case, Expected};
use stage::{Setup, Stage};

/// Tries the plugin in that role. Writes a small project into the empty folder `workspace` first.
pub fn run(package: &PackageBytes, role: Role, workspace: &Path) -> (CheckResult, Measured) {
    let id = Group::Conformance(role).name();
    let broken = |why: &str| (unfinished(&id, why), Measured::default());
    let engine = match Engine::certification() {
        Ok(engine) => engine,
        Err(error) => return broken(&error.to_string()),
    };
    let stage = match Stage::new(engine, package, workspace) {
        Ok(stage) => stage,
        Err(Setup::Refused(finding)) => return (failed(&id, 1, vec![finding]), Measured::default()),
        Err(Setup::Broken(why)) => return broken(&why),
    };
    let runtime = match stage::runtime() {
        Ok(runtime) => runtime,
        Err(error) => return broken(&format!("runtime: {error}")),
    };
    let plugin = match stage.link(role) {
        Ok(plugin) => plugin,
        Err(error) => {
            return (failed(&id, 1, vec![format!("{}: {error}", error.code())]), Measured::default());
        }
    };
    let cases = stage.cases(role);
    let (mut findings, mut measured) = (Vec::new(), stage.measured());
    for case in &cases {
        let seen = runtime.block_on(stage.call(&plugin, &stage.fakes(case.mood), case));
        seen.measure(&mut measured);
        findings.extend(faults(case, &seen));
    }
    (judged(&id, cases.len() as u64, findings), measured)
}

/// What this tool asks plugins of one role, or one interface of it: its file says it.
#[derive(Clone, Copy)]
pub(crate) struct Questions {
    /// In order, with tasks of that kind; the first one is what the role is made for.
    pub(crate) cases: fn(&Kind) -> Vec<Case>,
    /// A call with values from a seed.
    pub(crate) seeded: fn(&mut Unstructured<'_>, &Kind) -> arbitrary::Result<Arc<dyn Call>>,
    /// How many functions the export has.
    pub(crate) functions: u32,
}

/// The list of roles; never empty. `exports`: of the component; what providers are asked depends on them.
pub(crate) fn questions(role: Role, exports: &[String]) -> Vec<Questions> {
    match role {
        Role::Planner => vec![planner::QUESTIONS],
        Role::Executor => vec![executor::QUESTIONS],
        Role::Reflector => vec![reflector::QUESTIONS],
        Role::Auditor => vec![auditor::QUESTIONS],
        Role::Verifier => vec![verifier::QUESTIONS],
        Role::Guard => vec![guard::QUESTIONS],
        Role::Provider => provider::questions(exports),
        Role::Service => vec![service::QUESTIONS],
    }
}

/// What is wrong with a call's end, as findings: code, case, what.
pub(crate) fn faults(case: &Case, seen: &Seen) -> Vec<String> {
    let name = &case.name;
    match &seen.answer {
        Ok(answer) => {
            let found = answer.faults(&seen.asked, &case.known_tasks());
            found.into_iter().map(|what| format!("conformance-answer: {name}: {what}")).collect()
        }
        Err(CallError::Failure { message, .. }) if case.expected == Expected::AnswerOrFailure => {
            match message.trim().is_empty() {
                true => vec![format!("conformance-failure: {name}: failed without a word")],
                false => Vec::new(),
            }
        }
        Err(error @ CallError::Failure { .. }) => vec![format!("conformance-failure: {name}: {error}")],
        Err(error) => vec![format!("{}: {name}: {error}", error.code())],
    }
}
