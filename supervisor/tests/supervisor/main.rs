//! Real commands under real supervisors. Modules by what they try: `start` and `output` what a command gets and gives,
//! `descendants` that none is left, `endings` how they ended, drawn at random, `crash` that this holds when host or supervisor are
//! killed, `reuse` many in a row, `kept` that nothing stays in a sandbox, `sandboxed` what a command in a sandbox can do, `hostile` what it cannot.

// A test fails by panicking; clippy.toml allows this only inside the test functions themselves.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod bench;
mod bubblewrap;
mod crash;
mod descendants;
mod endings;
mod hostile;
mod kept;
mod listening;
mod output;
mod reuse;
mod sandboxed;
mod start;
