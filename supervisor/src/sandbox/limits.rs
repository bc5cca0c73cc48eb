//! How much a command and all its descendants may take.
//!
//! In -> out: [`Limits`] -> limits of the process, inherited by whatever it starts.
//! Invariant: a limit is never above what this process has: that would fail.
//! Not here: what only a look at all of them together shows (`watch.rs`).

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};

/// None is no limit of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// At once.
    pub processes: Option<u32>,
    /// Resident, of all of them together, without what is mapped from files.
    pub memory_bytes: Option<u64>,
    /// Of each process.
    pub cpu_seconds: Option<u64>,
    /// Of each file that is written.
    pub file_bytes: Option<u64>,
    /// Of `/tmp` and `/dev/shm` together with what is in them.
    pub tmp_bytes: u64,
    /// Left on each disk that it writes: with less it is ended, whoever took it.
    pub free_bytes: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            processes: Some(4096),
            memory_bytes: None,
            cpu_seconds: None,
            file_bytes: None,
            tmp_bytes: 1 << 30,
            free_bytes: Some(64 << 20),
        }
    }
}

/// Which of them ended a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Limit {
    Processes,
    Memory,
    Room,
}

impl Limits {
    /// Of this process, for good.
    pub(crate) fn apply(&self) -> io::Result<()> {
        set(Resource::Core, 0)?;
        let wanted = [
            (Resource::Nproc, self.processes.map(u64::from)),
            (Resource::Cpu, self.cpu_seconds),
            (Resource::Fsize, self.file_bytes),
        ];
        wanted
            .into_iter()
            .try_for_each(|(resource, limit)| limit.map_or(Ok(()), |limit| set(resource, limit)))
    }
}

fn set(resource: Resource, wanted: u64) -> io::Result<()> {
    let wanted = getrlimit(resource).maximum.map_or(wanted, |maximum| maximum.min(wanted));
    Ok(setrlimit(resource, Rlimit { current: Some(wanted), maximum: Some(wanted) })?)
}
