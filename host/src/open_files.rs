//! How many files this process may have open.
//!
//! In -> out: the limit that it was started with -> as much as the system allows; what of it one command may use.
//! Invariant: commands have the limit that this process was started with: programs that use `select` break with more.
//! Not here: what they are used for.

use std::sync::OnceLock;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Without any command: the store, its readers, sockets, plugins that are loaded; the queue of watches is among what is left.
pub const OWN: u64 = 52;
/// For one command: its supervisor's socket, two pipes and their other ends, its log.
const OF_A_COMMAND: u64 = 6;

/// None: no limit.
static BEFORE: OnceLock<Option<u64>> = OnceLock::new();

/// Raises the limit as far as it goes; gives what it is now.
pub fn raise() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    BEFORE.get_or_init(|| limit.current);
    // A system that refuses leaves it as it is, and what it is now is what counts.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// What commands may open; none: as many as this process.
pub fn of_commands() -> Option<u64> {
    BEFORE.get().copied().flatten()
}

/// How many commands may run at once.
pub fn commands_max() -> u32 {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    u32::try_from(limit.saturating_sub(OWN) / OF_A_COMMAND).unwrap_or(u32::MAX).max(1)
}

/// How many connections each of so many commands at once may have through this process, so that none keeps the others from
/// what they need: each takes two files, and together they have a quarter of what is left.
pub fn connections_of_a_command(jobs: u32) -> usize {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let jobs = u64::from(jobs.max(1));
    let left = limit.saturating_sub(OWN + OF_A_COMMAND * jobs);
    usize::try_from(left / 8 / jobs).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_commands_reach_leaves_the_files_that_the_host_needs() {
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        for jobs in [1, 2, 8, 64, 256] {
            let connections = connections_of_a_command(jobs) as u64;
            let taken = OWN + u64::from(jobs) * (OF_A_COMMAND + 2 * connections);
            assert!(connections == 1 || taken <= limit, "{jobs} jobs: {connections}");
        }
    }
}
