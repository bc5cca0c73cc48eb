//! `orch-plugin call`: one call of the plugin, and everything that came of it.

use std::path::PathBuf;

use orch_host::console::{Console, escape};
use orch_host::exit::{Exit, Outcome};
use orch_plugin::asked;
use orch_plugin::case::run;
use orch_plugin::pack::assemble;

use super::{built, fault, fault_in};

/// Build, and make one call.
#[derive(clap::Args)]
pub(crate) struct CallArguments {
    /// What is called, as cases name it: `execute`, `reflect`, `analyze`, `audit`, `verify-task`, `verify-run`, `judge-task`, `session`, `send-notice`, `handle`
    export: String,
    /// With what, as a case writes it: `{"task": {"id": "a", "kind": "note"}}`
    #[arg(default_value = "{}")]
    argument: String,
    /// What the host has, as `host` of a case writes it: `{"settings": {"limit": 5}}`
    #[arg(long, value_name = "JSON", default_value = "{}")]
    host: String,
    /// Folder with `plugin.json`
    #[arg(long, default_value = ".")]
    project: PathBuf,
    /// Folder with `component.wasm` and `sbom.cdx.json`, made otherwise: nothing is built
    #[arg(long)]
    built: Option<PathBuf>,
    /// For WASI, whatever `Cargo.toml` says
    #[arg(long)]
    wasi: bool,
}

pub(crate) fn run(arguments: &CallArguments, console: &Console) -> Outcome {
    let project = &arguments.project;
    let call = asked::call(&arguments.export, &arguments.argument).map_err(fault)?;
    let host = asked::host(&arguments.host).map_err(fault)?;
    let built = built(project, arguments.built.as_deref(), arguments.wasi, console)?;
    let assembled =
        assemble(project, &built).map_err(fault_in(format!("cannot pack `{}`", project.display())))?;
    let found = run::call(&assembled.package, call, host)
        .map_err(fault_in(format!("cannot call `{}`", project.display())))?;
    for line in asked::told(&found) {
        console.line(&escape(&line));
    }
    Ok(if asked::is_answer(&found) { Exit::Done } else { Exit::GoalNotMet })
}
