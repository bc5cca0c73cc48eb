//! `orch-plugin pack`: the package folder of what was built.

use std::path::PathBuf;

use orch_host::console::{Console, escape};
use orch_host::exit::{Exit, Outcome};
use orch_plugin::pack::assemble;

use super::{built, fault_in};

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
    /// For WASI, whatever `Cargo.toml` says
    #[arg(long)]
    wasi: bool,
}

pub(crate) fn run(arguments: &PackArguments, console: &Console) -> Outcome {
    let project = &arguments.project;
    let built = built(project, arguments.built.as_deref(), arguments.wasi, console)?;
    let out = arguments.out.clone().unwrap_or_else(|| project.join("target/packages"));
    let packed = assemble(project, &built)
        .and_then(|assembled| {
            // What no host would take is no package.
            assembled.check_fit()?;
            assembled.write(&out)
        })
        .map_err(fault_in(format!("cannot pack `{}`", project.display())))?;
    let (manifest, folder) = (&packed.manifest, packed.folder.display().to_string());
    console.line(&format!("{} {}: in `{}`", manifest.id.as_str(), manifest.version, escape(&folder)));
    Ok(Exit::Done)
}
