//! The end of everything below this process, which is a child subreaper.
//!
//! Why it ends: a process that loses its parent becomes a child of the nearest subreaper above it, so as long as any
//! descendant is left, there is a child of this process, alive or to be reaped. "No child" is therefore the whole proof.
//! Whoever starts processes faster than they can be listed is stopped first: stopped ones start nothing, and killing
//! begins when a whole round found nobody new. Own sessions, double forks and ignored signals make no difference.
//! Invariant: no process is signalled that is not a descendant, even if its pid was given away a moment ago.
//! Not here: processes of a supervisor that is itself gone (`leftovers.rs`).

use std::collections::BTreeSet;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, WaitStatus, kill_process, pidfd_open, pidfd_send_signal, wait,
};

use crate::process_table::{self, Stat};

/// Between two looks at what is still dying. The longest is for what cannot die yet (uninterruptible sleep).
const PAUSE_FIRST: Duration = Duration::from_micros(200);
const PAUSE_MAX: Duration = Duration::from_millis(50);
/// Looks for somebody new before killing begins anyway.
const STOP_ROUNDS_MAX: u32 = 100;

/// Returns when this process has no descendant; gives how many were ended. They are asked to end first (SIGTERM, and
/// SIGCONT so that a stopped one hears it), and killed when `grace` has passed; zero: at once. Takes as long as that
/// takes: a process in uninterruptible sleep dies when the kernel lets it. Reaps every child, known or not.
pub fn end_all(grace: Duration) -> io::Result<u32> {
    let me = std::process::id();
    let mut ended = BTreeSet::new();
    if !grace.is_zero() && reap(|_, _| {})? == Children::Left {
        let found: BTreeSet<u32> = process_table::descendants(me)?.into_iter().collect();
        let is_meant = |stat: &Stat| !stat.is_dead() && (stat.parent == me || found.contains(&stat.parent));
        for pid in &found {
            if signal_if(*pid, Signal::TERM, is_meant)? {
                ended.insert(*pid);
                signal_if(*pid, Signal::CONT, is_meant)?;
            }
        }
        gone_within(grace)?;
    }
    let mut pause = PAUSE_FIRST;
    while reap(|_, _| {})? == Children::Left {
        let mut found = BTreeSet::from([me]);
        for _ in 0..STOP_ROUNDS_MAX {
            let new: Vec<u32> =
                process_table::descendants(me)?.into_iter().filter(|pid| found.insert(*pid)).collect();
            if new.is_empty() {
                break;
            }
            for pid in new {
                signal_if(pid, Signal::STOP, |stat| found.contains(&stat.parent))?;
            }
        }
        for pid in found.iter().filter(|pid| **pid != me) {
            if signal_if(*pid, Signal::KILL, |stat| !stat.is_dead() && found.contains(&stat.parent))? {
                ended.insert(*pid);
            }
        }
        thread::sleep(pause);
        pause = (pause * 2).min(PAUSE_MAX);
    }
    Ok(u32::try_from(ended.len()).unwrap_or(u32::MAX))
}

/// Reaps children until there are none, at most that long; says whether none is left.
pub fn gone_within(time: Duration) -> io::Result<bool> {
    let begun = Instant::now();
    let mut pause = PAUSE_FIRST;
    while reap(|_, _| {})? == Children::Left {
        let left = time.saturating_sub(begun.elapsed());
        if left.is_zero() {
            return Ok(false);
        }
        thread::sleep(pause.min(left));
        pause = (pause * 2).min(PAUSE_MAX);
    }
    Ok(true)
}

/// As [`gone_within`], of everybody but the first process of a namespace.
pub(crate) fn alone_within(first: Pid, time: Duration) -> io::Result<bool> {
    let begun = Instant::now();
    let mut pause = PAUSE_FIRST;
    loop {
        reap(|_, _| {})?;
        if beside(first)?.is_empty() {
            return Ok(true);
        }
        let left = time.saturating_sub(begun.elapsed());
        if left.is_zero() {
            return Ok(false);
        }
        thread::sleep(pause.min(left));
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// As [`end_all`], where all but the first are in its namespace: the kernel kills them with it, whatever they do. The
/// first is not counted.
pub(crate) fn end_namespace(first: Pid, grace: Duration) -> io::Result<u32> {
    let mut ended = BTreeSet::new();
    if !grace.is_zero() {
        let found = beside(first)?;
        let parents = [std::process::id(), first.as_raw_pid().cast_unsigned()];
        let is_meant =
            |stat: &Stat| !stat.is_dead() && (parents.contains(&stat.parent) || found.contains(&stat.parent));
        for pid in &found {
            if signal_if(*pid, Signal::TERM, is_meant)? {
                ended.insert(*pid);
                signal_if(*pid, Signal::CONT, is_meant)?;
            }
        }
        alone_within(first, grace)?;
    }
    ended.extend(beside(first)?);
    end_first(first)?;
    Ok(u32::try_from(ended.len()).unwrap_or(u32::MAX))
}

/// The first process of a namespace, and whoever is in it: all children of this process. Returns when none is left.
pub(crate) fn end_first(first: Pid) -> io::Result<()> {
    kill_process(first, Signal::KILL)?;
    // Of any: the kernel lets the first go when the others of its namespace are reaped.
    loop {
        match wait(WaitOptions::empty()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(Errno::CHILD) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Descendants of this process that are alive, without that one.
pub(crate) fn beside(first: Pid) -> io::Result<BTreeSet<u32>> {
    let mut found = BTreeSet::new();
    for pid in process_table::descendants(std::process::id())? {
        let is_alive = || Ok::<_, io::Error>(process_table::stat(pid)?.is_some_and(|stat| !stat.is_dead()));
        if pid != first.as_raw_pid().cast_unsigned() && is_alive()? {
            found.insert(pid);
        }
    }
    Ok(found)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Children {
    Left,
    None,
}

/// Reaps every child that is over, without waiting.
pub(crate) fn reap(mut each: impl FnMut(Pid, WaitStatus)) -> io::Result<Children> {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) => each(pid, status),
            Ok(None) => return Ok(Children::Left),
            Err(Errno::CHILD) => return Ok(Children::None),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Signals `pid` if, once it is held fast, it is still the one that is meant; says whether it was.
///
/// One that may not be signalled counts as one that was: whoever asks looks again.
pub(crate) fn signal_if(pid: u32, signal: Signal, is_meant: impl FnOnce(&Stat) -> bool) -> io::Result<bool> {
    let Some(raw) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return Ok(false) };
    let process = match pidfd_open(raw, PidfdFlags::empty()) {
        Ok(process) => process,
        Err(Errno::SRCH | Errno::INVAL) => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    // Read after opening: it speaks of the process that is held, or, if that one is gone, of a later one with its
    // pid; then the signal below reaches nobody.
    if !process_table::stat(pid)?.is_some_and(|stat| is_meant(&stat)) {
        return Ok(false);
    }
    match pidfd_send_signal(&process, signal) {
        Ok(()) | Err(Errno::PERM) => Ok(true),
        Err(Errno::SRCH) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
