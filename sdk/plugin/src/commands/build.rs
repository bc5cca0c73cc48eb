//! `orch-plugin build`: the component and its bill of materials.

use std::path::PathBuf;

use orch_host::console::{Console, escape};
use orch_host::exit::{Exit, Outcome};
use orch_plugin::build::{BuildRequest, build};
use orch_plugin::pack::{AUTHORED, check_authored};

use super::{fault, fault_in, toolchain};

/// Build the component and its bill of materials.
#[derive(clap::Args)]
pub(crate) struct BuildArguments {
    /// Folder with `Cargo.toml`
    #[arg(default_value = ".")]
    project: PathBuf,
    /// Folder for the result; `plugin/<name>` in cargo's target folder if absent
    #[arg(long)]
    out: Option<PathBuf>,
    /// For WASI, whatever `Cargo.toml` says: crates get a clock, random numbers and `println!`
    #[arg(long)]
    wasi: bool,
}

pub(crate) fn run(arguments: &BuildArguments, console: &Console) -> Outcome {
    let authored = arguments.project.join(AUTHORED);
    if authored.is_file() {
        check_authored(&arguments.project).map_err(fault)?;
    }
    let toolchain = toolchain(&arguments.project, arguments.wasi, console)?;
    let request = BuildRequest {
        project: &arguments.project,
        toolchain: &toolchain,
        out: arguments.out.as_deref(),
        quiet: false,
    };
    let built =
        build(&request).map_err(fault_in(format!("cannot build `{}`", arguments.project.display())))?;
    console.line(&format!(
        "{} {}: {} bytes, {} packages, in `{}`",
        escape(&built.name),
        built.version,
        built.component_bytes,
        built.packages,
        escape(&built.folder.display().to_string())
    ));
    Ok(Exit::Done)
}
