//! The project's own commands: `cargo xtask demo`, `cargo xtask test` and their parts.
//!
//! Invariant: nothing is installed into the system; everything made lies under `target/` or the user's cache folder.

mod bench;
mod campaign;
mod cargo_tool;
mod circles;
mod debian;
mod demo;
mod deny;
mod dist;
mod examples;
mod freeze;
mod fuzz;
mod languages;
mod llvm_tools;
mod mutants;
mod native_code;
mod node;
mod packages;
mod place;
mod python;
mod second_verifier;
mod step;
mod test;
mod tidy;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "The project's own commands", disable_help_subcommand = true)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build everything, make keys and packages, and run a project with signed plugins
    Demo,
    /// Remove all that the demo made
    CleanDemo,
    /// Make what a release is, into target/dist: programs, signed packages, checksums, one archive
    Dist(dist::DistArgs),
    /// Everything that CI runs
    Test {
        /// With what takes longer than CI has: a plugin in Python, from nothing to a run
        #[arg(long)]
        full: bool,
    },
    /// Measure the host beside the limits that it cannot beat
    Bench {
        #[command(subcommand)]
        what: bench::Bench,
    },
    /// What every test run does for a sample, in full
    Campaign {
        #[command(subcommand)]
        which: campaign::Campaign,
    },
    /// Feed every reader of outside bytes with libFuzzer, and keep what is worth keeping
    Fuzz(fuzz::FuzzArgs),
    /// Change the code of trust/ in every small way, and see a test fail each time
    Mutants(mutants::MutantsArgs),
    /// The project's rules about itself: headers, sizes, directions
    Tidy,
    /// Before a release: from now on no interface in wit/deps changes, and no component of tests/data/outlived; or of them what lies
    /// in these folders: an interface that gets a newer version beside it
    Freeze { folders: Vec<String> },
    /// Build and certify the reference plugins for the tests, into target/test-packages
    Packages,
    /// Write the table of known engines, of the toolchains that `orch-plugin` pins for other languages
    Engines,
    /// Fetch the sources and tools of the projects in `examples/`, for their tests
    Examples,
    /// Write worlds, guest bindings and lists of carried files again, after a change of wit/, sdk/src/ or sdk/templates/
    Bindings {
        /// Only say whether they are current
        #[arg(long)]
        check: bool,
    },
}

/// The checkout.
fn root() -> anyhow::Result<PathBuf> {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map(PathBuf::from).context("xtask lies in no checkout")
}

fn main() -> ExitCode {
    match carry_out() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn carry_out() -> anyhow::Result<()> {
    let root = root()?;
    match Args::parse().command {
        Command::Demo => demo::run(&root),
        Command::CleanDemo => demo::clean(&root),
        Command::Dist(args) => dist::run(&root, &args),
        Command::Test { full } => test::run(&root, full),
        Command::Bench { what } => bench::run(&root, &what),
        Command::Campaign { which } => campaign::run(&root, &which),
        Command::Fuzz(args) => fuzz::run(&root, &args),
        Command::Mutants(args) => mutants::run(&root, &args),
        Command::Tidy => tidy::run(&root),
        Command::Freeze { folders } => freeze::run(&root, &folders),
        Command::Packages => {
            step::timed("binaries for the tests", || packages::build_for_tests(step::reading_cargo(&root)))?;
            packages::for_tests(&root)
        }
        Command::Engines => languages::engines(&root),
        Command::Examples => examples::fetch(&root),
        Command::Bindings { check } => {
            let mut cargo = step::cargo(&root);
            cargo.args(["run", "--quiet", "--package", "orch-bindings", "--"]);
            cargo.args(check.then_some("--check"));
            step::run("bindings", &mut cargo)
        }
    }
}
