//! The place of the operating-system sandbox: what is done to a command between fork and exec.
//!
//! Today there is none, and a command has its operator's own authority. A sandbox becomes a variant here that carries
//! what it may reach, so that it travels in the request; [`Sandbox::enter`] applies it.
//! Invariant: a sandbox that cannot be entered means that the command is not started; there is no weaker fallback.
//! Not here: what holds for every command, sandboxed or not (own session, no new privileges): `launch.rs`.

use std::io;

use serde::{Deserialize, Serialize};

/// How a command is confined.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Sandbox {
    /// Not at all.
    #[default]
    None,
}

impl Sandbox {
    /// Confines the calling process, for good. Called in the command's own process just before exec: after its
    /// working directory is entered, its streams are in place and privileges can no longer be gained. That process
    /// still has its supervisor's memory, so this makes system calls on what the request brought, and nothing else;
    /// what must be unshared (a user namespace) belongs into the flags of clone instead.
    pub(crate) fn enter(&self) -> io::Result<()> {
        match self {
            Self::None => Ok(()),
        }
    }
}
