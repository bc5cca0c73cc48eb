//! What a person changes in `tasks.yml` while the host lives, or while it does not.
//!
//! In -> out: the file as it is now, what the run knows -> tasks added, edited, held; refused edits by name.
//! Limits: looked at four times a second; taken in once it was the same for 200 ms.
//! Invariant: an edit is taken in whole or not at all; a file that cannot be taken in stops nothing that runs, and keeps
//! the run open until it can; so does a task that is missing, which does not start (`docs/decisions/0026`).
//! Not here: reading (`task_file.rs`), writing back (`task_file/write_back.rs`), what an edit may change (`orch-task`'s
//! `merge`).

use std::collections::HashSet;
use std::time::{Duration, Instant};

use orch_journal::event::{AddedTask, Event, TaskIndex};
use orch_journal::state::TaskState;
use orch_task::{
    FileTask, Known, MergeReport, NewFileTask, RefusedWhy, Standing, Status, TaskFile, TaskFileError, TaskId,
    merge,
};

use super::error::DriveError;
use super::roles::Roles;
use super::run::Run;
use super::task_file::{Sheet, record_added, to_added, to_file_task};
use crate::clock::now_ms;
use crate::console::lines::argument;

/// So long a run that could end waits for a task file that is amiss.
const PATIENCE: Duration = Duration::from_secs(2);

impl Sheet {
    /// How long until the file is looked at again.
    pub fn until_look(&self) -> Duration {
        self.watch.next.saturating_duration_since(Instant::now())
    }

    /// Takes in what somebody changed, if it is time to look.
    pub fn look(&mut self, run: &mut Run, roles: &Roles) -> Result<(), DriveError> {
        match self.until_look().is_zero() {
            true => self.look_now(run, roles),
            false => Ok(()),
        }
    }

    /// Takes in what somebody changed since the file was looked at last, unless it may still be written at.
    pub fn look_now(&mut self, run: &mut Run, roles: &Roles) -> Result<(), DriveError> {
        self.watch.look(&self.folder.join(&self.name));
        // One that is not there for a moment is being replaced; the next save says if it stays away.
        match self.watch.is_quiet() && self.watch.is_there() {
            true => self.take_edits(run, roles),
            false => Ok(()),
        }
    }

    /// False while something is amiss with the file that may be over in a moment: it is gone, lacks tasks, or is written
    /// at. A run does not end in that moment.
    pub fn is_settled(&mut self, run: &Run) -> bool {
        let is_amiss = !self.watch.is_taken || self.unusable.is_some() || !run.held().is_empty();
        match is_amiss {
            true => self.amiss.get_or_insert_with(Instant::now).elapsed() >= PATIENCE,
            false => {
                self.amiss = None;
                true
            }
        }
    }

    /// Takes in what lies there now; if that cannot be, says why and keeps what was known.
    pub(super) fn take_edits(&mut self, run: &mut Run, roles: &Roles) -> Result<(), DriveError> {
        let was_unusable = self.unusable.is_some();
        self.watch.is_taken = true;
        match self.edits(run, roles) {
            Ok(None) => self.unusable = None,
            Ok(Some((now, report))) => {
                self.unusable = None;
                self.file = Some(now);
                take(run, report)?;
                self.take_env(run)?;
                self.hold_missing(run);
                self.record_saved(run, "edited")?;
            }
            Err(error) => {
                if !was_unusable {
                    let text = format!("{}; the run goes on with what it knew", one_line(&error));
                    run.record(Event::Warned { code: error.code().to_owned(), text })?;
                }
                self.unusable = Some(error);
            }
        }
        Ok(())
    }

    /// What is there and how it differs; nothing if it is what the host knows.
    fn edits(&self, run: &Run, roles: &Roles) -> Result<Option<(TaskFile, MergeReport)>, DriveError> {
        let path = || self.folder.join(&self.name).display().to_string();
        let now = self.read_again(None)?;
        let now = now.ok_or_else(|| self.fault(TaskFileError::Missing { file: path() }))?;
        let Some(last) = &self.file else { return Ok(None) };
        if now.sha256() == last.sha256() {
            return Ok(None);
        }
        let report = self.compare(last, &now, run)?;
        check(&report, roles)?;
        now.tasks().iter().filter(|found| !found.env.is_empty()).try_for_each(|found| roles.check(found))?;
        Ok(Some((now, report)))
    }

    /// Takes in what was changed while no host was at work.
    pub(super) fn merge_after_a_stop(&mut self, run: &mut Run, roles: &Roles) -> Result<(), DriveError> {
        let Some(now) = &self.file else { return Ok(()) };
        let last = self.as_known(now, run)?;
        let mut report = self.compare(&last, now, run)?;
        {
            // A status that the host itself wrote, and did not get to write again, is no edit of a person's.
            let state = run.state();
            let written_by_host = |id: &TaskId, status: Status| {
                let place = state.by_id.get(id).copied().unwrap_or(u32::MAX);
                state.saved_statuses.get(place as usize).is_none_or(|saved| *saved == status)
            };
            report.refused.retain(|edit| match edit.why {
                RefusedWhy::Status { written, .. } => !written_by_host(&edit.task, written),
                // Nor is one of a plugin's that the host did not get to write.
                RefusedWhy::AddedBy | RefusedWhy::AppendedRemoved => false,
                _ => true,
            });
        }
        check(&report, roles)?;
        take(run, report)
    }

    /// The file as it would be if the host had written all that the run knows: what was seen last, after a restart.
    fn as_known(&self, now: &TaskFile, run: &Run) -> Result<TaskFile, DriveError> {
        let mut there: HashSet<&TaskId> = now.tasks().iter().map(|found| &found.task.id).collect();
        let state = run.state();
        let entries: Vec<NewFileTask> = {
            // What is open waits for tasks that may be over, and no file has a task without those.
            let mut asked: Vec<&TaskState> =
                state.tasks.iter().filter(|task| !task.status.is_final()).collect();
            while let Some(task) = asked.pop() {
                let before = task.task.dependencies.iter().filter_map(|id| state.by_id.get_key_value(id));
                for (id, place) in before {
                    if there.insert(id) {
                        asked.extend(state.tasks.get(*place as usize));
                    }
                }
            }
            let known =
                state.tasks.iter().filter(|task| !task.status.is_final() || there.contains(&task.task.id));
            known.map(to_file_task).collect()
        };
        let empty = TaskFile::parse("[]\n").map_err(|source| self.fault(source))?;
        empty.patched_file(&[], &entries).map_err(|source| self.patch_fault(source))
    }

    fn compare(&self, last: &TaskFile, now: &TaskFile, run: &Run) -> Result<MergeReport, DriveError> {
        let state = run.state();
        let known = |id: &TaskId| {
            let place = *state.by_id.get(id)?;
            let found = state.tasks.get(place as usize)?;
            let standing = standing(found, run.is_running(place));
            Some(Known { task: &found.task, added_by: found.added_by.as_deref(), standing })
        };
        let file = || self.name.clone();
        let report =
            merge(last, now, known).map_err(|source| DriveError::TaskFileMerge { file: file(), source })?;
        match report.cut_in(last, now) {
            Some(task) => Err(DriveError::TaskFileCut { file: file(), task: task.to_string() }),
            None => Ok(report),
        }
    }

    /// Takes what the file says of environments: it counts from the next attempt on, also for a task that has started, for
    /// what it was before is kept nowhere.
    pub(super) fn take_env(&self, run: &mut Run) -> Result<(), DriveError> {
        run.take_env(self.tasks());
        let edited: Vec<Event> = {
            let state = run.state();
            let edit = |found: &FileTask| {
                let task = *state.by_id.get(&found.task.id)?;
                let known = state.tasks.get(task as usize)?;
                let env = run.seal(found);
                let to = || Box::new(known.task.clone());
                (known.env != env).then(|| Event::TaskEdited { task, to: to(), env, at: now_ms() })
            };
            self.tasks().iter().filter_map(edit).collect()
        };
        for event in edited {
            let Event::TaskEdited { task, .. } = event else { continue };
            run.record(event)?;
            // What a look at it saw was of its variables as they were.
            run.withdraw(task);
            run.announce(task, now_ms());
        }
        Ok(())
    }

    /// Holds what people have taken out of the file and nothing has begun of, and lets go of what is back.
    pub(super) fn hold_missing(&self, run: &mut Run) {
        let there: HashSet<&TaskId> = self.tasks().iter().map(|found| &found.task.id).collect();
        let missing = {
            let state = run.state();
            let is_missing = |task: &TaskState| {
                is_untouched(task) && task.added_by.is_none() && !there.contains(&task.task.id)
            };
            let places = state.tasks.iter().enumerate().filter(|(_, task)| is_missing(task));
            places.map(|(place, _)| place as TaskIndex).collect()
        };
        run.hold(missing, now_ms());
    }
}

/// How far a task is for whoever edits it.
fn standing(task: &TaskState, is_running: bool) -> Standing {
    match task.status {
        _ if is_untouched(task) => Standing::Pending,
        Status::InProgress | Status::InDoubt | Status::Pending => Standing::Started,
        _ if is_running => Standing::Started,
        _ => Standing::Over,
    }
}

/// True if nothing of the task has begun, or a person lets it begin anew: what was mended may stand in the task file.
fn is_untouched(task: &TaskState) -> bool {
    match task.status {
        Status::Pending => task.attempts == 0 || (task.failures == 0 && task.crashes == 0),
        Status::WaitingApproval | Status::Blocked => task.attempts == 0,
        _ => false,
    }
}

/// The error with its causes.
fn one_line(error: &DriveError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// Fails if what was added or edited asks for what nobody offers.
fn check(report: &MergeReport, roles: &Roles) -> Result<(), DriveError> {
    report.added.iter().chain(&report.edited).try_for_each(|found| roles.check(found))
}

/// Takes what somebody changed by hand into the run.
fn take(run: &mut Run, report: MergeReport) -> Result<(), DriveError> {
    let new: Vec<AddedTask> = report.added.iter().map(|found| to_added(run, found)).collect();
    record_added(run, &new)?;
    let touched: Vec<TaskId> =
        report.added.iter().chain(&report.edited).map(|found| found.task.id.clone()).collect();
    for found in report.edited {
        if let Some(index) = run.index_of(&found.task.id) {
            let env = run.seal(&found);
            run.record(Event::TaskEdited { task: index, to: Box::new(found.task), env, at: now_ms() })?;
            // Its priority or cost may be another: the planner hears of it anew. What was seen of one that runs goes on counting.
            match run.is_running(index) {
                // Its attempt is over, and others look at it already.
                true if run.is_done(index) => {
                    run.record(Event::LooksAsked { tasks: vec![index], at: now_ms() })?;
                }
                true => {}
                false => run.withdraw(index),
            }
        }
    }
    for id in &report.removed {
        let text = format!(
            "task `{id}` is not in the task file any more; it does not start unless it is back, and `orch-host task cancel {}` takes it out",
            argument(id.as_str())
        );
        run.record(Event::Warned { code: "task-removed".to_owned(), text })?;
    }
    for edit in &report.refused {
        run.record(Event::Warned { code: "edit-refused".to_owned(), text: edit.to_string() })?;
    }
    run.added(now_ms());
    // What is behind them is so by their new dependencies.
    run.regraph(now_ms());
    let open: Vec<TaskIndex> = {
        let state = run.state();
        let is_open = |task: &TaskIndex| {
            state.tasks.get(*task as usize).is_some_and(|found| found.status == Status::Pending)
        };
        touched.into_iter().filter_map(|id| state.by_id.get(&id).copied()).filter(is_open).collect()
    };
    run.put_back_behind(&open)?;
    Ok(())
}
