//! `orch-host run`: works through the tasks of a workspace.
//!
//! In -> out: workspace, operator, arguments -> a run, and how it ended.
//! Invariant: every bound plugin is admitted before the store is touched; a run that stopped goes on where it was.
//! Not here: the loop (`drive.rs`).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ValueEnum;
use orch_journal::event::{Event, RunStarted, RunStatus};
use orch_journal::{RunState, Store};
use orch_trust::evidence::Compilable;
use tokio::sync::watch as signal;

use super::place::{self, Place};
use crate::config::operator::{Operator, SIGNING_KEY_VARIABLE};
use crate::config::secret::KeyUse;
use crate::config::workspace::{AuditEvery, WorkspaceConfig, WorkspaceError};
use crate::console::{Console, Tone, escape, escape_cut};
use crate::drive;
use crate::drive::desk::{Audit, Control, Desk, Durability, RunRules, now_ms};
use crate::drive::finish::Summary;
use crate::drive::kv::KvOverlay;
use crate::drive::run::Run;
use crate::drive::task_file::Sheet;
use crate::engine::Engine;
use crate::engine::cache::NativeCache;
use crate::exit::{Exit, Fault, Outcome};
use crate::plugins::{self, AdmittedPlugins, Workbench};
use crate::processes::Commands;
use crate::run_log::RunLog;
use crate::watch::{self, Format};

const LOG_MIB_DEFAULT: u64 = 64;

/// What is said at every run in which a plugin may start programs.
pub const PROCESS_WARNING: &str = "a `process` grant equals your own authority, the host's secret included: programs run without an \
                               operating-system sandbox; `network` is not enforced";

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
    /// More folders with packages
    #[arg(long, value_name = "DIR", num_args = 1..)]
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
    /// Admit plugins, read tasks, say what would be first; change nothing
    #[arg(long)]
    dry_run: bool,
    /// Make this workspace known to the host
    #[arg(long)]
    trust_workspace: bool,
    /// How the run is shown
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
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
    let place = Place::of(&args.dir, &args.memory)?;
    let operator = place::operator(home)?;
    if args.trust_workspace && !args.dry_run {
        operator.trust_workspace(&place.workspace)?;
    }
    if !args.trust_workspace && !operator.knows_workspace(&place.workspace)? {
        return Err(WorkspaceError::Unknown { path: place.workspace.to_path_buf() }.into());
    }
    let config = place.config()?;
    let rules = run_rules(args, &config, &operator);

    // 1. Every bound plugin, or none.
    let folders = operator.package_folders(&args.plugins);
    let trust = operator.rules(&config, place.lock()?);
    let admitted = plugins::admit_bound(&config, &folders, &trust, place::now())?;
    announce(&operator, &admitted, console);
    let admitted = admitted.by_id;

    // 2. Its tasks, before anything is written.
    let mut sheet = Sheet::read(&place.workspace.join(&args.tasks))?;
    if args.dry_run {
        return dry_run(&sheet, &config, console);
    }

    // 3. Native code, and the threads that guests run on.
    let engine =
        Engine::run(rules.jobs, 1).map_err(|error| Fault::new(Exit::HostError, "engine", None, error))?;
    let cache = NativeCache::open(&operator.home.join("cache"), operator.secret.key(KeyUse::NativeCode))
        .map_err(|error| place::io(&operator.home.join("cache"), "open", error))?;
    let roles = Workbench::new(&engine, &cache, &config, &admitted).roles()?;
    let guests = guest_runtime(rules.jobs)?;

    // 4. The store, and the run in it.
    let store = place.store(&operator)?;
    sheet.recover()?;
    let (id, state) = open_run(&store, sheet.is_there())?;
    let journal = Arc::new(store.journal(&id)?);
    let format = args.format;
    let committed = journal.clone();
    let (watcher, screen) = watch::open(format, &id, console, move || committed.committed());
    let mut run =
        Run::new(id.clone(), state.unwrap_or_default(), journal.clone()).observed_by(Box::new(watcher));
    let control = signals()?;
    let desk = Desk {
        protected: place.protected(&args.tasks),
        workspace: place.workspace.clone(),
        journal: journal.clone(),
        guests: guests.handle().clone(),
        commands: Arc::new(Commands::new(own_executable()?, rules.jobs as usize + 2)),
        kv: Arc::new(KvOverlay::open(&place.state)?),
        log: Arc::new(RunLog::new(place.workspace.join("logs"), &id)),
        rules,
        control,
    };
    let main = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .event_interval(1)
        .build()
        .map_err(anyhow::Error::from)?;
    let driven: Result<Summary, Fault> = main.block_on(async {
        begin(&mut run, &desk, &place, &config, plugins::pins(&admitted))?;
        if operator.signing_key {
            let text = format!("`{SIGNING_KEY_VARIABLE}` added a publisher for the namespace `local/`");
            run.record(Event::Warned { code: "signing-key".to_owned(), text })?;
        }
        sheet.merge(&mut run, &roles)?;
        Ok(drive::drive(&mut run, &roles, &desk, &mut sheet).await?)
    });
    run.unobserved();
    let kept = journal.wait_checkpoint();
    screen.finish();
    guests.shutdown_background();
    let summary = driven?;
    kept?;
    store.close()?;
    report(&summary, format, console);
    Ok(exit_of(&summary))
}

/// What an operator hears before plugins run.
pub(super) fn announce(operator: &Operator, admitted: &AdmittedPlugins, console: Console) {
    if operator.signing_key {
        console.warn(&format!("`{SIGNING_KEY_VARIABLE}` adds a publisher for the namespace `local/`"));
    }
    for (id, until) in &admitted.ending {
        console.warn(&format!("certificate of `{id}` ends at {until}; `orch-certify run` renews it"));
    }
    if admitted.by_id.values().any(|plugin| plugin.grant().permissions().process.is_some()) {
        console.warn(PROCESS_WARNING);
    }
}

fn run_rules(args: &RunArgs, config: &WorkspaceConfig, operator: &Operator) -> RunRules {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
    let configured = config.audit.every.as_ref().map_or(Audit::End, |every| match every {
        AuditEvery::Count(count) => Audit::Every(*count),
        AuditEvery::Word(word) if word == "completion" => Audit::Completion,
        AuditEvery::Word(_) => Audit::End,
    });
    RunRules {
        jobs: args.jobs.or(config.jobs).unwrap_or(cores),
        audit: args.audit.unwrap_or(configured),
        durability: match args.durability {
            Some(DurabilityArg::Process) => Durability::Process,
            Some(DurabilityArg::Power) => Durability::Power,
            None => Durability::Mixed,
        },
        budget_warn_at: config.budget.warn_at,
        major_max: config.findings.max_major,
        medium_max: config.findings.max_medium,
        backoff: config.retry,
        log_bytes_max: config.log_mib.unwrap_or(LOG_MIB_DEFAULT) << 20,
        tasks_auto: operator
            .policy
            .tasks
            .auto
            .iter()
            .map(|auto| (auto.plugin.to_string(), auto.kind.clone()))
            .collect(),
    }
}

fn dry_run(sheet: &Sheet, config: &WorkspaceConfig, console: Console) -> Outcome {
    let tasks = sheet.tasks();
    console.line(&format!(
        "{} plugins are admitted, {} tasks are sound; nothing was run",
        config.roles.ids().len(),
        tasks.len()
    ));
    if let Some(first) = super::bootstrap::first(tasks) {
        console.line(&format!("first would be {}  {}", first.id, escape_cut(&first.description, 100)));
    }
    Ok(Exit::Done)
}

/// Guests have threads of their own: a busy guest gives way to another guest, never to the loop.
pub(super) fn guest_runtime(jobs: u32) -> Result<tokio::runtime::Runtime, Fault> {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores.min(jobs as usize).max(1))
        .thread_name("orch-guest")
        .enable_all()
        .event_interval(1)
        .build();
    Ok(runtime.map_err(anyhow::Error::from)?)
}

/// The run that goes on, or the name of a new one.
fn open_run(store: &Store, has_file: bool) -> Result<(String, Option<RunState>), Fault> {
    let reader = store.reader()?;
    let open = match reader.open_run()? {
        Some(open) => Some(open),
        // Without a task file the tasks are those of the last run, also when it is over.
        None if !has_file => reader.runs()?.first().map(|run| run.id.clone()),
        None => None,
    };
    let Some(id) = open else { return Ok((new_run_id()?, None)) };
    let mut state = RunState::default();
    for event in reader.events(&id) {
        let (_, event) = event?;
        state.apply(&event).map_err(crate::drive::error::DriveError::from)?;
    }
    Ok((id, Some(state)))
}

/// `20261121-121726-4f3a`: sorts by time, and two hosts do not collide.
fn new_run_id() -> Result<String, Fault> {
    let stamp = crate::processes::log_stamp(now_ms());
    let random = getrandom::u32().map_err(|_| crate::config::operator::OperatorError::NoRandom)?;
    Ok(format!("{}-{:04x}", stamp.get(..15).unwrap_or(&stamp), random & 0xffff))
}

/// Records the start of a new run, or that another host goes on with it.
fn begin(
    run: &mut Run,
    desk: &Desk,
    place: &Place,
    config: &WorkspaceConfig,
    plugins: Vec<orch_journal::event::PluginPin>,
) -> Result<(), Fault> {
    let pins = plugins.clone();
    if run.state().started.is_none() {
        let started = RunStarted {
            run: run.id.clone(),
            goal: place
                .workspace
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default(),
            plugins,
            jobs: desk.rules.jobs,
            durability: desk.rules.durability.as_str().to_owned(),
            budget: config.budget.limit,
            unsigned: false,
            at: now_ms(),
            mac: String::new(),
        };
        run.record(Event::RunStarted(started))?;
        run.set_budget(config.budget.limit);
    }
    let me = orch_supervisor::ProcessIdentity::of(std::process::id()).map_err(anyhow::Error::from)?;
    run.record(Event::HostAttached {
        plugins: pins,
        pid: me.pid,
        start_ticks: me.start_ticks,
        boot_id: me.boot_id,
        at: now_ms(),
    })?;
    Ok(())
}

/// A first interrupt lets running tasks end, a second one ends them.
fn signals() -> Result<signal::Receiver<Control>, Fault> {
    let (say, control) = signal::channel(Control::GoOn);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(anyhow::Error::from)?;
    std::thread::Builder::new()
        .name("orch-signals".to_owned())
        .spawn(move || {
            runtime.block_on(async move {
                use tokio::signal::unix::{SignalKind, signal};
                let (Ok(mut interrupt), Ok(mut terminate)) =
                    (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
                else {
                    return;
                };
                for next in [Control::Stop, Control::Abort] {
                    tokio::select! {
                        _ = interrupt.recv() => {}
                        _ = terminate.recv() => {}
                    }
                    if say.send(next).is_err() {
                        return;
                    }
                }
                // Later signals change nothing: what runs is being ended.
                loop {
                    tokio::select! {
                        _ = interrupt.recv() => {}
                        _ = terminate.recv() => {}
                    }
                }
            });
        })
        .map_err(anyhow::Error::from)?;
    Ok(control)
}

fn own_executable() -> Result<PathBuf, Fault> {
    std::env::current_exe().map_err(|error| place::io(Path::new("/proc/self/exe"), "read", error))
}

fn report(summary: &Summary, format: Format, console: Console) {
    if format == Format::Json {
        let line = serde_json::json!({ "run": summary.run, "summary": summary });
        console.line(&line.to_string());
        return;
    }
    let tone = match summary.status {
        RunStatus::Completed => Tone::Good,
        RunStatus::Failed => Tone::Bad,
        _ => Tone::Careful,
    };
    console.line("");
    let word = if summary.interrupted { "interrupted" } else { summary.status.as_str() };
    console.line(&format!("run {} {}: {}", summary.run, console.paint(tone, word), escape(&summary.why)));
    let counts: Vec<String> =
        summary.tasks.iter().map(|(status, count)| format!("{count} {status}")).collect();
    console
        .line(&format!("tasks: {}", if counts.is_empty() { "none".to_owned() } else { counts.join(", ") }));
    if summary.major + summary.medium + summary.minor > 0 {
        console.line(&format!(
            "findings: {} major, {} medium, {} minor",
            summary.major, summary.medium, summary.minor
        ));
    }
    for task in &summary.waiting {
        console.line(&format!("waits for you: {task}"));
    }
    if !summary.waiting.is_empty() {
        console.note(&format!(
            "hint: `orch-host resolve {} TASK --as done|failed|retry` for what is in doubt, `orch-host approvals list` for what asks",
            summary.run
        ));
    }
}

fn exit_of(summary: &Summary) -> Exit {
    match summary.status {
        _ if summary.interrupted => Exit::Interrupted,
        RunStatus::Completed => Exit::Done,
        RunStatus::Waiting => Exit::NeedsDecision,
        _ => Exit::GoalNotMet,
    }
}
