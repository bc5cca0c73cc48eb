//! `cargo test -- -Z unstable-options --format json`: one event of libtest a line, of nightly Rust.
//!
//! In -> out: a run -> one [`Parsed`] for each failed test, each error of the compiler and each test program that died; how
//! many tests ran.
//! Invariant: each suite that began must have its result.
//! Not here: libtest's text, and what stands beside the events (`cargo_test.rs`).

use serde::Deserialize;

use super::{cargo_test, rustc_json};
use crate::parsed::Reading;
use crate::ran::{Ending, Ran};

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Event {
    Suite {
        event: String,
        #[serde(default)]
        passed: u64,
        #[serde(default)]
        failed: u64,
        #[serde(default)]
        measured: u64,
        #[serde(default)]
        ignored: u64,
    },
    Test {
        event: String,
        name: String,
        #[serde(default)]
        stdout: String,
        /// That it took too long, or why it should have panicked.
        #[serde(default)]
        message: String,
    },
    #[serde(other)]
    Other,
}

/// Adds everything that failed; whether there was an event.
pub fn read(ran: &Ran, reading: &mut Reading) -> bool {
    let (mut any, mut begun, mut ended) = (false, 0_u64, 0_u64);
    for line in ran.texts().flat_map(str::lines).filter(|line| line.starts_with('{')) {
        let Ok(event) = serde_json::from_str(line) else { continue };
        match event {
            Event::Suite { event, .. } if event == "started" => begun += 1,
            Event::Suite { passed, failed, measured, ignored, .. } => {
                ended += 1;
                reading.count_tests(passed.saturating_add(failed).saturating_add(measured), ignored);
            }
            Event::Test { event, name, stdout, message } if event == "failed" => {
                let lines: Vec<&str> = stdout.lines().chain(message.lines()).collect();
                reading.push(cargo_test::failed_test(&name, &lines));
            }
            Event::Test { .. } | Event::Other => {}
        }
        any |= begun > 0;
    }
    if ended < begun && ran.missed_bytes == 0 {
        let suites = begun - ended;
        reading
            .broke
            .push(format!("{suites} of {begun} test programs ended before all of their tests had run"));
    }
    if ran.ending != Ending::Code(0) {
        rustc_json::read(ran, reading);
        cargo_test::around(ran, reading);
    }
    any
}
