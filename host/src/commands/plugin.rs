//! `orch-host plugin add|update|remove|approve|renew|list|inspect|verify|audit|trust|revoke`.
//!
//! Invariant: what is approved is shown first; approval is the operator's, never the workspace's and never the
//! package's.

mod add;
mod audit;
pub(super) mod keep;
mod list;
mod outdated;
pub(super) mod pin;
mod policy_lines;
mod remove;
pub(super) mod renew;
mod revoke;
mod take_in;
mod trust;
mod update;
mod upgrade;

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use orch_trust::admission::{Rules, Step, Steps, Verdict, explain};
use orch_trust::approval::Approval;
use orch_trust::evidence::{Admitted, Compilable};
use orch_trust::freshness::Verdict as Freshness;
use orch_trust::lock::Lock;
use orch_trust::manifest::{Isolation, Manifest};
use orch_trust::name::PluginId;
use orch_trust::package::PackageBytes;
use orch_trust::permission::Permissions;
use orch_trust::policy::SandboxMode;
use orch_trust::refusal::Refusal;

use super::secret::seen_by_programs;
use crate::config::operator::Operator;
use crate::config::workspace::WorkspaceConfig;
use crate::console::{Console, Tone, escape, escape_cut};
use crate::exit::{Exit, Fault, Outcome};
use crate::manifest_schema;
use crate::package;
use crate::place::{self, is_approval};
use crate::plugins;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
}

#[derive(clap::Subcommand)]
pub enum PluginCommand {
    /// Verify a package, ask, keep it in the operator's folder and pin it in the workspace
    Add(add::AddArgs),
    /// Take the newest versions that fit from where the workspace's pins came from
    Update(update::UpdateArgs),
    /// Take a plugin's pin out of the workspace, and the plugin off this host if nobody else pins or binds it
    Remove(remove::RemoveArgs),
    /// Approve what a plugin asks for
    Approve {
        /// NAMESPACE/NAME
        id: String,
        /// Also a lower version than the one approved before
        #[arg(long)]
        allow_rollback: bool,
        /// One more folder with packages; may be said again
        #[arg(long, value_name = "DIR")]
        plugins: Vec<PathBuf>,
    },
    /// Have this machine's own certifier look again at what is approved, before its certificates end
    Renew(renew::RenewArgs),
    /// Packages that this host finds, and whether they would run
    List(list::ListArgs),
    /// Explain one package: what it asks, what it would get, and why it would be refused
    Inspect {
        /// The package's folder, or a `.orchpkg` file
        package: PathBuf,
        /// Its README too: its author's words, which nobody checked
        #[arg(long)]
        readme: bool,
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Each step of admission for one package: passed, failed or not run
    Verify {
        /// The package's folder, or a `.orchpkg` file
        package: PathBuf,
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Whether every package would run today, and until when
    Audit(audit::AuditArgs),
    /// Take a trust root, a freshness document or a revocation list
    Trust(trust::TrustArgs),
    /// Never run a plugin, file or key again on this host
    Revoke(revoke::RevokeArgs),
}

pub fn run(command: &PluginCommand, home: Option<&Path>, console: Console) -> Outcome {
    // What mends the folder must work while the folder does not.
    if let PluginCommand::Trust(args) = command {
        return trust::run(args, home, console);
    }
    let operator = place::operator(home)?;
    match command {
        PluginCommand::Trust(args) => trust::run(args, home, console),
        PluginCommand::Add(args) => add::run(args, &operator, console),
        PluginCommand::Update(args) => update::run(args, &operator, console),
        PluginCommand::Remove(args) => remove::run(args, &operator, console),
        PluginCommand::Approve { id, allow_rollback, plugins } => {
            approve(&operator, id, *allow_rollback, plugins, console)
        }
        PluginCommand::Renew(args) => renew::run(args, &operator, console),
        PluginCommand::List(args) => list::run(args, &operator, console),
        PluginCommand::Inspect { package, readme, format } => {
            inspect(&operator, package, *readme, *format, console)
        }
        PluginCommand::Verify { package, format } => verify(&operator, package, *format, console),
        PluginCommand::Audit(args) => audit::run(args, &operator, console),
        PluginCommand::Revoke(args) => revoke::run(args, &operator, console),
    }
}

/// What is known of revocations, and how new that is.
pub(super) fn freshness_line(verdict: Freshness) -> String {
    match verdict {
        Freshness::Fresh { until } => format!("revocations fresh until {until}"),
        Freshness::OfflineGrace { until } => {
            format!("revocations in offline grace until {until}: nothing newer was heard of")
        }
        Freshness::Stale { since } => format!("revocations stale since {since}"),
    }
}

/// The rules without a workspace.
fn rules(operator: &Operator) -> Rules {
    operator.rules(&WorkspaceConfig::default(), Lock::default())
}

fn refused(folder: &Path, refusal: Refusal) -> Fault {
    let exit = if is_approval(refusal.code()) { Exit::NeedsDecision } else { Exit::PluginRefused };
    let (code, hint) = (refusal.code(), plugins::refusal_hint(refusal.code(), refusal.hint()));
    let lines = refusal.lines().map(str::to_owned);
    let fault = Fault::new(exit, code, hint, refusal).with_lines(lines.as_deref());
    fault.context(format!("package `{}` is refused", folder.display()))
}

/// Everything of a package but the operator's yes.
pub(super) fn check_but_approval(
    operator: &Operator,
    folder: &Path,
    bytes: &PackageBytes,
) -> Result<Admitted, Fault> {
    check_by(rules(operator), folder, bytes)
}

/// The same by other rules than those of now.
fn check_by(mut rules: Rules, folder: &Path, bytes: &PackageBytes) -> Result<Admitted, Fault> {
    let manifest = manifest_schema::read(bytes).map_err(|refusal| refused(folder, refusal))?;
    rules.approvals.insert(manifest.id.clone(), approval_of(manifest));
    orch_trust::admission::admit(bytes, &rules, place::now()).map_err(|refusal| refused(folder, refusal))
}

/// Every step of admission; the schema has the word if the manifest does not match it.
fn steps_of(bytes: &PackageBytes, operator: &Operator) -> Steps {
    let steps = explain(bytes, &rules(operator), place::now());
    match manifest_schema::read(bytes) {
        Ok(_) => steps,
        Err(refusal) => Steps { passed: Vec::new(), outcome: Err((Step::Manifest, refusal)), ..steps },
    }
}

fn approval_of(manifest: &Manifest) -> Approval {
    Approval {
        id: manifest.id.clone(),
        version: manifest.version.clone(),
        permissions: manifest.permissions.clone(),
        at: place::now(),
    }
}

pub(super) fn show_ask(manifest: &Manifest, console: Console) {
    console.line(&format!(
        "{} {}  {}",
        manifest.id,
        manifest.version,
        escape_cut(&manifest.description, 100)
    ));
    let addresses = [
        ("repository", &manifest.repository),
        ("homepage", &manifest.homepage),
        ("changelog", &manifest.changelog),
    ];
    for (what, address) in addresses.into_iter().filter(|(_, address)| !address.is_empty()) {
        console.line(&format!("  {what:<12} {}", escape(address)));
    }
    if !manifest.keywords.is_empty() {
        console.line(&format!("  {:<12} {}", "keywords", escape(&manifest.keywords.join(", "))));
    }
    let lines = manifest.permissions.lines();
    if lines.is_empty() {
        console.line("  asks for nothing");
    }
    for line in &lines {
        console.line(&format!("  {}", escape(line)));
    }
}

/// That there is nothing around its programs, where the operator's policy says so.
pub(super) fn show_unconfined(manifest: &Manifest, operator: &Operator, console: Console) {
    if manifest.permissions.process.is_some() && operator.policy.sandbox.mode == SandboxMode::Off {
        console.line(&format!("  {}", console.paint(Tone::Careful, crate::sandbox::OFF)));
    }
}

/// Secrets that its programs would see, besides what it is shown to ask for.
fn show_seen(granted: &Permissions, operator: &Operator, console: Console) {
    for line in seen_by_programs(granted, &operator.secrets) {
        console.line(&format!("  {}", console.paint(Tone::Careful, &line)));
    }
}

/// Where the operator's folder keeps that version.
pub(super) fn kept_at(operator: &Operator, manifest: &Manifest) -> PathBuf {
    let plugin = operator.home.join("packages").join(manifest.id.namespace()).join(manifest.id.name());
    plugin.join(manifest.version.to_string())
}

fn approve(
    operator: &Operator,
    id: &str,
    allow_rollback: bool,
    folders: &[PathBuf],
    console: Console,
) -> Outcome {
    let parsed = PluginId::parse(id).map_err(|error| place::input("plugin-id", None, error.to_string()))?;
    let searched = place::package_folders(operator, folders)?;
    let found = plugins::discover(&searched);
    let Some(package) = plugins::choose(&found, &parsed, &rules(operator)) else {
        let searched = searched.clone();
        return Err(plugins::PluginsError::NotFound { id: id.to_owned(), searched }.into());
    };
    let bytes = plugins::read(package)?;
    let admitted = check_but_approval(operator, &package.folder, &bytes)?;
    let manifest = admitted.manifest().clone();
    show_ask(&manifest, console);
    show_unconfined(&manifest, operator, console);
    show_seen(admitted.grant().permissions(), operator, console);
    upgrade::show(operator, &manifest, allow_rollback, console)?;
    operator.approve(&approval_of(&manifest), &bytes, admitted.trust())?;
    console.line(&format!("approved {} {}", manifest.id, manifest.version));
    Ok(Exit::Done)
}

fn inspect(operator: &Operator, folder: &Path, readme: bool, format: Format, console: Console) -> Outcome {
    let bytes = package::read_any(folder)?;
    let steps = steps_of(&bytes, operator);
    let unasked = steps
        .manifest
        .as_ref()
        .map_or_else(Vec::new, |manifest| operator.policy.unasked(&manifest.id, &manifest.permissions));
    match format {
        Format::Text => {
            show_steps(&steps, &bytes, operator, console);
            if let Ok(admitted) = &steps.outcome {
                show_seen(admitted.grant().permissions(), operator, console);
            }
            for what in unasked {
                let what = escape(&what);
                console.line(&format!(
                    "  not asked    policy allows `{what}`, which the manifest does not ask for"
                ));
            }
        }
        Format::Json => console.json(&json(&steps, &bytes, &unasked, operator)),
    }
    if readme && format == Format::Text {
        show_readme(&bytes, console);
    }
    match steps.outcome {
        Ok(_) => Ok(Exit::Done),
        Err((_, refusal)) => Err(refused(folder, refusal)),
    }
}

/// What its author wrote, as nobody else's words.
fn show_readme(bytes: &PackageBytes, console: Console) {
    let Some((_, text)) = bytes.documents().find(|(name, _)| *name == "README.md") else {
        console.line("  it has no README.md");
        return;
    };
    console.line("  README.md, its author's words, which nobody checked:");
    let text = String::from_utf8_lossy(text);
    console.lines(text.lines().map(|line| format!("  | {}", escape(line))));
}

/// The steps alone, for a script or a person who knows the package.
fn verify(operator: &Operator, folder: &Path, format: Format, console: Console) -> Outcome {
    let bytes = package::read_any(folder)?;
    let steps = steps_of(&bytes, operator);
    let id = steps.manifest.as_ref().map(|manifest| manifest.id.to_string()).unwrap_or_default();
    let warnings = plugins::warnings_of(&steps, &id);
    match format {
        Format::Text => {
            show_verdicts(&steps, console);
            for warning in &warnings {
                console.line(&format!("  {}", console.paint(Tone::Careful, &escape(warning))));
            }
        }
        Format::Json => {
            let steps: Vec<serde_json::Value> = Step::ALL
                .iter()
                .map(|step| match steps.verdict(*step) {
                    Verdict::Passed => serde_json::json!({ "step": step.as_str(), "status": "passed" }),
                    Verdict::NotRun => serde_json::json!({ "step": step.as_str(), "status": "not run" }),
                    Verdict::Failed(refusal) => serde_json::json!({
                        "step": step.as_str(), "status": "failed", "code": refusal.code(),
                        "message": refusal.to_string(),
                    }),
                })
                .collect();
            console.json(&serde_json::json!({ "steps": steps, "warnings": warnings }).to_string());
        }
    }
    match steps.outcome {
        Ok(_) => Ok(Exit::Done),
        Err((_, refusal)) => Err(refused(folder, refusal)),
    }
}

/// `passed`, `failed` with a code, or `not run`, for each step.
fn verdicts(steps: &Steps) -> Vec<(Step, String)> {
    let verdict = |step: &Step| match steps.verdict(*step) {
        Verdict::Passed => "passed".to_owned(),
        Verdict::Failed(refusal) => format!("failed  {}", refusal.code()),
        Verdict::NotRun => "not run".to_owned(),
    };
    Step::ALL.iter().map(|step| (*step, verdict(step))).collect()
}

fn show_steps(steps: &Steps, bytes: &PackageBytes, operator: &Operator, console: Console) {
    if let Some(manifest) = &steps.manifest {
        show_ask(manifest, console);
        show_unconfined(manifest, operator, console);
        show_keys(manifest, console);
    }
    for (name, size, digest) in bytes.list() {
        console.line(&format!("  {digest}  {size:>9}  {name}"));
    }
    show_verdicts(steps, console);
    if let Some((owner, key)) = &steps.publisher {
        console.line(&format!("  publisher    {} ({key})", escape(owner)));
    }
    if let Some(until) = steps.valid_until {
        console.line(&format!("  certificate  until {until}"));
    }
    if let Some(verdict) = steps.freshness {
        console.line(&format!("  {}", freshness_line(verdict)));
    }
    for note in &steps.notes {
        let what = format!("warned of     {}: {}", note.what, note.reason);
        console.line(&format!("  {}", console.paint(Tone::Careful, &escape(&what))));
    }
    if let Ok(admitted) = &steps.outcome {
        console.line(&format!("  {}", console.paint(Tone::Good, admitted.trust().as_str())));
        for line in admitted.grant().permissions().lines() {
            console.line(&format!("  granted      {}", escape(&line)));
        }
    }
}

/// Which settings and keys of tasks it reads.
fn show_keys(manifest: &Manifest, console: Console) {
    let schema = &manifest.settings_schema;
    let keys = schema.get("properties").and_then(serde_json::Value::as_object);
    let named: Vec<String> =
        keys.into_iter().flatten().map(|(key, _)| format!("`{}`", escape(key))).collect();
    let closed = schema.get("additionalProperties") == Some(&serde_json::Value::Bool(false));
    let said = match (manifest.reads_settings(), schema.is_empty()) {
        (false, _) => None,
        (true, true) => Some("no schema: what `config.yaml` says is handed on unseen".to_owned()),
        (true, false) if closed => Some(format!("by a schema, only {}", named.join(", "))),
        (true, false) => Some(format!("by a schema: {}", named.join(", "))),
    };
    for (what, said) in [
        ("settings", said),
        ("edits", edits_of(manifest.isolation).map(str::to_owned)),
        ("task keys", (!manifest.task_keys.is_empty()).then(|| manifest.task_keys.join(", "))),
    ] {
        said.into_iter().for_each(|said| console.line(&format!("  {what:<12} {said}")));
    }
}

/// Where its attempts edit, if that is not as the run has it.
fn edits_of(isolation: Isolation) -> Option<&'static str> {
    match isolation {
        Isolation::Any => None,
        Isolation::None => Some("your own tree; where a run's edits go to a branch, tasks say `tree: mine`"),
        Isolation::Worktree => Some("a tree of their own, unless `config.yaml` says `isolation: none`"),
    }
}

fn show_verdicts(steps: &Steps, console: Console) {
    for (step, verdict) in verdicts(steps) {
        let tone = match steps.verdict(step) {
            Verdict::Passed => Tone::Good,
            Verdict::Failed(_) => Tone::Bad,
            Verdict::NotRun => Tone::Faint,
        };
        console.line(&format!("  {:<12} {}", step.as_str(), console.paint(tone, &verdict)));
    }
}

fn json(steps: &Steps, bytes: &PackageBytes, unasked: &[String], operator: &Operator) -> String {
    let files: Vec<serde_json::Value> = bytes
        .list()
        .map(|(name, size, sha256)| serde_json::json!({ "path": name, "size": size, "sha256": sha256 }))
        .collect();
    let verdicts: serde_json::Map<String, serde_json::Value> = verdicts(steps)
        .into_iter()
        .map(|(step, verdict)| (step.as_str().to_owned(), verdict.into()))
        .collect();
    let off = operator.policy.sandbox.mode == SandboxMode::Off;
    let not_enforced: &[&str] = if off { &["process.network"] } else { &[] };
    serde_json::json!({
        "manifest": steps.manifest,
        "files": files,
        "steps": verdicts,
        "publisher": steps.publisher.as_ref().map(|(owner, key)| serde_json::json!({ "owner": owner, "key": key.to_string() })),
        "validUntil": steps.valid_until,
        "freshness": steps.freshness.map(freshness_line),
        "warnings": steps.notes.iter().map(|note| serde_json::json!({ "what": note.what, "reason": note.reason })).collect::<Vec<_>>(),
        "trust": steps.outcome.as_ref().ok().map(|admitted| admitted.trust().as_str()),
        "granted": steps.outcome.as_ref().ok().map(|admitted| admitted.grant().permissions().clone()),
        "allowedUnasked": unasked,
        "processSees": steps.outcome.as_ref().ok().map(|admitted| {
            seen_by_programs(admitted.grant().permissions(), &operator.secrets)
        }),
        "notEnforced": not_enforced,
        "refusal": steps.outcome.as_ref().err().map(|(_, refusal)| serde_json::json!({
            "code": refusal.code(), "message": refusal.to_string(), "hint": refusal.hint(),
            "lines": refusal.lines(),
        })),
    })
    .to_string()
}
