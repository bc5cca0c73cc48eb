//! `orch-plugin test`: the author's cases, in the sandbox that hosts use.

use std::path::PathBuf;

use orch_host::console::{Console, escape};
use orch_host::exit::{Exit, Outcome};
use orch_plugin::case::recording::Recording;
use orch_plugin::case::run::CaseResult;
use orch_plugin::case::{self, Answers};
use orch_plugin::pack::assemble;

use super::watched::watch;
use super::{built, fault, fault_in};

/// Build, and run the cases in `cases/`.
#[derive(clap::Args)]
pub(crate) struct TestArguments {
    /// Folder with `plugin.json` and `cases`
    #[arg(default_value = ".")]
    project: PathBuf,
    /// Folder with `component.wasm` and `sbom.cdx.json`, made otherwise: nothing is built
    #[arg(long)]
    built: Option<PathBuf>,
    /// For WASI, whatever `Cargo.toml` says
    #[arg(long)]
    wasi: bool,
    /// Only cases with this text in their file's name or in `about`
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Show what each case logs; of one that fails its errors are shown anyway
    #[arg(long)]
    show_log: bool,
    /// For cases that name a `recording`: make their requests, at this host and no other, and write what is answered
    #[arg(long, value_name = "HOST:PORT")]
    record: Vec<String>,
    /// With `--record`: where the plugin's secrets come from, as an operator's `secrets.toml` says it
    #[arg(long, value_name = "FILE", requires = "record")]
    secrets: Option<PathBuf>,
    /// With `--record`: how requests go out, by `[egress]` of a file like an operator's `policy.toml`, its proxy and its roots
    #[arg(long, value_name = "FILE", requires = "record")]
    policy: Option<PathBuf>,
    /// Again after each edit; ends with Ctrl-C
    #[arg(long, conflicts_with_all = ["record", "built"])]
    watch: bool,
}

pub(crate) fn run(arguments: &TestArguments, console: &Console) -> Outcome {
    match arguments.watch {
        true => watch(&[&arguments.project], console, || round(arguments, console)),
        false => round(arguments, console),
    }
}

fn round(arguments: &TestArguments, console: &Console) -> Outcome {
    let project = &arguments.project;
    let folder = project.join("cases");
    let recording = match arguments.record.as_slice() {
        [] => None,
        hosts => {
            let (secrets, policy) = (arguments.secrets.as_deref(), arguments.policy.as_deref());
            Some(Recording::new(hosts.to_vec(), secrets, policy).map_err(fault)?)
        }
    };
    let answers = if recording.is_some() { Answers::Real } else { Answers::Recorded };
    let mut cases = case::read_all(&folder, answers).map_err(fault)?;
    if let Some(filter) = &arguments.filter {
        cases = case::filtered(cases, filter).map_err(fault)?;
    }
    let built = built(project, arguments.built.as_deref(), arguments.wasi, console)?;
    let assembled =
        assemble(project, &built).map_err(fault_in(format!("cannot pack `{}`", project.display())))?;
    let results = case::run::run(&assembled.package, &cases, recording.as_ref())
        .map_err(fault_in(format!("cannot test `{}`", project.display())))?;
    for result in &results {
        if let Some(recorded) = &result.recorded {
            recorded.write(&folder).map_err(fault)?;
        }
    }
    let exit = show(&results, arguments.show_log, console);
    // Of a part of the cases nobody asked whether the whole manifest is more than it needs to be.
    if arguments.filter.is_some() || recording.is_some() {
        return Ok(exit);
    }
    let trials = case::denied::run(&assembled.package, &cases)
        .map_err(fault_in(format!("cannot test `{}`", project.display())))?;
    let wrong: Vec<_> = trials.iter().filter(|trial| trial.fault.is_some()).collect();
    for trial in &wrong {
        let fault = trial.fault.as_deref().unwrap_or_default();
        let (less, case) = (escape(trial.without), escape(&trial.case));
        console.line(&format!("failed  {case} without `{less}`: {}", escape(fault)));
    }
    if !trials.is_empty() {
        let well = trials.len() - wrong.len();
        console.line(&format!("{well} of {} calls with something denied ended in words", trials.len()));
    }
    Ok(if wrong.is_empty() { exit } else { Exit::GoalNotMet })
}

/// Says what came of the cases. The log is shown if it is asked for, and of a case that ended in a fault.
pub(super) fn show(results: &[CaseResult], show_log: bool, console: &Console) -> Exit {
    let mut failed = 0;
    for result in results {
        let status = if result.differences.is_empty() { "passed" } else { "failed" };
        failed += usize::from(!result.differences.is_empty());
        // What a plugin says, and what a case is called, may hold anything: only what can be read is shown.
        console.line(&format!("{status}  {}: {}", escape(&result.name), escape(&result.about)));
        for difference in &result.differences {
            console.line(&format!("        {}", escape(difference)));
        }
        for line in result
            .log
            .iter()
            .filter(|line| show_log || (!result.differences.is_empty() && line.starts_with("error: ")))
        {
            console.line(&format!("        log  {}", escape(line)));
        }
        if let Some(recorded) = &result.recorded {
            let (requests, file) = (recorded.requests, escape(&recorded.file));
            console.line(&format!("        {requests} requests recorded in `cases/{file}`"));
        }
    }
    console.line(&format!("{} of {} cases passed", results.len() - failed, results.len()));
    if failed == 0 { Exit::Done } else { Exit::GoalNotMet }
}
