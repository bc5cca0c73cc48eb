//! Many commands, few supervisors.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use orch_supervisor::{Exit, Request};

use crate::bench::{Mark, child_of, exists, pool, run, shell, wait_until};

#[tokio::test]
async fn five_hundred_commands_leave_no_zombie_and_no_descriptor() {
    let pool = pool(1);
    let mark = Mark::new();
    let first = pool.run(shell("exit 0", &mark)).await.unwrap();
    let guardian = first.supervisor().pid;
    let supervisor = child_of(guardian);
    drop(first);
    run(&pool, shell("exit 0", &mark)).await.unwrap();
    let open = |pid: u32| fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    let before = (open(guardian), open(supervisor), open(std::process::id()));
    for round in 0..500 {
        // Every tenth leaves somebody behind, every seventh cannot be started.
        let request = match round {
            round if round % 10 == 0 => shell("setsid sleep 1000 & exit 1", &mark),
            round if round % 7 == 0 => Request::new("/no/such/program", "/"),
            _ => Request::new("/bin/false", "/"),
        };
        match run(&pool, request).await {
            Ok(output) => assert_eq!(output.ended.exit, Exit::Code(1)),
            Err(error) => assert!(round % 7 == 0, "{error}"),
        }
    }
    let last = pool.run(shell("exit 0", &mark)).await.unwrap();
    assert_eq!(last.supervisor().pid, guardian, "one supervisor did it all");
    drop(last);
    run(&pool, shell("exit 0", &mark)).await.unwrap();
    let children = fs::read_to_string(format!("/proc/{supervisor}/task/{supervisor}/children")).unwrap();
    assert_eq!(children, "");
    assert_eq!((open(guardian), open(supervisor)), (before.0, before.1));
    // Other tests of this process open some, too; a leak here would be a thousand.
    assert!(open(std::process::id()) < before.2 + 200);
}

#[tokio::test]
async fn as_many_run_at_once_as_there_are_slots() {
    let pool = pool(2);
    let begun = Instant::now();
    let runs = (0..4).map(|_| {
        let pool = pool.clone();
        tokio::spawn(async move { run(&pool, shell("sleep 0.4", &Mark::new())).await.unwrap() })
    });
    for one in runs.collect::<Vec<_>>() {
        assert_eq!(one.await.unwrap().ended.exit, Exit::Code(0));
    }
    let elapsed = begun.elapsed();
    assert!(elapsed >= Duration::from_millis(800), "{elapsed:?}");
    assert!(elapsed < Duration::from_millis(1_590), "{elapsed:?}");
}

#[tokio::test]
async fn the_end_of_a_pool_is_the_end_of_its_supervisors() {
    let pool = pool(3);
    let mut guardians = BTreeSet::new();
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut running = pool.run(shell("exit 0", &Mark::new())).await.unwrap();
        running.wait().await.unwrap();
        guardians.insert(running.supervisor().pid);
        held.push(running);
    }
    assert_eq!(guardians.len(), 3);
    drop(held);
    let supervisors: Vec<u32> = guardians.iter().map(|guardian| child_of(*guardian)).collect();
    drop(pool);
    wait_until("their end", || !guardians.iter().chain(&supervisors).any(|pid| exists(*pid)));
}

/// A future that is dropped while the command starts: the slot comes back, and nobody is left.
#[tokio::test]
async fn a_start_that_is_given_up_leaves_nobody() {
    let (pool, mark) = (pool(1), Mark::new());
    for round in 0..100 {
        let start = pool.run(shell("setsid sleep 1000 & sleep 1000", &mark));
        let _ = tokio::time::timeout(Duration::from_micros(round * 30), start).await;
    }
    assert_eq!(run(&pool, shell("exit 3", &Mark::new())).await.unwrap().ended.exit, Exit::Code(3));
    assert_eq!(mark.carriers(), Vec::<u32>::new());
}
