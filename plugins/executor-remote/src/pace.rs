//! When a broker is asked again.
//!
//! In -> out: the time -> how long to wait, or that the time is up.
//! Limits: 100 ms to two minutes.
//! Invariant: waits grow with what has passed, so a day takes less than the thousand requests that a host gives a call, and the
//! end of a short task is seen soon.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(120);
/// A wait is this part of what has passed.
const PART: u32 = 20;

pub struct Pace {
    begun: Duration,
    most: Duration,
}

impl Pace {
    /// `begun`: by the clock that only goes forward; `most`: until the time is up.
    #[must_use]
    pub fn new(begun: Duration, most: Duration) -> Self {
        Self { begun, most }
    }

    /// None: the time is up.
    #[must_use]
    pub fn wait(&self, now: Duration) -> Option<Duration> {
        let passed = now.saturating_sub(self.begun);
        let left = self.most.checked_sub(passed).filter(|left| !left.is_zero())?;
        Some((passed / PART).clamp(FIRST, LONGEST).min(left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_takes_less_than_a_thousand_questions_and_ends_when_the_time_is_up() {
        let day = Duration::from_secs(86_400);
        let begun = Duration::from_secs(77);
        let pace = Pace::new(begun, day);
        let (mut now, mut asked) = (begun, 0);
        while let Some(wait) = pace.wait(now) {
            assert!((Duration::from_millis(1)..=LONGEST).contains(&wait), "{wait:?}");
            now += wait;
            asked += 1;
        }
        assert_eq!(now - begun, day);
        assert!((700..950).contains(&asked), "{asked}");
        assert_eq!(Pace::new(begun, day).wait(begun), Some(FIRST));
        assert_eq!(Pace::new(begun, Duration::ZERO).wait(begun), None);
    }
}
