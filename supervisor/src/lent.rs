//! A supervisor that is lent to one command.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedSemaphorePermit;

use crate::client::Supervisor;

/// A supervisor and its slot, which go back when it is dropped.
pub(crate) struct Lent {
    /// There until dropped.
    pub(crate) supervisor: Option<Supervisor>,
    idle: Arc<Mutex<Vec<Supervisor>>>,
    _slot: OwnedSemaphorePermit,
}

impl Lent {
    pub(crate) fn new(
        supervisor: Supervisor,
        idle: Arc<Mutex<Vec<Supervisor>>>,
        slot: OwnedSemaphorePermit,
    ) -> Self {
        Self { supervisor: Some(supervisor), idle, _slot: slot }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(mut supervisor) = self.supervisor.take() else { return };
        supervisor.cancel();
        if supervisor.is_usable() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(supervisor);
        }
    }
}
