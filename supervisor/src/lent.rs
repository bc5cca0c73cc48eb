//! A supervisor that is lent to one command.
//!
//! In -> out: the idle ones -> one, with its slot; dropped -> it goes back once its command was seen to end.
//! Invariant: slot and group are held as long as a process of the command may be there.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::unix::pipe::Receiver;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};

use crate::client::Supervisor;

/// Supervisors that wait for a command.
#[derive(Clone, Debug, Default)]
pub(crate) struct Idle(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    supervisors: Vec<Supervisor>,
    /// How often they were dismissed: one that was lent before does not come back.
    dismissed: u64,
}

impl Idle {
    pub(crate) fn dismiss(&self) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.dismissed += 1;
        waiting.supervisors.clear();
    }

    /// One that can be used, and what it was taken from.
    pub(crate) fn take(&self) -> (Option<Supervisor>, Origin) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.supervisors.retain(Supervisor::is_usable);
        (waiting.supervisors.pop(), Origin { idle: self.clone(), dismissed: waiting.dismissed })
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Origin {
    idle: Idle,
    dismissed: u64,
}

impl Origin {
    fn put_back(&self, supervisor: Supervisor) {
        let mut waiting = self.idle.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.dismissed == self.dismissed {
            waiting.supervisors.push(supervisor);
        }
    }
}

/// Held as long as a process of the command may be there.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) _slot: OwnedSemaphorePermit,
    /// Whoever waits for the end of all commands of a group waits for this.
    pub(crate) _there: watch::Receiver<()>,
}

/// A supervisor and what it holds.
pub(crate) struct Lent {
    /// None once it is seen out.
    pub(crate) supervisor: Option<Supervisor>,
    /// Of a command that was given up: it is not to end by what it writes while it puts things in order.
    pub(crate) pipes: Option<(Receiver, Receiver)>,
    origin: Origin,
    held: Option<Held>,
}

impl Lent {
    pub(crate) fn new(supervisor: Supervisor, origin: Origin, held: Held) -> Self {
        Self { supervisor: Some(supervisor), pipes: None, origin, held: Some(held) }
    }

    /// Returns when nothing of it is left. Dropped before, that goes on.
    pub(crate) async fn see_out(&mut self) {
        let (going_on, over) = oneshot::channel::<()>();
        if let Some(mut supervisor) = self.supervisor.take() {
            see_out(&mut supervisor, (going_on, self.held.take()));
        }
        let _ = over.await;
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(mut supervisor) = self.supervisor.take() else { return };
        if supervisor.is_usable() {
            return self.origin.put_back(supervisor);
        }
        supervisor.cancel();
        let (origin, held, pipes) = (self.origin.clone(), self.held.take(), self.pipes.take());
        match Handle::try_current() {
            Ok(runtime) if supervisor.is_ending() => drop(runtime.spawn(async move {
                let settled = tokio::select! {
                    settled = supervisor.settle() => settled,
                    never = read_on(pipes) => match never {},
                };
                match settled {
                    Ok(()) => origin.put_back(supervisor),
                    Err(_) => see_out(&mut supervisor, held),
                }
            })),
            _ => see_out(&mut supervisor, held),
        }
    }
}

async fn read_on(pipes: Option<(Receiver, Receiver)>) -> Infallible {
    if let Some((mut stdout, mut stderr)) = pipes {
        let (mut out, mut err) = (tokio::io::sink(), tokio::io::sink());
        // Whatever cannot be read is nobody's any more.
        let _ = tokio::join!(tokio::io::copy(&mut stdout, &mut out), tokio::io::copy(&mut stderr, &mut err));
    }
    std::future::pending().await
}

fn see_out(supervisor: &mut Supervisor, held: impl Send + Sync + 'static) {
    if let Some(farewell) = supervisor.leave() {
        farewell.aside(held);
    }
}
