//! The machine's clock.
//!
//! Not here: the clock that guests see (`capability/wasi/clocks.rs`).

use std::time::{SystemTime, UNIX_EPOCH};

use orch_trust::time::UnixSeconds;

/// Milliseconds since 1970; 0 for a clock that is before it.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The same in seconds.
pub fn now() -> UnixSeconds {
    UnixSeconds(i64::try_from(now_ms() / 1000).unwrap_or(i64::MAX))
}
