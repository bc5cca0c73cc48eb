//! Campaigns: tests that every test run has in a short form, in full.
//!
//! In -> out: which one, how much -> what the test says, on standard output; `docs/campaigns.md` keeps it.
//! Not here: the tests, which a variable asks for more (`tests/tests/`, `fuzz/tests/`).

mod left_out;
mod radon;

use std::path::Path;

use clap::Subcommand;

use crate::step;

#[derive(Subcommand)]
pub(crate) enum Campaign {
    /// Kill hosts at random moments and at each failpoint, and judge what is left
    Kills {
        /// How many kills
        #[arg(long, default_value_t = 200)]
        kills: u64,
    },
    /// Say words about a run from many programs at once while its host is killed, and judge what is left
    Acts {
        /// What moments and words are chosen by
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Count one counter of a service up by many clients while its host is killed
    Counter {
        /// What moments are chosen by
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Have two workers do a broker's tasks while they are killed, one for each 20 tasks
    Brokered {
        /// How many tasks
        #[arg(long, default_value_t = 5_000)]
        tasks: u64,
    },
    /// Edit, kill, accept and reject in random order, beside a model
    Edits {
        /// How many kills
        #[arg(long, default_value_t = 300)]
        kills: u64,
    },
    /// Swap files of a package while a host runs it
    Race {
        /// How many swaps
        #[arg(long, default_value_t = 10_000)]
        swaps: u64,
    },
    /// Change every byte of every file of a reference package on disk
    Bytes,
    /// Change the inputs of the fuzzing corpus in small ways
    Inputs {
        /// How many changes of each valid example
        #[arg(long, default_value_t = 10_000)]
        rounds: u64,
    },
    /// Replay a long trace in simulated time, and say how long that took
    Requests {
        /// How many requests
        #[arg(long, default_value_t = 1_000_000)]
        requests: u64,
    },
    /// Compare every number of the code metrics with radon's, over many published packages
    Radon,
    /// Call hostile guests, and hold time and memory against their limits
    Limits {
        /// How many calls
        #[arg(long, default_value_t = 1_000)]
        calls: u64,
    },
    /// Leave out each piece of a capability and of a role: none compiles without
    LeftOut,
}

pub(crate) fn run(root: &Path, campaign: &Campaign) -> anyhow::Result<()> {
    // Most are in the program of all tests of their package.
    let mut place = ["--test", "all"].as_slice();
    let (package, variable, value, tests) = match campaign {
        Campaign::LeftOut => return left_out::run(root),
        Campaign::Radon => return radon::run(root),
        Campaign::Kills { kills } => ("orch-tests", "ORCH_KILLS", *kills, ["crash::", "doubt::"].as_slice()),
        Campaign::Acts { seed } => ("orch-tests", "ORCH_ACTS", *seed, ["acts::"].as_slice()),
        Campaign::Counter { seed } => ("orch-tests", "ORCH_COUNTER", *seed, ["counter::"].as_slice()),
        Campaign::Brokered { tasks } => {
            ("orch-tests", "ORCH_BROKERED", *tasks, ["brokered::each_task_has"].as_slice())
        }
        Campaign::Edits { kills } => ("orch-tests", "ORCH_EDITS", *kills, ["modelled::"].as_slice()),
        Campaign::Race { swaps } => ("orch-tests", "ORCH_RACES", *swaps, ["race::"].as_slice()),
        Campaign::Requests { requests } => {
            ("orch-tests", "ORCH_REQUESTS", *requests, ["first_seed::every_request"].as_slice())
        }
        Campaign::Limits { calls } => {
            place = &["--lib"];
            ("orch-host", "ORCH_LIMITS", *calls, ["every_hostile_guest_ends_at_its_limit"].as_slice())
        }
        Campaign::Bytes => ("orch-tests", "ORCH_EVERY_BYTE", 1, ["changed_byte::"].as_slice()),
        Campaign::Inputs { rounds } => ("orch-fuzz", "ORCH_FUZZ_ROUNDS", *rounds, ["mutated::"].as_slice()),
    };
    step::timed("campaign", || {
        let mut test = step::cargo(root);
        test.env(variable, value.to_string());
        test.args(["test", "-p", package]).args(place).args(["--", "--nocapture", "--test-threads=1"]);
        step::run("campaign", test.args(tests))
    })
}
