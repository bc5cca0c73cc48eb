//! `orch-plugin build`: the component and its bill of materials.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use orch_plugin::build::{BuildRequest, build};

/// Build the component and its bill of materials.
#[derive(clap::Args)]
pub(crate) struct BuildArguments {
    /// Folder with `Cargo.toml`
    #[arg(default_value = ".")]
    project: PathBuf,
    /// Folder for the result; `plugin/<name>` in cargo's target folder if absent
    #[arg(long)]
    out: Option<PathBuf>,
}

pub(crate) fn run(arguments: &BuildArguments) -> anyhow::Result<ExitCode> {
    let toolchain = super::toolchain()?;
    let request = BuildRequest {
        project: &arguments.project,
        toolchain: &toolchain,
        out: arguments.out.as_deref(),
        quiet: false,
    };
    let built = build(&request).with_context(|| format!("cannot build `{}`", arguments.project.display()))?;
    println!(
        "{} {}: {} bytes, {} packages, in `{}`",
        built.name,
        built.version,
        built.component_bytes,
        built.packages,
        built.folder.display()
    );
    Ok(ExitCode::SUCCESS)
}
