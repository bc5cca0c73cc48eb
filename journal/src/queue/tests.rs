//! When a group closes, at which level, and who is answered.

use super::*;
use crate::event::RunStarted;

const RUN: &str = "r";

/// A queue with one run that has so many events on their way.
fn with_events(count: u64) -> Queue {
    let queue = Queue::default();
    queue.add(RUN, 0, [0; 32]);
    for seq in 0..count {
        append(&queue, seq);
    }
    queue
}

fn append(queue: &Queue, expected: EventIndex) {
    let event = match expected {
        0 => start(),
        _ => Event::BudgetWarned { used: 1, budget: 1 },
    };
    let pending = |seq, at| Pending { slot: 0, seq, bytes: vec![0; 10], event, at };
    assert_eq!(queue.push(0, pending).unwrap(), expected);
}

fn start() -> Event {
    let (run, goal, durability, mac) = (RUN.to_owned(), String::new(), String::new(), String::new());
    let plugins = Vec::new();
    Event::RunStarted(RunStarted {
        run,
        goal,
        goal_said: false,
        plugins,
        jobs: 1,
        durability,
        budget: 0,
        unsigned: false,
        texts: false,
        store: None,
        tasks: None,
        at: 0,
        mac,
    })
}

#[test]
fn a_full_group_closes_at_once_and_leaves_the_rest() {
    let queue = with_events(GROUP_EVENTS_MAX as u64 + 1);
    let begin = Instant::now();
    let first = queue.next_group().unwrap();
    assert_eq!(first.events.len(), GROUP_EVENTS_MAX);
    assert_eq!((first.level, first.heads.len(), first.fresh.len()), (Level::Process, 0, 1));
    let rest = queue.next_group().unwrap();
    assert_eq!((rest.events.len(), rest.events[0].seq), (1, GROUP_EVENTS_MAX as u64));
    // The rest was as old as its first event, not as the call.
    assert!(begin.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_small_group_closes_when_its_first_event_is_old() {
    let queue = with_events(3);
    let first_at = queue.lock().pending[0].at;
    assert_eq!(queue.next_group().unwrap().events.len(), 3);
    assert!(first_at.elapsed() >= GROUP_AGE_MAX);
}

#[test]
fn a_wait_closes_the_group_and_the_highest_level_wins() {
    let queue = with_events(3);
    let mut process = queue.wait(0, 2, Wait::Durable(Level::Process));
    let mut power = queue.wait(0, 1, Wait::Durable(Level::Power));
    assert!(process.try_recv().is_err());
    let group = queue.next_group().unwrap();
    assert_eq!((group.events.len(), group.level), (3, Level::Power));
    assert!(power.try_recv().is_err(), "taken is not committed");
    queue.settle(&group);
    assert!(matches!(process.try_recv(), Ok(Ok(()))));
    assert!(matches!(power.try_recv(), Ok(Ok(()))));
}

#[test]
fn a_wait_for_a_later_group_does_not_raise_the_level_of_this_one() {
    let queue = with_events(GROUP_EVENTS_MAX as u64 + 2);
    let _power = queue.wait(0, GROUP_EVENTS_MAX as u64 + 1, Wait::Durable(Level::Power));
    let first = queue.next_group().unwrap();
    assert_eq!(first.level, Level::Process);
    queue.settle(&first);
    assert_eq!(queue.next_group().unwrap().level, Level::Power);
}

#[test]
fn power_after_a_lesser_commit_makes_an_empty_group() {
    let queue = with_events(1);
    queue.settle(&queue.next_group().unwrap());
    let mut power = queue.wait(0, 0, Wait::Durable(Level::Power));
    let group = queue.next_group().unwrap();
    assert_eq!((group.events.len(), group.level), (0, Level::Power));
    queue.settle(&group);
    assert!(matches!(power.try_recv(), Ok(Ok(()))));
    let mut again = queue.wait(0, 0, Wait::Durable(Level::Power));
    assert!(matches!(again.try_recv(), Ok(Ok(()))));
}

#[test]
fn a_head_is_signed_for_the_run_that_asked() {
    let queue = with_events(2);
    let mut head = queue.wait(0, 1, Wait::Head);
    let group = queue.next_group().unwrap();
    assert_eq!((group.heads.as_slice(), group.level), ([0].as_slice(), Level::Power));
    queue.settle(&group);
    assert!(matches!(head.try_recv(), Ok(Ok(()))));
}

#[test]
fn a_full_queue_lets_callers_wait_until_the_writer_took_a_group() {
    let queue = with_events(QUEUE_EVENTS_MAX as u64);
    std::thread::scope(|scope| {
        let caller = scope.spawn(|| append(&queue, QUEUE_EVENTS_MAX as u64));
        std::thread::sleep(Duration::from_millis(30));
        assert!(!caller.is_finished());
        queue.next_group().unwrap();
        caller.join().unwrap();
    });
}

#[test]
fn a_poisoned_queue_answers_everybody_with_the_fault() {
    let queue = with_events(1);
    let mut waits = queue.wait(0, 0, Wait::Durable(Level::Process));
    queue.poison(CommitError::WriterGone);
    assert!(matches!(waits.try_recv(), Ok(Err(JournalError::Poisoned { .. }))));
    let mut later = queue.wait(0, 0, Wait::Durable(Level::Process));
    assert!(matches!(later.try_recv(), Ok(Err(JournalError::Poisoned { .. }))));
    assert!(queue.next_group().is_none());
    assert_eq!(queue.verdict().unwrap_err().code(), "journal-poisoned");
}

#[test]
fn a_closed_queue_gives_out_what_it_has_and_then_ends() {
    let queue = with_events(2);
    queue.close();
    let group = queue.next_group().unwrap();
    assert_eq!(group.events.len(), 2);
    queue.settle(&group);
    assert!(queue.next_group().is_none());
}
