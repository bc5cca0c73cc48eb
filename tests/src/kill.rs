//! Runs of the host that end by `kill -9`: at a moment that a clock or a failpoint names.
//!
//! In -> out: workspace, [`Moment`] -> a host that was killed there, or that ended by itself before.
//! Invariant: a host is killed, never asked to end.
//! Not here: what must hold afterwards (`checker.rs`), which kills there are (`tests/crash.rs`).

use std::fs::File;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::Workspace;

/// A run of a few tasks is over by then, whatever else the machine does.
const HANGS: Duration = Duration::from_secs(120);

/// When a host is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    After(Duration),
    /// When it meets that failpoint for the n-th time.
    At(&'static str, u64),
}

/// `orch-host run` with these arguments, and a program that is killed at `moment`.
pub fn host(workspace: &Workspace, args: &[&str], moment: Moment) -> Command {
    // To make it known would be a decision, with a commit and a head of its own.
    workspace.make_known();
    let args = [&["run", "--format", "json"], args].concat();
    let mut host = workspace.command(&args);
    if let Moment::At(point, count) = moment {
        host.env("ORCH_FAILPOINT", format!("{point}:{count}"));
    }
    host.stdin(Stdio::null()).process_group(0);
    host
}

/// Runs the host, with what it says into `said`; true if it was killed, false if the run was over before.
pub fn run_and_kill(workspace: &Workspace, args: &[&str], moment: Moment, said: &File) -> bool {
    let mut host = host(workspace, args, moment);
    let errors = File::options().append(true).create(true).open(workspace.outside().join("errors")).unwrap();
    let mut child = host.stdout(said.try_clone().unwrap()).stderr(errors).spawn().unwrap();
    let status = match moment {
        Moment::After(pause) => {
            std::thread::sleep(pause);
            let ended = child.try_wait().unwrap();
            ended.unwrap_or_else(|| {
                child.kill().unwrap();
                child.wait().unwrap()
            })
        }
        Moment::At(..) => wait(&mut child),
    };
    let errors = || std::fs::read_to_string(workspace.outside().join("errors")).unwrap_or_default();
    assert!(
        status.signal() == Some(9) || matches!(status.code(), Some(0 | 6)),
        "{args:?} {moment:?}: {status:?}\n{}",
        errors()
    );
    status.signal() == Some(9)
}

/// How it ended; it must.
pub fn wait(child: &mut Child) -> ExitStatus {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if begun.elapsed() > HANGS {
            child.kill().unwrap();
            panic!("the host hangs");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}
