//! One step of a command: says what happens and how long it took.
//!
//! Invariant: no step is silent for long, none of tests lasts for ever; a step that fails says which command failed.

use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// As `cargo clippy -- -D warnings` hands them on.
const CLIPPY_ARGS: &str = "-D__CLIPPY_HACKERY__warnings";
const PULSE: Duration = Duration::from_secs(30);

/// `cargo` in the checkout, without what an outer cargo set.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST") || text == "CARGO_BIN_NAME" {
            cargo.env_remove(&name);
        }
    }
    cargo
}

/// `cargo` that has clippy compile each crate of ours: it reads as it compiles, and what it finds is a fault. Not by variables:
/// tests start compilers themselves, which would inherit them.
pub(crate) fn reading_cargo(root: &Path) -> Command {
    let mut cargo = cargo(root);
    cargo.args(["--config", "build.rustc-workspace-wrapper='clippy-driver'"]);
    cargo.args(["--config", &format!("env.CLIPPY_ARGS='{CLIPPY_ARGS}'")]);
    cargo
}

/// Says a headline.
pub(crate) fn say(text: &str) {
    println!("── {text}");
}

/// Runs a command to its end.
pub(crate) fn run(what: &str, command: &mut Command) -> anyhow::Result<()> {
    let code = status(what, command)?;
    match code {
        0 => Ok(()),
        code => bail!("{what} failed with exit status {code}: {command:?}"),
    }
}

/// Runs a command and gives its exit status.
pub(crate) fn status(what: &str, command: &mut Command) -> anyhow::Result<i32> {
    let status =
        command.status().with_context(|| format!("{what}: cannot start {:?}", command.get_program()))?;
    Ok(status.code().unwrap_or(-1))
}

/// Runs a command that may hang. At the limit says which processes it left, and ends them all.
pub(crate) fn run_within(limit: Duration, what: &str, command: &mut Command) -> anyhow::Result<()> {
    const LOOK: Duration = Duration::from_millis(200);
    let started = Instant::now();
    let mut child =
        command.spawn().with_context(|| format!("{what}: cannot start {:?}", command.get_program()))?;
    loop {
        match child.try_wait()? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => bail!("{what} failed with {status}: {command:?}"),
            None if started.elapsed() < limit => std::thread::sleep(LOOK),
            None => break,
        }
    }
    let left = below(child.id());
    for pid in &left {
        let args = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        println!("   {pid} {}", String::from_utf8_lossy(&args).replace('\0', " "));
    }
    let pids = left.iter().map(u32::to_string);
    Command::new("kill")
        .arg("-KILL")
        .args(pids)
        .status()
        .with_context(|| format!("{what}: cannot end it"))?;
    child.wait()?;
    bail!("{what} did not end in {} s; what was left is above: {command:?}", limit.as_secs())
}

/// A process and all that descend from it, in the order in which they are found.
fn below(pid: u32) -> Vec<u32> {
    let mut found = vec![pid];
    let mut at = 0;
    while let Some(pid) = found.get(at).copied() {
        at += 1;
        for thread in std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
            let children = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            found.extend(children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
        }
    }
    found
}

/// A headline with the time that the work took after it, and a sign of life every half minute.
pub(crate) fn timed<T>(what: &str, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    say(what);
    let started = Instant::now();
    let (over, is_over) = mpsc::channel::<()>();
    let pulse = std::thread::spawn({
        let what = what.to_owned();
        move || {
            // Disconnected when the work is over.
            while is_over.recv_timeout(PULSE) == Err(RecvTimeoutError::Timeout) {
                println!("   … {:.0} s: {what}", started.elapsed().as_secs_f64());
            }
        }
    });
    let done = work();
    drop(over);
    // A pulse that panicked has lost its output; the work's result does not hang on it.
    let _ = pulse.join();
    println!("   {:.1} s", started.elapsed().as_secs_f64());
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clippy_finds_ends_a_build() {
        let folder = std::env::temp_dir().join(format!("orch-clippy-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("src")).unwrap();
        let manifest = "[package]\nname = \"found\"\nedition = \"2024\"\n[workspace]\n";
        std::fs::write(folder.join("Cargo.toml"), manifest).unwrap();
        let builds = |source: &str| {
            std::fs::write(folder.join("src/lib.rs"), source).unwrap();
            let mut build = reading_cargo(&folder);
            build.env_remove("CARGO_TARGET_DIR").args(["build", "--quiet", "--offline"]).output().unwrap()
        };
        let fine = builds("pub fn f(a: &[u8]) -> bool { a.is_empty() }");
        assert!(fine.status.success(), "{}", String::from_utf8_lossy(&fine.stderr));
        let found = builds("pub fn f(a: &[u8]) -> bool { a.len() == 0 }");
        let said = String::from_utf8_lossy(&found.stderr).into_owned();
        assert!(!found.status.success() && said.contains("clippy::len-zero"), "{said}");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_hangs_is_ended_with_all_that_it_started() {
        let hangs = |seconds: &str| {
            let mut shell = Command::new("sh");
            shell.args(["-c", &format!("sleep {seconds} & wait")]);
            shell
        };
        assert!(run_within(Duration::from_secs(60), "short", &mut hangs("0.1")).is_ok());
        let error = run_within(Duration::from_millis(500), "long", &mut hangs("4321")).unwrap_err();
        assert!(error.to_string().starts_with("long did not end"), "{error}");
        let of_it = |entry: std::fs::DirEntry| {
            std::fs::read(entry.path().join("cmdline")).is_ok_and(|args| args == b"sleep\x004321\0")
        };
        let is_gone = |_| {
            std::thread::sleep(Duration::from_millis(50));
            !std::fs::read_dir("/proc").unwrap().flatten().any(of_it)
        };
        assert!((0..100).any(is_gone));
    }
}
