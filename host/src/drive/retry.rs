//! When a failed attempt is tried again.
//!
//! In -> out: number of failures -> a delay in milliseconds.
//! Invariant: the delay doubles up to a ceiling; the jitter takes at most half of it away, so that many tasks that
//! failed together do not come back together.
//! Not here: whether it is tried again (`attempt.rs`).

use serde::{Deserialize, Serialize};

/// Exponential backoff with jitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Backoff {
    /// Before the second attempt, in milliseconds.
    pub base_ms: u64,
    /// Never longer than this, in milliseconds.
    pub max_ms: u64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { base_ms: 1_000, max_ms: 60_000 }
    }
}

impl Backoff {
    /// Milliseconds to wait after that many failures (from 1); `random` decides the jitter.
    pub fn delay_ms(&self, failures: u32, random: u32) -> u64 {
        let doublings = failures.saturating_sub(1).min(32);
        let full = self.base_ms.saturating_mul(1 << doublings).min(self.max_ms);
        let half = full / 2;
        full - half * u64::from(random) / u64::from(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_ceiling_and_jitter_takes_at_most_half() {
        let backoff = Backoff { base_ms: 100, max_ms: 1_000 };
        for (failures, full) in [(1, 100), (2, 200), (3, 400), (4, 800), (5, 1_000), (60, 1_000)] {
            assert_eq!(backoff.delay_ms(failures, 0), full);
            assert_eq!(backoff.delay_ms(failures, u32::MAX), full / 2);
            let some = backoff.delay_ms(failures, u32::MAX / 3);
            assert!((full / 2..=full).contains(&some));
        }
    }
}
