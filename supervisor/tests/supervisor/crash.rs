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
    let found = tokio::task::spawn_blocking(move || end_leftovers(&written, Duration::from_secs(5)))
        .await
        .unwrap()
        .unwrap();
    assert!(found.waited >= Duration::from_secs(5) && found.killed.len() >= HIDDEN_COUNT + 2, "{found:?}");
    assert_eq!(mark.carriers(), Vec::<u32>::new());
}

/// Stops a process, as a command may do to what is above it.
fn stop(pid: u32) {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
}

#[derive(Clone, Copy, Debug)]
enum Hurt {
    SupervisorStopped,
    GuardianStopped,
    BothStopped,
    GuardianStoppedSupervisorKilled,
}

const HURTS: [Hurt; 4] = [
    Hurt::SupervisorStopped,
    Hurt::GuardianStopped,
    Hurt::BothStopped,
    Hurt::GuardianStoppedSupervisorKilled,
];

fn hurt(hurt: Hurt, guardian: u32) {
    let supervisor = child_of(guardian);
    match hurt {
        Hurt::SupervisorStopped => stop(supervisor),
        Hurt::GuardianStopped => stop(guardian),
        Hurt::BothStopped => {
            stop(guardian);
            stop(supervisor);
        }
        Hurt::GuardianStoppedSupervisorKilled => {
            stop(guardian);
            kill(supervisor);
        }
    }
}

/// Whoever waits for the group goes on only when nobody is left, however the command was let go.
#[tokio::test]
async fn stopped_supervisors_and_guardians_do_not_outlive_the_command_that_was_dropped() {
    let checks = HURTS.map(|how| {
        tokio::spawn(async move {
            let (pool, mark) = (pool(1), Mark::new());
            let group = pool.group();
            let mut running = group.run(shell(HIDDEN, &mark)).await.unwrap();
            assert_eq!(line(&mut running).await, "ready");
            mark.wait_for(HIDDEN_COUNT);
            let guardian = running.supervisor().clone();
            hurt(how, guardian.pid);
            drop(running);
            group.over().await;
            assert_eq!(mark.carriers(), Vec::<u32>::new(), "{how:?}");
            // The slot is free again.
            assert_eq!(
                run(&pool, shell("exit 3", &mark)).await.unwrap().ended.exit,
                Exit::Code(3),
                "{how:?}"
            );
            pool.dismiss();
            wait_until("the guardian's end", || !still_running(&guardian).unwrap());
        })
    });
    for check in checks {
        check.await.unwrap();
    }
}

#[tokio::test]
async fn a_timeout_holds_whoever_is_stopped() {
    let checks = HURTS.map(|how| {
        tokio::spawn(async move {
            let (pool, mark) = (pool(1), Mark::new());
            let mut request = shell(HIDDEN, &mark);
            request.timeout = Some(Duration::from_secs(2));
            let mut running = pool.run(request).await.unwrap();
            assert_eq!(line(&mut running).await, "ready");
            mark.wait_for(HIDDEN_COUNT);
            hurt(how, running.supervisor().pid);
            let found = running.wait().await;
            match how {
                // It only waits; the supervisor does its work.
                Hurt::GuardianStopped => assert_eq!(found.unwrap().exit, Exit::TimedOut),
                _ => assert!(matches!(found, Err(RunError::SupervisorGone)), "{how:?}: {found:?}"),
            }
            assert_eq!(mark.carriers(), Vec::<u32>::new(), "{how:?}");
        })
    });
    for check in checks {
        check.await.unwrap();
    }
}

#[test]
fn a_host_that_is_killed_leaves_nobody_though_one_of_both_is_stopped() {
    for how in [Hurt::SupervisorStopped, Hurt::GuardianStopped] {
        let mark = Mark::new();
        let mut host = host(HIDDEN, &mark);
        mark.wait_for(HIDDEN_COUNT + 1);
        let guardian = child_of(host.id());
        let supervisor = child_of(guardian);
        hurt(how, guardian);
        host.kill().unwrap();
        host.wait().unwrap();
        wait_until("the end of all", || {
            mark.carriers().is_empty() && !exists(guardian) && !exists(supervisor)
        });
    }
}

#[tokio::test]
async fn idle_supervisors_that_are_stopped_end_with_their_pool() {
    let pool = pool(1);
    let mut running = pool.run(shell("exit 0", &Mark::new())).await.unwrap();
    running.wait().await.unwrap();
    let guardian = running.supervisor().pid;
    let supervisor = child_of(guardian);
    drop(running);
    hurt(Hurt::BothStopped, guardian);
    pool.dismiss();
    wait_until("their end", || !exists(guardian) && !exists(supervisor));
}

/// What an init or a container sends to everybody in a control group.
#[tokio::test]
async fn a_request_to_end_that_reaches_all_leaves_the_supervisor_at_its_command() {
    let (pool, mark) = (pool(1), Mark::new());
    for signal in ["TERM", "INT", "HUP", "QUIT", "TSTP", "USR1"] {
        let script =
            "trap 'sleep 0.3; exit 7' TERM INT HUP QUIT TSTP USR1; echo ready; while :; do sleep 0.05; done";
        let mut running = pool.run(shell(script, &mark)).await.unwrap();
        assert_eq!(line(&mut running).await, "ready");
        let guardian = running.supervisor().pid;
        for pid in [guardian, child_of(guardian), running.identity().pid] {
            assert!(Command::new("kill").args(["-s", signal, &pid.to_string()]).status().unwrap().success());
        }
        assert_eq!(running.wait().await.unwrap().exit, Exit::Code(7), "{signal}");
    }
    // The command does not inherit that.
    let mut running = pool.run(shell("echo ready; exec sleep 1000", &mark)).await.unwrap();
    assert_eq!(line(&mut running).await, "ready");
    let pid = rustix::process::Pid::from_raw(running.identity().pid.cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(running.wait().await.unwrap().exit, Exit::Signal(15));
}

#[tokio::test]
async fn supervisor_and_guardian_do_not_bear_the_name_of_the_host() {
    let pool = pool(1);
    let running = pool.run(shell("exec sleep 1000", &Mark::new())).await.unwrap();
    let guardian = running.supervisor().pid;
    let name = |pid: u32| std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap();
    assert_eq!(
        (name(guardian).trim(), name(child_of(guardian)).trim()),
        ("orch-guardian", "orch-supervisor")
    );
}
