//! Host, guardian or supervisor are killed: the command's descendants go too.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use orch_supervisor::{Exit, RunError, end_leftovers, still_running};

use crate::bench::{Mark, SUPERVISE, child_of, exists, kill, line, pool, run, shell, wait_until};

const HIDDEN: &str = "sleep 1000 & setsid sleep 1000 & (setsid sh -c 'sleep 1000 & exit' &); \
                      sleep 0.2; echo ready; exec sleep 1000";
/// Shell and three sleepers.
const HIDDEN_COUNT: usize = 4;

/// A host in a process of its own, with one command.
fn host(script: &str, mark: &Mark) -> Child {
    let (name, value) = mark.variable();
    Command::new(SUPERVISE)
        .args(["/bin/sh", "-c", script])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env(name, value)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn a_killed_host_leaves_nobody() {
    let mark = Mark::new();
    let mut host = host(HIDDEN, &mark);
    // With the host itself.
    mark.wait_for(HIDDEN_COUNT + 1);
    host.kill().unwrap();
    host.wait().unwrap();
    wait_until("the end of all", || mark.carriers().is_empty());
}

#[test]
fn a_host_killed_at_any_moment_of_the_start_leaves_nobody() {
    for round in 0..60 {
        let mark = Mark::new();
        let mut host = host(HIDDEN, &mark);
        std::thread::sleep(Duration::from_micros(round * 250));
        host.kill().unwrap();
        host.wait().unwrap();
        // In this order: a guardian that has not begun yet still carries the mark of its host, and one that had just
        // been asked may still start the command, which it then ends before itself.
        wait_until("the end of all", || mark.carriers().is_empty() && orphans().is_empty());
        assert_eq!(mark.carriers(), Vec::<u32>::new(), "round {round}");
    }
}

/// Guardians whose host is gone.
fn orphans() -> Vec<u32> {
    let line = |pid: &str| std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let guardian = format!("{SUPERVISE}\0{}\0", orch_supervisor::ARGUMENT);
    let names =
        std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().into_string().ok());
    let is_orphan = |pid: &u32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:\t")).unwrap_or_default();
        let is_of_this_test = parent == std::process::id().to_string();
        line(&pid.to_string()) == guardian.as_bytes()
            && !is_of_this_test
            && !line(parent).starts_with(SUPERVISE.as_bytes())
    };
    names.filter_map(|name| name.parse().ok()).filter(is_orphan).collect()
}

#[tokio::test]
async fn a_killed_supervisor_leaves_nobody_and_is_replaced() {
    let (pool, mark) = (pool(1), Mark::new());
    let mut running = pool.run(shell(HIDDEN, &mark)).await.unwrap();
    assert_eq!(line(&mut running).await, "ready");
    mark.wait_for(HIDDEN_COUNT);
    let guardian = running.supervisor().pid;
    kill(child_of(guardian));
    let found = running.wait().await;
    assert!(matches!(found, Err(RunError::SupervisorGone)), "{found:?}");
    assert_eq!(mark.carriers(), Vec::<u32>::new());
    drop(running);
    assert_eq!(run(&pool, shell("exit 3", &mark)).await.unwrap().ended.exit, Exit::Code(3));
    wait_until("the guardian to be reaped", || !exists(guardian));
}

#[tokio::test]
async fn a_killed_guardian_leaves_nobody_and_is_replaced() {
    let (pool, mark) = (pool(1), Mark::new());
    let mut running = pool.run(shell(HIDDEN, &mark)).await.unwrap();
    assert_eq!(line(&mut running).await, "ready");
    mark.wait_for(HIDDEN_COUNT);
    let guardian = running.supervisor().pid;
    kill(guardian);
    let found = running.wait().await;
    assert!(matches!(found, Err(RunError::SupervisorGone)), "{found:?}");
    assert_eq!(mark.carriers(), Vec::<u32>::new());
    drop(running);
    assert_eq!(run(&pool, shell("exit 3", &mark)).await.unwrap().ended.exit, Exit::Code(3));
    wait_until("the guardian to be reaped", || !exists(guardian));
}

/// Both at once is beyond them; the command itself still dies, and the host finds what is left of its session.
#[tokio::test]
async fn when_both_are_killed_the_command_dies_and_its_session_is_found() {
    let (pool, mark) = (pool(1), Mark::new());
    let mut running = pool.run(shell("sleep 1000 & echo ready; exec sleep 1000", &mark)).await.unwrap();
    assert_eq!(line(&mut running).await, "ready");
    mark.wait_for(2);
    let command = running.identity().clone();
    let guardian = running.supervisor().pid;
    let supervisor = child_of(guardian);
    // Stopped first, so that neither can act on the other's end.
    for pid in [guardian, supervisor] {
        let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    }
    kill(supervisor);
    kill(guardian);
    wait_until("the end of the command", || !still_running(&command).unwrap());
    let found = running.wait().await;
    assert!(matches!(found, Err(RunError::SupervisorGone)), "{found:?}");
    assert_eq!(mark.carriers(), Vec::<u32>::new());
}

#[tokio::test]
async fn a_supervisor_that_died_between_commands_is_replaced() {
    let pool = pool(1);
    let mut running = pool.run(shell("exit 0", &Mark::new())).await.unwrap();
    running.wait().await.unwrap();
    let guardian = running.supervisor().pid;
    let supervisor = child_of(guardian);
    drop(running);
    kill(supervisor);
    wait_until("the end of the supervisor", || !exists(supervisor));
    // The guardian ends next, and the pool sees the end of its socket; before that the host is told instead.
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(run(&pool, shell("exit 3", &Mark::new())).await.unwrap().ended.exit, Exit::Code(3));
}

#[tokio::test]
async fn a_supervisor_that_was_stopped_is_given_up() {
    let (pool, mark) = (pool(1), Mark::new());
    let mut request = shell("sleep 1000 & setsid sleep 1000 & echo ready; wait", &mark);
    request.timeout = Some(Duration::from_millis(500));
    let mut running = pool.run(request).await.unwrap();
    assert_eq!(line(&mut running).await, "ready");
    mark.wait_for(3);
    let supervisor =
        rustix::process::Pid::from_raw(child_of(running.supervisor().pid).cast_signed()).unwrap();
    rustix::process::kill_process(supervisor, rustix::process::Signal::STOP).unwrap();
    let found = running.wait().await;
    assert!(matches!(found, Err(RunError::SupervisorGone)), "{found:?}");
    assert_eq!(mark.carriers(), Vec::<u32>::new());
    drop(running);
    assert_eq!(run(&pool, shell("exit 3", &mark)).await.unwrap().ended.exit, Exit::Code(3));
}

#[tokio::test]
async fn leftovers_of_a_working_supervisor_are_ended_from_outside() {
    let (pool, mark) = (pool(1), Mark::new());
    let mut running = pool.run(shell(HIDDEN, &mark)).await.unwrap();
    assert_eq!(line(&mut running).await, "ready");
    mark.wait_for(HIDDEN_COUNT);
    // As a host would that finds these two in its journal. It is patient first.
    let written = [running.supervisor().clone(), running.identity().clone()];
    let found = tokio::task::spawn_blocking(move || end_leftovers(&written)).await.unwrap().unwrap();
    assert!(found.waited >= Duration::from_secs(5) && found.killed.len() >= HIDDEN_COUNT + 2, "{found:?}");
    assert_eq!(mark.carriers(), Vec::<u32>::new());
}
