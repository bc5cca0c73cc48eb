//! What a run is asked for, as it works on it: which tasks may start, and when that is over early.
//!
//! In -> out: the run's choice, the end of a task -> tasks that are announced, or not any more.
//! Invariant: what is left out is never announced; what starts in any case is, once what it waits for is over or given up.
//! Not here: which tasks a choice means (`choice.rs`).

use std::collections::BTreeSet;

use orch_journal::event::{Event, TaskIndex, Who};
use orch_task::{Status, TaskId};

use super::Run;
use crate::clock::now_ms;
use crate::drive::choice::{self, Meant, Wanted};
use crate::drive::error::DriveError;
use crate::drive::graph::Graph;

/// So many of what `--only` passes over are named.
const PASSED_SHOWN: usize = 5;

impl Run {
    /// Holds these tasks and no others: what is held does not start.
    pub fn hold(&mut self, tasks: BTreeSet<TaskIndex>, now: u64) {
        let before = std::mem::replace(&mut self.held, tasks);
        for task in self.held.difference(&before).copied().collect::<Vec<_>>() {
            self.withdraw(task);
        }
        for task in before {
            self.announce(task, now);
        }
    }

    /// Tasks that are held, in their order, but for those that ended since by a person's word.
    pub fn held(&self) -> Vec<TaskId> {
        let state = self.state();
        let found = self.held.iter().filter_map(|task| state.tasks.get(*task as usize));
        found.filter(|task| !task.status.is_final()).map(|task| task.task.id.clone()).collect()
    }

    /// Takes in what is asked for: which tasks may start from now on, and which of them do so again.
    ///
    /// # Errors
    /// `choice-*` before anything is recorded.
    pub fn choose(&mut self, wanted: &Wanted, who: &Who) -> Result<(), DriveError> {
        let choice = wanted.choice();
        let (meant, is_new) = {
            let state = self.state();
            (choice::meant(&state, wanted)?, state.chosen != choice)
        };
        if is_new {
            self.record(Event::TasksChosen { choice, who: who.clone(), at: now_ms() })?;
        }
        if wanted.only {
            self.warn_of_passed(&meant)?;
        }
        let again = meant.again.iter().map(|task| (*task, "a person lets it run again"));
        let after = meant.after.iter().map(|task| (*task, "again, since what it depends on is done again"));
        for (task, why) in again.chain(after) {
            let (why, who) = (why.to_owned(), Some(who.clone()));
            self.record(Event::TaskMoved { task, to: Status::Pending, why, who, at: now_ms() })?;
        }
        self.force(meant.again.into_iter().chain(meant.after));
        self.fail_fast = wanted.fail_fast;
        self.regraph(now_ms());
        Ok(())
    }

    /// Says what is not done and taken as it is, though something that starts depends on it.
    fn warn_of_passed(&mut self, meant: &Meant) -> Result<(), DriveError> {
        let (passed, shown) = {
            let state = self.state();
            let passed = meant.passed_over(&state);
            let shown = passed.iter().take(PASSED_SHOWN).filter_map(|(on, task)| {
                let (on, task) = (state.tasks.get(*on as usize)?, state.tasks.get(*task as usize)?);
                let (id, is, of) = (&on.task.id, on.status.as_str(), &task.task.id);
                Some(format!("`{id}` ({is}), which `{of}` depends on"))
            });
            (passed.len(), shown.collect::<Vec<_>>().join(", "))
        };
        if passed == 0 {
            return Ok(());
        }
        let more = match passed.saturating_sub(PASSED_SHOWN) {
            0 => String::new(),
            more => format!(", and {more} others"),
        };
        let text = format!("`--only` takes as it is, though it is not done: {shown}{more}");
        self.record(Event::Warned { code: "passed-over".to_owned(), text })?;
        Ok(())
    }

    /// The tasks that the run's choice means as the tasks are now.
    pub(super) fn rechoose(&mut self) {
        let chosen = {
            let state = self.state();
            match state.chosen.is_all() {
                true => Ok(None),
                false => choice::chosen(&state, &Graph::of(&state, None), &state.chosen),
            }
        };
        // A task that it names is never gone, but may depend since on one that is left out: then the choice stays.
        if let Ok(chosen) = chosen {
            self.chosen = chosen;
        }
    }

    /// True for a task that the run is not asked for.
    pub fn is_left_out(&self, task: TaskIndex) -> bool {
        self.chosen.as_ref().is_some_and(|chosen| !chosen.contains(&task))
    }

    /// True once a failure has ended a run that ends with the first one.
    pub fn ends_early(&self) -> bool {
        self.ends_early
    }

    pub(super) fn is_always(&self, task: TaskIndex) -> bool {
        self.state().tasks.get(task as usize).is_some_and(|found| found.task.always)
    }

    /// From now on nothing starts but what starts in any case.
    pub(super) fn end_early(&mut self) {
        self.ends_early = true;
        for task in 0..self.announced.len() as TaskIndex {
            if !self.is_always(task) {
                self.withdraw(task);
            }
        }
    }

    /// Lets tasks start that start in any case, though what they wait for cannot start any more; true if there is one.
    pub fn give_up_stuck(&mut self, now: u64) -> bool {
        let before = self.announced_count;
        let mut given_up: Vec<TaskIndex> = self.stuck().into_keys().collect();
        if self.chosen.is_some() || self.ends_early {
            let waits =
                |task: &TaskIndex| (self.ends_early || self.is_left_out(*task)) && !self.is_always(*task);
            let is_pending = |task: &TaskIndex| {
                self.state().tasks.get(*task as usize).is_some_and(|found| found.status == Status::Pending)
            };
            let all = 0..self.announced.len() as TaskIndex;
            given_up.extend(all.filter(|task| waits(task) && is_pending(task)));
        }
        // Whom nobody could look at: only what is verified is waited for, and nobody looks any more.
        given_up.extend(self.state().unverified_tasks());
        for task in given_up {
            for free in self.graph.give_up(task) {
                self.announce(free, now);
            }
        }
        self.announced_count > before
    }
}
