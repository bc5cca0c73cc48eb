//! Nobody is left, however they tried.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use orch_supervisor::{Exit, Request};

use crate::bench::{Mark, line, pool, run, shell, wait_until};

/// What a command may do to be left behind. Each says `ready` when everybody is there.
const ESCAPES: [(&str, usize, &str); 6] = [
    ("a child", 2, "sleep 1000 & echo ready; wait"),
    ("a session", 2, "setsid sleep 1000 & sleep 0.1; echo ready; wait"),
    ("a double fork", 2, "(setsid sh -c 'sleep 1000 & exit' &); sleep 0.2; echo ready; exec sleep 1000"),
    (
        "ignored signals",
        2,
        "(trap '' HUP INT TERM QUIT; sleep 1000 & wait) & sleep 0.1; echo ready; exec sleep 1000",
    ),
    ("a stopped child", 2, "sleep 1000 & kill -STOP $!; echo ready; wait"),
    (
        "a daemon with all it takes",
        2,
        "(setsid sh -c '(cd /; exec sleep 1000 >&- 2>&- <&-) & exit' &); sleep 0.2; echo ready; exec sleep 1000",
    ),
];

/// How a command may be over.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Exit,
    Timeout,
    Cancel,
    Drop,
}

async fn check(name: &str, script: &str, least: usize, way: Way) {
    let (pool, mark) = (pool(1), Mark::new());
    let script = match way {
        Way::Exit => script.replace("echo ready;", "echo ready; sleep 0.2; exit 5;"),
        _ => script.to_owned(),
    };
    let mut request = shell(&script, &mark);
    request.timeout = (way == Way::Timeout).then_some(Duration::from_millis(700));
    let mut running = pool.run(request).await.unwrap();
    assert_eq!(line(&mut running).await, "ready", "{name}");
    wait_until(name, || mark.carriers().len() >= least);
    let exit = match way {
        Way::Exit => Some(Exit::Code(5)),
        Way::Timeout => Some(Exit::TimedOut),
        Way::Cancel => {
            running.cancel();
            Some(Exit::Cancelled)
        }
        Way::Drop => None,
    };
    match exit {
        Some(exit) => {
            assert_eq!(running.wait().await.unwrap().exit, exit, "{name}, {way:?}");
            assert_eq!(mark.carriers(), Vec::<u32>::new(), "{name}, {way:?}");
            drop(running);
        }
        None => {
            drop(running);
            wait_until(name, || mark.carriers().is_empty());
        }
    }
    // The supervisor is as good as new.
    assert_eq!(
        run(&pool, shell("exit 6", &mark)).await.unwrap().ended.exit,
        Exit::Code(6),
        "{name}, {way:?}"
    );
}

#[tokio::test]
async fn none_is_left_when_the_command_ends() {
    for (name, least, script) in ESCAPES {
        check(name, script, least, Way::Exit).await;
    }
}

#[tokio::test]
async fn none_is_left_after_a_timeout() {
    for (name, least, script) in ESCAPES {
        check(name, script, least, Way::Timeout).await;
    }
}

#[tokio::test]
async fn none_is_left_after_a_cancel() {
    for (name, least, script) in ESCAPES {
        check(name, script, least, Way::Cancel).await;
    }
}

#[tokio::test]
async fn none_is_left_when_it_is_dropped() {
    for (name, least, script) in ESCAPES {
        check(name, script, least, Way::Drop).await;
    }
}

/// Every process starts its successor and ends, so that no list of processes is ever true.
#[tokio::test]
async fn a_chain_of_forks_is_ended() {
    let mark = Mark::new();
    let script = "import os\nprint('ready', flush=True)\nwhile True:\n    if os.fork(): os._exit(0)\n    os.setsid()\n";
    let mut request = shell("", &mark);
    request.program = "/usr/bin/python3".into();
    request.args = vec!["-c".into(), script.into()];
    if !request.program.exists() {
        request.program = "/bin/sh".into();
        request.args = vec!["-c".into(), "echo ready; f() { setsid sh -c \"$0\" & exit; }; f".into()];
    }
    let pool = pool(1);
    let mut running = pool.run(request).await.unwrap();
    assert_eq!(line(&mut running).await, "ready");
    // The command itself ends at once; its descendants must not outlive it.
    assert_eq!(running.wait().await.unwrap().exit, Exit::Code(0));
    assert_eq!(mark.carriers(), Vec::<u32>::new());
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(mark.carriers(), Vec::<u32>::new());
}

#[tokio::test]
async fn a_storm_of_forks_is_ended() {
    let mark = Mark::new();
    // Two hundred shells, each of which goes on starting processes.
    let script =
        "i=0; while [ $i -lt 200 ]; do (while :; do /bin/true; done) & i=$((i+1)); done; echo ready; wait";
    let pool = pool(1);
    let mut running = pool.run(shell(script, &mark)).await.unwrap();
    assert_eq!(line(&mut running).await, "ready");
    wait_until("the storm", || mark.carriers().len() >= 200);
    running.cancel();
    assert_eq!(running.wait().await.unwrap().exit, Exit::Cancelled);
    assert_eq!(mark.carriers(), Vec::<u32>::new());
}

#[tokio::test]
async fn a_timeout_is_kept_and_its_duration_said() {
    let request = Request {
        args: vec!["1000".into()],
        timeout: Some(Duration::from_millis(300)),
        ..Request::new("/bin/sleep", "/")
    };
    let begun = Instant::now();
    let ended = run(&pool(1), request).await.unwrap().ended;
    assert_eq!(ended.exit, Exit::TimedOut);
    assert!(ended.duration >= Duration::from_millis(300) && ended.duration <= begun.elapsed(), "{ended:?}");
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_timeout_holds_for_a_command_that_nobody_reads() {
    let mut request = shell("while :; do echo full; done", &Mark::new());
    request.timeout = Some(Duration::from_millis(300));
    let mut running = pool(1).run(request).await.unwrap();
    assert_eq!(running.wait().await.unwrap().exit, Exit::TimedOut);
}

#[tokio::test]
async fn cancelling_twice_or_after_the_end_changes_nothing() {
    let pool = pool(1);
    let mut running = pool.run(shell("exit 2", &Mark::new())).await.unwrap();
    assert_eq!(running.wait().await.unwrap().exit, Exit::Code(2));
    running.cancel();
    assert_eq!(running.wait().await.unwrap().exit, Exit::Code(2));
    drop(running);
    let mut running = pool.run(shell("sleep 1000", &Mark::new())).await.unwrap();
    running.cancel();
    running.cancel();
    assert_eq!(running.wait().await.unwrap().exit, Exit::Cancelled);
    drop(running);
    assert_eq!(run(&pool, shell("exit 3", &Mark::new())).await.unwrap().ended.exit, Exit::Code(3));
}

/// The cancel is on its way while the command ends by itself: the next command must not get it.
#[tokio::test]
async fn a_cancel_that_comes_late_does_not_hit_the_next_command() {
    let pool = pool(1);
    let mut supervisors = BTreeSet::new();
    for round in 0..200 {
        let running = pool.run(Request::new("/bin/true", "/")).await.unwrap();
        supervisors.insert(running.supervisor().clone());
        if round % 2 == 0 {
            tokio::time::sleep(Duration::from_micros(round * 20)).await;
        }
        drop(running);
        let ended = run(&pool, shell("exit 9", &Mark::new())).await.unwrap().ended;
        assert_eq!(ended.exit, Exit::Code(9), "round {round}");
    }
    assert_eq!(supervisors.len(), 1, "one did it all");
}

/// Takes a moment to put its files in order when it is asked to end.
const POLITE: &str = "trap 'sleep 0.3; echo saved; exit 0' TERM; (trap '' TERM; sleep 0.2; echo child) & \
                      echo ready; while :; do sleep 0.05; done";

#[tokio::test]
async fn a_command_is_asked_to_end_before_it_is_killed() {
    for way in [Way::Timeout, Way::Cancel, Way::Drop] {
        let (pool, mark) = (pool(1), Mark::new());
        let saved = tempfile::tempdir().unwrap();
        let path = saved.path().join("saved");
        let mut request =
            shell(&POLITE.replace("echo saved", &format!("echo saved > {}", path.display())), &mark);
        request.timeout = (way == Way::Timeout).then_some(Duration::from_millis(500));
        request.kill_after = Duration::from_secs(15);
        let begun = Instant::now();
        let mut running = pool.run(request).await.unwrap();
        assert_eq!(line(&mut running).await, "ready");
        match way {
            Way::Drop => {
                drop(running);
                wait_until("its end", || mark.carriers().is_empty());
            }
            _ => {
                if way == Way::Cancel {
                    running.cancel();
                }
                let exit = if way == Way::Cancel { Exit::Cancelled } else { Exit::TimedOut };
                assert_eq!(running.wait().await.unwrap().exit, exit);
            }
        }
        assert_eq!(mark.carriers(), Vec::<u32>::new(), "{way:?}");
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(found, "saved\n", "{way:?}, {:?}", begun.elapsed());
        assert!(begun.elapsed() < Duration::from_secs(10), "nobody waits for those that are gone: {way:?}");
    }
}

#[tokio::test]
async fn whoever_does_not_end_when_asked_is_killed_when_the_time_is_over() {
    let (pool, mark) = (pool(1), Mark::new());
    let mut request = shell(
        "trap '' TERM; setsid sleep 1000 & kill -STOP $!; echo ready; while :; do sleep 1; done",
        &mark,
    );
    request.timeout = Some(Duration::from_millis(300));
    request.kill_after = Duration::from_millis(700);
    let begun = Instant::now();
    let ended = run(&pool, request).await.unwrap().ended;
    assert_eq!((ended.exit, ended.left), (Exit::TimedOut, 0));
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(mark.carriers(), Vec::<u32>::new());
}

#[tokio::test]
async fn what_a_command_leaves_is_counted() {
    let pool = pool(1);
    let mark = Mark::new();
    for (script, left) in [
        ("exit 3", 0),
        ("sleep 0.01 & exit 3", 0),
        ("sleep 1000 & setsid sleep 1000 & exit 3", 2),
        ("(trap '' TERM; exec sleep 1000) & sleep 0.1; exit 3", 1),
    ] {
        let mut request = shell(script, &mark);
        request.kill_after = Duration::from_millis(200);
        let ended = run(&pool, request).await.unwrap().ended;
        assert_eq!((ended.exit, ended.left), (Exit::Code(3), left), "{script}");
        assert_eq!(mark.carriers(), Vec::<u32>::new());
    }
}
