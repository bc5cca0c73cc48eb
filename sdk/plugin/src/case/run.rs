//! Running cases: the component as a `Candidate`, in the sandbox that hosts use.
//!
//! In -> out: a package and its cases -> one [`CaseResult`] each.
//! Limits: the manifest's own, and 60 s of wall time a call.
//! Invariant: a fresh instance, host and folder for each case; signatures are not asked for, everything else is.
//! Not here: the cases' form (`case.rs`), certification (`orch-certify`).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use orch_host::capability::tasks::AskedTask;
use orch_host::call::{CallContext, CallReport};
use orch_host::engine::{CallError, CompileError, Compiled, Engine, EngineError};
use orch_host::role::auditor::{Auditor, FinishedTask};
use orch_host::role::executor::Executor;
use orch_host::role::planner::{Planner, PlannerChange, PlannerDecision, ReadyTask};
use orch_host::role::reflector::Reflector;
use orch_host::role::service::Service;
use orch_host::role::verifier::{Subject, Verifier};
use orch_trust::evidence::{Candidate, Compilable};
use orch_trust::package::PackageBytes;
use orch_trust::refusal::Refusal;
use serde_json::{Value, json};

use super::expectation::{Ending, Found};
use super::script::{Commands, Gate, Lines, write_files};
use super::{Call, Case, Change, Step};

const WALL_MS_MAX: u32 = 60_000;

/// Why no case was run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("the package would be refused")]
    Refused(#[source] Box<Refusal>),
    #[error("the component does not compile")]
    Compile(#[from] CompileError),
    #[error("no engine for the tests")]
    Engine(#[from] EngineError),
    #[error("no runtime for the tests")]
    Runtime(#[source] std::io::Error),
}

impl RunError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::Compile(error) => error.code(),
            Self::Engine(_) => "case-engine",
            Self::Runtime(_) => "case-runtime",
        }
    }

    /// What the author can do about it, if anything.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Refused(refusal) => refusal.hint(),
            _ => None,
        }
    }
}

/// What came of one case.
#[derive(Debug)]
pub struct CaseResult {
    /// File name.
    pub name: String,
    pub about: String,
    /// None: it holds.
    pub differences: Vec<String>,
}

/// Runs the cases, one after the other.
///
/// # Errors
/// `Refused`: a host would not take the package even if it were signed and certified.
pub fn run(package: &PackageBytes, cases: &[(String, Case)]) -> Result<Vec<CaseResult>, RunError> {
    let candidate = Candidate::examine(package).map_err(|refusal| RunError::Refused(Box::new(refusal)))?;
    let wall_ms = candidate.manifest().limits.wall_ms.min(WALL_MS_MAX);
    let engine = Engine::certification()?;
    let compiled = engine.compile(candidate)?;
    let trial = Trial { engine, compiled, wall: Duration::from_millis(wall_ms.into()) };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(RunError::Runtime)?;
    let results = cases.iter().map(|(name, case)| {
        let differences = match runtime.block_on(trial.call(case)) {
            Ok(found) => case.expect.differences(&found),
            Err(why) => vec![why],
        };
        CaseResult { name: name.clone(), about: case.about.clone(), differences }
    });
    Ok(results.collect())
}

struct Trial {
    engine: Engine,
    compiled: Compiled<Candidate>,
    wall: Duration,
}

impl Trial {
    /// What came of the case's call; an error says why there was none.
    async fn call(&self, case: &Case) -> Result<Found, String> {
        let folder = tempfile::tempdir().map_err(|error| format!("no folder for the case: {error}"))?;
        let workspace =
            folder.path().canonicalize().map_err(|error| format!("no folder for the case: {error}"))?;
        write_files(&workspace, &case.host)?;
        let settings = Value::Object(case.host.settings.clone()).to_string();
        let (commands, lines) = (Arc::new(Commands::new(&case.host)), Arc::new(Lines::default()));
        let host = Arc::new(case.host.clone());
        let context = CallContext {
            protected: Arc::default(),
            workspace: Arc::new(workspace),
            settings: settings.as_str().into(),
            tasks: host.clone(),
            kv: host,
            effects: Arc::new(Gate),
            processes: commands.clone(),
            log: lines.clone(),
            wall: self.wall,
        };
        let tasks = u32::try_from(case.host.tasks.len()).unwrap_or(u32::MAX);
        let mut found = match self.dispatch(&case.call, context, &settings, tasks).await {
            Ok(found) => found,
            Err(error) => ended(error),
        };
        found.log = lines.all();
        found.unscripted = commands.differences();
        Ok(found)
    }

    async fn dispatch(
        &self,
        call: &Call,
        context: CallContext,
        settings: &str,
        tasks: u32,
    ) -> Result<Found, CallError> {
        let (engine, compiled) = (&self.engine, self.compiled.clone());
        Ok(match call {
            Call::Execute { task, attempt } => {
                let executor = Executor::link(engine, compiled)?;
                let report = executor.execute(context, task, *attempt).await;
                reported(report, |completion| json!({ "summary": completion.summary }))
            }
            Call::Reflect { run } => {
                let reflector = Reflector::link(engine, compiled)?;
                reported(reflector.reflect(context, run, tasks).await, |tasks| asked(&tasks))
            }
            Call::Analyze { paths } => {
                let auditor = Auditor::link(engine, compiled)?;
                reported(auditor.analyze(context, paths).await, |metrics| json!(metrics))
            }
            Call::Audit { finished } => {
                let auditor = Auditor::link(engine, compiled)?;
                let of_host = finished.iter().map(|task| FinishedTask {
                    index: task.index,
                    id: task.id.clone(),
                    status: task.status,
                });
                reported(auditor.audit(context, &of_host.collect::<Vec<_>>()).await, |tasks| asked(&tasks))
            }
            Call::VerifyRun { run } => {
                let verifier = Verifier::link(engine, compiled)?;
                let subject = Subject::Run(run.clone());
                reported(verifier.verify(context, &subject).await, |findings| json!(findings))
            }
            Call::VerifyTask { task } => {
                let verifier = Verifier::link(engine, compiled)?;
                let subject = Subject::Task(task.clone());
                reported(verifier.verify(context, &subject).await, |findings| json!(findings))
            }
            Call::Handle { method, path, headers, body } => {
                let service = Service::link(engine, compiled)?;
                let mut request = http::Request::builder().method(method.as_str());
                request = request.uri(format!("http://localhost{path}")).header("host", "localhost");
                for (name, value) in headers {
                    request = request.header(name, value);
                }
                match request.body(Bytes::from(body.clone())) {
                    Ok(request) => {
                        reported(service.handle(context, request).await, |response| respond(&response))
                    }
                    Err(error) => found(Ending::Error("case-request", error.to_string())),
                }
            }
            Call::Session { kinds, steps } => {
                let planner = Planner::link(engine, compiled)?;
                let mut session = planner.open(context, settings, kinds).await?;
                let mut decisions = Vec::new();
                for step in steps {
                    match step {
                        Step::Observe(changes) => {
                            session.observe(&changes.iter().map(of_host).collect::<Vec<_>>()).await?;
                        }
                        Step::Next(slots) => decisions.push(match session.next(*slots).await? {
                            PlannerDecision::Start(picked) => json!({ "start": picked }),
                            PlannerDecision::Wait => json!("wait"),
                            PlannerDecision::Finished(why) => json!({ "finished": why }),
                        }),
                    }
                }
                found(Ending::Answer(Value::Array(decisions)))
            }
        })
    }
}

fn of_host(change: &Change) -> PlannerChange {
    match *change {
        Change::Ready { index, priority, cost, kind } => {
            PlannerChange::Ready(ReadyTask { index, priority, cost, kind })
        }
        Change::Withdrawn(index) => PlannerChange::Withdrawn(index),
        Change::Finished { index, status } => PlannerChange::Finished(index, status),
        Change::Budget(left) => PlannerChange::Budget(left),
    }
}

/// A call that left nothing but its ending.
fn found(ending: Ending) -> Found {
    Found {
        ending,
        log: Vec::new(),
        writes: json!({}),
        asked: json!([]),
        denied: Vec::new(),
        unscripted: Vec::new(),
    }
}

fn ended(error: CallError) -> Found {
    found(match error {
        CallError::Failure { message, retriable, .. } => {
            Ending::Failure(json!({ "message": message, "retriable": retriable }))
        }
        other => Ending::Error(other.code(), other.to_string()),
    })
}

fn reported<T>(report: CallReport<T>, show: impl FnOnce(T) -> Value) -> Found {
    let ending = match report.result {
        Ok(answer) => found(Ending::Answer(show(answer))),
        Err(error) => ended(error),
    };
    Found { writes: json!(report.writes), asked: asked(&report.asked), denied: report.denied, ..ending }
}

fn asked(tasks: &[AskedTask]) -> Value {
    let show = |task: &AskedTask| {
        json!({
            "id": task.id, "description": task.description, "kind": task.kind, "command": task.command,
            "priority": task.priority, "cost": task.cost, "dependencies": task.dependencies, "settings": task.settings,
        })
    };
    tasks.iter().map(show).collect()
}

fn respond(response: &http::Response<Bytes>) -> Value {
    let headers = response.headers().iter();
    let headers: serde_json::Map<_, _> = headers
        .map(|(name, value)| (name.to_string(), Value::from(String::from_utf8_lossy(value.as_bytes()))))
        .collect();
    json!({
        "status": response.status().as_u16(),
        "headers": headers,
        "body": String::from_utf8_lossy(response.body()),
    })
}
