//! Tasks that are looked at before they start.
//!
//! In -> out: a task that could start -> it is looked at once, and may start or is done.
//! Invariant: a task is announced only after a look, if it needs one; a look counts for one start, and for nothing once its
//! task waits for another.
//! Not here: what is looked at (`fresh.rs`).

use std::sync::PoisonError;

use orch_journal::event::{Event, TaskIndex};
use orch_task::{Status, Task};

use super::Run;
use crate::clock::now_ms;
use crate::drive::error::DriveError;
use crate::drive::marks::Begun;

impl Run {
    /// True if the task waits for a look now.
    pub(super) fn must_be_checked(&mut self, task: TaskIndex) -> bool {
        let needs = self
            .state()
            .tasks
            .get(task as usize)
            .is_some_and(|found| found.task.when.is_some() || found.task.names_files())
            || self.put_back.contains(&task);
        if !needs || self.checked.contains_key(&task) {
            return false;
        }
        if !self.checking.contains_key(&task) {
            self.unchecked.insert(task);
        }
        true
    }

    /// The tasks that are to be looked at, in their order.
    pub fn take_unchecked(&mut self) -> Vec<TaskIndex> {
        std::mem::take(&mut self.unchecked).into_iter().collect()
    }

    /// A look at a task begins; gives its number.
    pub fn begin_look(&mut self, task: TaskIndex) -> u64 {
        self.looks += 1;
        self.checking.insert(task, self.looks);
        self.looks
    }

    /// True if that look at a task counts: nothing that it saw was taken back.
    pub fn counts(&self, task: TaskIndex, look: u64) -> bool {
        self.checking.get(&task) == Some(&look)
    }

    /// True if a task waits for a look that was not begun.
    pub fn has_unchecked(&self) -> bool {
        !self.unchecked.is_empty()
    }

    /// Lets a task start that was looked at, if it still can.
    pub fn let_start(&mut self, task: TaskIndex, begun: Option<Begun>, now: u64) {
        if self.checking.remove(&task).is_some() {
            self.checked.insert(task, begun);
            self.announce(task, now);
        }
    }

    /// What was seen of a task before it began.
    pub fn take_begun(&mut self, task: TaskIndex) -> Option<Begun> {
        self.checked.remove(&task).flatten()
    }

    /// What an attempt at a task begins with.
    pub fn begun(&mut self, task: TaskIndex) -> Option<&mut Begun> {
        self.checked.get_mut(&task)?.as_mut()
    }

    /// Somebody takes a task for done: its files are looked at for that.
    pub fn say_done(&mut self, task: TaskIndex) {
        if self.state().tasks.get(task as usize).is_some_and(|found| found.task.names_files()) {
            self.said_done.insert(task, None);
        }
    }

    /// The tasks that were said to be done and are not looked at, each with the number of its look; `again`: those that are
    /// looked at, too.
    pub fn take_said_done(&mut self, again: bool) -> Vec<(TaskIndex, u64, Task)> {
        let state = self.shared();
        let state = state.read().unwrap_or_else(PoisonError::into_inner);
        let mut taken = Vec::new();
        for (task, look) in &mut self.said_done {
            if let Some(found) = state.tasks.get(*task as usize).filter(|_| again || look.is_none()) {
                self.looks += 1;
                *look = Some(self.looks);
                taken.push((*task, self.looks, found.task.clone()));
            }
        }
        taken
    }

    /// True if what that look saw counts: nothing was begun or said since.
    pub fn was_said_done(&mut self, task: TaskIndex, look: u64) -> bool {
        let counts = self.said_done.get(&task) == Some(&Some(look));
        if counts {
            self.said_done.remove(&task);
        }
        counts
    }

    /// Puts back what was done and depends on one of these, directly or not; what runs, at its end. Nothing behind them
    /// starts, or is looked at, before they are done again.
    pub fn put_back_behind(&mut self, tasks: &[TaskIndex]) -> Result<Vec<TaskIndex>, DriveError> {
        let behind = self.downstream(tasks).into_iter().filter(|task| !self.is_left_out(*task));
        let (run, over): (Vec<TaskIndex>, Vec<TaskIndex>) = behind.partition(|task| self.is_running(*task));
        let done: Vec<TaskIndex> = over.into_iter().filter(|task| self.is_as_good_as_done(*task)).collect();
        self.overtaken.extend(run);
        for task in done.iter().copied() {
            self.put_back(task)?;
        }
        self.regraph(now_ms());
        Ok(done)
    }

    /// Puts a task back that is over, if something that it depends on was put back while it ran; that may start now.
    pub fn put_back_overtaken(&mut self, task: TaskIndex) -> Result<(), DriveError> {
        if !self.overtaken.remove(&task) {
            return Ok(());
        }
        if self.is_as_good_as_done(task) {
            self.put_back(task)?;
        }
        self.regraph(now_ms());
        Ok(())
    }

    /// True while something behind it runs that began before it was put back: that is let end, with what it began with.
    pub(super) fn is_at_work_behind(&self, task: TaskIndex) -> bool {
        !self.overtaken.is_empty()
            && self.downstream(&[task]).iter().any(|behind| self.overtaken.contains(behind))
    }

    /// Puts a task back that somebody takes for done while something that it depends on is done again.
    pub fn put_back_if_it_waits(&mut self, task: TaskIndex) -> Result<(), DriveError> {
        if self.is_as_good_as_done(task) && !self.graph.is_free(task) {
            self.put_back(task)?;
            self.regraph(now_ms());
        }
        Ok(())
    }

    fn put_back(&mut self, task: TaskIndex) -> Result<(), DriveError> {
        let why = "again, since what it depends on is done again".to_owned();
        self.record(Event::TaskMoved { task, to: Status::Pending, why, who: None, at: now_ms() })?;
        self.put_back.insert(task);
        Ok(())
    }

    /// True if what depends on it may start.
    fn is_as_good_as_done(&self, task: TaskIndex) -> bool {
        self.state().tasks.get(task as usize).is_some_and(|found| match found.status {
            Status::Failed => found.task.allow_failure,
            status => status == Status::Done,
        })
    }

    pub fn is_done(&self, task: TaskIndex) -> bool {
        self.state().tasks.get(task as usize).is_some_and(|found| found.status == Status::Done)
    }

    /// True for a task that was done, and waits only because what it depends on does.
    pub fn is_put_back(&self, task: TaskIndex) -> bool {
        self.put_back.contains(&task)
    }

    /// These are done whatever is known of them.
    pub fn force(&mut self, tasks: impl IntoIterator<Item = TaskIndex>) {
        self.forced.extend(tasks);
    }

    pub fn is_forced(&self, task: TaskIndex) -> bool {
        self.forced.contains(&task)
            || self.state().tasks.get(task as usize).is_some_and(|found| found.asked_again)
    }
}
