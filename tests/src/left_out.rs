//! What a run of the tests did not look at: a test that leaves something out passes all the same, so it says so.
//!
//! In -> out: what is left out -> a line of `target/left-out.txt`, with the test's name; `cargo xtask test` begins that file and
//! prints it at the end.
//! Not here: what each test leaves out.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

use std::fs::OpenOptions;
use std::io::Write;

use crate::root;

/// Whether all is looked at (`cargo xtask test --full`); else says that `what` is not.
pub fn is_full(what: &str) -> bool {
    let is_full = std::env::var_os("ORCH_TEST_FULL").is_some();
    if !is_full {
        say(what);
    }
    is_full
}

/// Says that the test that calls this leaves that out, and why.
pub fn say(what: &str) {
    let thread = std::thread::current();
    let line = format!("{}: {what}\n", thread.name().unwrap_or("a test"));
    // One write a line, at the end of the file: tests run beside each other.
    let path = root().join("target/left-out.txt");
    OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(line.as_bytes()).unwrap();
}
