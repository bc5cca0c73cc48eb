//! One attempt at one task: begun, and taken back with its result.
//!
//! In -> out: a task that may start -> a call on the guests' threads -> [`Ended`] -> `attempt_finished`.
//! Invariant: what the call wrote is kept only with the plugin's own good answer; an attempt without an answer is
//! broken before its first effect and in doubt after it.
//! Not here: which task starts (`drive.rs`), what the host's own end leaves behind (`recover.rs`).

use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use orch_journal::event::{Actor, AttemptFinished, Ending, Event, TaskIndex, Writes};
use orch_journal::failpoint;
use orch_task::{OnDoubt, Status, Task, Tree};
use orch_trust::manifest::Role;
use tokio::task::JoinSet;

use super::back::Back;
use super::desk::Desk;
use super::earlier;
use super::ended::Ended;
use super::error::DriveError;
use super::gate::Gate;
use super::lodging::Lodging;
use super::run::Run;
use crate::call::CallReport;
use crate::capability::notes::Notes;
use crate::capability::provided::Asking;
use crate::capability::tasks::AskedTask;
use crate::clock::now_ms;
use crate::command_log::{CommandLog, LogName};
use crate::engine::CallError;
use crate::role::executor::Execute;

/// Beyond a task's timeout and `kill_after`, for the executor to say what happened; more than a supervisor that does not
/// answer is given, so that it is given up first.
const GRACE: Duration = Duration::from_secs(15);

/// Code of the warning that a log file had no room for all output; its text names the file.
pub const OUTPUT_CUT: &str = "output-cut";

/// Code of the warning that processes were left running and ended; its text names the file.
pub const PROCESSES_LEFT: &str = "processes-left";

/// Code of the warning that what was put into collections of vectors could not be made visible.
pub const VECTORS_LOST: &str = "vectors-lost";

/// Code of the warning that a task edits the person's tree, in a run whose edits go to a branch.
pub const EDITS_YOURS: &str = "edits-yours";

/// Of a failure for which a task's retries are not used.
const NOT_AGAIN: &str = "not tried again: `retries` is for failures that the executor calls retriable, of a command those that \
                         `retry_on` names";

/// Begins the next attempt at a ready task; gives it back at once if it was over before it waited for anything.
///
/// `alone`: nothing else runs or could. Then, and when nothing else runs and the executor's last call took no longer than
/// changes of threads would, the loop's own thread takes the guest up to its first wait, at most for one tick.
pub async fn start(
    run: &mut Run,
    desk: &Desk,
    index: TaskIndex,
    running: &mut JoinSet<Back>,
    alone: bool,
) -> Result<Option<Ended>, DriveError> {
    let (task, attempt, env, held, before) = {
        let state = run.state();
        let Some(found) = state.tasks.get(index as usize) else { return Ok(None) };
        let held = found.held.clone().filter(|held| held.is_approved).map(|held| held.edits);
        (found.task.clone(), found.attempts + 1, run.env_of(found), held, found.failed_before().cloned())
    };
    let executor = desk.roles.executor(&task)?.clone();
    let at = now_ms();
    failpoint::hit("before-attempt");
    desk.marks.forget(task.id.as_str());
    run.record(Event::AttemptStarted { task: index, attempt, at })?;
    failpoint::hit("after-attempt");
    run.begin(index);
    warn_budget(run, desk)?;
    let log = desk.command_log(LogName::Attempt { task: task.id.clone(), attempt, at });
    if let Some(held) = held {
        let tree = desk.branch.as_ref().map(|branch| branch.reserve());
        return Ok(tree.map(|tree| Ended::of_held(index, attempt, held, log, tree)));
    }
    let by = Actor::Attempt { task: index, attempt };
    let gate = Arc::new(Gate::new(by, run.ask(), desk));
    let grace = desk.rules().kill_after + GRACE;
    let wall = executor.wall.min(Duration::from_millis(task.timeout_ms).saturating_add(grace));
    let asking = Asking::of(&run.id, by).by(Role::Executor, Some(&task));
    let mut lent = desk.lend(&executor, run.shared(), (asking, gate), log.clone(), wall);
    lent.env.task = env;
    let mut lodging = match task.tree {
        Tree::Own => Lodging::of(run, desk, &executor, &mut lent, &log),
        Tree::Mine => {
            desk.stay_home(&mut lent);
            say_whose_tree(run, &task, attempt)?;
            None
        }
    };
    let told = desk.tape.attempt_told(task.id.as_str(), attempt);
    let mut ask = Execute { goal: run.goal(), ..Execute::of(task, told) };
    // Never beside attempts on the guests' threads: the loop would not hear of their effects and ends meanwhile.
    let is_here = lodging.is_none() && alone
        || (lodging.is_none() && executor.pace.is_quick() && running.is_empty() && !desk.rules().is_strict());
    let inputs = run.begun(index).map(|begun| begun.inputs.clone()).filter(|_| ask.task.names_files());
    let (marks, guests, branch) = (desk.marks.clone(), desk.guests.clone(), desk.branch.clone());
    let mut call = Box::pin(async move {
        let watch = match inputs {
            Some(inputs) => {
                let task = ask.task.clone();
                guests.spawn_blocking(move || marks.watch(&task, &inputs)).await.ok()
            }
            None => None,
        };
        let (earlier, unshown) = earlier::told(before, branch, &guests).await;
        ask.earlier = earlier;
        let (tree, no_tree) = match lodging.take() {
            None => (None, None),
            Some(lodging) => lodging
                .make(&executor.id)
                .await
                .map_or_else(|error| (None, Some(error)), |tree| (Some(tree), None)),
        };
        let begun = Instant::now();
        let mut report = match no_tree {
            Some(error) => CallReport::never_made(error),
            None => executor.call(lent, &ask).await,
        };
        report.notes.warned.extend(unshown.map(|why| {
            let text = format!("task `{}` is not told what it had changed before: {why}", ask.task.id);
            (earlier::UNSHOWN, text)
        }));
        executor.pace.took(begun.elapsed());
        Ended { task: index, attempt, report, log, watch, tree, held: None }
    });
    if is_here && let Poll::Ready(ended) = poll_fn(|waker| Poll::Ready(call.as_mut().poll(waker))).await {
        return Ok(Some(ended));
    }
    running.spawn_on(async move { Back::Attempt(call.await) }, &desk.guests);
    Ok(None)
}

/// Says that what a task changes stays; once, for it is as true of its next attempt.
fn say_whose_tree(run: &mut Run, task: &Task, attempt: u32) -> Result<(), DriveError> {
    if attempt > 1 || run.state().edits.is_none() {
        return Ok(());
    }
    let text = format!(
        "task `{}` works in your own tree: what it changes there stays, whatever comes of it",
        task.id
    );
    run.record(Event::Warned { code: EDITS_YOURS.to_owned(), text })?;
    Ok(())
}

fn warn_budget(run: &mut Run, desk: &Desk) -> Result<(), DriveError> {
    let budget = run.budget();
    let (used, warned) = {
        let state = run.state();
        (state.budget_used, state.budget_warned)
    };
    if budget > 0 && !warned && used as f64 >= budget as f64 * desk.rules().budget_warn_at {
        run.record(Event::BudgetWarned { used, budget })?;
    }
    Ok(())
}

/// How an attempt ended, and the tasks that it asked for.
pub struct SummedUp {
    pub finished: AttemptFinished,
    pub asked: Vec<AskedTask>,
}

/// Records how an attempt ended; gives the tasks that it asked for. The task is over once its verifiers have looked
/// (`Run::end`).
pub fn finish(run: &mut Run, desk: &Desk, ended: Ended) -> Result<Vec<AskedTask>, DriveError> {
    let Some(SummedUp { finished, asked }) = sum_up(run, desk, ended, None)? else { return Ok(Vec::new()) };
    record(run, desk, finished)?;
    Ok(asked)
}

/// Records the end of an attempt, and keeps what it wrote.
pub fn record(run: &mut Run, desk: &Desk, finished: AttemptFinished) -> Result<(), DriveError> {
    failpoint::hit("before-answer");
    let written = finished.writes.kv_only();
    let put: BTreeSet<String> = finished.writes.vectors.values().map(|put| put.digest.clone()).collect();
    desk.kv.commit(&written, &desk.journal, || run.record(Event::AttemptFinished(Box::new(finished))))?;
    failpoint::hit("after-answer");
    apply(run, desk, &put)
}

/// Makes visible what an accepted call put into collections of vectors. What is lost here is only a cache: it is not in its
/// collection, so whoever keeps that puts it again.
fn apply(run: &mut Run, desk: &Desk, digests: &BTreeSet<String>) -> Result<(), DriveError> {
    for digest in digests {
        let lost = match desk.vectors.apply(digest) {
            Ok(true) => continue,
            Ok(false) => "it was made anew meanwhile".to_owned(),
            Err(error) => error.to_string(),
        };
        let text = format!("what a call put into collections of vectors is not there ({lost}); index again");
        run.record(Event::Warned { code: VECTORS_LOST.to_owned(), text })?;
    }
    Ok(())
}

/// What there is to record of an attempt that came back; `otherwise`: how it ended, whatever it answered.
pub fn sum_up(
    run: &mut Run,
    desk: &Desk,
    ended: Ended,
    otherwise: Option<Ending>,
) -> Result<Option<SummedUp>, DriveError> {
    let Ended { task: index, attempt, report, log, watch, tree: _, held } = ended;
    if let Some(begun) = run.begun(index) {
        begun.watch = watch.map(Arc::new);
    }
    let now = now_ms();
    let Some((task, failures)) =
        run.state().tasks.get(index as usize).map(|found| (found.task.clone(), found.failures))
    else {
        return Ok(None);
    };
    let plugin = desk.roles.executor(&task)?.id.clone();
    warn_of_call(run, &plugin, &report.denied, &report.notes)?;
    if report.log_cut {
        let text = format!("`{plugin}` wrote more log than its `logKiB` for task `{}`", task.id);
        run.record(Event::Warned { code: "log-cut".to_owned(), text })?;
    }
    let notes = warn_of_log(run, &log, &format!("task `{}`", task.id))?;
    let told = |text: String| match notes.is_empty() {
        true => text,
        false => format!("{text} ({})", notes.join("; ")),
    };
    let (ending, writes, asked) = match report.result {
        Ok(_) if let Some(ending) = otherwise => (ending, Writes::default(), Vec::new()),
        Ok(completion) => {
            let writes = Writes { plugin: plugin.clone(), ..report.writes };
            (Ending::Done { summary: told(completion.summary) }, writes, report.asked)
        }
        Err(CallError::Failure { message, retriable, .. }) => {
            let message = match !retriable && task.retries > 0 {
                true => format!("{message} ({NOT_AGAIN})"),
                false => message,
            };
            (Ending::Failed { message: told(message), retriable }, Writes::default(), Vec::new())
        }
        // It never began; the next host that may call the plugin does.
        Err(error @ CallError::Withdrawn { .. }) => {
            (Ending::Rerun { code: error.code().to_owned() }, Writes::default(), Vec::new())
        }
        Err(error) => {
            let (code, message) = (error.code().to_owned(), told(error.to_string()));
            // What providers of it did is in the journal, also if they were cut off.
            let effect =
                report.effect || run.state().tasks.get(index as usize).is_some_and(|task| task.intent);
            let ending = match effect {
                true => Ending::InDoubt { code, message },
                false => Ending::Broken { code, message },
            };
            (ending, Writes::default(), Vec::new())
        }
    };
    let status = status_after(&task, failures, &ending);
    let not_before = (status == Status::Pending)
        .then(|| now + desk.rules().backoff.delay_ms(failures + 1, getrandom::u32().unwrap_or(0)));
    let finished = AttemptFinished {
        task: index,
        attempt,
        ending,
        status,
        not_before,
        writes,
        log: held.map_or_else(|| log.path(), |held| held.log),
        looked: Vec::new(),
        unkept: None,
        held: None,
        at: now,
    };
    Ok(Some(SummedUp { finished, asked }))
}

/// Records what a call was denied, and what is to be said of providers that it asked.
pub fn warn_of_call(run: &mut Run, plugin: &str, denied: &[String], notes: &Notes) -> Result<(), DriveError> {
    let own = denied.iter().map(|what| (plugin, what));
    let of_providers = notes.denied.iter().map(|(plugin, what)| (plugin.as_str(), what));
    for (plugin, what) in own.chain(of_providers) {
        run.record(Event::Denied { plugin: plugin.to_owned(), what: what.clone() })?;
    }
    for (code, text) in &notes.warned {
        run.record(Event::Warned { code: (*code).to_owned(), text: text.clone() })?;
    }
    Ok(())
}

/// Records what is missing of a log, and what its commands left running; gives both for people.
pub fn warn_of_log(run: &mut Run, log: &CommandLog, whose: &str) -> Result<Vec<String>, DriveError> {
    let Some(path) = log.path() else { return Ok(Vec::new()) };
    let cut = log.cut().map(|cut| (OUTPUT_CUT, cut.to_string()));
    let left = match log.left() {
        0 => None,
        1 => Some("a process that its command left running was ended".to_owned()),
        left => Some(format!("{left} processes that its command left running were ended")),
    };
    let left = left.map(|left| (PROCESSES_LEFT, left));
    let mut notes = Vec::new();
    for (code, note) in cut.into_iter().chain(left) {
        let text = format!("log `{path}` of {whose}: {note}");
        run.record(Event::Warned { code: code.to_owned(), text })?;
        notes.push(note);
    }
    Ok(notes)
}

/// Where a task stands after an attempt that ended so; `failures` were before it.
fn status_after(task: &Task, failures: u32, ending: &Ending) -> Status {
    let again = failures < task.retries;
    match ending {
        Ending::Done { .. } => Status::Done,
        Ending::Failed { retriable, .. } if *retriable && again => Status::Pending,
        Ending::Broken { .. } if again => Status::Pending,
        Ending::Failed { .. } | Ending::Broken { .. } => Status::Failed,
        Ending::InDoubt { .. } => match task.doubt_rule() {
            OnDoubt::Ask => Status::InDoubt,
            OnDoubt::Retry if again => Status::Pending,
            OnDoubt::Retry | OnDoubt::Fail => Status::Failed,
            OnDoubt::Done => Status::Done,
        },
        Ending::Rerun { .. } => Status::Pending,
        Ending::Cancelled => Status::Cancelled,
    }
}

#[cfg(test)]
mod tests {
    use orch_task::{Kind, TaskId};

    use super::*;

    #[track_caller]
    fn check(rule: (OnDoubt, bool, u32), failures: u32, ending: Ending, expected: Status) {
        let mut task = Task::new(TaskId::parse("a").unwrap(), Kind::shell());
        (task.on_doubt, task.idempotent, task.retries) = rule;
        assert_eq!(status_after(&task, failures, &ending), expected, "{rule:?} {failures} {ending:?}");
    }

    #[test]
    fn only_a_retriable_failure_is_tried_again_and_only_as_often_as_the_task_says() {
        let failed = |retriable| Ending::Failed { message: String::new(), retriable };
        check((OnDoubt::Ask, false, 0), 0, failed(true), Status::Failed);
        check((OnDoubt::Ask, false, 2), 0, failed(true), Status::Pending);
        check((OnDoubt::Ask, false, 2), 1, failed(true), Status::Pending);
        check((OnDoubt::Ask, false, 2), 2, failed(true), Status::Failed);
        check((OnDoubt::Ask, false, 2), 0, failed(false), Status::Failed);
    }

    #[test]
    fn doubt_follows_the_rule_of_the_task() {
        let doubt = || Ending::InDoubt { code: "trap".into(), message: String::new() };
        check((OnDoubt::Ask, false, 3), 0, doubt(), Status::InDoubt);
        check((OnDoubt::Ask, true, 3), 0, doubt(), Status::Pending);
        check((OnDoubt::Ask, true, 0), 0, doubt(), Status::Failed);
        check((OnDoubt::Fail, true, 3), 0, doubt(), Status::Failed);
        check((OnDoubt::Done, false, 0), 0, doubt(), Status::Done);
    }

    #[test]
    fn what_broke_before_an_effect_is_tried_again_within_retries() {
        let broken = || Ending::Broken { code: "trap".into(), message: String::new() };
        check((OnDoubt::Ask, false, 1), 0, broken(), Status::Pending);
        check((OnDoubt::Ask, false, 1), 1, broken(), Status::Failed);
    }
}
