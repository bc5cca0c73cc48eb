//! The host's supervisors: one for each command that runs at the same time.
//!
//! In -> out: (executable, how many) -> `SupervisorPool`; `Request` -> `Running`.
//! Limits: `size` commands at once; more wait for their turn.
//! Invariant: a supervisor is lent to one command at a time, and one that broke is never lent again.
//! Not here: what is said to a supervisor (`client.rs`).

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::client::Supervisor;
use crate::error::RunError;
use crate::lent::Lent;
use crate::request::Request;
use crate::running::Running;

/// Dropping the last clone ends the idle supervisors; commands that still run keep theirs.
#[derive(Clone, Debug)]
pub struct SupervisorPool {
    executable: Arc<PathBuf>,
    idle: Arc<Mutex<Vec<Supervisor>>>,
    slots: Arc<Semaphore>,
}

impl SupervisorPool {
    /// `executable` calls [`crate::serve`] when its first argument is [`crate::ARGUMENT`]. Supervisors are started when
    /// they are first needed, at most `size`.
    pub fn new(executable: impl Into<PathBuf>, size: usize) -> Self {
        Self {
            executable: Arc::new(executable.into()),
            idle: Arc::default(),
            slots: Arc::new(Semaphore::new(size.clamp(1, Semaphore::MAX_PERMITS))),
        }
    }

    /// Starts one command, when there is a slot. Returns once the program is executing.
    ///
    /// # Errors
    /// `Invalid`, `NotStarted`: nothing ran. `SupervisorGone`, `Socket`: it may have run, and is over.
    pub async fn run(&self, request: Request) -> Result<Running, RunError> {
        let Ok(slot) = Arc::clone(&self.slots).acquire_owned().await else {
            unreachable!("the semaphore is never closed")
        };
        let timeout = request.timeout;
        let mut lent = self.lend(slot)?;
        // What went wrong with the command before is not this one's fault: it gets another supervisor.
        if let Some(supervisor) = lent.supervisor.as_mut()
            && supervisor.settle().await.is_err()
        {
            lent.supervisor = Some(self.spawn()?);
        }
        let Some(supervisor) = lent.supervisor.as_mut() else { unreachable!("it is lent until dropped") };
        let started = supervisor.start(request).await?;
        Ok(Running::new(lent, started, timeout))
    }

    /// Ends the idle supervisors, and with them what they are still ending. Does not wait for it.
    pub fn dismiss(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn lend(&self, slot: OwnedSemaphorePermit) -> Result<Lent, RunError> {
        let found = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.retain(Supervisor::is_usable);
            match idle.iter().rposition(Supervisor::is_idle) {
                Some(place) => Some(idle.swap_remove(place)),
                None => idle.pop(),
            }
        };
        let supervisor = match found {
            Some(supervisor) => supervisor,
            None => self.spawn()?,
        };
        Ok(Lent::new(supervisor, Arc::clone(&self.idle), slot))
    }

    fn spawn(&self) -> Result<Supervisor, RunError> {
        Supervisor::spawn(&self.executable).map_err(|source| RunError::SupervisorNotStarted {
            executable: self.executable.as_ref().clone(),
            source,
        })
    }
}
