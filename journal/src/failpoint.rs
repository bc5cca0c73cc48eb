//! Moments at which a test ends the process as a crash would, in every part of the program.
//!
//! In -> out: environment variable `ORCH_FAILPOINT=name:count` -> SIGKILL to this process at the count-th [`hit`].
//! Invariant: [`POINTS`] is the list of all names; a test compares it with the sources. Without debug assertions, as
//! in every release build, a hit is nothing and the variable is not read.
//! Not here: what must hold after each of them (`tests/tests/crash.rs`, `journal/tests/crash.rs`).

/// Every name, with what is true at that moment; in the order in which a run meets them.
pub const POINTS: [(&str, &str); 29] = [
    ("before-settle", "what another host cut off is found, its processes are gone, no ending is recorded"),
    ("after-settle", "the endings are recorded, nothing waited for them"),
    ("before-attempt", "the planner chose a task, the journal does not know of the attempt"),
    ("after-attempt", "the attempt is recorded, nothing is called yet"),
    ("before-intent", "a plugin asks for its first effect, the journal does not know"),
    ("inside-intent", "the intent is on its way to the store, nobody knows whether it is durable"),
    ("after-intent", "the intent is durable, the effect did not begin"),
    ("after-spawn", "the command runs, its process is not recorded"),
    ("before-edits", "the plugin answered, nothing of its work tree is looked at"),
    ("after-objects", "its edits are a commit that no ref leads to, the journal does not know"),
    ("after-held", "guards have something against its edits, a ref leads to them, the journal does not know"),
    ("after-edits", "that its edits are kept is durable, the branch did not move"),
    ("after-branch", "the branch moved, the attempt's end is not recorded"),
    ("inside-accept", "a person's tree and index are at the run's edits, their branch is not"),
    ("before-answer", "the plugin answered, the journal does not know"),
    ("after-answer", "the answer is recorded, nothing waited for it"),
    ("before-commit", "a group is written and not committed"),
    ("after-commit", "a group is committed, nobody heard of it"),
    ("before-head", "a head is signed and committed, the operator's folder has the one before"),
    ("after-head", "the operator's folder has the head, nobody heard of it"),
    ("before-draft", "the task file is what was expected, nothing of the new one is on disk"),
    ("before-exchange", "the new task file is durable beside the old one"),
    ("after-exchange", "the new task file has the name, the old one is beside it"),
    ("before-exchange-back", "what came out was edited by hand and stands beside ours"),
    ("before-saved", "the task file is written, the journal does not know"),
    ("before-mark", "a task is done, and what it made is not recorded"),
    ("before-close", "the task file says all, the run is not closed"),
    ("before-notice", "the run is closed and durable, nobody heard of it"),
    ("after-notice", "the provider answered, the journal does not know"),
];

/// Ends the process if this is the moment that the environment names.
#[cfg(debug_assertions)]
pub fn hit(name: &str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static WANTED: OnceLock<Option<(String, u64)>> = OnceLock::new();
    static HITS: AtomicU64 = AtomicU64::new(0);
    let wanted = WANTED.get_or_init(|| {
        let text = std::env::var("ORCH_FAILPOINT").ok()?;
        let (name, count) = text.split_once(':')?;
        Some((name.to_owned(), count.parse().ok()?))
    });
    let Some((wanted, count)) = wanted else { return };
    if wanted == name && HITS.fetch_add(1, Ordering::SeqCst) + 1 == *count {
        // Nothing after it may run, as nothing runs after a crash.
        while rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).is_err()
        {
        }
        loop {
            std::thread::park();
        }
    }
}

/// Ends the process if this is the moment that the environment names.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn hit(_name: &str) {}
