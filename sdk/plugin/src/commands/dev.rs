//! `orch-plugin dev`: after each edit what came of it, until somebody ends it.

use std::path::{Path, PathBuf};

use orch_host::config::operator;
use orch_host::console::{Console, Tone, escape, shown};
use orch_host::exit::{Exit, Outcome};
use orch_host::place::Place;
use orch_plugin::asked;
use orch_plugin::case::{self, Answers, run};
use orch_plugin::development::Bench;
use orch_plugin::pack::{Assembled, assemble};

use super::watched::watch;
use super::{built, fault, fault_in};

/// After each edit: check, build, play the cases, make a call or run a workspace, show log and answer.
#[derive(clap::Args)]
#[command(
    after_help = "A WORKSPACE is run as a copy, on a host of development in `target/dev` of the project: its other plugins are those that your\nordinary host admits. Nothing that is certified there counts anywhere else."
)]
pub(crate) struct DevArguments {
    /// Run what is pending in a copy of this workspace, whose `config.yaml` binds the plugin
    workspace: Option<PathBuf>,
    /// Folder with `plugin.json`
    #[arg(long, value_name = "DIR", default_value = ".")]
    project: PathBuf,
    /// Folder of the operator whose host has the other plugins [default: $XDG_CONFIG_HOME/orch or ~/.config/orch]
    #[arg(long, value_name = "DIR", requires = "workspace")]
    config_home: Option<PathBuf>,
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
    if let Some(workspace) = &arguments.workspace {
        Place::of(workspace, Path::new(".orch"))?;
    }
    let mut bench = None;
    let folders: Vec<&Path> =
        [&*arguments.project].into_iter().chain(arguments.workspace.as_deref()).collect();
    match arguments.once {
        true => round(arguments, &mut bench, console),
        false => watch(&folders, console, || round(arguments, &mut bench, console)),
    }
}

/// `bench`: the author's host, once it was needed.
fn round(arguments: &DevArguments, bench: &mut Option<Bench>, console: &Console) -> Outcome {
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
    match &arguments.workspace {
        Some(workspace) => match run_in(arguments, workspace, assembled, bench, console)? {
            Exit::Done => Ok(exit),
            other => Ok(other),
        },
        None => Ok(exit),
    }
}

/// A run of that workspace's copy, and what the plugin logged in it.
fn run_in(
    arguments: &DevArguments,
    workspace: &Path,
    assembled: Assembled,
    bench: &mut Option<Bench>,
    console: &Console,
) -> Outcome {
    let bench = match bench {
        Some(bench) => bench,
        None => {
            let ordinary = operator::home(arguments.config_home.as_deref())?;
            bench.insert(Bench::open(&arguments.project, &assembled.manifest.id, &ordinary)?)
        }
    };
    console
        .line(&console.paint(Tone::Faint, "development: a copy of the workspace, run on a host of its own"));
    let ran = bench.run(assembled, workspace, &mut |line| console.line(&shown(line)))?;
    if ran.unshown > 0 {
        console.line(&format!("log      {} lines before these", ran.unshown));
    }
    for line in &ran.log {
        console.line(&format!("log      {}", escape(line)));
    }
    Ok(ran.exit)
}
