//! Calls that look and advise: reflectors, auditors, verifiers. Repeatable by contract.
//!
//! In -> out: a bound plugin -> its answer, recorded as `call_started` and `called`.
//! Invariant: what a plugin wrote is kept only with its answer; a plugin's own refusal is recorded and the run goes
//! on, any other fault ends the run and names the plugin. A look that came back with a fault is still missing.
//! Not here: when they are called (`drive.rs`), what becomes of the tasks they ask for (`extend.rs`).

use std::future::Future;
use std::sync::Arc;

use orch_journal::event::{Called, Event, FAILURE, Finding, TaskIndex, Writes};
use orch_task::Status;
use orch_trust::manifest::Role;

use super::desk::Desk;
use super::error::DriveError;
use super::extend;
use super::gate::RepeatableGate;
use super::roles::Bound;
use super::run::Run;
use crate::call::{CallReport, Lent};
use crate::capability::tasks::AskedTask;
use crate::clock::now_ms;
use crate::engine::CallError;
use crate::processes::LogName;
use crate::role::auditor::{Analyze, Audit, FinishedTask};
use crate::role::reflector::Reflect;
use crate::role::verifier::Subject;

/// What a plugin answered: the tasks that it wants, or nothing if it could not.
type Wanted = Option<Vec<AskedTask>>;

/// Calls every reflector that this run has not heard yet; gives how many tasks were added.
pub async fn reflect(run: &mut Run, desk: &Desk) -> Result<usize, DriveError> {
    let mut added = 0;
    for reflector in desk.roles.of(Role::Reflector) {
        if run.state().reflected.contains(&reflector.id) {
            continue;
        }
        let (context, rerun) = begin(run, desk, reflector, "reflect", None)?;
        let bound = reflector.clone();
        let ask = Reflect { run: run.id.clone(), tasks: run.state().tasks.len() as u32 };
        let report = on_guests(run, desk, async move { bound.call(context, &ask).await }).await?;
        let (answer, report) = split(report);
        let wanted = settle(
            run,
            desk,
            Call { name: "reflect", plugin: &reflector.id, task: None, rerun },
            report,
            answer,
        )?;
        added += want(run, desk, &reflector.id, wanted)?;
    }
    Ok(added)
}

/// Calls every auditor with what finished since the last audit; gives how many tasks were added.
pub async fn audit(run: &mut Run, desk: &Desk) -> Result<usize, DriveError> {
    let finished: Vec<FinishedTask> = {
        let state = run.state();
        let found =
            state.unaudited.iter().filter_map(|index| Some((*index, state.tasks.get(*index as usize)?)));
        found
            .filter(|(_, task)| {
                matches!(task.status, Status::Done | Status::Failed | Status::InDoubt | Status::Cancelled)
            })
            .map(|(index, task)| FinishedTask { index, id: task.task.id.to_string(), status: task.status })
            .collect()
    };
    let mut added = 0;
    for auditor in desk.roles.of(Role::Auditor) {
        let plugin = auditor.id.as_str();
        let (context, rerun) = begin(run, desk, auditor, "analyze", None)?;
        let (bound, ask) = (auditor.clone(), Analyze(Vec::new()));
        let report = on_guests(run, desk, async move { bound.call(context, &ask).await }).await?;
        let (metrics, mut report) = split(report);
        report.writes.metrics.extend(metrics.as_ref().ok().into_iter().flatten().cloned());
        settle(run, desk, Call { name: "analyze", plugin, task: None, rerun }, report, metrics)?;

        for page in finished.chunks(1000) {
            let (context, rerun) = begin(run, desk, auditor, "audit", None)?;
            let (bound, ask) = (auditor.clone(), Audit(page.to_vec()));
            let report = on_guests(run, desk, async move { bound.call(context, &ask).await }).await?;
            let (answer, report) = split(report);
            let wanted =
                settle(run, desk, Call { name: "audit", plugin, task: None, rerun }, report, answer)?;
            added += want(run, desk, plugin, wanted)?;
        }
    }
    Ok(added)
}

/// A verifier's look at a task or at the whole run, that came back.
pub struct Looked {
    /// None: at the run.
    pub task: Option<TaskIndex>,
    verifier: String,
    rerun: bool,
    report: CallReport<Vec<Finding>>,
}

/// Begins a look; it goes on in what is given back, on any thread.
pub fn look(
    run: &mut Run,
    desk: &Desk,
    verifier: &str,
    task: Option<TaskIndex>,
) -> Result<impl Future<Output = Looked> + Send + use<>, DriveError> {
    let (subject, id) = match task {
        None => (Subject::Run(run.id.clone()), String::new()),
        Some(index) => {
            let state = run.state();
            let found =
                state.tasks.get(index as usize).ok_or(DriveError::Lost { what: "a task to verify" })?;
            (Subject::Task(Box::new(found.task.clone())), found.task.id.to_string())
        }
    };
    let Some(bound) = desk.roles.by_id(Role::Verifier, verifier).cloned() else {
        return Err(DriveError::NoVerifier { task: id, verifier: verifier.to_owned() });
    };
    let (context, rerun) = begin(run, desk, &bound, "verify", task)?;
    let verifier = verifier.to_owned();
    Ok(async move {
        let report = bound.call(context, &subject).await;
        Looked { task, verifier, rerun, report }
    })
}

/// Takes a look back; afterwards its findings are in the state, or why it could not be made.
pub fn looked(run: &mut Run, desk: &Desk, looked: Looked) -> Result<(), DriveError> {
    let Looked { task, verifier, rerun, report } = looked;
    let (findings, mut report) = split::<Vec<Finding>>(report);
    report.writes.findings.extend(findings.as_ref().ok().into_iter().flatten().cloned());
    settle(run, desk, Call { name: "verify", plugin: &verifier, task, rerun }, report, findings)?;
    Ok(())
}

/// The next look that a task still needs, begun; none at which this host failed already.
pub fn next_look(
    run: &mut Run,
    desk: &Desk,
    task: TaskIndex,
) -> Result<Option<impl Future<Output = Looked> + Send + use<>>, DriveError> {
    let verifier = run.state().next_look(task).map(str::to_owned);
    verifier.map(|verifier| look(run, desk, &verifier, Some(task))).transpose()
}

/// The looks that a host before this one did not get to, or could not make.
pub async fn look_at_the_rest(run: &mut Run, desk: &Desk) -> Result<(), DriveError> {
    let tasks: Vec<TaskIndex> = run.state().unverified_tasks().collect();
    for task in tasks {
        while let Some(call) = next_look(run, desk, task)? {
            let back = on_guests(run, desk, call).await?;
            looked(run, desk, back)?;
        }
        run.moved(task, Status::Done, now_ms());
    }
    Ok(())
}

/// Calls every bound verifier with the whole run.
pub async fn look_at_the_run(run: &mut Run, desk: &Desk) -> Result<(), DriveError> {
    for verifier in desk.roles.of(Role::Verifier) {
        let call = look(run, desk, &verifier.id, None)?;
        let back = on_guests(run, desk, call).await?;
        looked(run, desk, back)?;
    }
    Ok(())
}

fn want(run: &mut Run, desk: &Desk, plugin: &str, wanted: Wanted) -> Result<usize, DriveError> {
    match wanted {
        Some(asked) => extend::add(run, desk, plugin, asked),
        None => Ok(0),
    }
}

/// Records that a call begins; gives what it is lent, and whether it began before and never came back.
fn begin(
    run: &mut Run,
    desk: &Desk,
    bound: &Bound,
    call: &'static str,
    task: Option<TaskIndex>,
) -> Result<(Lent, bool), DriveError> {
    let rerun = run.begin_call(call, &bound.id, task)?;
    let name = LogName::Call {
        call,
        task: task.and_then(|task| run.id_of(task)),
        plugin: bound.id.clone(),
        at: now_ms(),
        place: run.last(),
    };
    let log = desk.command_log(name);
    Ok((desk.lend(bound, run.shared(), Arc::new(RepeatableGate), log, bound.wall), rerun))
}

async fn on_guests<T: Send + 'static>(
    run: &mut Run,
    desk: &Desk,
    call: impl Future<Output = T> + Send + 'static,
) -> Result<T, DriveError> {
    let mut call = desk.guests.spawn(call);
    let answer = run.serving_a_call(desk, &mut call).await;
    if answer.is_err() {
        // With it its commands and all their descendants.
        call.abort();
    }
    answer?.map_err(|_| DriveError::Lost { what: "a call of a plugin" })
}

/// Answer and the rest of a report apart.
fn split<T>(report: CallReport<T>) -> (Result<T, CallError>, CallReport<()>) {
    let CallReport { result, used, writes, asked, denied, effect, log_cut } = report;
    (result, CallReport { result: Ok(()), used, writes, asked, denied, effect, log_cut })
}

struct Call<'a> {
    name: &'static str,
    plugin: &'a str,
    task: Option<TaskIndex>,
    rerun: bool,
}

/// Records a call that came back; gives its answer with what it asked for besides, or none if the plugin refused.
fn settle<T: Answer>(
    run: &mut Run,
    desk: &Desk,
    call: Call<'_>,
    report: CallReport<()>,
    answer: Result<T, CallError>,
) -> Result<Wanted, DriveError> {
    let Call { name, plugin, task, rerun } = call;
    for what in &report.denied {
        run.record(Event::Denied { plugin: plugin.to_owned(), what: what.clone() })?;
    }
    if report.log_cut {
        let text = format!("`{plugin}` wrote more log than its `logKiB` in `{name}`");
        run.record(Event::Warned { code: "log-cut".to_owned(), text })?;
    }
    let (writes, fault) = match &answer {
        Ok(_) => (Writes { plugin: plugin.to_owned(), ..report.writes }, None),
        Err(CallError::Failure { message, .. }) => {
            (Writes::default(), Some((FAILURE.to_owned(), message.clone())))
        }
        Err(error) => (Writes::default(), Some((error.code().to_owned(), error.to_string()))),
    };
    desk.kv.keep(&writes);
    let called = Called {
        call: name.to_owned(),
        plugin: plugin.to_owned(),
        task,
        rerun,
        fault: fault.clone(),
        writes,
        at: now_ms(),
    };
    run.record(Event::Called(Box::new(called)))?;
    match answer {
        Ok(answer) => Ok(Some(answer.asked().into_iter().chain(report.asked).collect())),
        Err(CallError::Failure { message, .. }) => {
            let at =
                task.and_then(|task| run.id_of(task)).map_or_else(String::new, |id| format!(" task `{id}`"));
            let text = format!("`{plugin}` could not {name}{at}: {message}");
            run.record(Event::Warned { code: format!("{name}-failed"), text })?;
            Ok(None)
        }
        Err(source) => Err(DriveError::Plugin { plugin: plugin.to_owned(), call: name, source }),
    }
}

/// What an answer asks for.
trait Answer {
    fn asked(self) -> Vec<AskedTask>;
}

impl Answer for Vec<AskedTask> {
    fn asked(self) -> Vec<AskedTask> {
        self
    }
}

impl Answer for Vec<Finding> {
    fn asked(self) -> Vec<AskedTask> {
        Vec::new()
    }
}

impl Answer for Vec<orch_journal::event::Metric> {
    fn asked(self) -> Vec<AskedTask> {
        Vec::new()
    }
}
