//! What the tests have in common: a pool, a shell, and a mark that every descendant of a command carries.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use orch_supervisor::{Output, Request, RunError, Running, SupervisorPool, pump};

/// The program that is supervisor and, in some tests, host.
pub(crate) const SUPERVISE: &str = env!("CARGO_BIN_EXE_supervise");

const MARK: &str = "ORCH_TEST_MARK";

/// A variable in the environment of a command. What it starts inherits it, so it can be found wherever it went.
#[derive(Clone, Debug)]
pub(crate) struct Mark(String);

impl Mark {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        Self(format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)))
    }

    pub(crate) fn variable(&self) -> (String, String) {
        (MARK.to_owned(), self.0.clone())
    }

    /// Pids that carry it, and run.
    pub(crate) fn carriers(&self) -> Vec<u32> {
        let wanted = format!("{MARK}={}", self.0);
        let carries = |pid: &u32| {
            let text = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            text.split(|byte| *byte == 0).any(|pair| pair == wanted.as_bytes())
        };
        let names =
            fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().into_string().ok());
        names.filter_map(|name| name.parse().ok()).filter(carries).collect()
    }

    /// Waits until that many carry it.
    #[track_caller]
    pub(crate) fn wait_for(&self, count: usize) {
        wait_until(&format!("{count} processes"), || self.carriers().len() == count);
    }
}

#[track_caller]
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(20), "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn pool(size: usize) -> SupervisorPool {
    SupervisorPool::new(SUPERVISE, size)
}

/// `sh -c SCRIPT` with only `PATH` and the mark in its environment.
pub(crate) fn shell(script: &str, mark: &Mark) -> Request {
    let (name, value) = mark.variable();
    Request {
        args: vec!["-c".into(), script.into()],
        env: vec![("PATH".into(), "/usr/bin:/bin".into()), (name.into(), value.into())],
        ..Request::new("/bin/sh", "/")
    }
}

pub(crate) const CAPTURE: u64 = 1 << 20;

/// Runs it to its end and keeps its output; the log is dropped.
pub(crate) async fn run(pool: &SupervisorPool, request: Request) -> Result<Output, RunError> {
    pump(pool.run(request).await?, &mut tokio::io::sink(), CAPTURE).await
}

/// The next line of its stdout.
pub(crate) async fn line(running: &mut Running) -> String {
    use tokio::io::AsyncReadExt;
    let mut line = Vec::new();
    loop {
        match running.stdout.read_u8().await.unwrap() {
            b'\n' => return String::from_utf8(line).unwrap(),
            byte => line.push(byte),
        }
    }
}

/// The only child of `pid`.
pub(crate) fn child_of(pid: u32) -> u32 {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    text.trim().parse().unwrap()
}

pub(crate) fn exists(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

pub(crate) fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}
