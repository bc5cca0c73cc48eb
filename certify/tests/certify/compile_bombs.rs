//! A component that is small and takes a compiler for ever: the child that compiles it is ended.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use orch_certify::check::Group;
use orch_certify::sandbox::Sandbox;
use orch_host::package;
use orch_trust::certificate::{CheckStatus, Measured};
use orch_trust::manifest::Role;

use crate::guest::guest;
use crate::package::Package;

/// What a child that calls a plugin may hold, in KiB (`confine.rs`).
const HELD_KIB_MAX: u64 = 1536 << 10;

/// Loops in loops, and in each one another variable changes: every loop has to join every variable. 35 KB that a
/// compiler is busy with for minutes.
fn bomb() -> String {
    let (variables, loops) = (2000, 2000);
    let mut text = format!("(func (param i32) (local {})", "i64 ".repeat(variables));
    for number in 0..loops {
        let [to, one, other] = [1, 7, 13].map(|step| 1 + number * step % variables);
        text.push_str(&format!("(loop (local.set {to} (i64.add (local.get {one}) (local.get {other})))"));
    }
    text.push_str(&"(br_if 0 (local.get 0)))".repeat(loops));
    text.push(')');
    text
}

/// The most that any child of this process holds now, in KiB.
fn held_by_children_kib() -> Option<u64> {
    let threads = std::fs::read_dir("/proc/self/task").ok()?.flatten();
    let lists = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    let children: Vec<String> =
        lists.flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect();
    let peak = |pid: &String| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    children.iter().filter_map(peak).max()
}

#[test]
fn a_compile_bomb_is_ended_and_its_memory_is_bounded() {
    let component = guest(Role::Executor, &bomb(), &[]);
    assert!(component.len() < 64 << 10, "{} bytes", component.len());
    let package = Package::new(Role::Executor, &component, |_| {});
    let read = package::read(&package.folder()).unwrap();
    let program = PathBuf::from(env!("CARGO_BIN_EXE_orch-certify"));
    let wall = Duration::from_secs(1);
    let sandbox = Sandbox { static_wall: wall, conformance_wall: wall, ..Sandbox::new(program) };
    let over = AtomicBool::new(false);
    let held = std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut most = 0;
            while !over.load(Ordering::Relaxed) {
                most = most.max(held_by_children_kib().unwrap_or(0));
                std::thread::sleep(Duration::from_millis(20));
            }
            most
        });
        for group in [Group::Conformance(Role::Executor), Group::Behaviour] {
            let workspace = tempfile::tempdir().unwrap();
            let report = sandbox.run(group, &package.folder(), &read, workspace.path());
            let (results, measured) = (report.results, report.measured);
            assert_eq!(results.len(), group.checks().len());
            for result in results {
                assert_eq!(result.status, CheckStatus::Error, "{result:?}");
                assert!(result.findings[0].starts_with("child-timeout"), "{result:?}");
            }
            assert_eq!(measured, Measured::default());
        }
        over.store(true, Ordering::Relaxed);
        watch.join().unwrap()
    });
    assert!((1..HELD_KIB_MAX).contains(&held), "{held} KiB");
}
