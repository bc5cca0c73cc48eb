//! The hidden verb under which this binary builds sources again, in a home that a check made.
//!
//! In -> out: project, folder -> the two built files there, what built them as JSON on standard output.
//! Invariant: no compiler is downloaded; it runs below a child that limited itself, with the child's limits.
//! Not here: what is compared (`check/reproducible_build.rs`).

use std::path::PathBuf;

use anyhow::Context;
use orch_certify::check::reproducible_build::rebuild;
use orch_host::console::Console;
use orch_host::exit::{Exit, Outcome};

#[derive(clap::Args)]
pub(crate) struct RebuildArgs {
    /// Folder with the plugin's `Cargo.toml`
    project: PathBuf,
    /// Folder for the result
    out: PathBuf,
}

pub(crate) fn run(args: &RebuildArgs, console: &Console) -> Outcome {
    let rebuilt = rebuild(&args.project, &args.out)?;
    console.bytes(&serde_json::to_vec(&rebuilt).context("cannot write the report")?);
    Ok(Exit::Done)
}
