//! One step of a command: says what happens and how long it took.
//!
//! Invariant: no step is silent for long; a step that fails says which command failed.

use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

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
