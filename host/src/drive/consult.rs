//! Calls that look and advise: reflectors, auditors, verifiers. Repeatable by contract.
//!
//! In -> out: a bound plugin -> its answer, recorded as `call_started` and `called`.
//! Invariant: what a plugin wrote is kept only with its answer; a plugin's own refusal is recorded and the run goes
//! on, any other fault ends the run and names the plugin. A look that came back with a fault is still missing.
//! Not here: when they are called (`drive.rs`), what becomes of the tasks they ask for (`extend.rs`).

use std::future::Future;
use std::sync::Arc;

use orch_journal::event::{Actor, Called, Event, FAILURE, Severity, TaskIndex, Writes};
use orch_task::{Status, Tree};
use orch_trust::manifest::Role;
use tokio::runtime::Handle;

use super::attempt::{warn_of_call, warn_of_log};
use super::back::Looked;
use super::desk::Desk;
use super::error::DriveError;
use super::extend;
use super::fresh;
use super::gate::Gate;
use super::lodging::{Lodging, leave};
use super::offers::with_checks;
use super::roles::Bound;
use super::run::Run;
use crate::call::{CallReport, Lent};
use crate::capability::provided::Asking;
use crate::capability::tasks::AskedTask;
use crate::clock::now_ms;
use crate::command_log::{CommandLog, LogName};
use crate::engine::CallError;
use crate::role::auditor::{Analyze, Audit, FinishedTask};
use crate::role::reflector::Reflect;
use crate::role::verifier::Subject;
use crate::role::{Ask, Listed};
use crate::worktrees::Seat;

/// Calls every reflector that this run has not heard yet; gives how many tasks were added.
pub async fn reflect(run: &mut Run, desk: &Desk) -> Result<usize, DriveError> {
    let mut added = 0;
    for reflector in desk.roles.of(Role::Reflector) {
        if run.state().reflected.contains(&reflector.id) {
            continue;
        }
        let (tasks, left) = {
            let all = &run.state().tasks;
            (all.len() as u32, all.iter().filter(|task| !task.status.is_final()).count() as u32)
        };
        let ask = Reflect { run: desk.tape.run_told(&run.id), tasks, left, goal: run.goal() };
        added += advised(run, desk, reflector, ask).await?;
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
        added += advised(run, desk, auditor, Analyze(Vec::new())).await?;
        for page in finished.chunks(1000) {
            added += advised(run, desk, auditor, Audit(page.to_vec())).await?;
        }
    }
    Ok(added)
}

/// A whole look at a task that had the workspace to itself, and after which nothing was done and nothing waited for.
pub struct JustLooked {
    pub verifier: String,
    pub task: TaskIndex,
}

/// Begins a look, at the tree with that seat if there is one; it goes on in what is given back, on any thread.
pub fn look(
    run: &mut Run,
    desk: &Desk,
    verifier: &str,
    task: Option<TaskIndex>,
    seat: Option<&Seat>,
) -> Result<impl Future<Output = Looked> + Send + use<>, DriveError> {
    let (subject, id, checks, works_at_home) = match task {
        None => (Subject::Run(desk.tape.run_told(&run.id)), String::new(), Vec::new(), false),
        Some(index) => {
            let state = run.state();
            let found =
                state.tasks.get(index as usize).ok_or(DriveError::Lost { what: "a task to verify" })?;
            let named = found.task.verify.iter().find(|look| look.verifier == verifier);
            let checks = named.map_or_else(Vec::new, |look| look.checks.clone());
            let subject = Subject::Task(Box::new(found.task.clone()));
            (subject, found.task.id.to_string(), checks, found.task.tree == Tree::Mine)
        }
    };
    let Some(bound) = desk.roles.by_id(Role::Verifier, verifier).cloned() else {
        return Err(DriveError::NoVerifier { task: id, verifier: verifier.to_owned() });
    };
    let Begun { mut lent, rerun, log } = begin(run, desk, &bound, Subject::NAME, task)?;
    // As they were when the run began; another host may have bound others since.
    let unknown = desk.roles.offers.unknown_check(verifier, &checks);
    lent.settings = with_checks(&bound.settings, &checks);
    let lodging = match works_at_home {
        true => {
            desk.stay_home(&mut lent);
            None
        }
        false => lodge(run, desk, &bound, &mut lent, &log, seat),
    };
    let guests = desk.guests.clone();
    let (verifier, is_whole) = (verifier.to_owned(), checks.is_empty());
    Ok(async move {
        let report = match unknown {
            Some(message) => {
                let plugin = verifier.as_str().into();
                CallReport::never_made(CallError::Failure { plugin, message, retriable: false })
            }
            None => lodged(&guests, lodging, bound.id.clone(), bound.call(lent, &subject)).await,
        };
        Looked { task, verifier, rerun, is_whole, log, report }
    })
}

/// Takes a look back; afterwards its findings are in the state, or why it could not be made.
pub fn looked(run: &mut Run, desk: &Desk, looked: Looked) -> Result<(), DriveError> {
    let Looked { task, verifier, rerun, log, report, .. } = looked;
    come_back::<Subject>(run, desk, Call { plugin: &verifier, task, rerun, log: &log }, report)?;
    Ok(())
}

/// The next look that a task still needs, begun; none at which this host failed already.
pub fn next_look(
    run: &mut Run,
    desk: &Desk,
    task: TaskIndex,
) -> Result<Option<impl Future<Output = Looked> + Send + use<>>, DriveError> {
    let verifier = run.state().next_look(task).map(str::to_owned);
    verifier.map(|verifier| look(run, desk, &verifier, Some(task), None)).transpose()
}

/// The looks that a host before this one did not get to, or could not make.
pub async fn look_at_the_rest(run: &mut Run, desk: &Desk) -> Result<(), DriveError> {
    let tasks: Vec<TaskIndex> = run.state().unverified_tasks().collect();
    for task in tasks {
        while let Some(call) = next_look(run, desk, task)? {
            let back = on_guests(run, desk, call).await?;
            looked(run, desk, back)?;
        }
        judge_task(run, desk, task)?;
        fresh::mark_plain(run, desk, task)?;
        let status = run.state().tasks.get(task as usize).map_or(Status::Done, |found| found.status);
        run.moved(task, status, now_ms());
    }
    Ok(())
}

/// Fails a task at which its own verifiers found more than is allowed: what depends on it must not start, and no later
/// run take it for done.
pub fn judge_task(run: &mut Run, desk: &Desk, task: TaskIndex) -> Result<(), DriveError> {
    let is_done = run.state().tasks.get(task as usize).is_some_and(|found| found.status == Status::Done);
    if let Some(why) = too_many_seen(run, desk, task).filter(|_| is_done) {
        let why = format!("its verifiers have {why}");
        run.record(Event::TaskMoved { task, to: Status::Failed, why, who: None, at: now_ms() })?;
    }
    Ok(())
}

/// What a task's own verifiers saw of it last, if that is more than is allowed.
pub fn too_many_seen(run: &Run, desk: &Desk, task: TaskIndex) -> Option<String> {
    let state = run.state();
    let looks = state.tasks.get(task as usize).into_iter().flat_map(|found| &found.task.verify);
    let seen = looks.flat_map(|look| state.seen.get(&(look.verifier.clone(), Some(task))));
    let seen: Vec<Severity> = seen.flatten().copied().collect();
    let count = |severity| seen.iter().filter(|seen| **seen == severity).count() as u32;
    desk.rules().too_many(count(Severity::Major), count(Severity::Medium))
}

/// Calls every bound verifier with the whole run, but for those that a person does without, and for the first one if it
/// has looked just now: where the others' commands have run since, it looks again.
pub async fn look_at_the_run(run: &mut Run, desk: &Desk, just: Option<JustLooked>) -> Result<(), DriveError> {
    let mut just = just;
    for verifier in desk.roles.of(Role::Verifier) {
        if let Some(JustLooked { verifier, task }) = just.take().filter(|just| just.verifier == verifier.id) {
            run.record(Event::LookKept { verifier, task, at: now_ms() })?;
            continue;
        }
        if run.state().is_waived(&verifier.id) {
            continue;
        }
        let call = look(run, desk, &verifier.id, None, None)?;
        let back = on_guests(run, desk, call).await?;
        looked(run, desk, back)?;
    }
    Ok(())
}

/// Asks a plugin for advice that is about the whole run; gives how many tasks were added for it.
async fn advised<A: Ask<Of: Listed> + 'static>(
    run: &mut Run,
    desk: &Desk,
    bound: &Arc<Bound>,
    ask: A,
) -> Result<usize, DriveError> {
    match asked(run, desk, bound, (None, None), ask).await? {
        Some(Advice { asked, .. }) => extend::add(run, desk, (&bound.id, None), asked),
        None => Ok(0),
    }
}

/// What a plugin answered, and the tasks that it asked for with it or besides.
pub struct Advice<T> {
    pub answer: T,
    pub asked: Vec<AskedTask>,
}

/// Asks a plugin, about that task or about the run, in the tree with that seat if there is one; nothing: it could not answer,
/// and that is recorded.
pub async fn asked<A: Ask<Of: Listed> + 'static>(
    run: &mut Run,
    desk: &Desk,
    bound: &Arc<Bound>,
    (task, seat): (Option<TaskIndex>, Option<&Seat>),
    ask: A,
) -> Result<Option<Advice<A::Answer>>, DriveError> {
    let Begun { mut lent, rerun, log } = begin(run, desk, bound, A::NAME, task)?;
    let lodging = lodge(run, desk, bound, &mut lent, &log, seat);
    let (callee, guests) = (bound.clone(), desk.guests.clone());
    let call = async move { lodged(&guests, lodging, callee.id.clone(), callee.call(lent, &ask)).await };
    let report = on_guests(run, desk, call).await?;
    come_back::<A>(run, desk, Call { plugin: &bound.id, task, rerun, log: &log }, report)
}

/// A call that begins.
struct Begun {
    lent: Lent,
    /// It began before and never came back.
    rerun: bool,
    log: Arc<CommandLog>,
}

/// Records that a call begins.
fn begin(
    run: &mut Run,
    desk: &Desk,
    bound: &Bound,
    call: &'static str,
    task: Option<TaskIndex>,
) -> Result<Begun, DriveError> {
    let (number, rerun) = run.begin_call(call, &bound.id, task)?;
    let name = LogName::Call {
        call,
        task: task.and_then(|task| run.id_of(task)),
        plugin: bound.id.clone(),
        at: now_ms(),
        place: run.last(),
    };
    let log = desk.command_log(name);
    let by = Actor::Call { number };
    let gate = Arc::new(Gate::new(by, run.ask(), desk));
    let about = task.and_then(|task| run.id_of(task)).map(|id| id.as_str().into());
    let lent = desk.lend(
        bound,
        run.shared(),
        (Asking { about, ..Asking::of(&run.id, by).by(bound.plugin.role(), None) }, gate),
        log.clone(),
        bound.wall,
    );
    Ok(Begun { lent, rerun, log })
}

/// Moves a call into the tree with that seat, or into one of its own if it gets one.
fn lodge(
    run: &Run,
    desk: &Desk,
    bound: &Bound,
    lent: &mut Lent,
    log: &Arc<CommandLog>,
    seat: Option<&Seat>,
) -> Option<Lodging> {
    let Some(seat) = seat else { return Lodging::of(run, desk, bound, lent, log) };
    desk.move_into(&bound.id, lent, seat, log.clone());
    None
}

/// A call in its tree, if it gets one.
async fn lodged<T>(
    guests: &Handle,
    lodging: Option<Lodging>,
    plugin: String,
    call: impl Future<Output = CallReport<T>>,
) -> CallReport<T> {
    let Some(lodging) = lodging else { return call.await };
    match lodging.make(&plugin).await {
        Err(error) => CallReport::never_made(error),
        Ok(worktree) => {
            let report = call.await;
            leave(guests, Some(worktree)).await;
            report
        }
    }
}

async fn on_guests<T: Send + 'static>(
    run: &mut Run,
    desk: &Desk,
    call: impl Future<Output = T> + Send + 'static,
) -> Result<T, DriveError> {
    let mut call = desk.guests.spawn(call);
    let answer = run.serving_a_call(desk, &mut call).await;
    if answer.is_err() {
        // With it its commands and all their descendants; what they reached is told as it goes.
        call.abort();
        let _ = (&mut call).await;
    }
    answer?.map_err(|_| DriveError::Lost { what: "a call of a plugin" })
}

struct Call<'a> {
    plugin: &'a str,
    task: Option<TaskIndex>,
    rerun: bool,
    log: &'a CommandLog,
}

/// Records a call that came back; gives its answer with what it asked for besides, or none if the plugin refused.
fn come_back<A: Ask>(
    run: &mut Run,
    desk: &Desk,
    call: Call<'_>,
    report: CallReport<A::Answer>,
) -> Result<Option<Advice<A::Answer>>, DriveError> {
    let (name, Call { plugin, task, rerun, log }) = (A::NAME, call);
    warn_of_log(run, log, &format!("`{name}` by `{plugin}`"))?;
    warn_of_call(run, plugin, &report.denied, &report.notes)?;
    if report.log_cut {
        let text = format!("`{plugin}` wrote more log than its `logKiB` in `{name}`");
        run.record(Event::Warned { code: "log-cut".to_owned(), text })?;
    }
    let (mut writes, mut fault) = (Writes { plugin: plugin.to_owned(), ..report.writes }, None);
    let result = report.result.and_then(|answer| {
        A::keep(&answer, &mut writes);
        run.fit(&mut writes).map(|()| answer)
    });
    match &result {
        Ok(_) => {}
        Err(CallError::Failure { message, .. }) => fault = Some((FAILURE.to_owned(), message.clone())),
        Err(error) => fault = Some((error.code().to_owned(), error.to_string())),
    }
    let writes = if fault.is_none() { writes } else { Writes::default() };
    let (call, plugin_id, at) = (name.to_owned(), plugin.to_owned(), now_ms());
    let written = writes.kv_only();
    let (asked, token) = (Vec::new(), None);
    let called = Called { call, plugin: plugin_id, task, rerun, fault, writes, asked, token, at };
    desk.kv.commit(&written, &desk.journal, || run.record(Event::Called(Box::new(called))))?;
    match result {
        Ok(answer) => {
            let asked = A::asked(&answer).into_iter().chain(report.asked).collect();
            Ok(Some(Advice { answer, asked }))
        }
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
