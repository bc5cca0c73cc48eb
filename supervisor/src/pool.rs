//! The host's supervisors: one for each command that runs at the same time.
//!
//! In -> out: (executable, how many) -> `SupervisorPool`; `Request` -> `Running`.
//! Limits: `size` commands at once, those that are still being ended counted; more wait for their turn.
//! Invariant: a supervisor is lent to one command at a time, and only while the one before it was seen to end.
//! Not here: what is said to a supervisor (`client.rs`).

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{Semaphore, watch};

use crate::client::Supervisor;
use crate::error::RunError;
use crate::lent::{Held, Idle, Lent};
use crate::request::Request;
use crate::running::Running;

/// Dropping the last clone ends the idle supervisors; commands that still run keep theirs.
#[derive(Clone, Debug)]
pub struct SupervisorPool {
    executable: Arc<PathBuf>,
    idle: Idle,
    slots: Arc<Semaphore>,
}

impl SupervisorPool {
    /// `executable` calls [`crate::serve`] when its first argument is [`crate::ARGUMENT`]. Supervisors are started when
    /// they are first needed, at most `size`.
    pub fn new(executable: impl Into<PathBuf>, size: usize) -> Self {
        Self {
            executable: Arc::new(executable.into()),
            idle: Idle::default(),
            slots: Arc::new(Semaphore::new(size.clamp(1, Semaphore::MAX_PERMITS))),
        }
    }

    /// Starts one command, when there is a slot. Returns once the program is executing.
    ///
    /// # Errors
    /// `Invalid`, `NotStarted`: nothing ran. `SupervisorGone`, `Socket`: it may have run, and is over.
    pub async fn run(&self, request: Request) -> Result<Running, RunError> {
        self.group().run(request).await
    }

    /// A new group, with no commands.
    pub fn group(&self) -> Group {
        Group { pool: self.clone(), there: watch::Sender::new(()) }
    }

    /// Ends the idle supervisors, and those that are lent now when their commands are over. Does not wait for it.
    pub fn dismiss(&self) {
        self.idle.dismiss();
    }

    fn lend(&self, held: Held) -> Result<Lent, RunError> {
        let (found, origin) = self.idle.take();
        let supervisor = match found {
            Some(supervisor) => supervisor,
            None => self.spawn()?,
        };
        Ok(Lent::new(supervisor, origin, held))
    }

    fn spawn(&self) -> Result<Supervisor, RunError> {
        Supervisor::spawn(&self.executable).map_err(|source| RunError::SupervisorNotStarted {
            executable: self.executable.as_ref().clone(),
            source,
        })
    }
}

/// Commands whose end is waited for together, also of those that were dropped.
#[derive(Debug)]
pub struct Group {
    pool: SupervisorPool,
    there: watch::Sender<()>,
}

impl Group {
    /// As [`SupervisorPool::run`].
    ///
    /// # Errors
    /// The same.
    pub async fn run(&self, request: Request) -> Result<Running, RunError> {
        let there = self.there.subscribe();
        let Ok(slot) = Arc::clone(&self.pool.slots).acquire_owned().await else {
            unreachable!("the semaphore is never closed")
        };
        let times = (request.timeout, request.kill_after);
        let mut lent = self.pool.lend(Held { _slot: slot, _there: there })?;
        let Some(supervisor) = lent.supervisor.as_mut() else { unreachable!("it is lent until dropped") };
        let identity = supervisor.identity().clone();
        let started = supervisor.start(request).await?;
        Ok(Running::new(lent, started, identity, times))
    }

    /// Returns when no process of its commands is left: each was seen to end, or its supervisor was seen out. Waits as
    /// long as that takes.
    pub async fn over(&self) {
        self.there.closed().await;
    }
}
