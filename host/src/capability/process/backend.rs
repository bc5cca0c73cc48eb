//! What stands behind `orch:process`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::capability::effect::{Boxed, EffectGate, GateClosed};

pub(crate) const CAPTURE_BYTES_MAX: u32 = 1 << 20;

/// A command that the grant allows, resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcessRequest {
    /// Absolute.
    pub program: PathBuf,
    /// Without the program's own name.
    pub args: Vec<String>,
    /// The whole environment.
    pub env: Vec<(String, OsString)>,
    /// Absolute, inside the workspace.
    pub directory: PathBuf,
    /// At most what the call has left.
    pub timeout: Duration,
    /// Of the call's time; the command's end and the answer lie inside of it.
    pub wall_left: Duration,
    /// Bytes of each stream to keep.
    pub capture_bytes: u32,
    /// What it may reach: entries of `process.network`.
    pub network: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessExit {
    Code(i32),
    Signal(i32),
    TimedOut,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ProcessOutput {
    pub exit: ProcessExit,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    pub stdout_bytes: u64,
    pub stderr_bytes: u64,
    pub duration: Duration,
}

/// Why there is no output. Each holds a clause for people; a guest is told of the first three.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProcessError {
    /// There is no such program, or no such folder to run it in.
    #[error("{why}")]
    NotFound { why: String },
    /// It is there, and the system will not execute it next time either. Names no path but the program's own.
    #[error("{why}")]
    NotExecutable { why: String },
    /// It may start another time.
    #[error("{why}")]
    NotStarted { why: String },
    /// It may have run, in part or whole.
    #[error("{why}")]
    EndUnknown { why: String },
    #[error(transparent)]
    Closed(#[from] GateClosed),
}

/// Runs commands under a supervisor; dropping the future ends the command and all its descendants.
pub trait Processes: Send + Sync {
    /// The gate is told pid, start in clock ticks and boot id before anything of the output is awaited.
    fn run(
        &self,
        request: ProcessRequest,
        effects: Arc<dyn EffectGate>,
    ) -> Boxed<'_, Result<ProcessOutput, ProcessError>>;

    /// Returns when no process of commands that were run here is left, also of those that were dropped, and what they may keep
    /// is kept: if the call had a good answer. Here: of none.
    fn over(&self, _is_good: bool) -> Boxed<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}
