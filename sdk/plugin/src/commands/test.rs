//! `orch-plugin test`: the author's cases, in the sandbox that hosts use.

use std::path::PathBuf;

use anyhow::Context;
use orch_host::console::{Console, escape};
use orch_host::exit::{Exit, Outcome};
use orch_plugin::build::{BuildRequest, build};
use orch_plugin::case::recording::Recording;
use orch_plugin::case::{self, Answers};
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
    /// For cases that name a `recording`: make their requests, at this host and no other, and write what is answered
    #[arg(long, value_name = "HOST:PORT")]
    record: Vec<String>,
    /// With `--record`: where the plugin's secrets come from, as an operator's `secrets.toml` says it
    #[arg(long, value_name = "FILE", requires = "record")]
    secrets: Option<PathBuf>,
    /// With `--record`: how requests go out, by `[egress]` of a file like an operator's `policy.toml`, its proxy and its roots
    #[arg(long, value_name = "FILE", requires = "record")]
    policy: Option<PathBuf>,
}

pub(crate) fn run(arguments: &TestArguments, console: &Console) -> Outcome {
    let project = &arguments.project;
    let folder = project.join("cases");
    let recording = match arguments.record.as_slice() {
        [] => None,
        hosts => {
            let (secrets, policy) = (arguments.secrets.as_deref(), arguments.policy.as_deref());
            Some(Recording::new(hosts.to_vec(), secrets, policy).map_err(fault)?)
        }
    };
    let answers = if recording.is_some() { Answers::Real } else { Answers::Recorded };
    let cases = case::read_all(&folder, answers).map_err(fault)?;
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
    let results = case::run::run(&packed.package, &cases, recording.as_ref())
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
        if let Some(recorded) = &result.recorded {
            recorded.write(&folder).map_err(fault)?;
            let (requests, file) = (recorded.requests, escape(&recorded.file));
            console.line(&format!("        {requests} requests recorded in `cases/{file}`"));
        }
    }
    console.line(&format!("{} of {} cases passed", results.len() - failed, results.len()));
    Ok(if failed == 0 { Exit::Done } else { Exit::GoalNotMet })
}
