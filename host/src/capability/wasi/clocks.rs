//! `wasi:clocks`: the time, or in certification a clock that only moves when it is asked.
//!
//! Units: nanoseconds; the monotonic clock starts at 0 with its first use.
//! Invariant: waiting ends with the call's own deadline at the latest, which the store holds.

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use orch_trust::time::UnixSeconds;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::clocks::{monotonic_clock, wall_clock};
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};

use super::Wasi;
use crate::capability::shape::View;

/// 2020-01-01T00:00:00Z, where a fixed clock starts that nobody set.
const FIXED_START: UnixSeconds = UnixSeconds(1_577_836_800);
/// How far each look moves the fixed clock.
const FIXED_STEP_NANOS: u64 = 1_000_000;

/// The clocks of one store.
pub(super) enum Clocks {
    Host {
        start: Instant,
    },
    /// `nanos` after `start`.
    Fixed {
        start: Duration,
        nanos: u64,
    },
}

impl Clocks {
    /// `start`: of a fixed clock; a time before 1970 is 1970.
    pub(super) fn new(fixed: bool, start: Option<UnixSeconds>) -> Self {
        match fixed {
            true => {
                let seconds = u64::try_from(start.unwrap_or(FIXED_START).0).unwrap_or_default();
                Self::Fixed { start: Duration::from_secs(seconds), nanos: 0 }
            }
            false => Self::Host { start: Instant::now() },
        }
    }

    fn monotonic(&mut self) -> u64 {
        match self {
            Self::Host { start } => u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX),
            Self::Fixed { nanos, .. } => {
                *nanos = nanos.saturating_add(FIXED_STEP_NANOS);
                *nanos
            }
        }
    }

    fn wall(&mut self) -> Duration {
        match self {
            Self::Host { .. } => SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            Self::Fixed { start, .. } => {
                let start = *start;
                start.saturating_add(Duration::from_nanos(self.monotonic()))
            }
        }
    }

    /// When a wait of so long is over; a fixed clock jumps there.
    fn wait(&mut self, nanos: u64) -> Wait {
        match self {
            Self::Host { .. } => match tokio::time::Instant::now().checked_add(Duration::from_nanos(nanos)) {
                Some(until) => Wait::Until(until),
                None => Wait::Never,
            },
            Self::Fixed { nanos: now, .. } => {
                *now = now.saturating_add(nanos);
                Wait::Over
            }
        }
    }
}

enum Wait {
    Over,
    Until(tokio::time::Instant),
    Never,
}

impl Pollable for Wait {
    fn ready<'a, 'b>(&'a mut self) -> Pin<Box<dyn Future<Output = ()> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            match self {
                // Gives way, so that a guest that polls in circles starves nobody.
                Self::Over => tokio::task::yield_now().await,
                Self::Until(until) => tokio::time::sleep_until(*until).await,
                Self::Never => std::future::pending().await,
            }
        })
    }
}

impl View<'_, Wasi> {
    fn subscribe(&mut self, nanos: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let wait = match self.ledger.tape.is_played() {
            true => Wait::Over,
            false => self.state.clocks.wait(nanos),
        };
        let wait = self.table.push(wait)?;
        subscribe(self.table, wait)
    }
}

impl monotonic_clock::Host for View<'_, Wasi> {
    fn now(&mut self) -> wasmtime::Result<u64> {
        let clocks = &mut self.state.clocks;
        self.ledger.tape.reading(|| Ok(clocks.monotonic()))
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(match self.state.clocks {
            Clocks::Host { .. } => 1,
            Clocks::Fixed { .. } => FIXED_STEP_NANOS,
        })
    }

    fn subscribe_instant(&mut self, when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let now = match &self.state.clocks {
            Clocks::Fixed { nanos, .. } => *nanos,
            Clocks::Host { .. } => self.state.clocks.monotonic(),
        };
        self.subscribe(when.saturating_sub(now))
    }

    fn subscribe_duration(&mut self, nanos: u64) -> wasmtime::Result<Resource<DynPollable>> {
        self.subscribe(nanos)
    }
}

impl wall_clock::Host for View<'_, Wasi> {
    fn now(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        let clocks = &mut self.state.clocks;
        let now: Duration = self.ledger.tape.reading(|| Ok(clocks.wall()))?;
        Ok(wall_clock::Datetime { seconds: now.as_secs(), nanoseconds: now.subsec_nanos() })
    }

    fn resolution(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        let nanos = match self.state.clocks {
            Clocks::Host { .. } => 1,
            Clocks::Fixed { .. } => FIXED_STEP_NANOS as u32,
        };
        Ok(wall_clock::Datetime { seconds: 0, nanoseconds: nanos })
    }
}

#[cfg(test)]
mod tests {
    use wasmtime::component::ResourceTable;

    use super::*;
    use crate::capability::bench::Bench;

    #[tokio::test]
    async fn a_fixed_clock_gives_the_same_times_and_never_waits() {
        let times = async || {
            let (mut table, mut ledger) = (ResourceTable::new(), Bench::new().ledger());
            let mut wasi = Wasi::new(true, None, Bench::new().call_lines());
            let mut view = View::of(&mut wasi, &mut table, &mut ledger);
            let before = monotonic_clock::Host::now(&mut view).unwrap();
            let hour = 3_600_000_000_000;
            monotonic_clock::Host::subscribe_duration(&mut view, hour).unwrap();
            let after = monotonic_clock::Host::now(&mut view).unwrap();
            assert!(after - before > hour);
            (after, wall_clock::Host::now(&mut view).unwrap().seconds)
        };
        assert_eq!(times().await, times().await);
    }

    #[test]
    fn a_fixed_clock_starts_where_it_was_set() {
        for (start, seconds) in
            [(None, FIXED_START.0), (Some(0), 0), (Some(-1), 0), (Some(4_102_444_800), 4_102_444_800)]
        {
            let mut clocks = Clocks::new(true, start.map(UnixSeconds));
            let first = clocks.wall();
            assert_eq!(first, Duration::from_secs(seconds as u64) + Duration::from_millis(1));
            assert_eq!((clocks.monotonic(), clocks.wall() - first), (2_000_000, Duration::from_millis(2)));
        }
        let mut host = Clocks::new(false, Some(UnixSeconds(0)));
        assert!(host.wall() > Duration::from_secs(FIXED_START.0 as u64), "a real clock is nobody's to set");
    }

    #[tokio::test]
    async fn the_hosts_clock_waits_as_long_as_asked() {
        let mut clocks = Clocks::new(false, None);
        let before = Instant::now();
        clocks.wait(20_000_000).ready().await;
        assert!(before.elapsed() >= Duration::from_millis(20));
        assert!(matches!(clocks.wait(0), Wait::Until(_)));
    }
}
