//! A plugin linked in one of its roles, and called.
//!
//! In -> out: stage, role -> [`Actor`]; fakes, a case -> [`Seen`].
//! Invariant: each call has a fresh instance; everything that came of it is in what was seen.
//! Not here: whether that is good (`conformance.rs`, `behaviour/`).

use orch_host::capability::tasks::AskedTask;
use orch_host::call::{CallReport, Used};
use orch_host::engine::CallError;
use orch_host::role::auditor::Auditor;
use orch_host::role::executor::Executor;
use orch_host::role::planner::Planner;
use orch_host::role::reflector::Reflector;
use orch_host::role::service::Service;
use orch_host::role::verifier::Verifier;
use orch_trust::certificate::Measured;
use orch_trust::evidence::Candidate;
use orch_trust::manifest::Role;

use super::answer::Answer;
use super::case::{Call, Case};
use super::session;
use super::stage::Stage;
use crate::fake::Fakes;

/// A linked candidate.
pub(crate) enum Actor {
    Planner(Planner<Candidate>),
    Executor(Executor<Candidate>),
    Reflector(Reflector<Candidate>),
    Auditor(Auditor<Candidate>),
    Verifier(Verifier<Candidate>),
    Service(Service<Candidate>),
}

/// What came of one call.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) answer: Result<Answer, CallError>,
    pub(crate) used: Used,
    /// Tasks asked for through `orch:tasks`.
    pub(crate) asked: Vec<AskedTask>,
    pub(crate) denied: Vec<String>,
    pub(crate) log_cut: bool,
    /// What the call would have kept, as text.
    pub(crate) writes: String,
}

impl Seen {
    fn of<T>(report: CallReport<T>, answer: impl FnOnce(T) -> Answer) -> Self {
        let CallReport { result, used, writes, asked, denied, log_cut, .. } = report;
        let writes = format!("{writes:?}");
        Self { answer: result.map(answer), used, asked, denied, log_cut, writes }
    }

    /// Everything but what was used, as text: equal for equal calls.
    pub(crate) fn text(&self) -> String {
        let answer = match &self.answer {
            Ok(answer) => answer.text(),
            Err(error) => format!("{}: {error}", error.code()),
        };
        let Self { asked, denied, log_cut, writes, .. } = self;
        format!("answer {answer}\nwrites {writes}\nasked {asked:?}\ndenied {denied:?}\nlog cut {log_cut}")
    }

    /// Raises what was measured to what this call used.
    pub(crate) fn measure(&self, measured: &mut Measured) {
        measured.fuel_max = measured.fuel_max.max(self.used.fuel.unwrap_or(0));
        measured.memory_bytes_max = measured.memory_bytes_max.max(self.used.memory_bytes);
        measured.host_calls_max = measured.host_calls_max.max(self.used.host_calls);
    }
}

impl Actor {
    /// # Errors
    /// `Link`: an import is not granted or not for this role, or the export is missing.
    pub(crate) fn link(stage: &Stage, role: Role) -> Result<Self, CallError> {
        let (engine, compiled) = (&stage.engine, stage.compiled.clone());
        Ok(match role {
            Role::Planner => Self::Planner(Planner::link(engine, compiled)?),
            Role::Executor => Self::Executor(Executor::link(engine, compiled)?),
            Role::Reflector => Self::Reflector(Reflector::link(engine, compiled)?),
            Role::Auditor => Self::Auditor(Auditor::link(engine, compiled)?),
            Role::Verifier => Self::Verifier(Verifier::link(engine, compiled)?),
            Role::Service => Self::Service(Service::link(engine, compiled)?),
        })
    }

    /// Makes the case's call, which is one of this role.
    pub(crate) async fn call(&self, stage: &Stage, fakes: &Fakes, case: &Case) -> Seen {
        let context = stage.context(fakes);
        match (self, &case.call) {
            (Self::Planner(planner), Call::Plan(session)) => {
                let (answer, used) = session::play(planner, context, session).await;
                // A session has no report.
                let (asked, denied, writes) = (Vec::new(), Vec::new(), String::new());
                Seen { answer, used, asked, denied, log_cut: false, writes }
            }
            (Self::Executor(executor), Call::Execute { task, attempt }) => {
                let report = executor.execute(context, task, *attempt).await;
                Seen::of(report, |completion| Answer::Done(completion.summary))
            }
            (Self::Reflector(reflector), Call::Reflect { run, tasks }) => {
                Seen::of(reflector.reflect(context, run, *tasks).await, Answer::Asked)
            }
            (Self::Auditor(auditor), Call::Analyze(paths)) => {
                Seen::of(auditor.analyze(context, paths).await, Answer::Metrics)
            }
            (Self::Auditor(auditor), Call::Audit(finished)) => {
                Seen::of(auditor.audit(context, finished).await, Answer::Asked)
            }
            (Self::Verifier(verifier), Call::Verify(subject)) => {
                Seen::of(verifier.verify(context, subject).await, Answer::Findings)
            }
            (Self::Service(service), Call::Handle(request)) => {
                let to_head = request.method() == http::Method::HEAD;
                let report = service.handle(context, request.clone()).await;
                Seen::of(report, |response| Answer::Response { response, to_head })
            }
            _ => unreachable!("cases are made for the role that is linked"),
        }
    }
}
