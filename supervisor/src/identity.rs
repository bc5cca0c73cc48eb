//! One process of this machine, for as long as it is that process.
//!
//! In -> out: pid -> [`ProcessIdentity`], which a journal can keep; -> whether it still runs.
//! Invariant: a pid that was given to another process, or survives a reboot as a number, is not the same identity.
//! Not here: ending what is left (`leftovers.rs`).

use std::fs;
use std::io;

use serde::{Deserialize, Serialize};

use crate::process_table;

/// Tells a process from every other one that has or had its pid.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProcessIdentity {
    pub pid: u32,
    /// Clock ticks from boot to its start.
    pub start_ticks: u64,
    /// As the kernel writes it.
    pub boot_id: String,
}

impl ProcessIdentity {
    /// # Errors
    /// `NotFound` if there is no process `pid`.
    pub fn of(pid: u32) -> io::Result<Self> {
        Self::of_booted(pid, boot_id()?)
    }

    /// [`Self::of`] by one who knows [`boot_id`].
    pub(crate) fn of_booted(pid: u32, boot_id: String) -> io::Result<Self> {
        let Some(stat) = process_table::stat(pid)? else {
            return Err(io::Error::new(io::ErrorKind::NotFound, format!("there is no process {pid}")));
        };
        Ok(Self { pid, start_ticks: stat.start_ticks, boot_id })
    }
}

/// Names the time from one start of the machine to the next.
pub fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim_ascii().to_owned())
}

/// Whether exactly this process still runs; one that only waits to be reaped does not.
pub fn still_running(identity: &ProcessIdentity) -> io::Result<bool> {
    if identity.boot_id != boot_id()? {
        return Ok(false);
    }
    let stat = process_table::stat(identity.pid)?;
    Ok(stat.is_some_and(|stat| stat.start_ticks == identity.start_ticks && !stat.is_dead()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_start_or_boot_is_another_process() {
        let me = ProcessIdentity::of(std::process::id()).unwrap();
        assert!(still_running(&me).unwrap());
        assert!(!still_running(&ProcessIdentity { start_ticks: me.start_ticks + 1, ..me.clone() }).unwrap());
        assert!(!still_running(&ProcessIdentity { boot_id: "another".to_owned(), ..me }).unwrap());
    }

    #[test]
    fn a_process_that_waits_to_be_reaped_does_not_run() {
        let mut child = std::process::Command::new("/bin/sleep").arg("30").spawn().unwrap();
        let identity = ProcessIdentity::of(child.id()).unwrap();
        assert!(still_running(&identity).unwrap());
        child.kill().unwrap();
        while still_running(&identity).unwrap() {
            std::thread::yield_now();
        }
        assert!(ProcessIdentity::of(child.id()).is_ok(), "still a zombie");
        child.wait().unwrap();
        assert_eq!(ProcessIdentity::of(child.id()).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
