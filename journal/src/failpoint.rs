//! Moments at which a test ends the process as a crash would.
//!
//! In -> out: environment variable `ORCH_FAILPOINT=name:count` -> SIGKILL to this process at the count-th [`hit`].
//! Invariant: without the feature `failpoints` a hit is nothing.
//! Not here: which moments there are; each caller names its own.

/// Ends the process if this is the moment that the environment names.
#[cfg(feature = "failpoints")]
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
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub fn hit(_name: &str) {}
