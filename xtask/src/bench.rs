//! Benchmarks: release binaries, certified packages, then the measurements.
//!
//! In -> out: the checkout -> `target/bench/`, tables on standard output.
//! Invariant: what is measured are the packages and the host that a newcomer gets, nothing built for the purpose.
//! Not here: the measurements (`bench/`), what they mean (`docs/performance.md`).

use std::path::Path;

use clap::Subcommand;

use crate::packages;
use crate::place::Place;
use crate::step;

#[derive(Subcommand)]
pub(crate) enum Bench {
    /// The loop: tasks a second, gaps, memory, starts and calls
    Loop {
        /// Sizes of the graphs, in tasks
        #[arg(long, default_value = "1000,10000,100000")]
        tasks: String,
        /// Rounds, in turns; medians are shown
        #[arg(long, default_value_t = 3)]
        rounds: usize,
    },
    /// Verifying a package, beside hashing it and checking two signatures
    Trust,
    /// Every check of a package, beside compiling it once
    Certify,
    /// Commands beside `xargs -P`, and tasks that are up to date
    Commands,
    /// Requests to a host that serves, beside a bare handler of the same bytes
    Serve,
    /// Requests of plugins on their way out, beside the client alone
    Egress,
    /// Attempts in trees of 10,000 files, beside `git worktree add`
    Edits,
    /// Questions of agents to a model, beside a bare client; memory of 64 at once
    Models,
    /// Searching ten thousand documents, beside a bare scan of their vectors
    Search,
}

pub(crate) fn run(root: &Path, what: &Bench) -> anyhow::Result<()> {
    if let Bench::Search = what {
        // It needs neither the host nor a package.
        let mut search = step::cargo(root);
        search.args(["run", "--release", "-p", "orch-vectors", "--example", "search"]);
        return step::run("measure", &mut search);
    }
    step::timed("release builds", || {
        let mut build = step::cargo(root);
        build.args(["build", "--release", "-p", "orch-host", "-p", "orch-certify", "-p", "orch-plugin"]);
        build.args(["-p", "orch-bench"]);
        step::run("build", &mut build)
    })?;
    let place = Place {
        binaries: packages::target_folder(root).join("release"),
        config: root.join("target/bench/config"),
        packages: root.join("target/bench/packages"),
        programs: vec!["python3", "sh"],
        // Trees are used again where walls are.
        sandbox: if matches!(what, Bench::Edits) { "" } else { "mode = \"off\"" },
    };
    packages::make(root, &place)?;
    step::say("measurements");
    let mut bench = std::process::Command::new(place.binaries.join("orch-bench"));
    match what {
        Bench::Loop { tasks, rounds } => {
            bench.args(["loop", "--config-home"]).arg(&place.config);
            bench.arg("--work").arg(root.join("target/bench/work"));
            bench.arg("--host").arg(place.binaries.join("orch-host"));
            bench.args(["--tasks", tasks, "--rounds", &rounds.to_string()]);
        }
        Bench::Trust => {
            bench.args(["trust", "--packages"]).arg(&place.packages);
            bench.arg("--work").arg(root.join("target/bench/trust"));
        }
        Bench::Commands => {
            bench.args(["commands", "--config-home"]).arg(&place.config);
            bench.arg("--work").arg(root.join("target/bench/commands"));
            bench.arg("--host").arg(place.binaries.join("orch-host"));
        }
        Bench::Serve => {
            bench.args(["serve", "--config-home"]).arg(&place.config);
            bench.arg("--work").arg(root.join("target/bench/serve"));
            bench.arg("--host").arg(place.binaries.join("orch-host"));
        }
        Bench::Search => unreachable!("measured above"),
        Bench::Egress => {
            bench.arg("egress");
        }
        Bench::Edits => {
            bench.args(["edits", "--config-home"]).arg(&place.config);
            bench.arg("--work").arg(root.join("target/bench/edits"));
            bench.arg("--host").arg(place.binaries.join("orch-host"));
        }
        Bench::Models => {
            bench.args(["models", "--config-home"]).arg(&place.config);
            bench.arg("--work").arg(root.join("target/bench/models"));
            bench.arg("--host").arg(place.binaries.join("orch-host"));
        }
        Bench::Certify => {
            bench.args(["certify", "--packages"]).arg(&place.packages);
            bench.arg("--work").arg(root.join("target/bench/certify"));
            bench.arg("--certify").arg(place.binaries.join("orch-certify"));
        }
    }
    step::run("bench", &mut bench)
}
