//! Between the callers and the writer: what is on its way, and who waits for it.
//!
//! In -> out: [`Pending`] events, waits -> [`Group`]s for the writer; its verdicts -> answers.
//! Limits: a group closes at [`GROUP_EVENTS_MAX`], [`GROUP_AGE_MAX`] after its first event, or when somebody waits;
//! [`QUEUE_EVENTS_MAX`] and [`QUEUE_BYTES_MAX`] on their way, then callers wait.
//! Invariant: events are numbered and queued under one lock; after a fault nothing is taken and every wait fails.
//! Not here: how a group is written (`writer.rs`).

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::chain::Link;
use crate::durability::{CommitError, EventIndex, JournalError, Level};
use crate::event::Event;

pub(crate) const GROUP_EVENTS_MAX: usize = 1000;
pub(crate) const GROUP_AGE_MAX: Duration = Duration::from_millis(5);
pub(crate) const QUEUE_EVENTS_MAX: usize = 8192;
pub(crate) const QUEUE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// An event that has its number and is not committed.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) slot: usize,
    pub(crate) seq: EventIndex,
    pub(crate) bytes: Vec<u8>,
    pub(crate) event: Event,
    pub(crate) at: Instant,
}

/// What somebody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    Durable(Level),
    /// Durable at `power`, and a head signed at this event or a later one.
    Head,
}

impl Wait {
    fn level(self) -> Level {
        match self {
            Self::Durable(level) => level,
            Self::Head => Level::Power,
        }
    }
}

/// What the writer commits at once.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) events: Vec<Pending>,
    /// The highest level that somebody waits for, at least the queue's own.
    pub(crate) level: Level,
    /// Runs whose head is to be signed.
    pub(crate) heads: Vec<usize>,
    /// Runs that the writer did not see before: id, hash of the last event, events.
    pub(crate) fresh: Vec<(String, Link, u64)>,
}

type Answer = oneshot::Sender<Result<(), JournalError>>;

struct Waiter {
    slot: usize,
    index: EventIndex,
    wait: Wait,
    answer: Answer,
}

/// One run: how many of its events are where.
struct Slot {
    run: String,
    link: Link,
    begun_at: u64,
    next: u64,
    taken: u64,
    committed: u64,
    powered: u64,
}

#[derive(Default)]
struct State {
    slots: Vec<Slot>,
    by_run: HashMap<String, usize>,
    shown: usize,
    pending: VecDeque<Pending>,
    pending_bytes: u64,
    waiters: Vec<Waiter>,
    /// What a group is committed at when nobody waits for more.
    floor: Option<Level>,
    /// Committed so far.
    groups: u64,
    closing: bool,
    fault: Option<JournalError>,
}

#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    /// Something for the writer to look at.
    work: Condvar,
    /// Space for callers.
    room: Condvar,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Queue")
    }
}

impl Queue {
    /// A queue whose groups are committed at that level or a higher one.
    pub(crate) fn new(floor: Level) -> Self {
        Self { state: Mutex::new(State { floor: Some(floor), ..State::default() }), ..Self::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many events of a run are committed, and whether no further one will be.
    pub(crate) fn committed(&self, slot: usize) -> (u64, bool) {
        let state = self.lock();
        let committed = state.slots.get(slot).map_or(0, |slot| slot.committed);
        let left = state.slots.get(slot).is_some_and(|slot| slot.committed < slot.next);
        (committed, state.fault.is_some() || (state.closing && !left))
    }

    /// The slot of a run that is known already.
    pub(crate) fn find(&self, run: &str) -> Option<usize> {
        self.lock().by_run.get(run).copied()
    }

    /// The slot of a run with so many stored events; the known one if another thread was faster.
    pub(crate) fn add(&self, run: &str, next: u64, link: Link) -> usize {
        let mut state = self.lock();
        if let Some(slot) = state.by_run.get(run) {
            return *slot;
        }
        let slot = state.slots.len();
        // What lies in the store was committed; nobody knows at which level.
        let known = Slot {
            run: run.to_owned(),
            link,
            begun_at: next,
            next,
            taken: next,
            committed: next,
            powered: 0,
        };
        state.slots.push(known);
        state.by_run.insert(run.to_owned(), slot);
        slot
    }

    pub(crate) fn events(&self, slot: usize) -> u64 {
        self.lock().slots.get(slot).map_or(0, |slot| slot.next)
    }

    pub(crate) fn groups(&self) -> u64 {
        self.lock().groups
    }

    /// Numbers an event and queues it.
    pub(crate) fn push(
        &self,
        slot: usize,
        make: impl FnOnce(EventIndex, Instant) -> Pending,
    ) -> Result<EventIndex, JournalError> {
        let mut state = self.lock();
        while state.fault.is_none() && !state.closing && state.is_full() {
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if let Some(fault) = &state.fault {
            return Err(fault.clone());
        }
        let Some(known) = state.slots.get(slot).filter(|_| !state.closing) else {
            return Err(JournalError::Closed);
        };
        let index = known.next;
        let pending = make(index, Instant::now());
        let begins = pending.event.begins();
        if begins.is_some() != (index == 0) || begins.is_some_and(|run| run != known.run) {
            let (run, event) = (known.run.clone(), pending.event.name());
            return Err(JournalError::OutOfPlace { run, event, index });
        }
        // A run's end is signed, so it is durable against everything that could make the journal shorter.
        let ends = matches!(pending.event, Event::RunFinished { .. });
        state.pending_bytes += pending.bytes.len() as u64;
        state.pending.push_back(pending);
        if let Some(known) = state.slots.get_mut(slot) {
            known.next += 1;
        }
        if ends {
            let (answer, _) = oneshot::channel();
            state.waiters.push(Waiter { slot, index, wait: Wait::Head, answer });
        }
        // Between these the writer is awake or looks at the clock.
        if ends || state.pending.len() == 1 || state.pending.len() == GROUP_EVENTS_MAX {
            self.work.notify_one();
        }
        Ok(index)
    }

    /// Answered once that event is as durable as asked.
    pub(crate) fn wait(
        &self,
        slot: usize,
        index: EventIndex,
        wait: Wait,
    ) -> oneshot::Receiver<Result<(), JournalError>> {
        let (answer, receiver) = oneshot::channel();
        let mut state = self.lock();
        let verdict = match (&state.fault, state.slots.get(slot)) {
            (Some(fault), _) => Some(Err(fault.clone())),
            (None, None) => Some(Err(JournalError::Closed)),
            (None, Some(known)) if index >= known.next => {
                Some(Err(JournalError::NoSuchEvent { run: known.run.clone(), index, events: known.next }))
            }
            (None, Some(known)) => known.has(index, wait).then_some(Ok(())),
        };
        match verdict {
            // Nobody is left to hear it when the receiver is gone.
            Some(verdict) => drop(answer.send(verdict)),
            None => {
                state.waiters.push(Waiter { slot, index, wait, answer });
                self.work.notify_one();
            }
        }
        receiver
    }

    /// The next group; waits for it. Nothing once the queue is closed and empty, or has a fault.
    pub(crate) fn next_group(&self) -> Option<Group> {
        let mut state = self.lock();
        loop {
            if state.fault.is_some() {
                return None;
            }
            let Some(first) = state.pending.front() else {
                if !state.waiters.is_empty() {
                    break;
                }
                if state.closing {
                    return None;
                }
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let age = first.at.elapsed();
            let asked = !state.waiters.is_empty() || state.closing;
            if asked || state.pending.len() >= GROUP_EVENTS_MAX || age >= GROUP_AGE_MAX {
                break;
            }
            let rest = GROUP_AGE_MAX.saturating_sub(age);
            (state, _) = self.work.wait_timeout(state, rest).unwrap_or_else(PoisonError::into_inner);
        }
        let group = state.take_group();
        self.room.notify_all();
        Some(group)
    }

    /// The group is committed at that level: answers who waited for it.
    pub(crate) fn settle(&self, group: &Group) {
        let mut state = self.lock();
        state.groups += 1;
        for event in &group.events {
            if let Some(slot) = state.slots.get_mut(event.slot) {
                slot.committed = event.seq + 1;
            }
        }
        if group.level == Level::Power {
            // One log for all runs: what is synced last covers everything before.
            state.slots.iter_mut().for_each(|slot| slot.powered = slot.committed);
        }
        let State { slots, waiters, .. } = &mut *state;
        let met = |waiter: &mut Waiter| {
            let signed = waiter.wait != Wait::Head || group.heads.contains(&waiter.slot);
            signed
                && slots
                    .get(waiter.slot)
                    .is_some_and(|slot| slot.is_durable(waiter.index, waiter.wait.level()))
        };
        let answered: Vec<Waiter> = waiters.extract_if(.., met).collect();
        drop(state);
        for waiter in answered {
            // A waiter that is gone needs no answer.
            let _ = waiter.answer.send(Ok(()));
        }
    }

    /// Nothing more is taken, and every wait fails, now and later.
    pub(crate) fn poison(&self, error: CommitError) {
        let mut state = self.lock();
        let fault = JournalError::Poisoned { source: Arc::new(error) };
        state.fault.get_or_insert_with(|| fault.clone());
        state.pending.clear();
        let waiters = std::mem::take(&mut state.waiters);
        drop(state);
        for waiter in waiters {
            // A waiter that is gone needs no answer.
            let _ = waiter.answer.send(Err(fault.clone()));
        }
        self.room.notify_all();
    }

    /// Takes no more events; those that are queued are still written.
    pub(crate) fn close(&self) {
        self.lock().closing = true;
        self.work.notify_one();
        self.room.notify_all();
    }

    /// Whether everything that was taken is in the store.
    pub(crate) fn verdict(&self) -> Result<(), JournalError> {
        self.lock().fault.clone().map_or(Ok(()), Err)
    }
}

impl Slot {
    fn is_durable(&self, index: EventIndex, level: Level) -> bool {
        match level {
            Level::Process => index < self.committed,
            Level::Power => index < self.powered,
        }
    }

    /// True when there is nothing left to do; a head is always signed afresh.
    fn has(&self, index: EventIndex, wait: Wait) -> bool {
        wait != Wait::Head && self.is_durable(index, wait.level())
    }
}

impl State {
    fn is_full(&self) -> bool {
        self.pending.len() >= QUEUE_EVENTS_MAX || self.pending_bytes >= QUEUE_BYTES_MAX
    }

    fn take_group(&mut self) -> Group {
        let count = self.pending.len().min(GROUP_EVENTS_MAX);
        let events: Vec<Pending> = self.pending.drain(..count).collect();
        for event in &events {
            self.pending_bytes = self.pending_bytes.saturating_sub(event.bytes.len() as u64);
            if let Some(slot) = self.slots.get_mut(event.slot) {
                slot.taken = event.seq + 1;
            }
        }
        let slots = &self.slots;
        let covered = |waiter: &&Waiter| slots.get(waiter.slot).is_some_and(|slot| waiter.index < slot.taken);
        let level = self.waiters.iter().filter(covered).map(|waiter| waiter.wait.level()).max();
        let mut heads: Vec<usize> = self
            .waiters
            .iter()
            .filter(covered)
            .filter(|waiter| waiter.wait == Wait::Head)
            .map(|waiter| waiter.slot)
            .collect();
        heads.sort_unstable();
        heads.dedup();
        let fresh: Vec<_> =
            slots.iter().skip(self.shown).map(|slot| (slot.run.clone(), slot.link, slot.begun_at)).collect();
        self.shown += fresh.len();
        let level = level.max(self.floor).unwrap_or(Level::Process);
        Group { events, level, heads, fresh }
    }
}

#[cfg(test)]
mod tests;
