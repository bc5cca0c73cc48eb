//! Conformance: a plugin called in each of its roles, in an engine of its own and with fake capabilities.
//!
//! In -> out: package, role, an empty folder -> one result, and the most that any call used.
//! Limits: the manifest's, and 10 s of wall time for each call.
//! Invariant: each case has a name that its findings begin with, after the code; a trap, a used-up limit or an answer
//! outside the rules fails every case; an own failure fails those that must be answered.
//! Not here: the cases (`conformance/ROLE.rs`), how one is called (`actor.rs`), the process around it (`sandbox.rs`).

pub(crate) mod actor;
pub(crate) mod answer;
mod auditor;
pub(crate) mod case;
mod executor;
pub(crate) mod planner;
mod reflector;
pub(crate) mod service;
pub(crate) mod session;
pub(crate) mod stage;
mod tasks;
mod verifier;
mod workspace;

use std::path::Path;

use orch_host::engine::{CallError, Engine};
use orch_trust::certificate::{CheckResult, Measured};
use orch_trust::manifest::Role;
use orch_trust::package::PackageBytes;

use crate::check::{Group, failed, judged, unfinished};
use actor::{Actor, Seen};
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
    let actor = match Actor::link(&stage, role) {
        Ok(actor) => actor,
        Err(error) => {
            return (failed(&id, 1, vec![format!("{}: {error}", error.code())]), Measured::default());
        }
    };
    let cases = cases(&stage, role);
    let (mut findings, mut measured) = (Vec::new(), stage.measured());
    for case in &cases {
        let seen = runtime.block_on(actor.call(&stage, &stage.fakes(case.mood), case));
        seen.measure(&mut measured);
        findings.extend(faults(case, &seen));
    }
    (judged(&id, cases.len() as u64, findings), measured)
}

/// What this tool asks a plugin of that role, in order; the first one is what it is made for.
pub(crate) fn cases(stage: &Stage, role: Role) -> Vec<Case> {
    match role {
        Role::Planner => planner::cases(),
        Role::Executor => executor::cases(&stage.kind()),
        Role::Reflector => reflector::cases(),
        Role::Auditor => auditor::cases(),
        Role::Verifier => verifier::cases(&stage.kind()),
        Role::Service => service::cases(),
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
