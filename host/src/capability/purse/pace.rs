//! Rates: a bucket for each plugin and interface, which fills in a minute.
//!
//! In -> out: who asks, for how many tokens, now -> how long it waits.
//! Invariant: whoever must wait has taken its turn, so that those who come later wait behind it; what may not wait takes none.
//! Not here: waiting.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Rates;

/// Who asks for what.
type Who<'a> = (&'a str, &'static str);

#[derive(Debug, Default)]
pub(super) struct Pace {
    rates: Rates,
    buckets: Mutex<HashMap<(String, &'static str), Buckets>>,
}

/// Of one plugin and interface: `None` before the first question.
#[derive(Clone, Copy, Debug, Default)]
struct Buckets {
    requests: Option<Bucket>,
    tokens: Option<Bucket>,
}

/// What is in one; less than nothing where somebody waits already.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    has: f64,
    at: Instant,
}

impl Bucket {
    /// As it is now, with the time until it has that much.
    fn now(found: Option<Self>, size: NonZeroU32, need: u64, now: Instant) -> (Self, f64, Duration) {
        let size = f64::from(size.get());
        let bucket = found.unwrap_or(Self { has: size, at: now });
        let filled = now.saturating_duration_since(bucket.at).as_secs_f64() * size / 60.0;
        let has = (bucket.has + filled).min(size);
        // What is larger than the bucket takes all of it.
        let need = (need as f64).min(size);
        let wait =
            Duration::try_from_secs_f64(((need - has) * 60.0 / size).max(0.0)).unwrap_or(Duration::MAX);
        (Self { has, at: now.max(bucket.at) }, need, wait)
    }
}

impl Pace {
    pub(super) fn new(rates: Rates) -> Self {
        Self { rates, buckets: Mutex::default() }
    }

    /// Takes a turn: how long it waits for it; or how long it would, if that is more than `most`.
    pub(super) fn take(
        &self,
        who: Who<'_>,
        tokens: u64,
        now: Instant,
        most: Duration,
    ) -> Result<Duration, Duration> {
        let mut all = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let found = all.entry((who.0.to_owned(), who.1)).or_default();
        let requests = self.rates.requests.map(|size| Bucket::now(found.requests, size, 1, now));
        let of_tokens = self.rates.tokens.map(|size| Bucket::now(found.tokens, size, tokens, now));
        let wait =
            [requests, of_tokens].into_iter().flatten().map(|(.., wait)| wait).max().unwrap_or_default();
        if wait > most {
            return Err(wait);
        }
        let taken = |(bucket, need, _): (Bucket, f64, Duration)| Bucket { has: bucket.has - need, ..bucket };
        *found = Buckets { requests: requests.map(taken), tokens: of_tokens.map(taken) };
        Ok(wait)
    }

    /// Of the tokens that were taken so many were not used.
    pub(super) fn give_back(&self, who: Who<'_>, tokens: u64) {
        let mut all = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let found = all.get_mut(&(who.0.to_owned(), who.1)).and_then(|found| found.tokens.as_mut());
        if let (Some(bucket), Some(size)) = (found, self.rates.tokens) {
            let size = f64::from(size.get());
            bucket.has = (bucket.has + (tokens as f64).min(size)).min(size);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    fn pace(requests: Option<u32>, tokens: Option<u32>) -> Pace {
        Pace::new(Rates {
            requests: requests.and_then(NonZeroU32::new),
            tokens: tokens.and_then(NonZeroU32::new),
        })
    }

    #[test]
    fn a_minutes_worth_goes_at_once_and_then_each_waits_behind_the_one_before() {
        let (pace, now) = (pace(Some(60), None), Instant::now());
        for _ in 0..60 {
            assert_eq!(pace.take(("a/a", "llm"), 9, now, LONG), Ok(Duration::ZERO));
        }
        for seconds in 1..=3 {
            assert_eq!(pace.take(("a/a", "llm"), 9, now, LONG), Ok(Duration::from_secs(seconds)));
        }
        // Others have buckets of their own.
        assert_eq!(pace.take(("a/b", "llm"), 9, now, LONG), Ok(Duration::ZERO));
        assert_eq!(pace.take(("a/a", "embed"), 9, now, LONG), Ok(Duration::ZERO));
        let later = now + Duration::from_secs(63);
        assert_eq!(pace.take(("a/a", "llm"), 9, later, LONG), Ok(Duration::ZERO));
    }

    #[test]
    fn who_may_not_wait_so_long_takes_nothing() {
        let (pace, now) = (pace(Some(1), None), Instant::now());
        assert_eq!(pace.take(("a/a", "llm"), 0, now, Duration::ZERO), Ok(Duration::ZERO));
        for _ in 0..3 {
            let said = pace.take(("a/a", "llm"), 0, now, Duration::from_secs(59));
            assert_eq!(said, Err(Duration::from_secs(60)), "and it is the same each time");
        }
    }

    #[test]
    fn tokens_that_were_not_used_come_back_and_no_question_is_too_large_for_ever() {
        let (pace, now) = (pace(None, Some(600)), Instant::now());
        assert_eq!(pace.take(("a/a", "llm"), 100_000, now, LONG), Ok(Duration::ZERO));
        assert_eq!(pace.take(("a/a", "llm"), 300, now, Duration::ZERO), Err(Duration::from_secs(30)));
        pace.give_back(("a/a", "llm"), 99_000);
        assert_eq!(pace.take(("a/a", "llm"), 300, now, Duration::ZERO), Ok(Duration::ZERO));
    }
}
