//! The whole race: files of a package are swapped while a host reads, verifies, compiles and runs it.
//!
//! In -> out: how many swaps -> a table of what came out, on standard output; `docs/campaigns.md` keeps it.
//! Not here: the race (`tests/tests/race.rs`), of which every test run has a short form.

use std::path::Path;

use crate::step;

pub(crate) const SWAPS: u64 = 10_000;

pub(crate) fn run(root: &Path, swaps: u64) -> anyhow::Result<()> {
    step::timed("race", || {
        let mut test = step::cargo(root);
        test.env("ORCH_RACES", swaps.to_string());
        test.args(["test", "-p", "orch-tests", "--test", "race", "--", "--nocapture", "--test-threads=1"]);
        step::run("race", &mut test)
    })
}
