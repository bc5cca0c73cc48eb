//! The compiler for the reference plugins and the guests of tests.
//!
//! In -> out: the machine -> [`Toolchain`], with a line at least every ten seconds.
//! Not here: where it is looked for and how it is got (`orch_plugin::toolchain`, the same for every author).

use std::time::Instant;

use anyhow::Context;
use orch_plugin::toolchain::{self, Toolchain};

/// The compiler, got if it is not there yet; the error says what would help.
pub fn ensure() -> anyhow::Result<Toolchain> {
    let start = Instant::now();
    let mut progress = |line: &str| eprintln!("[{:>4} s] {line}", start.elapsed().as_secs());
    match toolchain::ensure(&mut progress) {
        Ok(found) => Ok(found),
        Err(error) => {
            let hint = error.hint();
            Err(error).with_context(|| format!("cannot build plugins; {hint}"))
        }
    }
}
