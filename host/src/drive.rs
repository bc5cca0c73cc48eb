//! The loop: plan, execute, verify, reflect, until nothing more can start.
//!
//! In -> out: a run, its plugins, its host -> [`Summary`].
//! Invariant: every branch of a run is in [`drive`]; what it calls either computes or performs one thing; it alone
//! writes the journal.
//! Not here: admission and binding of plugins (`plugins.rs`), commands and their output (`commands/`).

pub mod attempt;
pub mod consult;
pub mod desk;
pub mod error;
pub mod extend;
pub mod finish;
pub mod gate;
pub mod graph;
pub mod kv;
pub mod plan;
pub mod recover;
pub mod retry;
pub mod roles;
pub mod run;
pub mod task_file;
pub mod task_reader;

use std::time::Duration;

use orch_journal::event::{Decision, Event, TaskIndex};
use orch_task::Status;
use tokio::task::JoinSet;

use attempt::Ended;
use consult::Look;
use desk::{Audit, Control, Desk, now_ms};
use error::DriveError;
use finish::{Stop, Summary};
use plan::Planning;
use recover::Cut;
use roles::Roles;
use run::Run;
use task_file::Sheet;

/// Completions between two audits when they are due at the end only.
const AUDIT_COMPLETIONS_DEFAULT: usize = 100;

/// Drives one run until nothing more can start. Every branch of a run is in this function.
pub async fn drive(
    run: &mut Run,
    roles: &Roles,
    desk: &Desk,
    sheet: &mut Sheet,
) -> Result<Summary, DriveError> {
    let strict = desk.rules.is_strict();
    let mut running: JoinSet<Ended> = JoinSet::new();
    let mut control = desk.control.clone();
    // The attempt that ended as it began, if the last one did.
    let mut at_once: Option<Ended> = None;

    recover::settle(run, Cut::HostGone)?;
    recover::unblock(run)?;
    consult::reflect(run, roles, desk).await?;
    sheet.save(run, roles, desk, "reflected").await?;

    let mut planning = Planning::open(run, roles, desk).await?;
    let stop = loop {
        run.announce_due(now_ms());
        if sheet.is_stale(run) && sheet.until_checkpoint().is_zero() {
            sheet.save(run, roles, desk, "checkpoint").await?;
        }
        planning.observe(run, roles).await?;

        // Choose: as many tasks as there are free slots.
        while at_once.is_none() && desk.control() == Control::GoOn {
            let free = (desk.rules.jobs as usize).saturating_sub(run.running_count());
            if free == 0 || run.ready_count() == 0 || planning.is_finished() {
                break;
            }
            match planning.next(run, roles, free as u32).await? {
                Decision::Start(picked) => {
                    for task in picked {
                        let alone = !strict && running.is_empty() && run.ready_count() == 1;
                        at_once = attempt::start(run, roles, desk, task, &mut running, alone).await?;
                        if strict {
                            sheet.save(run, roles, desk, "in_progress").await?;
                        }
                    }
                    planning.observe(run, roles).await?;
                }
                Decision::Wait | Decision::Finished(_) => break,
            }
        }

        if running.is_empty() && at_once.is_none() {
            if desk.control() != Control::GoOn {
                break Stop::Interrupted;
            }
            if let Some(why) = planning.finished() {
                break Stop::Finished(why.to_owned());
            }
            if run.next_due().is_none() {
                match run.ready_count() {
                    0 => break Stop::Finished("no task is ready".to_owned()),
                    ready => return Err(planning.stalled(ready)),
                }
            }
        }

        // Wait for whatever comes first.
        let ended = match at_once.take() {
            Some(ended) => ended,
            None => {
                let due = run.next_due();
                let until_due =
                    Duration::from_millis(due.map_or(3_600_000, |due| due.saturating_sub(now_ms())));
                let (until_checkpoint, stale) = (sheet.until_checkpoint(), sheet.is_stale(run));
                tokio::select! {
                    biased;
                    Some(asked) = run.next_ask() => {
                        run.grant(asked)?;
                        continue;
                    }
                    Some(ended) = running.join_next() => match ended {
                        Ok(ended) => ended,
                        Err(_) if desk.control() == Control::Abort => continue,
                        Err(_) => return Err(DriveError::Lost { what: "an attempt" }),
                    },
                    Ok(()) = control.changed() => {
                        if *control.borrow() == Control::Abort {
                            end_all(run, desk, &mut running).await?;
                            break Stop::Interrupted;
                        }
                        continue;
                    }
                    () = tokio::time::sleep(until_due), if due.is_some() => continue,
                    () = tokio::time::sleep(until_checkpoint), if stale => continue,
                }
            }
        };

        // Take it back.
        let (task, plugin) = (ended.task, executor_id(run, roles, ended.task)?);
        let asked = attempt::finish(run, roles, desk, ended)?;
        extend::add(run, roles, desk, &plugin, asked)?;
        if strict {
            sheet.save(run, roles, desk, "finished").await?;
        }
        for (verifier, look) in looks(run, task) {
            let call = consult::verify(run, roles, desk, &verifier, look);
            call.await?;
        }
        if let Some(stop) = judge(run, desk)? {
            drain(run, roles, desk, &mut running).await?;
            break stop;
        }
        let since_audit = run.state().unaudited.len();
        let due = match desk.rules.audit {
            Audit::Completion => true,
            Audit::Every(count) => since_audit >= count as usize,
            Audit::End => since_audit >= AUDIT_COMPLETIONS_DEFAULT,
        };
        if due && !roles.auditors.is_empty() && consult::audit(run, roles, desk).await? > 0 && strict {
            sheet.save(run, roles, desk, "audited").await?;
        }
    };

    let stop = match stop {
        Stop::Finished(why) => conclude(run, roles, desk, why).await?,
        other => other,
    };
    finish::block(run)?;
    sheet.save_at_the_end(run, roles, desk).await?;
    let summary = finish::run(run, &stop)?;
    run.durable(desk).await?;
    Ok(summary)
}

/// The end of a run in which nothing more can start: the last audit and the run's verifiers, unless tasks wait for a
/// person.
async fn conclude(run: &mut Run, roles: &Roles, desk: &Desk, why: String) -> Result<Stop, DriveError> {
    if !roles.auditors.is_empty() && !run.state().unaudited.is_empty() {
        consult::audit(run, roles, desk).await?;
    }
    let waits = |status: Status| matches!(status, Status::InDoubt | Status::WaitingApproval);
    if run.state().tasks.iter().any(|task| waits(task.status)) {
        return Ok(Stop::Finished(why));
    }
    for verifier in roles.verifiers.keys() {
        consult::verify(run, roles, desk, verifier, Look::Run).await?;
    }
    Ok(judge(run, desk)?.unwrap_or(Stop::Finished(why)))
}

/// Ends the attempts that still run, as they end, without starting more.
async fn drain(
    run: &mut Run,
    roles: &Roles,
    desk: &Desk,
    running: &mut JoinSet<Ended>,
) -> Result<(), DriveError> {
    let mut control = desk.control.clone();
    while !running.is_empty() {
        tokio::select! {
            biased;
            Some(asked) = run.next_ask() => run.grant(asked)?,
            Some(ended) = running.join_next() => {
                let ended = ended.map_err(|_| DriveError::Lost { what: "an attempt" })?;
                let plugin = executor_id(run, roles, ended.task)?;
                let asked = attempt::finish(run, roles, desk, ended)?;
                extend::add(run, roles, desk, &plugin, asked)?;
            }
            Ok(()) = control.changed() => {
                if *control.borrow() == Control::Abort {
                    end_all(run, desk, running).await?;
                }
            }
        }
    }
    Ok(())
}

/// Ends what runs, with all its processes; an attempt that had an effect is in doubt.
async fn end_all(run: &mut Run, desk: &Desk, running: &mut JoinSet<Ended>) -> Result<(), DriveError> {
    running.abort_all();
    while running.join_next().await.is_some() {}
    // Nobody is left who could have the effects that were asked for.
    run.drop_asks();
    // Their supervisors are among the processes that must be gone; waiting for another command, they would not go.
    desk.commands.dismiss();
    recover::settle(run, Cut::Aborted)?;
    Ok(())
}

/// Compares the findings with the thresholds; more major ones than allowed stop the run.
fn judge(run: &mut Run, desk: &Desk) -> Result<Option<Stop>, DriveError> {
    let (major, medium, minor) = {
        let state = run.state();
        (state.major, state.medium, state.minor)
    };
    let (major_max, medium_max) = (desk.rules.major_max, desk.rules.medium_max);
    let judged = run.state().judged;
    if major > major_max {
        run.record(Event::FindingsJudged { major, medium, minor, abort: true })?;
        return Ok(Some(Stop::Findings { major, major_max }));
    }
    if medium > medium_max && !judged {
        run.record(Event::FindingsJudged { major, medium, minor, abort: false })?;
        let text = format!("{medium} medium findings, more than {medium_max}");
        run.record(Event::Warned { code: "findings-medium".to_owned(), text })?;
    }
    Ok(None)
}

/// What the verifiers that a finished task names look at.
fn looks(run: &Run, index: TaskIndex) -> Vec<(String, Look)> {
    let state = run.state();
    let Some(found) = state.tasks.get(index as usize).filter(|found| found.status == Status::Done) else {
        return Vec::new();
    };
    let look = Look::Task(index, Box::new(found.task.clone()));
    found.task.verify.iter().map(|verifier| (verifier.clone(), look.clone())).collect()
}

fn executor_id(run: &Run, roles: &Roles, index: TaskIndex) -> Result<String, DriveError> {
    let state = run.state();
    let Some(found) = state.tasks.get(index as usize) else { return Ok(String::new()) };
    Ok(roles.executor(&found.task)?.id.clone())
}
