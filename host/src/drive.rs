//! The loop: plan, execute, verify, reflect, until nothing more can start.
//!
//! In -> out: a run, its plugins, its host -> [`Summary`].
//! Invariant: every branch of a run is in [`drive`]; what it calls either computes or performs one thing; it alone
//! writes the journal.
//! Not here: admission and binding of plugins (`plugins.rs`), commands and their output (`commands/`).

pub mod act;
pub mod acts;
pub mod asked;
pub mod attempt;
pub mod back;
pub mod branch;
pub mod choice;
pub mod consult;
pub mod desk;
pub mod earlier;
pub mod edits;
pub mod ended;
pub mod env;
pub mod error;
pub mod extend;
pub mod file_watch;
pub mod finish;
pub mod fresh;
pub mod gate;
pub mod graph;
pub mod guards;
pub mod hear;
pub mod held;
pub mod keep;
pub mod keeping;
pub mod kv;
pub mod kv_reads;
pub mod lodging;
pub mod marks;
pub mod measured;
pub mod notices;
pub mod offers;
pub mod own_files;
pub mod plan;
pub mod providers;
pub mod purse;
pub mod recover;
pub mod reported;
pub mod retry;
pub mod roles;
pub mod room;
pub mod rules;
pub mod run;
pub mod standing;
pub mod task_file;
pub mod task_reader;
pub mod words;

use std::collections::VecDeque;
use std::error::Error;
use std::time::{Duration, Instant};

use orch_journal::event::{Decision, Event, TaskIndex};
use orch_task::Status;
use orch_trust::manifest::Role;
use tokio::task::JoinSet;

use back::Back;
use consult::JustLooked;
use desk::{Audit, Control, Desk};
use ended::Ended;
use error::DriveError;
use finish::{Stop, Summary};
use plan::Planning;
use recover::Cut;
use run::{Heard, Run};
use task_file::Sheet;

use crate::clock::now_ms;

/// Completions between two audits when they are due at the end only.
const AUDIT_COMPLETIONS_DEFAULT: usize = 100;

/// Attempts that were begun.
#[derive(Default)]
struct UnderWay {
    running: JoinSet<Back>,
    /// Those that ended as they began.
    at_once: VecDeque<Ended>,
}

/// Drives one run until nothing more can start, or until a person ends it.
pub async fn drive(run: &mut Run, desk: &Desk, sheet: &mut Sheet) -> Result<Summary, DriveError> {
    // Of its end before, which another host did not get to.
    notices::send(run, desk).await?;
    let mut under_way = UnderWay::default();
    let stop = match work(run, desk, sheet, &mut under_way).await {
        Err(DriveError::Interrupted) => {
            end_all(run, desk, &mut under_way.running).await?;
            Stop::Interrupted
        }
        Err(error) if error.is_withdrawal() || error.is_gone() => {
            leave(run, desk, sheet, &mut under_way, &error).await?;
            return Err(error);
        }
        stop => stop?,
    };
    words::look_at_all(run, desk).await?;
    finish::block(run)?;
    for (plugin, lines) in desk.log.dropped() {
        let text = format!(
            "{lines} lines of `{plugin}` are not in the run's log: `log_mib` in `config.yaml` is its limit"
        );
        run.record(Event::Warned { code: "log-cut".to_owned(), text })?;
    }
    run.say_left_out()?;
    sheet.save_at_the_end(run, desk).await?;
    desk.own_files.check()?;
    let summary = finish::run(run, desk, &stop)?;
    run.durable(desk).await?;
    notices::send(run, desk).await?;
    Ok(summary)
}

/// Every branch of a run is in this function.
async fn work(
    run: &mut Run,
    desk: &Desk,
    sheet: &mut Sheet,
    under_way: &mut UnderWay,
) -> Result<Stop, DriveError> {
    let UnderWay { running, at_once } = under_way;
    let mut control = desk.control.clone();

    recover::unblock(run)?;
    consult::reflect(run, desk).await?;
    sheet.save(run, desk, "reflected").await?;
    consult::look_at_the_rest(run, desk).await?;
    if let Some(stop) = judge(run, desk)? {
        return Ok(stop);
    }

    let mut planning = Planning::open(run, desk).await?;
    // A look that is under way has had the workspace to itself so far; one that had it came back a moment ago.
    let (mut is_alone, mut just) = (false, None::<JustLooked>);
    loop {
        desk.roles.check_withdrawals()?;
        desk.own_files.check()?;
        hear::all(run, desk)?;
        extend::take_asked(run, desk)?;
        run.announce_due(now_ms());
        sheet.look(run, &desk.roles)?;
        take_rules(run, desk)?;
        let strict = desk.rules().is_strict();
        if sheet.is_stale(run) && sheet.until_checkpoint().is_zero() {
            sheet.save(run, desk, "checkpoint").await?;
        }
        fresh::begin(run, desk, running)?;
        words::begin(run, desk, running);
        planning.observe(run, desk).await?;

        // Choose: as many tasks as there are free slots.
        while at_once.is_empty() && desk.control() == Control::GoOn {
            let free = (desk.rules().jobs as usize).saturating_sub(run.running_count());
            if free == 0 || run.ready_count() == 0 || planning.is_finished() {
                break;
            }
            match planning.next(run, desk, free as u32).await? {
                Decision::Start(picked) => {
                    (is_alone, just) = (false, None);
                    for task in picked {
                        // One before it may have failed at its guard, and ended what else was to start.
                        if !run.is_ready(task) || !guards::let_pass(run, desk, task).await? {
                            continue;
                        }
                        let alone = !strict && running.is_empty() && run.ready_count() == 1;
                        at_once.extend(attempt::start(run, desk, task, running, alone).await?);
                        if strict {
                            sheet.save(run, desk, "in_progress").await?;
                        }
                    }
                    planning.observe(run, desk).await?;
                }
                Decision::Wait | Decision::Finished(_) => break,
            }
        }

        if running.is_empty() && at_once.is_empty() {
            if desk.control() != Control::GoOn {
                return Ok(Stop::Interrupted);
            }
            // What somebody added a moment ago may be ready.
            sheet.look_now(run, &desk.roles)?;
            run.give_up_stuck(now_ms());
            if run.has_unchecked() {
                continue;
            }
            let is_finished = planning.is_finished();
            if !is_finished && run.ready_count() > 0 && run.has_changes() {
                continue;
            }
            if (is_finished || run.next_due().is_none()) && sheet.is_settled(run) {
                match run.ready_count() {
                    ready if ready > 0 && !is_finished => return Err(planning.stalled(ready)),
                    // What auditors ask for at the end belongs to this run.
                    _ if !is_finished && last_audit(run, desk).await? > 0 => {
                        just = None;
                        continue;
                    }
                    _ => {}
                }
                // Auditors took their time.
                let just = just.take().filter(|_| desk.roles.of(Role::Auditor).next().is_none());
                let why = planning.finished().unwrap_or("no task is ready").to_owned();
                let stop = conclude(run, desk, why, just).await?;
                // What was changed while verifiers looked belongs to this run, too.
                sheet.look_now(run, &desk.roles)?;
                if !matches!(stop, Stop::Finished(_)) || sheet.is_settled(run) {
                    return Ok(stop);
                }
            }
        }

        // Wait for whatever comes first.
        just = None;
        let back = match at_once.pop_front() {
            Some(ended) => Back::Attempt(ended),
            None => {
                let due = run.next_due();
                let until_checkpoint = match sheet.is_stale(run) {
                    true => sheet.until_checkpoint(),
                    false => Duration::MAX,
                };
                let until_look = sheet.until_look().min(until_checkpoint);
                tokio::select! {
                    biased;
                    Ok(()) = control.changed() => match *control.borrow() {
                        Control::Abort => return Err(DriveError::Interrupted),
                        _ => continue,
                    },
                    Some(heard) = run.next_heard() => {
                        match heard {
                            Heard::Effect(asked) => run.let_go_on(asked)?,
                            Heard::Word(said) => hear::one(run, desk, said)?,
                        }
                        continue;
                    }
                    Some(back) = running.join_next() => {
                        back.map_err(|_| DriveError::Lost { what: "an attempt" })?
                    }
                    () = desk.asked.more() => continue,
                    () = desk.acts.more() => continue,
                    () = until(due) => continue,
                    () = tokio::time::sleep(until_look) => continue,
                }
            }
        };

        // Take it back. A task is over once the verifiers that it names have looked, one after the other.
        let whole = match &back {
            Back::Look(looked) if is_alone => looked.whole().map(str::to_owned),
            _ => None,
        };
        let Some(task) = take_back(run, desk, back, running).await? else { continue };
        if strict {
            sheet.save(run, desk, "finished").await?;
        }
        is_alone = running.is_empty() && at_once.is_empty();
        if !look_or_end(run, desk, running, task)? {
            continue;
        }
        just = whole.map(|verifier| JustLooked { verifier, task });
        if let Some(stop) = judge(run, desk)? {
            drain(run, desk, under_way).await?;
            return Ok(stop);
        }
        let since_audit = run.state().unaudited.len();
        let due = match desk.rules().audit {
            Audit::Completion => true,
            Audit::Every(count) => since_audit >= count as usize,
            Audit::End => since_audit >= AUDIT_COMPLETIONS_DEFAULT,
        };
        if due && desk.roles.of(Role::Auditor).next().is_some() {
            just = None;
            if consult::audit(run, desk).await? > 0 && strict {
                sheet.save(run, desk, "audited").await?;
            }
        }
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

/// Records what came back from the guests; gives the task whose attempt or look it was.
async fn take_back(
    run: &mut Run,
    desk: &Desk,
    back: Back,
    running: &mut JoinSet<Back>,
) -> Result<Option<TaskIndex>, DriveError> {
    match back {
        Back::Attempt(mut ended) => {
            // What was held had room when it was.
            if ended.held.is_none() {
                ended.report = run.bounded(ended.report);
            }
            let Some(mut ended) = keep::begin(run, desk, ended, running)? else { return Ok(None) };
            let tree = ended.tree.take();
            run.serving(lodging::leave(&desk.guests, tree)).await?;
            let (task, plugin) = (ended.task, executor_id(run, desk, ended.task)?);
            let asked = attempt::finish(run, desk, ended)?;
            extend::add(run, desk, (&plugin, Some(task)), asked)?;
            Ok(Some(task))
        }
        Back::Weighed(weighed) => keep::weighed(run, desk, *weighed, running).await,
        Back::Checked(checked) => fresh::take(run, desk, checked?).map(|()| None),
        Back::Made(made) => fresh::take_made(run, desk, made).map(Some),
        Back::Seen(seen) => words::take(run, desk, seen).map(|()| None),
        Back::Look(back) => {
            let task = back.task;
            keep::looked(run, &back);
            consult::looked(run, desk, back)?;
            if let Some(task) = task.filter(|task| run.keeping.holds(*task)) {
                return keep::go_on(run, desk, task, running).await;
            }
            task.map(Some).ok_or(DriveError::Lost { what: "the task of a look" })
        }
    }
}

/// Begins the next look at a task; true when there is none, and the task is over.
fn look_or_end(
    run: &mut Run,
    desk: &Desk,
    running: &mut JoinSet<Back>,
    task: TaskIndex,
) -> Result<bool, DriveError> {
    let look = consult::next_look(run, desk, task)?;
    let is_over = look.is_none();
    match look {
        Some(look) => drop(running.spawn_on(async move { Back::Look(look.await) }, &desk.guests)),
        None => {
            consult::judge_task(run, desk, task)?;
            if fresh::begin_mark(run, desk, task, running)? {
                return Ok(false);
            }
            fresh::mark_plain(run, desk, task)?;
            run.end(task, now_ms());
            run.put_back_overtaken(task)?;
        }
    }
    Ok(is_over)
}

/// Has auditors see what finished since they looked last; gives how many tasks they asked for.
async fn last_audit(run: &mut Run, desk: &Desk) -> Result<usize, DriveError> {
    match desk.roles.of(Role::Auditor).next().is_some() && !run.state().unaudited.is_empty() {
        true => consult::audit(run, desk).await,
        false => Ok(0),
    }
}

/// The end of a run in which nothing more can start: the last audit and the run's verifiers, unless tasks wait for a
/// person or a verifier.
async fn conclude(
    run: &mut Run,
    desk: &Desk,
    why: String,
    just: Option<JustLooked>,
) -> Result<Stop, DriveError> {
    last_audit(run, desk).await?;
    let waits = |status: Status| matches!(status, Status::InDoubt | Status::WaitingApproval);
    let is_at_its_end = {
        let is_whole = run.held().is_empty();
        let state = run.state();
        is_whole && state.unverified.is_empty() && !state.tasks.iter().any(|task| waits(task.status))
    };
    if !is_at_its_end {
        return Ok(Stop::Finished(why));
    }
    consult::look_at_the_run(run, desk, just).await?;
    // A person who knows why one cannot look need not wait for the others.
    hear::all(run, desk)?;
    Ok(judge(run, desk)?.unwrap_or(Stop::Finished(why)))
}

/// A plugin was withdrawn, or the store or the program is gone: what runs ends by itself and is kept where it still can be, and the run
/// stays open.
async fn leave(
    run: &mut Run,
    desk: &Desk,
    sheet: &mut Sheet,
    under_way: &mut UnderWay,
    why: &DriveError,
) -> Result<(), DriveError> {
    let text = why.source().map_or_else(|| why.to_string(), |source| source.to_string());
    run.record(Event::Warned { code: why.code().to_owned(), text })?;
    // A verifier that is withdrawn too does not look; the next host asks for it again.
    while let Err(error) = drain(run, desk, under_way).await {
        if !error.is_withdrawal() {
            return Err(error);
        }
    }
    sheet.save(run, desk, why.code()).await?;
    run.durable(desk).await
}

/// Ends the attempts that still run, as they end, each with the looks at its task, without starting more.
async fn drain(run: &mut Run, desk: &Desk, under_way: &mut UnderWay) -> Result<(), DriveError> {
    let UnderWay { running, at_once } = under_way;
    let mut control = desk.control.clone();
    loop {
        let back = match at_once.pop_front() {
            Some(ended) => Back::Attempt(ended),
            None if running.is_empty() => return Ok(()),
            None => tokio::select! {
                biased;
                Some(asked) = run.next_ask() => {
                    run.let_go_on(asked)?;
                    continue;
                }
                Some(back) = running.join_next() => back.map_err(|_| DriveError::Lost { what: "an attempt" })?,
                Ok(()) = control.changed() => {
                    if *control.borrow() == Control::Abort {
                        end_all(run, desk, running).await?;
                    }
                    continue;
                }
            },
        };
        if let Some(task) = take_back(run, desk, back, running).await? {
            look_or_end(run, desk, running, task)?;
        }
    }
}

/// Ends what runs, with all its processes; an attempt that had an effect is in doubt.
async fn end_all(run: &mut Run, desk: &Desk, running: &mut JoinSet<Back>) -> Result<(), DriveError> {
    desk.marks.stop(true);
    running.abort_all();
    while running.join_next().await.is_some() {}
    run.keeping.clear();
    // Nobody is left who could have the effects that were asked for.
    run.keep_told()?;
    // Their supervisors are among the processes that must be gone; waiting for another command, they would not go.
    desk.commands.dismiss();
    recover::settle(run, desk, Cut::Aborted)?;
    Ok(())
}

/// Compares the findings with the thresholds; more than allowed stop the run.
fn judge(run: &mut Run, desk: &Desk) -> Result<Option<Stop>, DriveError> {
    let (major, medium, minor) = {
        let state = run.state();
        (state.major, state.medium, state.minor)
    };
    let medium_max = desk.rules().medium_max;
    let judged = run.state().judged;
    if let Some(why) = desk.rules().too_many(major, medium) {
        run.record(Event::FindingsJudged { major, medium, minor, abort: true })?;
        return Ok(Some(Stop::Findings(why)));
    }
    if medium > medium_max && !judged {
        run.record(Event::FindingsJudged { major, medium, minor, abort: false })?;
        let text = format!("{medium} medium findings, more than {medium_max}");
        run.record(Event::Warned { code: "findings-medium".to_owned(), text })?;
    }
    Ok(None)
}

fn executor_id(run: &Run, desk: &Desk, index: TaskIndex) -> Result<String, DriveError> {
    let state = run.state();
    let Some(found) = state.tasks.get(index as usize) else { return Ok(String::new()) };
    Ok(desk.roles.executor(&found.task)?.id.clone())
}

/// Has the run go by the rules that stand from now on.
fn take_rules(run: &mut Run, desk: &Desk) -> Result<(), DriveError> {
    let Some(event) = desk.watches.as_ref().and_then(|watches| watches.look()) else { return Ok(()) };
    run.held_to(desk.rules().backoff);
    run.record(event)?;
    Ok(())
}
