//! What the fold of a run's events knows of the looks of verifiers: which are missing, and why.

use orch_journal::event::{Actor, Called, Event, FAILURE, Who, Writes};
use orch_journal::state::MissingLook;
use orch_journal::{Reader, RunState};
use orch_task::{Look, Status};

use crate::fixture::{RUN, added, attempt, done, small_run, started, stored};

/// A run whose first task is done and names these verifiers; the second one names none.
fn run(verifiers: &[&str]) -> RunState {
    let mut tasks = vec![added("first"), added("second")];
    tasks[0].task.verify = verifiers.iter().map(|id| Look::whole(*id)).collect();
    let events = [
        Event::RunStarted(started(RUN)),
        attached(),
        Event::TasksAdded { first: 0, tasks, at: 1 },
        attempt(0, 1),
        done(0, 1),
        attempt(1, 1),
        done(1, 1),
    ];
    RunState::replay(&events).unwrap()
}

fn attached() -> Event {
    Event::HostAttached { plugins: Vec::new(), pid: 1, start_ticks: 1, boot_id: String::new(), at: 1 }
}

fn look(verifier: &str, task: Option<u32>, fault: Option<&str>) -> Event {
    Event::Called(Box::new(Called {
        call: "verify".to_owned(),
        plugin: verifier.to_owned(),
        task,
        rerun: false,
        fault: fault.map(|why| (FAILURE.to_owned(), why.to_owned())),
        writes: Writes::default(),
        asked: Vec::new(),
        token: None,
        at: 1,
    }))
}

fn missing(verifier: &str, why: Option<&str>) -> MissingLook {
    MissingLook { verifier: verifier.to_owned(), why: why.map(str::to_owned) }
}

#[test]
fn a_done_task_is_verified_once_all_its_verifiers_have_looked() {
    let mut state = run(&["a", "b"]);
    assert!(!state.is_verified(0) && state.is_verified(1));
    assert_eq!(state.next_look(0), Some("a"));
    state.apply(&look("a", Some(0), None)).unwrap();
    assert_eq!((state.next_look(0), state.is_verified(0)), (Some("b"), false));
    state.apply(&look("b", Some(0), None)).unwrap();
    assert_eq!((state.next_look(0), state.is_verified(0)), (None, true));
    assert!(state.unverified.is_empty());
}

#[test]
fn a_verifier_that_could_not_look_holds_up_no_other_and_is_asked_again_by_the_next_host_only() {
    let mut state = run(&["a", "b"]);
    state.apply(&look("a", Some(0), Some("no disk"))).unwrap();
    assert_eq!(state.next_look(0), Some("b"));
    state.apply(&look("b", Some(0), None)).unwrap();
    assert_eq!((state.next_look(0), state.is_verified(0)), (None, false));
    assert_eq!(state.unverified[&Some(0)], [missing("a", Some("no disk"))]);
    state.apply(&attached()).unwrap();
    assert_eq!(state.unverified[&Some(0)], [missing("a", None)]);
    assert_eq!(state.next_look(0), Some("a"));
    state.apply(&look("a", Some(0), None)).unwrap();
    assert!(state.is_verified(0));
}

#[test]
fn a_persons_word_stands_for_the_looks_and_another_attempt_needs_them_again() {
    for to in [Status::Done, Status::Pending, Status::Cancelled] {
        let mut state = run(&["a"]);
        state.apply(&look("a", Some(0), Some("no disk"))).unwrap();
        state.apply(&Event::TaskMoved { task: 0, to, why: String::new(), who: None, at: 1 }).unwrap();
        assert!(state.is_verified(0), "{to}");
        state.apply(&attempt(0, 2)).unwrap();
        state.apply(&done(0, 2)).unwrap();
        assert_eq!(state.next_look(0), Some("a"), "{to}");
    }
}

#[test]
fn a_look_at_the_run_that_could_not_be_made_is_missing_until_a_host_attaches() {
    let mut state = run(&[]);
    state.apply(&look("b", None, None)).unwrap();
    assert!(state.unverified.is_empty());
    state.apply(&look("a", None, Some("no disk"))).unwrap();
    assert_eq!(state.unverified[&None], [missing("a", Some("no disk"))]);
    assert_eq!(state.unverified_tasks().count(), 0);
    state.apply(&attached()).unwrap();
    assert!(state.unverified.is_empty());
}

#[test]
fn processes_of_a_call_that_did_not_come_back_are_known() {
    let mut state = run(&["a"]);
    let begun = |number| Event::CallStarted {
        call: "verify".to_owned(),
        plugin: "a".to_owned(),
        task: Some(0),
        number,
    };
    let process = |number, pid| Event::ProcessStarted {
        by: Actor::Call { number },
        program: "sh".to_owned(),
        pid,
        start_ticks: 5,
        boot_id: "b".to_owned(),
    };
    let pids = |state: &RunState| -> Vec<u32> {
        state.open_calls.iter().flat_map(|call| call.processes.iter().map(|one| one.0)).collect()
    };
    for event in [begun(7), process(7, 1), process(7, 2), process(6, 3)] {
        state.apply(&event).unwrap();
    }
    assert_eq!(pids(&state), [1, 2], "not what another call started");
    // Made again: what it had started is gone by then.
    state.apply(&begun(7)).unwrap();
    assert_eq!((state.open_calls.len(), pids(&state)), (1, vec![]));
    state.apply(&process(7, 4)).unwrap();
    state.apply(&look("a", Some(0), None)).unwrap();
    assert_eq!(state.open_calls, []);
}

#[test]
fn an_approval_knows_only_of_guards_that_were_asked_before_it() {
    let mut state = run(&[]);
    let judged = |guard: &str, fault: Option<&str>| {
        Event::Called(Box::new(Called {
            call: "judge".to_owned(),
            plugin: guard.to_owned(),
            task: Some(1),
            rerun: false,
            fault: fault.map(|why| (FAILURE.to_owned(), why.to_owned())),
            writes: Writes::default(),
            asked: Vec::new(),
            token: None,
            at: 1,
        }))
    };
    let approved = Event::TaskApproved { task: 1, digest: "d".to_owned(), who: None, at: 1 };
    state.apply(&approved).unwrap();
    state.apply(&judged("g", None)).unwrap();
    assert_eq!(state.tasks[1].approved_after, Vec::<String>::new(), "it was for something else");
    state.apply(&approved).unwrap();
    state.apply(&judged("h", Some("no"))).unwrap();
    assert_eq!(state.tasks[1].approved_after, ["g"]);
    state.apply(&approved).unwrap();
    assert_eq!(state.tasks[1].approved_after, ["g", "h"]);
    assert_eq!(state.tasks[0].approved_after, Vec::<String>::new());
}

#[test]
fn a_run_that_speaks_of_no_verifier_has_nothing_of_them_in_its_state() {
    let folder = tempfile::tempdir().unwrap();
    let spoken = |name: &str, more: Vec<Event>| {
        let folder = folder.path().join(name);
        stored(&folder, [small_run(), more].concat());
        let reader = Reader::open(&folder.join("state")).unwrap();
        let state = reader.state(RUN).unwrap();
        let spoken = reader.speaks_of_verifying(RUN).unwrap();
        assert!(spoken || (state.unverified.is_empty() && state.waived.is_empty()), "{name}");
        spoken
    };
    let mut task = added("third");
    task.task.description = "verify it".to_owned();
    assert!(!spoken("none", vec![Event::TasksAdded { first: 2, tasks: vec![task.clone()], at: 1 }]));
    task.task.verify = vec![Look::whole("demo/v")];
    assert!(spoken(
        "task",
        vec![Event::TasksAdded { first: 2, tasks: vec![task], at: 1 }, attempt(2, 1), done(2, 1)]
    ));
    assert!(spoken("run", vec![look("demo/v", None, Some("no disk"))]));
    let who = Who { uid: 1, pid: 1, program: String::new(), token: None, plugin: None };
    let waived =
        Event::LooksWaived { task: Some(0), verifiers: Vec::new(), reason: String::new(), who, at: 1 };
    assert!(spoken("waived", vec![waived]));
    assert!(
        !Reader::open(&folder.path().join("task/state")).unwrap().speaks_of_verifying("another").unwrap()
    );
}
