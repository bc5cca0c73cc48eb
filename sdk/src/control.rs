//! Runs of the workspace: started, stopped, seen. For services. Permission: `control`.
//!
//! In -> out: a [`Choice`] of tasks -> a run, once the host has kept the call's answer; an answer of 5xx asks for nothing.
//! Limits: one start or stop a call; 1,000 entries a list of a choice.

use crate::Error;
use crate::bindings::capabilities::orch::control::control;
pub use crate::bindings::capabilities::orch::control::control::{Choice, Counts, Run, Standing, State};

impl Choice {
    /// All tasks that are left.
    pub fn all() -> Self {
        Self { tasks: Vec::new(), tags: Vec::new(), exclude: Vec::new(), fail_fast: false }
    }
}

/// Asks for a run of these tasks.
///
/// # Errors
/// `Denied`: `control.start` is not granted. `Invalid`: there is no such choice. `Limit`: this call asked for something
/// already. `Unavailable`: a run is at work or about to begin, or the task file cannot be read.
pub fn start(choice: &Choice) -> Result<(), Error> {
    Ok(control::start(choice)?)
}

/// Asks the run at work, or the one that is about to begin, to start nothing more.
///
/// # Errors
/// `Denied`: `control.stop` is not granted. `NotFound`: there is none. `Limit`: this call asked for something already.
pub fn stop() -> Result<(), Error> {
    Ok(control::stop()?)
}

/// How runs stand.
///
/// # Errors
/// `Denied`: `control.read` is not granted. `Unavailable`: the host's store could not be read.
pub fn status() -> Result<Standing, Error> {
    Ok(control::status()?)
}
