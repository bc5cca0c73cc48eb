//! The fake of `orch:control`: a host that stands as it is told to, with tasks that are all pending.

use std::sync::atomic::{AtomicBool, Ordering};

use orch_journal::event::ServiceAct;
use orch_task::Status;

use super::backend::{
    CURRENT_MAX, Controls, NoChoice, RUNS_MAX, RunSeen, RunsSeen, RunsUnreadable, Standing,
};
use crate::capability::effect::Boxed;
use crate::capability::mood::Mood;

/// What no task of it is called.
const NOBODY: &str = "nobody";

#[derive(Default)]
pub(crate) struct FakeControl {
    mood: Mood,
    standing: Standing,
    tasks: u32,
    read: AtomicBool,
}

impl FakeControl {
    pub(crate) fn new(mood: Mood, tasks: usize) -> Self {
        let standing = match mood {
            Mood::Huge | Mood::Full => Standing::AtWork,
            _ => Standing::Idle,
        };
        Self { mood, standing, tasks: u32::try_from(tasks).unwrap_or(u32::MAX), read: AtomicBool::new(false) }
    }

    pub(crate) fn standing_at(self, standing: Standing) -> Self {
        Self { standing, ..self }
    }

    /// True once somebody saw how runs stand.
    pub(crate) fn was_read(&self) -> bool {
        self.read.load(Ordering::Relaxed)
    }

    fn seen(&self) -> RunsSeen {
        let mut current = Vec::new();
        if self.mood == Mood::Huge {
            current.extend((0..CURRENT_MAX).map(|number| format!("{}{number:03}", "t".repeat(120))));
        }
        let tasks = [(Status::Pending, self.tasks), (Status::InProgress, current.len() as u32)].into();
        let count = match self.mood {
            Mood::Huge => RUNS_MAX,
            _ => usize::from(self.standing != Standing::Idle),
        };
        let run = |number: usize| RunSeen {
            id: format!("20261129-120000-{number:04x}"),
            status: if number == 0 { "executing" } else { "completed" }.to_owned(),
            created_at: "2026-11-29T12:00:00.000Z".to_owned(),
            completed_at: (number > 0).then(|| "2026-11-29T12:00:01.000Z".to_owned()),
        };
        let runs: Vec<RunSeen> = (0..count).map(run).collect();
        let id = runs.first().map(|run| run.id.clone());
        RunsSeen { standing: self.standing, run: id, tasks, current, runs }
    }
}

impl Controls for FakeControl {
    fn standing(&self) -> Standing {
        self.standing
    }

    fn runs(&self) -> Boxed<'_, Result<RunsSeen, RunsUnreadable>> {
        self.read.store(true, Ordering::Relaxed);
        let seen = match self.mood {
            Mood::Unavailable => Err(RunsUnreadable),
            _ => Ok(self.seen()),
        };
        Box::pin(async { seen })
    }

    fn check<'a>(&'a self, act: &'a ServiceAct) -> Boxed<'a, Result<(), NoChoice>> {
        let is_nobody = |list: &Vec<String>| list.iter().any(|entry| entry == NOBODY);
        let found = match (self.mood, act) {
            (Mood::Unavailable, _) => Err(NoChoice::Unreadable),
            (_, ServiceAct::Start { tasks, tags, exclude, .. })
                if [tasks, tags, exclude].into_iter().any(is_nobody) =>
            {
                Err(NoChoice::Invalid(format!("there is no task `{NOBODY}`")))
            }
            _ => Ok(()),
        };
        Box::pin(async { found })
    }
}
