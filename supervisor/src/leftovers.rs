//! Processes of a host that is gone: made sure of before their tasks are touched again.
//!
//! In -> out: identities that the old host wrote down -> nobody of them, of their sessions or below them is left.
//! Usually the old supervisors have done it all, and this only looks. One that is still at work gets time; then the
//! processes are stopped and killed from here.
//! Invariant: a process is signalled only as one of these identities (pid, start, boot), a member of the session that
//! one of them leads or led, or a descendant; never the caller or what it was started by.
//! Limit: whoever left the session while guardian and supervisor were both killed, and then the host, cannot be told from a
//! stranger; a host that lives is its parent (`strays.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::descendants::signal_if;
use crate::identity::{self, ProcessIdentity};
use crate::process_table::{self, Stat};

/// From the last signal to the end of a process that can end.
const DEATH_MAX: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(10);
const STOP_ROUNDS_MAX: u32 = 100;

/// What it took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leftovers {
    /// For processes to end by themselves or by their supervisor.
    pub waited: Duration,
    /// Pids that were ended from here.
    pub killed: Vec<u32>,
}

/// Returns when none of `processes`, of their sessions and of what is below them runs. Blocks. `patience` is for
/// supervisors that are still ending what they were told to.
///
/// # Errors
/// `TimedOut`, naming the pids, if some cannot be ended. Then their tasks must not be touched.
pub fn end_leftovers(processes: &[ProcessIdentity], patience: Duration) -> io::Result<Leftovers> {
    let boot_id = identity::boot_id()?;
    let wanted: Vec<&ProcessIdentity> = processes.iter().filter(|one| one.boot_id == boot_id).collect();
    let begun = Instant::now();
    if wanted.is_empty() || wait_until_gone(&wanted, begun + patience)?.is_empty() {
        return Ok(Leftovers { waited: begun.elapsed(), killed: Vec::new() });
    }
    let waited = begun.elapsed();
    let killed = kill(&wanted)?;
    let left = wait_until_gone(&wanted, Instant::now() + DEATH_MAX)?;
    if left.is_empty() {
        return Ok(Leftovers { waited, killed });
    }
    let pids: Vec<String> = left.keys().map(u32::to_string).collect();
    let text = format!("processes of an earlier host cannot be ended: {}", pids.join(", "));
    Err(io::Error::new(io::ErrorKind::TimedOut, text))
}

/// Gives who is left when `until` has come.
fn wait_until_gone(wanted: &[&ProcessIdentity], until: Instant) -> io::Result<BTreeMap<u32, u64>> {
    loop {
        let left = members(wanted)?;
        if left.is_empty() || Instant::now() >= until {
            return Ok(left);
        }
        thread::sleep(PAUSE);
    }
}

/// Stops everybody, so that nobody starts or loses a child any more, then kills.
fn kill(wanted: &[&ProcessIdentity]) -> io::Result<Vec<u32>> {
    let mut found = BTreeMap::new();
    for _ in 0..STOP_ROUNDS_MAX {
        let mut grew = false;
        for (pid, start_ticks) in members(wanted)? {
            if found.insert(pid, start_ticks).is_none() {
                grew = true;
                signal_if(pid, Signal::STOP, |stat| stat.start_ticks == start_ticks)?;
            }
        }
        if !grew {
            break;
        }
    }
    let mut killed = Vec::new();
    for (pid, start_ticks) in found {
        if signal_if(pid, Signal::KILL, |stat| stat.start_ticks == start_ticks)? {
            killed.push(pid);
        }
    }
    Ok(killed)
}

/// Pid and start of everybody alive that is meant.
fn members(wanted: &[&ProcessIdentity]) -> io::Result<BTreeMap<u32, u64>> {
    let table = process_table::all()?;
    let mut meant = BTreeSet::new();
    for one in wanted {
        let leader = table.get(&one.pid);
        if leader.is_some_and(|leader| leader.start_ticks != one.start_ticks) {
            // A number is not given away while a session bears it, so nobody of that session is left either.
            continue;
        }
        meant.extend(leader.map(|_| one.pid));
        for (pid, stat) in &table {
            let is_member = stat.session == one.pid && stat.start_ticks >= one.start_ticks;
            // Without its leader a session shows its number only; at least it must be this user's.
            if is_member && (leader.is_some() || process_table::is_of_this_user(*pid)?) {
                meant.insert(*pid);
            }
        }
    }
    let below: Vec<u32> = meant.iter().flat_map(|pid| process_table::descendants_in(*pid, &table)).collect();
    meant.extend(below);
    for caller in callers(&table) {
        meant.remove(&caller);
    }
    let alive =
        |pid: &u32| table.get(pid).filter(|stat| !stat.is_dead()).map(|stat| (*pid, stat.start_ticks));
    Ok(meant.iter().filter_map(alive).collect())
}

/// This process and those above it.
fn callers(table: &BTreeMap<u32, Stat>) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    let mut next = Some(std::process::id());
    while let Some(pid) = next.filter(|pid| found.insert(*pid)) {
        next = table.get(&pid).map(|stat| stat.parent);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::CommandExt;
    use std::process::{Child, Command};

    /// A shell in a session of its own, with a sleeper in the same session and one in another.
    fn family() -> (Child, ProcessIdentity) {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "sleep 97 & setsid sleep 98 & wait"]);
        // SAFETY: setsid is async-signal-safe.
        unsafe { command.pre_exec(|| Ok(rustix::process::setsid().map(|_| ())?)) };
        let child = command.spawn().unwrap();
        let identity = ProcessIdentity::of(child.id()).unwrap();
        while away(&identity).is_none() {
            thread::yield_now();
        }
        (child, identity)
    }

    /// The one of a whole family that has gone to a session of its own.
    fn away(family: &ProcessIdentity) -> Option<u32> {
        let all = members(&[family]).unwrap();
        let table = process_table::all().unwrap();
        let is_away =
            |pid: &u32| *pid != family.pid && table.get(pid).is_some_and(|stat| stat.session == *pid);
        all.keys().copied().find(is_away).filter(|_| all.len() == 3)
    }

    #[test]
    fn session_and_descendants_are_ended() {
        let (mut child, identity) = family();
        let reaper = thread::spawn(move || child.wait());
        let found = end_leftovers(std::slice::from_ref(&identity), Duration::ZERO).unwrap();
        assert_eq!(found.killed.len(), 3, "{found:?}");
        assert!(members(&[&identity]).unwrap().is_empty());
        reaper.join().unwrap().unwrap();
    }

    #[test]
    fn a_session_without_its_leader_is_ended() {
        let (mut child, identity) = family();
        let away = away(&identity).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        // The one that went to another session is out of reach now; this is the limit that the header names.
        let found = end_leftovers(std::slice::from_ref(&identity), Duration::ZERO).unwrap();
        assert_eq!(found.killed.len(), 1, "{found:?}");
        assert!(signal_if(away, Signal::KILL, |_| true).unwrap());
    }

    #[test]
    fn another_start_boot_or_the_caller_is_not_touched() {
        let (mut child, identity) = family();
        let later = ProcessIdentity { start_ticks: identity.start_ticks + 1, ..identity.clone() };
        let elsewhere = ProcessIdentity { boot_id: "another".to_owned(), ..identity.clone() };
        let me = ProcessIdentity::of(std::process::id()).unwrap();
        let callers = callers(&process_table::all().unwrap());
        assert!(callers.contains(&me.pid) && callers.contains(&std::os::unix::process::parent_id()));
        let found = end_leftovers(&[later, elsewhere], Duration::ZERO).unwrap();
        assert_eq!(found.killed, Vec::<u32>::new());
        assert_eq!(members(&[&identity]).unwrap().len(), 3);
        let reaper = thread::spawn(move || child.wait());
        end_leftovers(&[identity], Duration::ZERO).unwrap();
        reaper.join().unwrap().unwrap();
    }
}
