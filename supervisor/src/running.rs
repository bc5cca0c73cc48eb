//! One command that was started.
//!
//! In -> out: pipes of its output, its identity -> [`Ended`].
//! Invariant: dropping it cancels the command.
//! Not here: keeping its output (`pump.rs`).

use std::time::Duration;

use tokio::net::unix::pipe::Receiver;
use tokio::time::Instant;

use crate::client::{ENDING_MAX, StartedCommand, Supervisor};
use crate::error::RunError;
use crate::identity::ProcessIdentity;
use crate::leftovers;
use crate::lent::Lent;
use crate::request::Ended;

/// For the guardian of a supervisor that was given up. One that ended by itself has nothing left to do.
const GUARDIAN_PATIENCE: Duration = Duration::from_millis(500);

/// A command under its supervisor. Somebody must read both pipes: a full one holds the command up.
pub struct Running {
    pub stdout: Receiver,
    pub stderr: Receiver,
    pub(crate) command: Command,
}

/// A [`Running`] without its pipes.
pub(crate) struct Command {
    identity: ProcessIdentity,
    supervisor: ProcessIdentity,
    /// When its supervisor, which must have ended it by then, is given up.
    over_by: Option<Instant>,
    ended: Option<Ended>,
    lent: Lent,
}

impl Running {
    pub(crate) fn new(mut lent: Lent, started: StartedCommand, timeout: Option<Duration>) -> Self {
        let StartedCommand { identity, stdout, stderr } = started;
        let supervisor = supervisor_of(&mut lent).identity().clone();
        let over_by =
            timeout.and_then(|timeout| Instant::now().checked_add(timeout.checked_add(ENDING_MAX)?));
        Self { stdout, stderr, command: Command { identity, supervisor, over_by, ended: None, lent } }
    }

    /// The command's process, which leads its session.
    pub fn identity(&self) -> &ProcessIdentity {
        &self.command.identity
    }

    /// The process that sees to its end. A host that writes both down finds everything again after a crash of its own,
    /// also what the supervisor is still ending.
    pub fn supervisor(&self) -> &ProcessIdentity {
        &self.command.supervisor
    }

    /// Returns when the command is over and no descendant of it is left. Can be dropped and called again.
    ///
    /// # Errors
    /// `SupervisorGone`, `Socket`: its exit is unknown; what could be found of it was ended.
    pub async fn wait(&mut self) -> Result<Ended, RunError> {
        self.command.wait().await
    }

    /// Asks for the end of the command; [`Self::wait`] then says `Cancelled`, or how it ended if it was over already.
    pub fn cancel(&mut self) {
        supervisor_of(&mut self.command.lent).cancel();
    }
}

impl Command {
    pub(crate) async fn wait(&mut self) -> Result<Ended, RunError> {
        if let Some(ended) = self.ended {
            return Ok(ended);
        }
        match supervisor_of(&mut self.lent).ended(self.over_by).await {
            Ok(ended) => {
                self.ended = Some(ended);
                Ok(ended)
            }
            Err(error) => {
                // Usually the guardian has ended them all; if somebody killed that too, they are looked for.
                let left = [self.supervisor.clone(), self.identity.clone()];
                match tokio::task::spawn_blocking(move || leftovers::end_within(&left, GUARDIAN_PATIENCE))
                    .await
                {
                    Ok(Err(source)) => Err(RunError::Socket { source }),
                    Ok(Ok(_)) | Err(_) => Err(error),
                }
            }
        }
    }
}

fn supervisor_of(lent: &mut Lent) -> &mut Supervisor {
    let Some(supervisor) = lent.supervisor.as_mut() else { unreachable!("it is lent until dropped") };
    supervisor
}
