//! `orch-plugin build`: the component and its bill of materials.

use std::path::PathBuf;

use orch_host::console::{Console, escape};
use orch_host::exit::{Exit, Outcome};
use orch_plugin::pack::{AUTHORED, check_authored};

use super::{build_now, fault};

/// Build the component and its bill of materials.
#[derive(clap::Args)]
pub(crate) struct BuildArguments {
    /// Folder with `plugin.json`
    #[arg(default_value = ".")]
    project: PathBuf,
    /// Folder for the result; `plugin/<name>` in the target folder if absent
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
    let built = build_now(&arguments.project, arguments.wasi, arguments.out.as_deref(), false, console)?;
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
