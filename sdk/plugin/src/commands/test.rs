//! `orch-plugin test`: the author's cases, in the sandbox that hosts use.

use std::path::PathBuf;

use anyhow::Context;
use orch_host::console::{Console, escape};
use orch_host::exit::{Exit, Outcome};
use orch_plugin::build::{BuildRequest, build};
use orch_plugin::case;
use orch_plugin::pack::{PackRequest, pack};

use super::{fault, fault_in, toolchain};

/// Build, and run the cases in `cases/`.
#[derive(clap::Args)]
pub(crate) struct TestArguments {
    /// Folder with `plugin.json` and `cases`
    #[arg(default_value = ".")]
    project: PathBuf,
    /// Folder with `component.wasm` and `sbom.cdx.json`, made otherwise: nothing is built
    #[arg(long)]
    built: Option<PathBuf>,
}

pub(crate) fn run(arguments: &TestArguments, console: &Console) -> Outcome {
    let project = &arguments.project;
    let cases = case::read_all(&project.join("cases")).map_err(fault)?;
    let built = match &arguments.built {
        Some(built) => built.clone(),
        None => {
            let toolchain = toolchain(console)?;
            let request = BuildRequest { project, toolchain: &toolchain, out: None, quiet: true };
            build(&request).map_err(fault_in(format!("cannot build `{}`", project.display())))?.folder
        }
    };
    let out = tempfile::tempdir().context("no folder for the package")?;
    let packed = pack(&PackRequest { project, built: &built, out: out.path() })
        .map_err(fault_in(format!("cannot pack `{}`", project.display())))?;
    let results = case::run::run(&packed.package, &cases)
        .map_err(fault_in(format!("cannot test `{}`", project.display())))?;
    let mut failed = 0;
    for result in &results {
        let status = if result.differences.is_empty() { "passed" } else { "failed" };
        failed += usize::from(!result.differences.is_empty());
        // What a plugin says, and what a case is called, may hold anything: only what can be read is shown.
        console.line(&format!("{status}  {}: {}", escape(&result.name), escape(&result.about)));
        for difference in &result.differences {
            console.line(&format!("        {}", escape(difference)));
        }
    }
    console.line(&format!("{} of {} cases passed", results.len() - failed, results.len()));
    Ok(if failed == 0 { Exit::Done } else { Exit::GoalNotMet })
}
