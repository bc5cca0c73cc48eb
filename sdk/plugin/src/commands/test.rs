//! `orch-plugin test`: the author's cases, in the sandbox that hosts use.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use orch_plugin::build::{BuildRequest, build};
use orch_plugin::case;
use orch_plugin::pack::{PackRequest, pack};

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

pub(crate) fn run(arguments: &TestArguments) -> anyhow::Result<ExitCode> {
    let project = &arguments.project;
    let cases = case::read_all(&project.join("cases"))?;
    let built = match &arguments.built {
        Some(built) => built.clone(),
        None => {
            let toolchain = super::toolchain()?;
            let request = BuildRequest { project, toolchain: &toolchain, out: None, quiet: true };
            build(&request).with_context(|| format!("cannot build `{}`", project.display()))?.folder
        }
    };
    let out = tempfile::tempdir().context("no folder for the package")?;
    let packed = pack(&PackRequest { project, built: &built, out: out.path() })
        .with_context(|| format!("cannot pack `{}`", project.display()))?;
    let results = case::run::run(&packed.package, &cases)
        .with_context(|| format!("cannot test `{}`", project.display()))?;
    let mut failed = 0;
    for result in &results {
        match result.differences.is_empty() {
            true => println!("passed  {}: {}", result.name, result.about),
            false => {
                failed += 1;
                println!("failed  {}: {}", result.name, result.about);
            }
        }
        for difference in &result.differences {
            // What a plugin says may hold anything: only what can be read is shown.
            println!("        {}", escaped(difference));
        }
    }
    println!("{} of {} cases passed", results.len() - failed, results.len());
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn escaped(text: &str) -> String {
    text.chars()
        .flat_map(|letter| match letter.is_control() {
            true => letter.escape_default().collect::<Vec<_>>(),
            false => vec![letter],
        })
        .collect()
}
