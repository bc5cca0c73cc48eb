//! Ceilings for one guest call, and the counters that enforce them.
//!
//! In -> out: the manifest's `Limits` -> [`CallLimits`]; what a store does -> [`Meter`] -> [`Exceeded`].
//! Units: bytes, calls, time in guest code (`busy`) and of the whole call (`wall`).
//! Invariant: every field of [`CallLimits`] is enforced here or, for `wall`, by `store.rs` besides; a limit once
//! exceeded stays exceeded until the meter is armed again.
//! Not here: what the error looks like (`call_error.rs`), limits of single fields (`capability/`).

use std::time::{Duration, Instant};

use super::config::TABLE_ELEMENTS;
use super::wall::Wall;
use orch_trust::manifest::Limits;
use wasmtime::{CallHook, ResourceLimiter};

/// Core instances, tables and memories of one component.
const CORE_INSTANCES_MAX: usize = 256;
const TABLES_MAX: usize = 64;
const MEMORIES_MAX: usize = 64;
/// Elements of all tables together: 8 bytes each.
const TABLE_ELEMENTS_MAX: usize = 200_000;
/// Host resources of one store: buckets, pollables, bodies.
pub(super) const RESOURCES_MAX: usize = 1024;
/// What one host call may hand over, as the host's memory counts it.
const ARGUMENT_BYTES_MAX: u64 = 32 << 20;

/// Ceilings for one guest call. Every field is enforced in this file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallLimits {
    /// Linear memory, all memories together. Guests choose the size, the host pays.
    pub memory_bytes_max: u64,
    /// Time in guest code, host functions excluded; looked at once a tick.
    pub busy_max: Duration,
    /// What the export returns, as the host's memory counts it.
    pub output_bytes_max: u64,
    /// Calls from the guest into the host.
    pub host_calls_max: u64,
    /// Log lines; more are dropped.
    pub log_bytes_max: u64,
}

impl CallLimits {
    /// The ceilings of a manifest, in this file's units.
    pub fn of(limits: &Limits) -> Self {
        Self {
            memory_bytes_max: u64::from(limits.memory_mib) << 20,
            busy_max: Duration::from_millis(limits.busy_ms.into()),
            output_bytes_max: u64::from(limits.output_kib) << 10,
            host_calls_max: limits.host_calls.into(),
            log_bytes_max: u64::from(limits.log_kib) << 10,
        }
    }

    /// The ceiling of that name, as an error shows it.
    pub(super) fn allowed(&self, exceeded: Exceeded) -> String {
        match exceeded {
            Exceeded::Memory => format!("{} bytes", self.memory_bytes_max),
            Exceeded::Tables => {
                format!("{TABLE_ELEMENTS_MAX} elements, {TABLE_ELEMENTS} of one table in the pool")
            }
            Exceeded::Busy => format!("{} ms", self.busy_max.as_millis()),
            Exceeded::Wall(allowed) => format!("{} ms", allowed.as_millis()),
            Exceeded::Output => format!("{} bytes", self.output_bytes_max),
            Exceeded::Argument => format!("{ARGUMENT_BYTES_MAX} bytes"),
            Exceeded::HostCalls => format!("{} calls", self.host_calls_max),
            Exceeded::Resources => format!("{RESOURCES_MAX} resources"),
            Exceeded::Stack => "the engine's stack".to_owned(),
            Exceeded::Fuel => "the certifier's fuel".to_owned(),
        }
    }
}

/// A limit that a call used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exceeded {
    Memory,
    Tables,
    Busy,
    /// With the time that was allowed.
    Wall(Duration),
    Output,
    Argument,
    HostCalls,
    Resources,
    Stack,
    /// Of the engine of certification only.
    Fuel,
}

impl Exceeded {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Tables => "tables",
            Self::Busy => "busy",
            Self::Wall(_) => "wall",
            Self::Output => "output",
            Self::Argument => "argument",
            Self::HostCalls => "host-calls",
            Self::Resources => "resources",
            Self::Stack => "stack",
            Self::Fuel => "fuel",
        }
    }
}

/// The error with which a call is ended at a limit; the meter says which.
#[derive(Debug, thiserror::Error)]
#[error("a limit of the call is used up")]
pub struct LimitReached;

/// Counters of one store. Memory and tables count for the store's whole life, the rest for one call.
#[derive(Debug)]
pub struct Meter {
    limits: CallLimits,
    memory_bytes: u64,
    /// What the growth under way would add, taken back if it fails.
    growing_bytes: u64,
    table_elements: usize,
    /// The same of tables.
    growing_elements: usize,
    refused_memory: bool,
    refused_tables: bool,
    busy: Duration,
    /// Since when guest code runs.
    busy_since: Option<Instant>,
    host_calls: u64,
    allowed: Duration,
    wall: Wall,
    exceeded: Option<Exceeded>,
}

impl Meter {
    pub fn new(limits: CallLimits) -> Self {
        Self {
            limits,
            memory_bytes: 0,
            growing_bytes: 0,
            table_elements: 0,
            growing_elements: 0,
            refused_memory: false,
            refused_tables: false,
            busy: Duration::ZERO,
            busy_since: None,
            host_calls: 0,
            allowed: Duration::ZERO,
            wall: Wall::new(Duration::ZERO, Instant::now()),
            exceeded: None,
        }
    }

    /// Begins a call of at most `wall`.
    pub fn arm(&mut self, wall: Duration, now: Instant) {
        self.busy = Duration::ZERO;
        self.busy_since = None;
        self.host_calls = 0;
        self.allowed = wall;
        self.wall = Wall::new(wall, now);
        self.exceeded = None;
    }

    pub fn limits(&self) -> &CallLimits {
        &self.limits
    }

    /// The first limit that this call used up.
    pub fn exceeded(&self) -> Option<Exceeded> {
        self.exceeded.or(self.refused_tables.then_some(Exceeded::Tables))
    }

    /// The guest asked for more memory than it may have. It may have carried on without.
    pub fn refused_memory(&self) -> bool {
        self.refused_memory
    }

    /// The call's time.
    pub(crate) fn wall(&self) -> &Wall {
        &self.wall
    }

    /// Linear memory now, in bytes.
    pub fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }

    /// Calls from the guest into the host, in this call.
    pub fn host_calls(&self) -> u64 {
        self.host_calls
    }

    pub fn exceed(&mut self, exceeded: Exceeded) {
        self.exceeded.get_or_insert(exceeded);
    }

    /// The whole call took too long.
    pub fn exceed_wall(&mut self) {
        self.exceed(Exceeded::Wall(self.allowed));
    }

    /// Counts one call from the guest into the host. Over the limit, the crossing back ends the call.
    pub fn enter_host(&mut self) {
        self.host_calls = self.host_calls.saturating_add(1);
        if self.host_calls > self.limits.host_calls_max {
            self.exceed(Exceeded::HostCalls);
        }
    }

    /// Fails once a limit is used up, so that no effect follows it.
    pub fn check(&self) -> Result<(), LimitReached> {
        match self.exceeded {
            Some(_) => Err(LimitReached),
            None => Ok(()),
        }
    }

    /// Follows a crossing between guest and host; gives the bytes that may cross next.
    pub(super) fn cross(&mut self, hook: CallHook, now: Instant) -> Result<u64, LimitReached> {
        if hook.exiting_host() {
            self.check()?;
            self.busy_since = Some(now);
        } else if let Some(since) = self.busy_since.take() {
            self.busy += now.saturating_duration_since(since);
        }
        Ok(match hook {
            CallHook::CallingHost | CallHook::ReturningFromHost => ARGUMENT_BYTES_MAX,
            CallHook::CallingWasm | CallHook::ReturningFromWasm => self.limits.output_bytes_max,
        })
    }

    /// At a tick inside guest code: true if the call may go on.
    pub(super) fn tick(&mut self, now: Instant) -> bool {
        let running = self.busy_since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        if self.busy + running > self.limits.busy_max {
            self.exceed(Exceeded::Busy);
        }
        if self.wall.is_over(now) {
            self.exceed_wall();
        }
        self.exceeded.is_none()
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let added = desired.saturating_sub(current) as u64;
        let total = self.memory_bytes.saturating_add(added);
        self.growing_bytes = 0;
        if total > self.limits.memory_bytes_max {
            self.refused_memory = true;
            return Ok(false);
        }
        self.memory_bytes = total;
        self.growing_bytes = added;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.memory_bytes = self.memory_bytes.saturating_sub(std::mem::take(&mut self.growing_bytes));
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let added = desired.saturating_sub(current);
        let total = self.table_elements.saturating_add(added);
        let fits = total <= TABLE_ELEMENTS_MAX;
        // A table in the pool has room for fewer than all of them together may have; what a guest says itself is its own.
        let place = TABLE_ELEMENTS as usize;
        self.refused_tables |= !fits || (maximum == Some(place) && desired > place);
        self.growing_elements = if fits { added } else { 0 };
        self.table_elements += self.growing_elements;
        Ok(fits)
    }

    fn table_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.table_elements = self.table_elements.saturating_sub(std::mem::take(&mut self.growing_elements));
        Ok(())
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES_MAX
    }

    fn tables(&self) -> usize {
        TABLES_MAX
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    fn meter() -> Meter {
        let limits = Limits { memory_mib: 1, busy_ms: 20, host_calls: 2, output_kib: 1, ..Limits::default() };
        let mut meter = Meter::new(CallLimits::of(&limits));
        meter.arm(Duration::from_secs(1), Instant::now());
        meter
    }

    #[test]
    fn memories_are_counted_together() {
        let mut meter = meter();
        assert!(meter.memory_growing(0, MIB / 2, None).unwrap());
        assert!(meter.memory_growing(0, MIB / 2, None).unwrap());
        assert!(!meter.refused_memory());
        assert!(!meter.memory_growing(MIB / 2, MIB / 2 + 65536, None).unwrap());
        assert!(meter.refused_memory());
        assert_eq!(meter.memory_bytes(), MIB as u64);
    }

    #[test]
    fn a_growth_that_fails_is_taken_back() {
        let mut meter = meter();
        assert!(meter.memory_growing(0, MIB, None).unwrap());
        meter.memory_grow_failed(wasmtime::Error::msg("no memory")).unwrap();
        assert_eq!(meter.memory_bytes(), 0);
    }

    #[test]
    fn busy_time_leaves_host_functions_out() {
        let mut meter = meter();
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        meter.cross(CallHook::CallingWasm, at(0)).unwrap();
        meter.cross(CallHook::CallingHost, at(10)).unwrap();
        meter.cross(CallHook::ReturningFromHost, at(500)).unwrap();
        assert!(meter.tick(at(509)), "19 ms of 20");
        assert!(!meter.tick(at(511)), "21 ms of 20");
        assert_eq!(meter.exceeded(), Some(Exceeded::Busy));
    }

    #[test]
    fn the_call_ends_at_the_crossing_after_too_many_host_calls() {
        let mut meter = meter();
        for _ in 0..2 {
            meter.enter_host();
            assert!(meter.cross(CallHook::ReturningFromHost, Instant::now()).is_ok());
        }
        meter.enter_host();
        assert!(meter.check().is_err());
        assert!(meter.cross(CallHook::ReturningFromHost, Instant::now()).is_err());
        meter.arm(Duration::from_secs(1), Instant::now());
        assert!(meter.check().is_ok());
    }

    #[test]
    fn answers_are_bounded_by_the_output_limit_and_arguments_by_their_own() {
        let mut meter = meter();
        assert_eq!(meter.cross(CallHook::ReturningFromWasm, Instant::now()).unwrap(), 1024);
        assert_eq!(meter.cross(CallHook::CallingHost, Instant::now()).unwrap(), ARGUMENT_BYTES_MAX);
    }

    #[test]
    fn the_wall_deadline_ends_a_call_at_the_next_tick() {
        let mut meter = meter();
        let now = Instant::now();
        meter.arm(Duration::from_millis(5), now);
        assert!(meter.tick(now));
        assert!(!meter.tick(now + Duration::from_millis(5)));
        assert_eq!(meter.exceeded(), Some(Exceeded::Wall(Duration::from_millis(5))));
    }
}
