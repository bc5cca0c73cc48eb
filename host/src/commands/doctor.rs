//! `orch-host doctor`: whether this machine and the operator's folder are fit for runs.

mod advisories;
pub mod limits;
mod models;

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use orch_supervisor::SupervisorPool;
use orch_trust::admission::admit;
use orch_trust::evidence::Compilable;
use orch_trust::freshness::Verdict as Freshness;
use orch_trust::policy::SandboxMode;
use orch_trust::time::UnixSeconds;

use super::counted;
use super::run::own_executable;
use super::secret::seen_by_programs;
use super::status::Format;
use crate::caches;
use crate::config::operator::{self, Operator, home_folder};
use crate::config::workspace::WorkspaceConfig;
use crate::console::{Console, Tone, escape};
use crate::drive::choice::{self, Wanted};
use crate::drive::error::DriveError;
use crate::drive::task_file::Sheet;
use crate::exit::{Exit, Fault, Outcome};
use crate::machine;
use crate::place::{self, Place};
use crate::plugins;
use crate::sandbox::{self, Sandboxing};

/// Older than this a database says nothing about today, in days.
const ADVISORY_DAYS_MAX: i64 = 30;
/// A root that ends sooner needs a successor now, in days.
const ROOT_DAYS_LEFT: i64 = 14;

/// What of the sandbox this machine gives.
fn sandbox_lines(operator: &Operator) -> Result<Vec<(bool, String)>, Fault> {
    let policy = &operator.policy.sandbox;
    if policy.mode == SandboxMode::Off {
        return Ok(vec![(true, format!("`[sandbox] mode = \"off\"`: {}", sandbox::OFF))]);
    }
    let own = own_executable()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(anyhow::Error::from)?;
    // The operator's folder stands for a workspace; what a trial keeps there is removed.
    let (home, caches) = (&operator.home, operator.home.join(caches::FOLDER));
    let mut tried = Sandboxing::of(policy, None, home, Arc::default(), [home.clone()]);
    if home.is_dir() {
        tried = tried.keeping(policy, home_folder().as_deref(), &caches);
    }
    let lacking = runtime.block_on(async {
        tried.try_out(&SupervisorPool::new(&own, 1), &own, SandboxMode::BestEffort).await
    })?;
    let io = |error| place::io(&caches, "look into", error);
    caches::remove_all(&caches::of_workspace(&caches, home)).map_err(io)?;
    // Not if there are those of workspaces.
    let _ = std::fs::remove_dir(&caches);
    let good = policy.mode == SandboxMode::BestEffort;
    let mut lines: Vec<(bool, String)> = lacking.into_iter().map(|line| (good, line)).collect();
    if lines.is_empty() {
        lines.push((true, "every wall of the sandbox holds".to_owned()));
    }
    let kept = caches::bytes_in(&caches).map_err(io)?;
    if kept > 0 {
        let mib = kept.div_ceil(1 << 20);
        let hint = "`orch-host prune --caches` removes those of a workspace";
        lines.push((true, format!("caches of commands take {mib} MiB; {hint}")));
    }
    Ok(lines)
}

#[derive(clap::Args)]
pub struct DoctorArgs {
    /// Folder of an advisory database (RustSec's layout) to hold the engine's version against
    #[arg(long, value_name = "DIR")]
    advisory_db: Option<PathBuf>,
    /// A workspace: whether it can be written and its `config.yaml` and task file be used, too
    #[arg(long, value_name = "DIR")]
    workspace: Option<PathBuf>,
    /// Try a hostile guest or process against each limit and each wall, and nothing else
    #[arg(long, conflicts_with_all = ["advisory_db", "workspace"])]
    limits: bool,
    /// How to print what `--limits` found
    #[arg(long, value_enum, default_value_t = Format::Text, requires = "limits")]
    format: Format,
}

pub fn run(args: &DoctorArgs, home: Option<&Path>, console: Console) -> Outcome {
    if args.limits {
        let operator = Operator::look(&operator::home(home)?)?;
        let as_json = args.format == Format::Json;
        return limits::run(&operator.policy.sandbox, own_executable()?, as_json, console);
    }
    let mut faults = 0;
    let mut say = |good: bool, what: &str| {
        faults += u32::from(!good);
        let word = if good { console.paint(Tone::Good, "ok  ") } else { console.paint(Tone::Bad, "BAD ") };
        console.line(&format!("{word} {what}"));
    };
    say(
        true,
        &format!(
            "orch-host {}, engine wasmtime {}",
            env!("CARGO_PKG_VERSION"),
            crate::engine::version::WASMTIME_VERSION
        ),
    );
    if let Some(database) = &args.advisory_db {
        match advisories::look(database) {
            Ok(found) => {
                let age = place::now().0.saturating_sub(found.newest.0) / UnixSeconds::DAY;
                let (open, looked_at) = (found.open.join(", "), found.looked_at);
                let newest = format!("newest of the database is {age} days old");
                match found.open.is_empty() {
                    true => say(true, &format!("no open advisory of {looked_at} for the engine; {newest}")),
                    false => {
                        say(false, &format!("open advisories for the engine: {}; {newest}", escape(&open)))
                    }
                }
                say(age <= ADVISORY_DAYS_MAX, &format!("advisory database `{}`", database.display()));
            }
            Err(error) => say(false, &escape(&error.to_string())),
        }
    }
    let workspace = match &args.workspace {
        Some(workspace) => Some(Place::of(workspace, Path::new(".orch"))?),
        None => None,
    };
    let folder = operator::home(home)?;
    // Looking makes no folder and no secret.
    let operator = Operator::look(&folder)?;
    if !folder.is_dir() {
        say(
            false,
            &format!("operator's folder `{}` is not there; `orch-host init` makes it", folder.display()),
        );
    }
    let mode = std::fs::metadata(&folder).map_or(0, |found| found.mode() & 0o777);
    say(mode & 0o077 == 0 && mode != 0, &format!("operator's folder `{}`, mode {mode:o}", folder.display()));
    let now = place::now();
    if let Some(anchor) = &operator.anchor {
        let (root, list) = (anchor.root(), anchor.revocations());
        let days = |from: UnixSeconds| now.0.saturating_sub(from.0) / UnixSeconds::DAY;
        let left = root.expires().0.saturating_sub(now.0) / UnixSeconds::DAY;
        let (version, age) = (root.version(), days(root.issued()));
        say(left >= ROOT_DAYS_LEFT, &format!("trust root {version} is {age} days old and ends in {left}"));
        let (version, age) = (list.version(), days(list.document().issued));
        say(true, &format!("revocation list {version} is {age} days old"));
        let verdict = anchor.check(now);
        let is_fresh = matches!(verdict, Ok(Freshness::Fresh { .. }));
        say(is_fresh, &verdict.map_or_else(|refusal| refusal.to_string(), super::plugin::freshness_line));
    }
    let rules = operator.rules(&WorkspaceConfig::default(), orch_trust::lock::Lock::default());
    let (publishers, certifiers) = (rules.publishers(), rules.certifiers());
    say(!publishers.is_empty(), &counted(publishers.len(), "publisher is trusted", "publishers are trusted"));
    say(!certifiers.is_empty(), &counted(certifiers.len(), "certifier is trusted", "certifiers are trusted"));
    let nobody = publishers.is_empty() || certifiers.is_empty();
    for (owner, not_after) in publishers
        .iter()
        .map(|publisher| (&publisher.owner, publisher.not_after))
        .chain(certifiers.iter().map(|certifier| (&certifier.owner, certifier.not_after)))
    {
        if let Some(end) = not_after {
            say(now <= end, &format!("key of {} ends at {end}", escape(owner)));
        }
    }
    for found in plugins::discover(&operator.package_folders(&[])) {
        let verdict = match plugins::read(&found) {
            Err(error) => Err(error.code()),
            Ok(bytes) => admit(&bytes, &rules, now).map_err(|refusal| refusal.code()),
        };
        let unasked = verdict.as_ref().map_or_else(
            |_| Vec::new(),
            |admitted| operator.policy.unasked(&found.id, &admitted.manifest().permissions),
        );
        let granted = verdict.as_ref().ok().map(|admitted| admitted.grant().permissions());
        let seen = granted.map(|granted| seen_by_programs(granted, &operator.secrets)).unwrap_or_default();
        say(
            verdict.is_ok(),
            &format!("{} {}  {}", found.id, found.version, verdict.err().unwrap_or("would run")),
        );
        for what in unasked {
            say(true, &format!("{}: policy allows `{}`, which it does not ask for", found.id, escape(&what)));
        }
        for line in seen {
            say(true, &format!("{}: {line}", found.id));
        }
    }
    for (good, line) in sandbox_lines(&operator)? {
        say(good, &line);
    }
    for (good, line) in models::lines(&operator, workspace.as_ref()) {
        say(good, &line);
    }
    let (mut unbound, mut said) = (None, None);
    if let Some(place) = &workspace {
        match bound(place, &operator) {
            Ok(count) => say(true, &format!("{count} plugins of `config.yaml` would run, with its settings")),
            Err(fault) => {
                let text = escape(&format!("{:#}", fault.source));
                say(false, &text);
                (unbound, said) = (fault.hint, Some(text));
            }
        }
        match startable(place, &operator) {
            Ok(count) => say(true, &format!("{count} of the task file could begin")),
            Err(fault) => {
                let text = escape(&format!("{:#}", fault.source));
                // What keeps plugins from running keeps tasks, too.
                if said.as_ref() != Some(&text) {
                    say(false, &text);
                }
            }
        }
    }
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let lacking = machine::lacking_calls();
    say(lacking.is_empty(), &format!("kernel {}", escape(kernel.trim())));
    for one in &lacking {
        say(false, &format!("this machine does not give `{}`: {}", one.what, one.source));
    }
    let mut folders = vec![folder.join("heads"), folder.join("cache")];
    folders.extend(workspace.iter().flat_map(|place| {
        [place.workspace.to_path_buf(), place.state.clone(), place.workspace.join("logs")]
    }));
    let unwritten = machine::unwritten(folders.iter().map(PathBuf::as_path));
    for (folder, source) in &unwritten {
        say(false, &format!("`{}` cannot be written into: {source}", folder.display()));
    }
    for head in unread_heads(&folder.join("heads")) {
        say(false, &format!("`{}` cannot be read by this user (`ls -l` shows whose it is)", head.display()));
    }
    if !lacking.is_empty() {
        console.note(&format!("hint: {}", machine::CALL_HINT));
    }
    for (folder, source) in &unwritten {
        console.note(&format!("hint: {}", machine::folder_hint(folder, source)));
    }
    if let Some(hint) = unbound {
        console.note(&format!("hint: {hint}"));
    }
    if nobody {
        console.note(
            "hint: `orch-host trust add FILE` trusts the key of a publisher or certifier; `orch-certify keygen` makes one",
        );
    }
    Ok(if faults == 0 { Exit::Done } else { Exit::GoalNotMet })
}

/// How many tasks a new run would be of, if it could begin with them.
fn startable(place: &Place, operator: &Operator) -> Result<String, Fault> {
    let sheet = Sheet::read(&place.workspace.join(place.task_file(Path::new("tasks.yml"))?))?;
    sheet.require()?;
    let config = WorkspaceConfig::read(&place.workspace)?;
    let rules = operator.rules(&config, place.lock()?);
    let admitted = plugins::admit_bound(&config, &operator.package_folders(&[]), &rules, place::now())?;
    sheet.check_new(&admitted.offers(&config))?;
    admitted.check_secrets(&operator.secrets)?;
    admitted.check_env(&config, &place.workspace)?;
    let planned = choice::planned(sheet.tasks(), &Wanted::default()).map_err(DriveError::from)?;
    admitted.check_told(&config, &place.workspace, &planned)?;
    Ok(counted(planned.len(), "task", "tasks"))
}

/// Heads that this user cannot read.
fn unread_heads(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut unread: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| rustix::fs::access(path, rustix::fs::Access::READ_OK).is_err())
        .collect();
    unread.sort();
    unread
}

/// How many plugins a workspace binds, if a run could begin with them and their settings.
fn bound(place: &Place, operator: &Operator) -> Result<usize, Fault> {
    let config = WorkspaceConfig::read(&place.workspace)?;
    let rules = operator.rules(&config, place.lock()?);
    let admitted = plugins::admit_bound(&config, &operator.package_folders(&[]), &rules, place::now())?;
    admitted.check_secrets(&operator.secrets)?;
    Ok(admitted.by_id.len())
}
