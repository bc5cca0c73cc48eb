//! Moods: how the fakes of a trial answer, and how they remember.
//!
//! Limits: 10,000 records of each sort are kept.

use std::sync::{Mutex, MutexGuard, PoisonError};

const RECORDS_MAX: usize = 10_000;

/// How the fakes of one call answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    /// What there is; every command exits with 0 and says nothing.
    #[default]
    Good,
    /// Commands exit with 1 and say something.
    Failing,
    /// Commands are ended by a signal.
    Killed,
    /// Commands run out of time.
    TimedOut,
    /// Commands and values are bytes that are no text.
    Garbage,
    /// Nothing is there: no task, no value.
    Empty,
    /// Everything is as large as a host hands it over.
    Huge,
    /// Every budget is used up.
    Full,
    /// Nothing can be reached.
    Unavailable,
    /// Programs do not exist.
    Missing,
    /// The host ends the attempt at its first effect.
    Closed,
}

impl Mood {
    pub const ALL: [Self; 11] = [
        Self::Good,
        Self::Failing,
        Self::Killed,
        Self::TimedOut,
        Self::Garbage,
        Self::Empty,
        Self::Huge,
        Self::Full,
        Self::Unavailable,
        Self::Missing,
        Self::Closed,
    ];
}

/// A thread that panicked left whole values behind: each is set by one assignment.
pub(crate) fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps one more record, as long as there is room.
pub(crate) fn remember<T>(list: &Mutex<Vec<T>>, value: T) {
    let mut list = lock(list);
    if list.len() < RECORDS_MAX {
        list.push(value);
    }
}
