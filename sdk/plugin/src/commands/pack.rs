//! `orch-plugin pack`: the package folder of what was built.

use std::path::PathBuf;

use orch_host::console::{Console, escape};
use orch_host::exit::{Exit, Outcome};
use orch_plugin::build::{BuildRequest, build};
use orch_plugin::pack::{PackRequest, pack};

use super::{fault_in, toolchain};

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

pub(crate) fn run(arguments: &PackArguments, console: &Console) -> Outcome {
    let project = &arguments.project;
    let built = match &arguments.built {
        Some(built) => built.clone(),
        None => {
            let toolchain = toolchain(console)?;
            let request = BuildRequest { project, toolchain: &toolchain, out: None, quiet: true };
            build(&request).map_err(fault_in(format!("cannot build `{}`", project.display())))?.folder
        }
    };
    let out = arguments.out.clone().unwrap_or_else(|| project.join("target/packages"));
    let packed = pack(&PackRequest { project, built: &built, out: &out })
        .map_err(fault_in(format!("cannot pack `{}`", project.display())))?;
    let (manifest, folder) = (&packed.manifest, packed.folder.display().to_string());
    console.line(&format!("{} {}: in `{}`", manifest.id.as_str(), manifest.version, escape(&folder)));
    Ok(Exit::Done)
}
