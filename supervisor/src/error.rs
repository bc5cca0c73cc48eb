//! Why a command did not run, or why its end is not known.
//!
//! Invariant: after any of these no descendant of the command is left, so far as the machine can tell (`leftovers.rs`).

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::sandbox::Wall;

/// The part of a start that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StartStep {
    /// Opening the working directory.
    Directory,
    /// Making namespaces for a sandbox, or giving up the rights in them.
    Namespaces,
    /// Putting up this wall of the sandbox.
    Sandbox(Wall),
    /// A new process, or executing the program in it.
    Program,
}

impl std::fmt::Display for StartStep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Directory => f.write_str("working directory"),
            Self::Namespaces => f.write_str("sandbox (namespaces)"),
            Self::Sandbox(wall) => write!(f, "sandbox ({wall})"),
            Self::Program => f.write_str("program"),
        }
    }
}

/// Why there is no [`crate::Ended`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    #[error("request cannot be run: {what}")]
    Invalid { what: String },
    #[error("cannot start supervisor `{}`", executable.display())]
    SupervisorNotStarted { executable: PathBuf, source: io::Error },
    /// The command never ran. `source` is what the system said about `step`.
    #[error("`{}` was not started: its {step} could not be used", program.display())]
    NotStarted { program: PathBuf, step: StartStep, source: io::Error },
    /// The supervisor ended before its answer: the command may have run, in part or whole.
    #[error("supervisor ended before the command did")]
    SupervisorGone,
    #[error("cannot talk to supervisor")]
    Socket { source: io::Error },
    /// The command was cancelled for it.
    #[error("cannot write log of the command")]
    Log { source: io::Error },
    /// The command was cancelled for it.
    #[error("cannot read output of the command")]
    Read { source: io::Error },
}
