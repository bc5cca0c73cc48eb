//! A host that is killed: what was acknowledged is there, and the store is whole.
//!
//! Without a test harness, because the program is its own victim: with `ORCH_JOURNAL_VICTIM` set it writes to the
//! store in that folder and says what is durable, until somebody kills it.
#![allow(clippy::unwrap_used, reason = "a test; its helpers are outside of what `clippy.toml` takes for one")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use orch_journal::event::{AttemptFinished, Ending, Event, RunStarted, Writes};
use orch_journal::{JournalKeys, Level, Reader, Store, StoreError, StoreOptions, audit_verify, db_check};
use orch_task::{Kind, Status, Task, TaskId};

const RUN: &str = "run-1";
const VICTIM: &str = "ORCH_JOURNAL_VICTIM";
const RANDOM_KILLS: u32 = 25;
/// So many events between two acknowledgements.
const BATCH: u64 = 37;

fn main() {
    match std::env::var_os(VICTIM) {
        Some(folder) => write_until_killed(Path::new(&folder)),
        None => {
            a_store_of_another_process_is_refused_with_its_pid_and_read_meanwhile();
            kills_at_random_moments_lose_nothing_acknowledged();
            kills_at_each_failpoint_lose_nothing_acknowledged();
        }
    }
}

fn keys() -> JournalKeys {
    JournalKeys { run_start: [7; 32], heads: [9; 32] }
}

fn open(folder: &Path) -> Store {
    let options = StoreOptions { heads_dir: Some(folder.join("heads")), ..StoreOptions::new(keys()) };
    Store::open(&folder.join("state"), options).unwrap()
}

fn write_until_killed(folder: &Path) {
    let store = open(folder);
    let journal = store.journal(RUN).unwrap();
    let at = 1_700_000_000_000;
    if journal.events() == 0 {
        let (run, goal, durability, mac) = (RUN.to_owned(), String::new(), "mixed".to_owned(), String::new());
        let started = RunStarted {
            run,
            goal,
            goal_said: false,
            plugins: vec![],
            jobs: 1,
            durability,
            budget: 0,
            unsigned: false,
            texts: false,
            store: None,
            tasks: None,
            at,
            mac,
        };
        journal.append(Event::RunStarted(started)).unwrap();
    }
    if journal.events() == 1 {
        let task = Task::new(TaskId::parse("only").unwrap(), Kind::shell());
        let added = orch_journal::event::AddedTask {
            task,
            status: Status::Pending,
            added_by: None,
            added_for: None,
            env: None,
        };
        journal.append(Event::TasksAdded { first: 0, tasks: vec![added], at }).unwrap();
    }
    let mut out = std::io::stdout();
    for round in 0_u64.. {
        let mut last = 0;
        for _ in 0..BATCH {
            // The number of events says what comes next, so a run that was cut goes on where it was.
            let attempt = (journal.events() / 2) as u32;
            last = journal
                .append(match journal.events() % 2 {
                    0 => Event::AttemptStarted { task: 0, attempt, at },
                    _ => Event::AttemptFinished(Box::new(AttemptFinished {
                        task: 0,
                        attempt,
                        ending: Ending::Failed { message: "no".to_owned(), retriable: true },
                        status: Status::Pending,
                        not_before: None,
                        writes: Writes::default(),
                        log: None,
                        looked: Vec::new(),
                        unkept: None,
                        held: None,
                        at,
                    })),
                })
                .unwrap();
        }
        match round % 8 {
            7 => journal.wait_checkpoint().unwrap(),
            3 => journal.wait_durable(last, Level::Power).unwrap(),
            _ => journal.wait_durable(last, Level::Process).unwrap(),
        }
        writeln!(out, "{last}").unwrap();
        out.flush().unwrap();
    }
}

fn victim(folder: &Path, failpoint: Option<&str>) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .env(VICTIM, folder)
        .env("ORCH_FAILPOINT", failpoint.unwrap_or_default())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Runs the victim until it has acknowledged so many batches and a while more, or died by itself; gives the last acknowledged event.
fn kill_after(folder: &Path, batches: u32, pause: Duration, failpoint: Option<&str>) -> Option<u64> {
    let mut victim = victim(folder, failpoint);
    let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let mut last = None;
    for _ in 0..batches {
        let Some(line) = lines.next() else { break };
        last = Some(line.unwrap().parse().unwrap());
    }
    std::thread::sleep(pause);
    victim.kill().unwrap();
    // What it acknowledged while the kill was on its way counts too.
    for line in lines {
        last = line.unwrap().parse().ok().or(last);
    }
    use std::os::unix::process::ExitStatusExt;
    assert_eq!(victim.wait().unwrap().signal(), Some(9), "the victim ends by a kill, never by an error");
    last
}

/// The number of whole events; everything about the store holds.
fn check(folder: &Path, acknowledged: Option<u64>, when: &str) -> u64 {
    drop(open(folder));
    let state = folder.join("state");
    let reader = Reader::open(&state).unwrap();
    let events = reader.events(RUN).map(Result::unwrap).count() as u64;
    if let Some(acknowledged) = acknowledged {
        assert!(events > acknowledged, "{when}: event {acknowledged} was acknowledged, {events} are left");
    }
    let audit = audit_verify(&reader, &keys(), Some(&folder.join("heads"))).unwrap();
    assert!(audit.is_intact(), "{when}: {audit:?}");
    let checked = db_check(&state, false).unwrap();
    assert!(checked.is_sound(), "{when}: {checked:?}");
    assert_eq!(checked.events, events);
    events
}

fn a_store_of_another_process_is_refused_with_its_pid_and_read_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let mut holder = victim(folder.path(), None);
    let mut lines = BufReader::new(holder.stdout.take().unwrap()).lines();
    let acknowledged: u64 = lines.next().unwrap().unwrap().parse().unwrap();
    let options = StoreOptions::new(keys());
    let refusal = Store::open(&folder.path().join("state"), options).unwrap_err();
    assert!(matches!(refusal, StoreError::Held { pid: Some(pid) } if pid == holder.id()), "{refusal}");
    let reader = Reader::open(&folder.path().join("state")).unwrap();
    assert!(reader.event_count(RUN).unwrap() > acknowledged);
    assert!(db_check(&folder.path().join("state"), false).unwrap().is_sound());
    holder.kill().unwrap();
    holder.wait().unwrap();
    // The lock went with its process.
    drop(open(folder.path()));
    println!("a store of another process was refused with its pid");
}

fn kills_at_random_moments_lose_nothing_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let (mut random, mut most) = (0x5eed_u64, 0);
    for kill in 0..RANDOM_KILLS {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let batches = (random >> 33) as u32 % 40;
        let pause = Duration::from_micros((random >> 20) % 15_000);
        let acknowledged = kill_after(folder.path(), batches, pause, None);
        let events = check(folder.path(), acknowledged, &format!("kill {kill} after {batches} batches"));
        assert!(events >= most, "kill {kill}: {events} events, {most} before");
        most = events;
    }
    assert!(most > 1000, "{most} events are too few to say anything");
    println!("{RANDOM_KILLS} kills at random moments, {most} events: nothing acknowledged was lost");
}

fn kills_at_each_failpoint_lose_nothing_acknowledged() {
    for point in ["before-commit", "after-commit"] {
        let folder = tempfile::tempdir().unwrap();
        for count in [1, 2, 3, 9, 17] {
            let failpoint = format!("{point}:{count}");
            let acknowledged = kill_after(folder.path(), u32::MAX, Duration::ZERO, Some(&failpoint));
            let events = check(folder.path(), acknowledged, &failpoint);
            // Before: what was about to be committed is gone. After: it is there though nobody heard of it.
            match (point, count) {
                ("before-commit", 1) => assert_eq!(events, 0),
                ("after-commit", 1) => assert!(events > 0),
                _ => assert!(acknowledged.is_some()),
            }
        }
        println!("kills at {point}: nothing acknowledged was lost");
    }
}
