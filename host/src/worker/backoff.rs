//! Waits that double, each a little different from those of others.

use std::time::Duration;

/// From the first wait to the longest.
#[derive(Clone, Debug)]
pub struct Backoff {
    next: Duration,
    most: Duration,
    waits: u32,
}

impl Backoff {
    #[must_use]
    pub fn new((first, most): (Duration, Duration)) -> Self {
        Self { next: first, most, waits: 0 }
    }

    /// True before the first wait.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.waits == 0
    }

    /// The next wait: between half of its time and all of it.
    pub fn wait(&mut self) -> Duration {
        let whole = self.next;
        self.next = whole.saturating_mul(2).min(self.most);
        self.waits = self.waits.saturating_add(1);
        // Without random numbers all of it: late, and not wrong.
        let random = getrandom::u32().unwrap_or(u32::MAX);
        whole / 2 + (whole / 2).mul_f64(f64::from(random) / f64::from(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_are_never_shorter_than_half() {
        let (first, most) = (Duration::from_millis(100), Duration::from_secs(1));
        let mut backoff = Backoff::new((first, most));
        assert!(backoff.is_fresh());
        for whole in [100, 200, 400, 800, 1000, 1000] {
            let (whole, found) = (Duration::from_millis(whole), backoff.wait());
            assert!(whole / 2 <= found && found <= whole, "{found:?} of {whole:?}");
        }
        assert!(!backoff.is_fresh());
    }

    #[test]
    fn two_workers_do_not_wait_alike() {
        let waits = || {
            let mut backoff = Backoff::new((Duration::from_secs(1), Duration::from_secs(60)));
            (0..8).map(|_| backoff.wait()).collect::<Vec<_>>()
        };
        assert_ne!(waits(), waits());
    }
}
