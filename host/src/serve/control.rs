//! The host's runs as services see them.
//!
//! In -> out: the run at work, or the last one; acts that wait; the task file -> answers of [`Controls`] for one call.
//! Limits: as `capability/control/backend.rs`.
//! Invariant: a call that asked for something is kept only if no run began or ended since it looked.
//! Not here: who may look or ask (`capability/control.rs`), when a call is made again (`mounts.rs`).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock, PoisonError};

use orch_journal::Journal;
use orch_journal::event::ServiceAct;
use orch_task::Status;

use crate::call::Boxed;
use crate::capability::control::backend::{CURRENT_MAX, RUNS_MAX};
use crate::capability::control::{Controls, NoChoice, RunSeen, RunsSeen, RunsUnreadable, Standing};
use crate::control::{Api, HolderState};
use crate::drive::acts::{self, ActQueue};
use crate::drive::choice;
use crate::drive::task_file::Sheet;
use crate::drive::task_reader::RunView;

/// What all calls share.
pub(super) struct SharedControl {
    pub(super) state: Arc<HolderState>,
    pub(super) acts: Arc<ActQueue>,
    pub(super) api: Api,
    /// Absolute.
    pub(super) task_file: PathBuf,
}

/// Where the host stood at one moment.
struct Seen {
    standing: Standing,
    /// The run at work, or the one that was last.
    view: Option<RunView>,
}

impl Seen {
    /// The run at work.
    fn run(&self) -> Option<&str> {
        let is_at_work = matches!(self.standing, Standing::AtWork | Standing::Stopping);
        self.view.as_ref().filter(|_| is_at_work).map(|view| view.id.as_str())
    }
}

impl SharedControl {
    fn look(&self) -> Seen {
        let (view, goes_on) = self.state.standing();
        let standing = match (goes_on, self.acts.last()) {
            (Some(true), Some(ServiceAct::Stop)) | (Some(false), _) => Standing::Stopping,
            (Some(true), _) => Standing::AtWork,
            (None, Some(ServiceAct::Start { .. })) => Standing::Starting,
            (None, _) => Standing::Idle,
        };
        Seen { standing, view }
    }
}

/// The runs for one call.
pub(super) struct CallControl {
    shared: Arc<SharedControl>,
    /// As the call first looked.
    seen: OnceLock<Seen>,
}

impl CallControl {
    pub(super) fn new(shared: Arc<SharedControl>) -> Self {
        Self { shared, seen: OnceLock::new() }
    }

    fn seen(&self) -> &Seen {
        self.seen.get_or_init(|| self.shared.look())
    }

    /// True if the call would find the host where it found it.
    pub(super) fn hold(&self) -> bool {
        let Some(seen) = self.seen.get() else { return true };
        let now = self.shared.look();
        (seen.standing, seen.run()) == (now.standing, now.run())
    }

    /// The run that it read, for who waits until it is durable.
    pub(super) fn read(&self) -> Option<&Arc<Journal>> {
        Some(&self.seen.get()?.view.as_ref()?.journal)
    }
}

impl Controls for CallControl {
    fn standing(&self) -> Standing {
        self.seen().standing
    }

    fn runs(&self) -> Boxed<'_, Result<RunsSeen, RunsUnreadable>> {
        Box::pin(async {
            let Seen { standing, view } = self.seen();
            let (mut tasks, mut current) = (BTreeMap::new(), Vec::new());
            if let Some(view) = view {
                let state = view.state.read().unwrap_or_else(PoisonError::into_inner);
                for found in &state.tasks {
                    *tasks.entry(found.status).or_default() += 1;
                    if found.status == Status::InProgress && current.len() < CURRENT_MAX {
                        current.push(found.task.id.to_string());
                    }
                }
            }
            let runs = self.shared.api.newest_runs(RUNS_MAX as u32).await.map_err(|_| RunsUnreadable)?;
            let seen = |run: orch_journal::rows::RunRow| RunSeen {
                id: run.id,
                status: run.status,
                created_at: run.created_at,
                completed_at: run.completed_at,
            };
            let runs = runs.into_iter().map(seen).collect();
            let run = view.as_ref().map(|view| view.id.clone());
            Ok(RunsSeen { standing: *standing, run, tasks, current, runs })
        })
    }

    fn check<'a>(&'a self, act: &'a ServiceAct) -> Boxed<'a, Result<(), NoChoice>> {
        Box::pin(async {
            let Some(wanted) = acts::wanted(act) else { return Ok(()) };
            let path = self.shared.task_file.clone();
            let read = tokio::task::spawn_blocking(move || {
                let sheet = Sheet::read(&path).map_err(|_| NoChoice::Unreadable)?;
                let planned = choice::planned(sheet.tasks(), &wanted);
                planned.map(drop).map_err(|error| NoChoice::Invalid(error.to_string()))
            });
            read.await.unwrap_or(Err(NoChoice::Unreadable))
        })
    }
}
