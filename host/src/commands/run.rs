//! `orch-host run`: works through the tasks of a workspace.
//!
//! In -> out: workspace, operator, arguments -> a run, and how it ended.
//! Invariant: every bound plugin is admitted before the store is touched; a run that stopped goes on where it was.
//! Not here: the loop (`drive.rs`), what failed and why (`run/ending.rs`).

mod dry_run;
mod ending;
mod locked;
mod missing;
mod replay;
mod rules;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use orch_journal::event::RunStatus;
use orch_journal::state::TaskState;
use orch_task::Status;

use super::plugin::renew;
use super::{followed, go_on};
use crate::config::operator::{Operator, this_process};
use crate::config::workspace::{WorkspaceError, layers};
use crate::console::{Console, Tone, escape, escape_cut, lines};
use crate::control::api::{RunOptions, Started};
use crate::control::{self, SocketPlace, variables};
use crate::drive::choice::{self, Wanted};
use crate::drive::desk::{Audit, Durability};
use crate::drive::error::DriveError;
use crate::drive::finish::Summary;
use crate::drive::task_file::{self, Sheet};
use crate::exit::{Exit, Fault, Outcome};
use crate::holder::{Holder, Setup};
use crate::interrupt;
use crate::place::{self, Place, WorkspaceArgs};
use crate::plugins::{self, AdmittedPlugins};
use crate::session::Session;
use crate::told;
use crate::watch::{self, Format, How, Output};

pub(super) use missing::warn_of_missing_runs;
pub(super) use rules::usual as rules_of;

/// What `--durability` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DurabilityArg {
    /// Survives the end of the process
    Process,
    /// Survives the end of the machine's power too
    Power,
}

#[derive(clap::Args)]
pub struct RunArgs {
    /// The workspace
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Task file, relative to the workspace
    #[arg(long, value_name = "FILE", default_value = "tasks.yml")]
    tasks: PathBuf,
    /// State folder, relative to the workspace
    #[arg(long, value_name = "DIR", default_value = ".orch")]
    memory: PathBuf,
    /// One more folder with packages; may be said again
    #[arg(long, value_name = "DIR")]
    plugins: Vec<PathBuf>,
    /// Tasks at once [default: the cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    jobs: Option<u32>,
    /// When auditors look: `every-completion`, `every-N` or `end` [default: the workspace's]
    #[arg(long, value_name = "WHEN", value_parser = parse_audit)]
    audit: Option<Audit>,
    /// How durable everything is [default: effects at power, the rest at process]
    #[arg(long, value_enum)]
    durability: Option<DurabilityArg>,
    /// With `isolation: worktree`, begin with what is not committed, too
    #[arg(long)]
    base_dirty: bool,
    /// Run nothing but what `orch.lock` pins
    #[arg(long)]
    locked: bool,
    /// Admit plugins, read tasks, say what would run in which order; change nothing
    #[arg(long)]
    dry_run: bool,
    /// Go through that run again: call its guests anew, tell them what it kept, ask nobody
    #[arg(long, value_name = "RUN", conflicts_with_all = ["dry_run", "base_dirty", "goal", "tasks", "output"])]
    replay: Option<String>,
    /// Go through it on that commit in the place of the one that it began at
    #[arg(long, value_name = "COMMIT", requires = "replay")]
    onto: Option<String>,
    /// Make this workspace known to the host
    #[arg(long)]
    trust_workspace: bool,
    /// How the run is shown
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// What is shown of the output of tasks; `logs/` has all of it
    #[arg(long, value_enum, default_value_t = Output::None)]
    output: Output,
    /// With `--format json`: between events also what models write, as it comes
    #[arg(long, conflicts_with_all = ["dry_run", "replay"])]
    deltas: bool,
    /// Show failures and the end only
    #[arg(short, long, conflicts_with = "output")]
    quiet: bool,
    #[command(flatten)]
    wanted: Wanted,
}

impl RunArgs {
    /// As if nothing else were said.
    pub(super) fn going_on(
        place: &WorkspaceArgs,
        tasks: PathBuf,
        plugins: &[PathBuf],
        retry_failed: bool,
        format: Format,
    ) -> Self {
        Self {
            dir: place.workspace.clone(),
            tasks,
            memory: place.memory.clone(),
            plugins: plugins.to_vec(),
            jobs: None,
            audit: None,
            durability: None,
            base_dirty: false,
            locked: false,
            dry_run: false,
            replay: None,
            onto: None,
            trust_workspace: false,
            format,
            output: Output::None,
            deltas: false,
            quiet: false,
            wanted: Wanted { retry_failed, ..Wanted::default() },
        }
    }
}

fn parse_audit(text: &str) -> Result<Audit, String> {
    match text {
        "every-completion" | "completion" => Ok(Audit::Completion),
        "end" => Ok(Audit::End),
        other => other
            .strip_prefix("every-")
            .unwrap_or(other)
            .parse()
            .ok()
            .filter(|count| *count > 0)
            .map(Audit::Every)
            .ok_or_else(|| "expected `every-completion`, `every-N` or `end`".to_owned()),
    }
}

pub fn run(args: &RunArgs, home: Option<&Path>, console: Console) -> Outcome {
    let place = workspace(args)?;
    if args.format == Format::Json && args.output != Output::None {
        let what = "`--output` shows lines for people, `--format json` events".to_owned();
        return Err(place::input("output-of-json", Some("say one of them".to_owned()), what));
    }
    followed::check_deltas(args.deltas, args.format)?;
    let operator = place::operator(home)?;
    if !args.dry_run {
        place.check_machine(&operator)?;
    }
    if args.trust_workspace && !args.dry_run {
        operator.trust_workspace(&place.workspace)?;
    }
    if !args.trust_workspace && !operator.knows_workspace(&place.workspace)? {
        return Err(WorkspaceError::Unknown { path: place.workspace.to_path_buf() }.into());
    }
    if args.locked {
        locked::check(&place)?;
    }
    if let Some(run) = &args.replay {
        return replay::run(args, run, &place, &operator, console);
    }
    // Beside a host that serves, it is that host that runs.
    let socket = SocketPlace::of(&place.workspace, &operator.home)?;
    if !args.dry_run
        && !args.base_dirty
        && socket.is_there()
        && let Some(started) = control::start(&socket, &said_options(args, &place, &operator))?
    {
        return follow(&place, &socket, &started, args, home, console);
    }
    let config = place.config()?;
    for (found, meant) in layers::misspelt(std::env::vars_os().map(|(name, _)| name)) {
        console.warn(&format!("variable `{}` says nothing; the nearest is `{meant}`", escape(&found)));
    }

    // 1. Every bound plugin, or none.
    let folders = place::package_folders(&operator, &args.plugins)?;
    let trust = operator.rules(&config, place.lock()?);
    renew::by_itself(&operator, &config, &folders, &trust, console)?;
    let admitted = plugins::admit_bound(&config, &folders, &trust, place::now())?;
    announce(&admitted, console);
    operator.saw(admitted.unpinned(&trust.lock))?;
    let rules = rules::wanted(args, &config, &operator, &admitted, console);

    // 2. Its tasks, before anything is written.
    let task_file = place.task_file(&args.tasks)?;
    let has_goal = args.wanted.goal.is_some();
    if has_goal && !args.dry_run {
        task_file::make_if_none(&place.workspace.join(&task_file))?;
    }
    let sheet = Sheet::read(&place.workspace.join(&task_file))?;
    if !has_goal {
        sheet.require()?;
    }
    args.wanted.check(sheet.tasks()).map_err(DriveError::from)?;
    if (!place.has_store() || args.dry_run) && !(args.dry_run && has_goal) {
        sheet.check_new(&admitted.offers(&config))?;
    }
    admitted.check_secrets(&operator.secrets)?;
    admitted.check_env(&config, &place.workspace)?;
    let planned = choice::planned(sheet.tasks(), &args.wanted).map_err(DriveError::from)?;
    admitted.check_told(&config, &place.workspace, &planned)?;
    if let Some(note) = told::note(sheet.tasks()) {
        console.warn(&escape(&note));
    }
    if args.dry_run {
        warn_of_notices(&operator, &admitted, console);
        if admitted.starts_programs() {
            for lacking in dry_run::lacking_walls(&operator, &place)? {
                console.warn(&lacking);
            }
        }
        dry_run::show(&planned, &config, args.format, console);
        return Ok(Exit::Done);
    }

    // 3. The run, shown as it becomes durable.
    place.check_logs()?;
    warn_of_missing_runs(&place, &operator, console)?;
    let how = how(args, &place, console);
    let (notes, noted) = std::sync::mpsc::channel();
    let control = interrupt::listen(console, how.is_live().then_some(notes))?;
    let holder = Holder::open(Setup {
        place: &place,
        operator: &operator,
        config: &config,
        admitted: &admitted,
        packages: &args.plugins,
        task_file: &task_file,
        rules,
        program: own_executable()?,
        supervisor: RUNNING_PROGRAM.into(),
        requests: 0,
        wishes: None,
    })?;
    let session = Session::open(&holder, sheet, args.wanted.clone(), &control)?.asked_by(this_process());
    for waiting in session.waiting() {
        console.note(&waiting);
    }
    let (watcher, screen) = watch::open(how, session.id(), session.journal(), noted, holder.state.pieces());
    let begun = Instant::now();
    let driven = session.observed_by(Box::new(watcher)).drive();
    screen.finish();
    let closed = holder.close();
    let summary = driven?;
    closed?;
    let with_log = report(&summary, args.format, &place, begun.elapsed(), console)?;
    say_how_to_go_on(&summary, with_log.as_deref(), args, home, console);
    Ok(exit_of(&summary))
}

/// How the run is shown.
fn how(args: &RunArgs, place: &Place, console: Console) -> How {
    let RunArgs { format, output, deltas, quiet, .. } = *args;
    let (logs, gap_at) = followed::logs_of(place);
    How { format, output, deltas, quiet, console, logs, gap_at }
}

/// The folder that is meant; a task's id in its place is known for what it is.
fn workspace(args: &RunArgs) -> Result<Place, Fault> {
    Place::of(&args.dir, &args.memory).map_err(|fault| {
        let id = args.dir.to_str().filter(|id| {
            Sheet::read(&Path::new(".").join(&args.tasks))
                .is_ok_and(|sheet| sheet.tasks().iter().any(|found| found.task.id.as_str() == *id))
        });
        match id {
            Some(id) if !args.dir.exists() => {
                let hint = format!("`orch-host run --task {id}` runs the task");
                place::input("task-as-folder", Some(hint), format!("`{id}` is a task and no folder"))
            }
            _ => fault,
        }
    })
}

fn say_how_to_go_on(
    summary: &Summary,
    with_log: Option<&str>,
    args: &RunArgs,
    home: Option<&Path>,
    console: Console,
) {
    let RunArgs { dir, memory, tasks, plugins, wanted, .. } = args;
    let started = go_on::Started { dir, memory, tasks, plugins, wanted, home };
    for hint in
        with_log.map(|task| go_on::logs(task, started)).into_iter().chain(go_on::hints(summary, started))
    {
        console.note(&format!("hint: {hint}"));
    }
}

/// What the arguments say of a run.
fn said_options(args: &RunArgs, place: &Place, operator: &Operator) -> RunOptions {
    let durability = args.durability.map(|durability| match durability {
        DurabilityArg::Process => Durability::Process,
        DurabilityArg::Power => Durability::Power,
    });
    RunOptions {
        jobs: args.jobs,
        audit: args.audit.map(|audit| audit.to_string()),
        durability: durability.map(|durability| durability.as_str().to_owned()),
        memory: (args.memory != Path::new(".orch")).then(|| place.state.display().to_string()),
        plugins: (!args.plugins.is_empty()).then(|| place::absolute(&args.plugins)),
        wanted: args.wanted.clone(),
        tasks: (args.tasks != Path::new("tasks.yml")).then(|| args.tasks.display().to_string()),
        variables: Some(variables::seals(
            &operator.secret,
            variables::of_policy(&operator.policy).chain(layers::variable_names()),
        )),
    }
}

/// Shows a run of the host that serves, until that does not work at it any more; ends as it ended.
fn follow(
    place: &Place,
    socket: &SocketPlace,
    started: &Started,
    args: &RunArgs,
    home: Option<&Path>,
    console: Console,
) -> Outcome {
    let (Started { run, from }, format) = (started, args.format);
    let begun = Instant::now();
    let at_work = || Ok(control::look(socket)?.is_some_and(|holder| holder.run.as_ref() == Some(run)));
    let state = followed::follow(place, socket, run, *from, how(args, place, console), at_work)?;
    let Some((status, why)) = &state.finished else {
        let hint = Some("what `orch-host serve` printed says why".to_owned());
        let what = anyhow::anyhow!("the host that serves did not bring run `{run}` to an end");
        return Err(Fault::new(Exit::HostError, "run-cut", hint, what));
    };
    let summary = Summary::of(run, &state, *status, why.clone(), Vec::new());
    let mut with_log = None;
    if format == Format::Text {
        with_log = report(&summary, format, place, begun.elapsed(), console)?;
    }
    say_how_to_go_on(&summary, with_log.as_deref(), args, home, console);
    let waits = |task: &TaskState| matches!(task.status, Status::InDoubt | Status::WaitingApproval);
    Ok(match status {
        RunStatus::Completed => Exit::Done,
        // Nothing else keeps a run open that is verified.
        RunStatus::Waiting if state.unverified.is_empty() || state.tasks.iter().any(waits) => {
            Exit::NeedsDecision
        }
        _ => Exit::GoalNotMet,
    })
}

/// What a run would record as it begins, where none does.
pub(super) fn warn_of_notices(operator: &Operator, admitted: &AdmittedPlugins, console: Console) {
    for (_, text) in plugins::notices(operator, admitted) {
        console.warn(&escape(&text));
    }
}

/// What an operator hears before plugins run.
pub(super) fn announce(admitted: &AdmittedPlugins, console: Console) {
    for (id, until) in &admitted.ending {
        console.warn(&format!("certificate of `{id}` ends at {until}; `orch-certify run` renews it"));
    }
}

/// This very program, also when another one lies at its path.
pub(super) const RUNNING_PROGRAM: &str = "/proc/self/exe";

pub(super) fn own_executable() -> Result<PathBuf, Fault> {
    std::env::current_exe().map_err(|error| place::io(Path::new("/proc/self/exe"), "read", error))
}

fn report(
    summary: &Summary,
    format: Format,
    place: &Place,
    took: Duration,
    console: Console,
) -> Result<Option<String>, Fault> {
    let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    if format == Format::Json {
        let line = serde_json::json!({ "run": summary.run, "summary": summary, "tookMs": took_ms });
        console.json(&line.to_string());
        return Ok(None);
    }
    let tone = match summary.status {
        RunStatus::Completed => Tone::Good,
        RunStatus::Failed => Tone::Bad,
        _ => Tone::Careful,
    };
    console.line("");
    let failed = ending::show(place, &summary.run, &summary.allowed, console)?;
    let word = if summary.interrupted { "interrupted" } else { summary.status.as_str() };
    console.line(&format!("run {} {}: {}", summary.run, console.paint(tone, word), escape(&summary.why)));
    let said =
        |status: &str| if status == Status::Done.as_str() { summary.spared.of_done() } else { String::new() };
    let counts: Vec<String> =
        summary.tasks.iter().map(|(status, count)| format!("{count} {status}{}", said(status))).collect();
    let counts = if counts.is_empty() { "none".to_owned() } else { counts.join(", ") };
    console.line(&format!("tasks: {counts}; took {}", lines::span(took_ms)));
    if !summary.allowed.is_empty() {
        console.line(&format!("allowed to fail: {}", summary.allowed.join(", ")));
    }
    if summary.spared.left_out > 0 {
        console.line(&format!("left out: {}, as was asked", summary.spared.left_out));
    }
    if summary.major + summary.medium + summary.minor > 0 {
        console.line(&format!(
            "findings: {} major, {} medium, {} minor",
            summary.major, summary.medium, summary.minor
        ));
    }
    for task in &summary.in_doubt {
        console.line(&format!("waits for you: {task}, nobody saw how it ended"));
    }
    for task in &summary.waiting_approval {
        console.line(&format!("waits for you: {task} asks to run"));
    }
    for task in &summary.removed {
        console.line(&format!("waits for you: {task} is not in the task file any more"));
    }
    for missing in &summary.unverified {
        console.line(&format!("not verified: {}", escape_cut(&missing.to_string(), 240)));
    }
    for waived in &summary.waived {
        console.line(&format!("waived: {}", escape_cut(&waived.to_string(), 240)));
    }
    Ok(failed)
}

fn exit_of(summary: &Summary) -> Exit {
    match summary.status {
        _ if summary.interrupted => Exit::Interrupted,
        RunStatus::Completed => Exit::Done,
        RunStatus::Waiting if summary.waits_for_people() => Exit::NeedsDecision,
        _ => Exit::GoalNotMet,
    }
}
