//! `orch-plugin dev`: after each edit what came of it, until somebody ends it.

use std::path::PathBuf;

use orch_host::console::{Console, escape};
use orch_host::exit::{Exit, Outcome};
use orch_plugin::asked;
use orch_plugin::case::{self, Answers, run};
use orch_plugin::pack::assemble;

use super::watched::watch;
use super::{built, fault, fault_in};

/// After each edit: check, build, play the cases, make a call, show log and answer.
#[derive(clap::Args)]
pub(crate) struct DevArguments {
    /// Folder with `plugin.json`
    #[arg(default_value = ".")]
    project: PathBuf,
    /// A call to make each time, as `orch-plugin call` takes it: `execute`
    #[arg(long, value_name = "EXPORT")]
    call: Option<String>,
    /// With what it is called, as a case writes it
    #[arg(long, value_name = "JSON", default_value = "{}", requires = "call")]
    argument: String,
    /// What its host has, as `host` of a case writes it
    #[arg(long, value_name = "JSON", default_value = "{}", requires = "call")]
    host: String,
    /// For WASI, whatever `Cargo.toml` says
    #[arg(long)]
    wasi: bool,
    /// Once, without waiting for edits
    #[arg(long)]
    once: bool,
}

pub(crate) fn run(arguments: &DevArguments, console: &Console) -> Outcome {
    // What can never be right is said before the first build.
    if let Some(export) = &arguments.call {
        asked::call(export, &arguments.argument).map_err(fault)?;
        asked::host(&arguments.host).map_err(fault)?;
    }
    match arguments.once {
        true => round(arguments, console),
        false => watch(&arguments.project, console, || round(arguments, console)),
    }
}

fn round(arguments: &DevArguments, console: &Console) -> Outcome {
    let project = &arguments.project;
    let built = built(project, None, arguments.wasi, console)?;
    let assembled =
        assemble(project, &built).map_err(fault_in(format!("cannot pack `{}`", project.display())))?;
    assembled.check_fit().map_err(fault_in(format!("cannot pack `{}`", project.display())))?;
    let mut exit = Exit::Done;
    let folder = project.join("cases");
    if folder.is_dir() {
        let cases = case::read_all(&folder, Answers::Recorded).map_err(fault)?;
        let results = run::run(&assembled.package, &cases, None)
            .map_err(fault_in(format!("cannot test `{}`", project.display())))?;
        exit = super::test::show(&results, false, console);
    }
    if let Some(export) = &arguments.call {
        let call = asked::call(export, &arguments.argument).map_err(fault)?;
        let host = asked::host(&arguments.host).map_err(fault)?;
        let found = run::call(&assembled.package, call, host)
            .map_err(fault_in(format!("cannot call `{}`", project.display())))?;
        for line in asked::told(&found) {
            console.line(&escape(&line));
        }
        if !asked::is_answer(&found) {
            exit = Exit::GoalNotMet;
        }
    }
    Ok(exit)
}
