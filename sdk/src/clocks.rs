//! Clocks.
//!
//! Permission: `wasi`, `clocks`. What they say is not deterministic.

use std::time::Duration;

use crate::host::{monotonic_clock, wall_clock};

/// Time since 1970-01-01T00:00:00Z. May go back when somebody sets the clock.
pub fn since_epoch() -> Duration {
    let now = wall_clock::now();
    Duration::new(now.seconds, now.nanoseconds)
}

/// Time since some moment in the past. Never goes back; for measuring.
pub fn monotonic() -> Duration {
    Duration::from_nanos(monotonic_clock::now())
}

/// Waits so long. It counts as wall time of the call, not as work.
pub fn sleep(duration: Duration) {
    let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    monotonic_clock::subscribe_duration(nanoseconds).block();
}
