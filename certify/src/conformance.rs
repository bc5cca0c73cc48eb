//! Conformance: a plugin called in each of its roles, in an engine of its own and with fake capabilities.
//!
//! In -> out: package, role, an empty folder -> one result, and the most that any call used.
//! Limits: the manifest's, and 10 s of wall time for each call.
//! Invariant: a good call ends with an answer that its role allows; after a hostile one a failure is as good as an
//! answer; a trap, a used-up limit or an answer outside the rules fails either way.
//! A planner's session that could not be opened left no report: what it used is not known.
//! Not here: what each role is asked (`conformance/*`), the process around it (`sandbox.rs`).

pub mod auditor;
pub mod executor;
pub mod planner;
pub mod reflector;
pub mod service;
pub mod verifier;
mod workspace;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use orch_host::call::{AskedTask, CallContext, CallReport, Used};
use orch_host::engine::{CallError, Compiled, Engine};
use orch_task::{Command, Kind, Task, TaskId};
use orch_trust::certificate::{CheckResult, Measured};
use orch_trust::evidence::{Candidate, Compilable};
use orch_trust::manifest::Role;
use orch_trust::package::PackageBytes;

use crate::check::{Group, failed, finding, judged, unfinished};
use crate::fake::Fakes;

const WALL_MS_MAX: u32 = 10_000;
/// The longest id that a task can have.
const ID_BYTES_MAX: usize = 128;

/// How one role is tried.
pub(crate) struct Trial {
    engine: Engine,
    compiled: Compiled<Candidate>,
    workspace: PathBuf,
    wall: Duration,
    calls: u64,
    findings: Vec<String>,
    measured: Measured,
}

/// What a call may end with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// An answer.
    Answer,
    /// An answer, or the plugin's own failure with a word on why.
    AnswerOrFailure,
}

/// Tries the plugin in that role. Writes a small project into the empty folder `workspace` first.
pub fn run(package: &PackageBytes, role: Role, workspace: &Path) -> (CheckResult, Measured) {
    let id = Group::Conformance(role).name();
    let trial = match Trial::new(package, workspace) {
        Ok(trial) => trial,
        Err(Setup::Refused(finding)) => return (failed(&id, 1, vec![finding]), Measured::default()),
        Err(Setup::Broken(why)) => return (unfinished(&id, &why), Measured::default()),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_time().build() {
        Ok(runtime) => runtime,
        Err(error) => return (unfinished(&id, &format!("runtime: {error}")), Measured::default()),
    };
    let trial = runtime.block_on(trial.role(role));
    (judged(&id, trial.calls, trial.findings), trial.measured)
}

enum Setup {
    /// The plugin's fault.
    Refused(String),
    /// Ours.
    Broken(String),
}

impl Trial {
    fn new(package: &PackageBytes, workspace: &Path) -> Result<Self, Setup> {
        let broken = |error: io::Error| Setup::Broken(format!("workspace: {error}"));
        let workspace = workspace.canonicalize().map_err(broken)?;
        workspace::write(&workspace).map_err(broken)?;
        let candidate = Candidate::examine(package).map_err(|refusal| Setup::Refused(finding(&refusal)))?;
        let wall_ms = candidate.manifest().limits.wall_ms.min(WALL_MS_MAX);
        let engine = Engine::certification().map_err(|error| Setup::Broken(error.to_string()))?;
        let compiled = engine
            .compile(candidate)
            .map_err(|error| Setup::Refused(format!("{}: {error}", error.code())))?;
        let wall = Duration::from_millis(wall_ms.into());
        Ok(Self {
            engine,
            compiled,
            workspace,
            wall,
            calls: 0,
            findings: Vec::new(),
            measured: Measured::default(),
        })
    }

    async fn role(mut self, role: Role) -> Self {
        let linked = match role {
            Role::Planner => planner::run(&mut self).await,
            Role::Executor => executor::run(&mut self).await,
            Role::Reflector => reflector::run(&mut self).await,
            Role::Auditor => auditor::run(&mut self).await,
            Role::Verifier => verifier::run(&mut self).await,
            Role::Service => service::run(&mut self).await,
        };
        if let Err(error) = linked {
            self.calls += 1;
            self.findings.push(format!("{}: {error}", error.code()));
        }
        self
    }

    /// What a call is lent: three tasks in the run, and nothing real.
    fn context(&self) -> CallContext {
        let kind = self.first_kind();
        let tasks = ["first", "second", "third"].into_iter().filter_map(|id| task(id, &kind)).collect();
        Fakes::with_tasks(tasks).context(self.workspace.clone(), "{}", self.wall)
    }

    /// The first kind that the plugin executes; `shell` for one that executes none.
    fn first_kind(&self) -> Kind {
        let kinds = &self.compiled.evidence().manifest().kinds;
        kinds.first().and_then(|kind| Kind::parse(kind).ok()).unwrap_or_else(Kind::shell)
    }

    /// Judges a call of that name by its report; gives its answer.
    fn judge_report<T>(&mut self, call: &str, expected: Expected, report: CallReport<T>) -> Option<T> {
        self.measure(report.used);
        self.judge(call, expected, report.result)
    }

    fn measure(&mut self, used: Used) {
        self.measured.fuel_max = self.measured.fuel_max.max(used.fuel.unwrap_or(0));
        self.measured.memory_bytes_max = self.measured.memory_bytes_max.max(used.memory_bytes);
    }

    /// Judges a call of that name; gives its answer.
    fn judge<T>(&mut self, call: &str, expected: Expected, result: Result<T, CallError>) -> Option<T> {
        self.calls += 1;
        let error = match result {
            Ok(answer) => return Some(answer),
            Err(error) => error,
        };
        match &error {
            CallError::Failure { message, .. } if expected == Expected::AnswerOrFailure => {
                if message.trim().is_empty() {
                    self.findings.push(format!("conformance-failure: {call}: failed without a word"));
                }
            }
            CallError::Failure { .. } => {
                self.findings.push(format!("conformance-failure: {call}: {error}"));
            }
            _ => self.findings.push(format!("{}: {call}: {error}", error.code())),
        }
        None
    }

    fn wrong(&mut self, call: &str, what: &str) {
        self.findings.push(format!("conformance-answer: {call}: {what}"));
    }

    /// Tasks of one answer: ids differ, and each waits only for tasks that there are.
    fn check_asked(&mut self, call: &str, asked: &[AskedTask]) {
        let mut known: BTreeSet<&str> = ["first", "second", "third"].into();
        for task in asked.iter().filter_map(|task| task.id.as_ref()) {
            if !known.insert(task.as_str()) {
                self.wrong(call, &format!("asks for the id `{}` twice", task.as_str()));
            }
        }
        for dependency in asked.iter().flat_map(|task| &task.dependencies) {
            if !known.contains(dependency.as_str()) {
                self.wrong(call, &format!("asks to wait for `{}`, which is unknown", dependency.as_str()));
            }
        }
    }
}

/// A harmless task.
fn task(id: &str, kind: &Kind) -> Option<Task> {
    let mut task = Task::new(TaskId::parse(id).ok()?, kind.clone());
    task.description = format!("Task {id}");
    task.command = Some(Command::Argv(vec!["true".to_owned()]));
    Some(task)
}

/// Tasks at the edges of what a host hands over.
fn hostile_tasks(kind: &Kind) -> Vec<Task> {
    let long_id = "z".repeat(ID_BYTES_MAX);
    let control = "\u{1b}[2J\r\n\u{0}\u{202e}".repeat(300);
    let argv = |args: Vec<String>| Some(Command::Argv(args));
    let commands = [
        None,
        argv(vec!["".to_owned()]),
        argv(std::iter::once("true".to_owned()).chain((1..1024).map(|_| "x".repeat(127))).collect()),
        argv(vec!["../../bin/sh".to_owned(), "-c".to_owned(), "\u{1b}]0;x\u{7}".to_owned()]),
        Some(Command::Shell("; ".repeat(32 * 1024))),
    ];
    let settings = serde_json::json!({ "": null, "deep": [[[[[[[[{}]]]]]]]], "text": "y".repeat(60_000) });
    let make = |command: Option<Command>| {
        let mut task = Task::new(TaskId::parse(&long_id).ok()?, kind.clone());
        task.description = control.chars().take(1000).collect();
        task.command = command;
        (task.priority, task.cost) = (i32::MIN, u32::MAX);
        task.settings = settings.as_object().cloned().unwrap_or_default();
        Some(task)
    };
    commands.into_iter().filter_map(make).collect()
}
