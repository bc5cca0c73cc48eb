//! `orch-plugin pack`: the package folder of what was built.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use orch_plugin::build::{BuildRequest, build};
use orch_plugin::pack::{PackRequest, pack};

/// Build, and make the package folder.
#[derive(clap::Args)]
pub(crate) struct PackArguments {
    /// Folder with `plugin.json`
    #[arg(default_value = ".")]
    project: PathBuf,
    /// Folder of packages; `target/packages` in the project if absent
    #[arg(long)]
    out: Option<PathBuf>,
    /// Folder with `component.wasm` and `sbom.cdx.json`, made otherwise: nothing is built
    #[arg(long)]
    built: Option<PathBuf>,
}

pub(crate) fn run(arguments: &PackArguments) -> anyhow::Result<ExitCode> {
    let project = &arguments.project;
    let built = match &arguments.built {
        Some(built) => built.clone(),
        None => {
            let toolchain = super::toolchain()?;
            let request = BuildRequest { project, toolchain: &toolchain, out: None, quiet: true };
            build(&request).with_context(|| format!("cannot build `{}`", project.display()))?.folder
        }
    };
    let out = arguments.out.clone().unwrap_or_else(|| project.join("target/packages"));
    let packed = pack(&PackRequest { project, built: &built, out: &out })
        .with_context(|| format!("cannot pack `{}`", project.display()))?;
    println!("{} {}: in `{}`", packed.manifest.id.as_str(), packed.manifest.version, packed.folder.display());
    Ok(ExitCode::SUCCESS)
}
