//! The same work for several things, on as many cores as there are.
//!
//! In -> out: items, a function -> its answers, in the order of the items.
//! Invariant: every item is answered, also where no thread can be had: whoever asks works too.
//! Not here: work that waits (tokio has that).

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

/// As much as whoever asks has: a debug build takes tens of kilobytes for each level of what it reads.
const STACK_BYTES: usize = 8 << 20;

/// How many cores this process may use; the system is asked once, which reads files of its control groups.
pub fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| thread::available_parallelism().map_or(1, NonZero::get))
}

/// The answers in the order of the items. A panic of one is one of whoever asks.
pub fn map<T: Sync, R: Send>(items: &[T], call: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let (next, answers) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(items.len())));
    let work = || {
        while let Some((place, item)) = next_of(items, &next) {
            let answer = call(item);
            answers.lock().unwrap_or_else(PoisonError::into_inner).push((place, answer));
        }
    };
    thread::scope(|scope| {
        for _ in 1..cores().min(items.len()) {
            // Where none can be had there are the others.
            let thread = thread::Builder::new().name("orch-parallel".to_owned()).stack_size(STACK_BYTES);
            let _ = thread.spawn_scoped(scope, work);
        }
        work();
    });
    let mut answers = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
    answers.sort_by_key(|(place, _)| *place);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

fn next_of<'a, T>(items: &'a [T], next: &AtomicUsize) -> Option<(usize, &'a T)> {
    let place = next.fetch_add(1, Ordering::Relaxed);
    items.get(place).map(|item| (place, item))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_in_the_order_of_the_items_whoever_is_done_first() {
        let items: Vec<u64> = (0..100).rev().collect();
        let doubled = map(&items, |item| {
            thread::sleep(std::time::Duration::from_micros(*item));
            item * 2
        });
        assert_eq!(doubled, items.iter().map(|item| item * 2).collect::<Vec<_>>());
        assert!(map(&[0; 0], |item| *item).is_empty());
    }

    #[test]
    #[should_panic]
    fn a_panic_is_not_swallowed() {
        map(&[0, 1], |item| assert_eq!(*item, 0));
    }
}
