//! Whoever lost both guardian and supervisor, and so became a child of this process, if that adopts.
//!
//! In -> out: the children of this process that are no guardians -> ended and reaped, with all below them.
//! Invariant: a guardian is known before anybody can take it for a stray; a process that does not adopt has none.
//! Not here: those whose guardian is there (`descendants.rs`), those of a host that is gone (`leftovers.rs`).

use std::collections::BTreeSet;
use std::io;
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, getpid, set_child_subreaper, waitpid};

use crate::descendants::signal_if;
use crate::process_table;

const PAUSE: Duration = Duration::from_millis(10);

static ADOPTS: AtomicBool = AtomicBool::new(false);
/// Of this process, until they are reaped.
static GUARDIANS: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// Makes this process the parent of whoever below it loses its own. It then has no other children than supervisors.
///
/// # Errors
/// The system's own.
pub fn adopt() -> io::Result<()> {
    set_child_subreaper(Some(getpid()))?;
    ADOPTS.store(true, Ordering::SeqCst);
    Ok(())
}

pub(crate) fn spawn_guardian(command: &mut Command) -> io::Result<Child> {
    let mut guardians = guardians();
    let guardian = command.spawn()?;
    guardians.insert(guardian.id());
    Ok(guardian)
}

pub(crate) fn try_reap_guardian(guardian: &mut Child) -> io::Result<Option<ExitStatus>> {
    let mut guardians = guardians();
    let status = guardian.try_wait();
    // None: it runs. An error: somebody else reaped it.
    if !matches!(status, Ok(None)) {
        guardians.remove(&guardian.id());
    }
    status
}

/// Returns when there are none. Takes as long as that takes.
pub(crate) fn end() -> io::Result<()> {
    while ADOPTS.load(Ordering::SeqCst) && end_those_of_now()? {
        thread::sleep(PAUSE);
    }
    Ok(())
}

/// True if there were any.
fn end_those_of_now() -> io::Result<bool> {
    let me = std::process::id();
    // Held, so that nobody becomes a guardian meanwhile.
    let guardians = guardians();
    let mut found = BTreeSet::new();
    for child in process_table::children(me)?.into_iter().filter(|child| !guardians.contains(child)) {
        let reaped = Pid::from_raw(child.cast_signed()).map(|pid| waitpid(Some(pid), WaitOptions::NOHANG));
        if !matches!(reaped, Some(Ok(Some(_)))) {
            found.insert(child);
            found.extend(process_table::descendants(child)?);
        }
    }
    let is_theirs = |parent: u32| parent == me || found.contains(&parent);
    for signal in [Signal::STOP, Signal::KILL] {
        for pid in &found {
            signal_if(*pid, signal, |stat| is_theirs(stat.parent))?;
        }
    }
    Ok(!found.is_empty())
}

fn guardians() -> MutexGuard<'static, BTreeSet<u32>> {
    GUARDIANS.lock().unwrap_or_else(PoisonError::into_inner)
}
