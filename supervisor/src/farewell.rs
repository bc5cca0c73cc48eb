//! A supervisor that nobody talks to any more.
//!
//! In -> out: its guardian, what it may have left -> none of them is there.
//! Limits: the patience that it was given; who is stopped or traced then is killed from here.
//! Invariant: what is held while it goes on is let go only when nobody of them runs any more; there is no giving up.
//! Not here: whom a supervisor ends itself (`serve.rs`), how the rest is found (`leftovers.rs`, `strays.rs`).

use std::process::Child;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::identity::ProcessIdentity;
use crate::leftovers;
use crate::strays;

const PAUSE_FIRST: Duration = Duration::from_millis(1);
const PAUSE_MAX: Duration = Duration::from_millis(50);
/// Before what could not be ended is tried again.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);

pub(crate) struct Farewell {
    pub(crate) guardian: Mutex<Child>,
    /// It had no command: a good end of the guardian is the end of all.
    pub(crate) is_idle: bool,
    /// The guardian, and its command.
    pub(crate) processes: Vec<ProcessIdentity>,
    /// For the guardian to end by itself.
    pub(crate) patience: Duration,
}

impl Farewell {
    /// Goes on in a thread of its own, which keeps `held` until it is over.
    pub(crate) fn aside(self, held: impl Send + Sync + 'static) {
        if self.is_idle && self.guardian_ended() == Some(true) {
            return;
        }
        let held = Arc::new((self, held));
        let theirs = held.clone();
        let thread = thread::Builder::new().name("farewell".to_owned());
        if thread.spawn(move || theirs.0.wait()).is_err() {
            held.0.wait();
        }
    }

    fn wait(&self) {
        let by = Instant::now() + self.patience;
        let mut pause = PAUSE_FIRST;
        let mut ended = self.guardian_ended();
        while ended.is_none() && Instant::now() < by {
            thread::sleep(pause);
            pause = (pause * 2).min(PAUSE_MAX);
            ended = self.guardian_ended();
        }
        // A guardian that ended well has seen to the rest.
        if ended == Some(true) {
            return;
        }
        while leftovers::end_leftovers(&self.processes, Duration::ZERO).is_err() || strays::end().is_err() {
            thread::sleep(PAUSE_AFTER_FAILURE);
        }
        // Dead by now; who traced it may have to be reaped first.
        while self.guardian_ended().is_none() {
            thread::sleep(PAUSE_MAX);
        }
    }

    /// Whether it ended, and well.
    fn guardian_ended(&self) -> Option<bool> {
        let mut guardian = self.guardian.lock().unwrap_or_else(PoisonError::into_inner);
        match strays::try_reap_guardian(&mut guardian) {
            Ok(status) => status.map(|status| status.success()),
            // Somebody else reaped it.
            Err(_) => Some(false),
        }
    }
}
