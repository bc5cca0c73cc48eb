//! The time that one call has, on a clock that stands still while this process does.
//!
//! In -> out: the time that is allowed -> whether it is over, looked at once a second.
//! Invariant: what came while this process was stopped, or the machine slept, is taken before the call is ended: a look
//! that comes much too late does not count.
//! Not here: what a call is ended with (`store.rs`), time in guest code (`limits.rs`).

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);
/// A busy machine is that late; a process that was stopped is later.
const LATE: Duration = Duration::from_secs(1);
/// After it goes on, for what came meanwhile.
const LAST_LOOK: Duration = Duration::from_millis(250);

/// Shared by a call's store and by whoever waits for its answer.
#[derive(Clone, Debug)]
pub(crate) struct Wall(Arc<Mutex<Clock>>);

#[derive(Debug)]
struct Clock {
    ends: Instant,
    /// Of the next look; never after `ends`.
    look: Instant,
}

impl Wall {
    /// Begins now.
    pub(crate) fn new(allowed: Duration, now: Instant) -> Self {
        let ends = now.checked_add(allowed).unwrap_or(now);
        Self(Arc::new(Mutex::new(Clock { ends, look: ends })))
    }

    /// When it is over, as it looks now.
    pub(crate) fn ends(&self, now: Instant) -> Instant {
        self.clock().ends_at(now)
    }

    /// At a tick inside guest code.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        now >= self.ends(now)
    }

    /// Waits for an answer; none: the time is over.
    pub(crate) async fn wait<T>(&self, answer: impl Future<Output = T>) -> Option<T> {
        let mut answer = pin!(answer);
        loop {
            let look = self.next_look(Instant::now());
            if let Ok(answer) = tokio::time::timeout_at(look.into(), &mut answer).await {
                return Some(answer);
            }
            if self.look(Instant::now()) {
                return None;
            }
        }
    }

    fn next_look(&self, now: Instant) -> Instant {
        let mut clock = self.clock();
        clock.look = clock.ends.min(now + LOOK);
        clock.look
    }

    /// True if it is over. What was missed since the look was due is added.
    fn look(&self, now: Instant) -> bool {
        let mut clock = self.clock();
        clock.ends = clock.ends_at(now);
        clock.look = clock.ends.min(now);
        now >= clock.ends
    }

    fn clock(&self) -> MutexGuard<'_, Clock> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock {
    fn ends_at(&self, now: Instant) -> Instant {
        let late = now.saturating_duration_since(self.look);
        if late > LATE { (self.ends + late).max(now + LAST_LOOK) } else { self.ends }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_in_which_nobody_could_look_does_not_count() {
        let start = Instant::now();
        let at = |seconds: f64| start + Duration::from_secs_f64(seconds);
        let wall = Wall::new(Duration::from_secs(4), start);
        assert_eq!(wall.next_look(start), at(1.0));
        // A little late, as on a busy machine.
        assert!(!wall.look(at(1.5)));
        assert_eq!((wall.ends(at(1.5)), wall.next_look(at(1.5))), (at(4.0), at(2.5)));
        // Stopped for 16 seconds: a tick in between ends nothing, and the look gives the time back.
        assert!(!wall.is_over(at(18.0)));
        assert!(!wall.look(at(18.0)));
        assert_eq!(wall.ends(at(18.0)), at(19.5));
        assert_eq!(wall.next_look(at(18.0)), at(19.0));
        assert!(!wall.look(at(19.0)));
        assert_eq!(wall.next_look(at(19.0)), at(19.5));
        assert!(wall.is_over(at(19.5)) && wall.look(at(19.5)));
    }

    #[test]
    fn who_is_stopped_in_the_last_moment_has_another_look() {
        let start = Instant::now();
        let at = |seconds: f64| start + Duration::from_secs_f64(seconds);
        let wall = Wall::new(Duration::from_millis(500), start);
        assert_eq!(wall.next_look(start), at(0.5));
        assert!(!wall.look(at(60.0)));
        assert_eq!(wall.next_look(at(60.0)), at(60.25));
        assert!(!wall.is_over(at(60.2)) && wall.look(at(60.25)));
    }

    #[tokio::test]
    async fn an_answer_is_taken_and_none_is_waited_for_too_long() {
        let wall = Wall::new(Duration::from_millis(50), Instant::now());
        assert_eq!(wall.wait(std::future::ready(1)).await, Some(1));
        assert_eq!(wall.wait(std::future::pending::<u32>()).await, None);
        assert!(wall.is_over(Instant::now()));
    }
}
