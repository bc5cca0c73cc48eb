//! One command that was started.
//!
//! In -> out: pipes of its output, its identity -> [`Ended`].
//! Invariant: dropping it cancels the command, whose output is read on until it is over.
//! Not here: keeping its output (`pump.rs`).

use std::net::TcpListener;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use tokio::net::unix::pipe::Receiver;
use tokio::time::Instant;

use crate::client::{ENDING_MAX, StartedCommand};
use crate::error::RunError;
use crate::identity::ProcessIdentity;
use crate::lent::Lent;
use crate::request::Ended;

/// A command under its supervisor. Somebody must read both pipes: a full one holds the command up.
pub struct Running {
    pub stdout: Pipe,
    pub stderr: Pipe,
    /// On the loopback of its network namespace, in the order of [`crate::Walls::listen`]; none without that wall. They do not
    /// block, and are of use as long as somebody holds them.
    pub listeners: Vec<TcpListener>,
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
    /// `ending`: what the command may take beyond its timeout.
    pub(crate) fn new(
        lent: Lent,
        started: StartedCommand,
        supervisor: ProcessIdentity,
        times: (Option<Duration>, Duration),
    ) -> Self {
        let StartedCommand { identity, stdout, stderr, listeners } = started;
        let over_by = times.0.and_then(|timeout| {
            Instant::now().checked_add(timeout.checked_add(times.1)?.checked_add(ENDING_MAX)?)
        });
        let (stdout, stderr) = (Pipe(Some(stdout)), Pipe(Some(stderr)));
        Self {
            stdout,
            stderr,
            listeners,
            command: Command { identity, supervisor, over_by, ended: None, lent },
        }
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
    /// `SupervisorGone`, `Socket`: its exit is unknown; what could be found of it was ended. Of a supervisor that was
    /// stopped that is so `kill_after` and ten seconds after the command's timeout.
    pub async fn wait(&mut self) -> Result<Ended, RunError> {
        self.command.wait().await
    }

    /// Asks for the end of the command; [`Self::wait`] then says `Cancelled`, or how it ended if it was over already.
    pub fn cancel(&mut self) {
        if let Some(supervisor) = self.command.lent.supervisor.as_mut() {
            supervisor.cancel();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.command.lent.pipes = self.stdout.0.take().zip(self.stderr.0.take());
    }
}

/// What a command writes.
pub struct Pipe(Option<Receiver>);

impl Deref for Pipe {
    type Target = Receiver;

    fn deref(&self) -> &Receiver {
        let Some(pipe) = &self.0 else { unreachable!("it is there until dropped") };
        pipe
    }
}

impl DerefMut for Pipe {
    fn deref_mut(&mut self) -> &mut Receiver {
        let Some(pipe) = &mut self.0 else { unreachable!("it is there until dropped") };
        pipe
    }
}

impl Command {
    pub(crate) async fn wait(&mut self) -> Result<Ended, RunError> {
        if let Some(ended) = self.ended {
            return Ok(ended);
        }
        let Some(supervisor) = self.lent.supervisor.as_mut() else { return Err(RunError::SupervisorGone) };
        match supervisor.ended(self.over_by).await {
            Ok(ended) => {
                self.ended = Some(ended);
                Ok(ended)
            }
            Err(error) => {
                self.lent.see_out().await;
                Err(error)
            }
        }
    }
}
