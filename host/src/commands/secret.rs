//! `orch-host secret list|check`: where secrets come from, who may use them, whether they can be read, and whether one stands
//! where it should not.
//!
//! Invariant: no value is shown, nor its length or a digest of it.
//! Not here: reading sources (`crate::secrets` of the host), looking through a workspace (`secret/search.rs`).

mod search;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use orch_task::keys::nearest;
use orch_trust::admission::admit;
use orch_trust::evidence::Compilable;
use orch_trust::permission::Permissions;

use super::counted;
use super::status::Format;
use crate::capability::secrets::leaks::Leaks;
use crate::config::operator::Operator;
use crate::config::workspace::WorkspaceConfig;
use crate::console::{Console, Tone, escape};
use crate::exit::{Exit, Fault, Outcome};
use crate::place::{self, Place, WorkspaceArgs};
use crate::plugins;
use crate::secrets::SecretSources;
use crate::secrets::source::From;
use search::{Looked, search};

#[derive(clap::Subcommand)]
pub enum SecretCommand {
    /// Names, where each comes from, and which plugins may use it for which host
    List {
        /// One more folder with packages; may be said again
        #[arg(long, value_name = "DIR")]
        plugins: Vec<PathBuf>,
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Read each from its source, and look whether one stands in what runs wrote
    Check(CheckArgs),
}

#[derive(clap::Args)]
pub struct CheckArgs {
    /// Only these
    names: Vec<String>,
    #[command(flatten)]
    place: WorkspaceArgs,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// Who may use a secret.
struct Use {
    name: String,
    plugin: String,
    host: String,
}

pub fn run(command: &SecretCommand, home: Option<&Path>, console: Console) -> Outcome {
    let operator = place::operator(home)?;
    match command {
        SecretCommand::List { plugins, format } => list(&operator, plugins, *format, console),
        SecretCommand::Check(args) => check(&operator, args, console),
    }
}

/// What every package that would run is granted.
fn uses(operator: &Operator, folders: &[PathBuf]) -> Result<Vec<Use>, Fault> {
    let rules = operator.rules(&WorkspaceConfig::default(), orch_trust::lock::Lock::default());
    let mut uses = Vec::new();
    for found in plugins::discover(&place::package_folders(operator, folders)?) {
        // What is refused may use nothing; `plugin list` says why.
        let Ok(bytes) = plugins::read(&found) else { continue };
        let Ok(admitted) = admit(&bytes, &rules, place::now()) else { continue };
        let plugin = format!("{} {}", found.id, found.version);
        for one in admitted.grant().permissions().secrets.iter().flat_map(|secrets| &secrets.uses) {
            let (name, host) = (one.name.clone(), one.host.clone());
            uses.push(Use { name, plugin: plugin.clone(), host });
        }
    }
    Ok(uses)
}

fn list(operator: &Operator, folders: &[PathBuf], format: Format, console: Console) -> Outcome {
    let uses = uses(operator, folders)?;
    let defined = operator.secrets.iter().map(|(name, source)| (name.as_str(), Some(&source.from)));
    let undefined = uses.iter().filter(|one| !operator.secrets.contains_key(&one.name));
    let mut all: Vec<(&str, Option<&From>)> =
        defined.chain(undefined.map(|one| (one.name.as_str(), None))).collect();
    all.sort_by_key(|(name, _)| *name);
    all.dedup_by_key(|(name, _)| *name);
    if format == Format::Json {
        let of = |name: &str| -> Vec<serde_json::Value> {
            let own = uses.iter().filter(|one| one.name == name);
            own.map(|one| serde_json::json!({ "plugin": one.plugin, "host": one.host })).collect()
        };
        let one = |(name, from): &(&str, Option<&From>)| {
            serde_json::json!({
                "name": name, "source": from.map(From::kind), "place": from.map(From::place), "uses": of(name),
            })
        };
        let document = all.iter().map(one).collect::<Vec<_>>();
        console.json(&serde_json::to_string_pretty(&document).map_err(anyhow::Error::from)?);
        return Ok(Exit::Done);
    }
    if all.is_empty() {
        console.line("`secrets.toml` defines none");
    }
    for (name, from) in all {
        match from {
            Some(from) => console.line(&format!("{name}  {} {}", from.kind(), escape(&from.place()))),
            None => {
                let what = console.paint(Tone::Bad, "`secrets.toml` does not define it");
                console.line(&format!("{name}  {what}"));
            }
        }
        for one in uses.iter().filter(|one| one.name == name) {
            console.line(&format!("  {} for {}", one.plugin, one.host));
        }
    }
    Ok(Exit::Done)
}

fn check(operator: &Operator, args: &CheckArgs, console: Console) -> Outcome {
    let sources = &operator.secrets;
    let known: Vec<&str> = sources.keys().map(String::as_str).collect();
    if let Some(unknown) = args.names.iter().find(|name| !sources.contains_key(*name)) {
        let near = nearest(unknown, &known).map(|near| format!("the nearest is `{near}`"));
        let hint = near.unwrap_or_else(|| "`orch-host secret list` shows all".to_owned());
        let what = format!("`secrets.toml` defines no secret `{}`", escape(unknown));
        return Err(place::input("secret-unknown", Some(hint), what));
    }
    let place = Place::from_args(&args.place)?;
    let is_meant = |name: &String| args.names.is_empty() || args.names.contains(name);
    let (mut verdicts, mut values) = (Vec::new(), Vec::new());
    for (name, source) in sources.iter().filter(|(name, _)| is_meant(name)) {
        let read = source.read();
        let why = read.as_ref().err().map(|error| (error.to_string(), error.said().map(str::to_owned)));
        values.extend(read.ok().map(|value| (name.clone(), Arc::new(value))));
        verdicts.push((name, source, why));
    }
    let looked = search(&place, &Leaks::of(values))?;
    let good = verdicts.iter().all(|(_, _, why)| why.is_none()) && looked.found.is_empty();
    match args.format {
        Format::Json => {
            let secret = |(name, source, why): &(&String, &_, Option<(String, _)>)| {
                let source: &crate::secrets::source::SecretSource = source;
                serde_json::json!({
                    "name": name, "source": source.from.kind(), "place": source.from.place(),
                    "readable": why.is_none(), "why": why.as_ref().map(|(why, _)| why),
                })
            };
            let secrets: Vec<_> = verdicts.iter().map(secret).collect();
            let leak = |(name, place): &(String, search::Place)| match place {
                search::Place::File { path, byte } => {
                    serde_json::json!({ "name": name, "file": path, "byte": byte })
                }
                search::Place::Event { run, event } => {
                    serde_json::json!({ "name": name, "run": run, "event": event })
                }
            };
            let leaks: Vec<_> = looked.found.iter().map(leak).collect();
            let document = serde_json::json!({
                "secrets": secrets, "leaks": leaks, "files": looked.files, "events": looked.events,
            });
            console.json(&serde_json::to_string_pretty(&document).map_err(anyhow::Error::from)?);
        }
        Format::Text => {
            for (name, source, why) in &verdicts {
                let from = format!("{} {}", source.from.kind(), escape(&source.from.place()));
                match why {
                    None => console.line(&format!("{} {name}  {from}", console.paint(Tone::Good, "ok  "))),
                    Some((why, said)) => {
                        console.line(&format!("{} {name} {}", console.paint(Tone::Bad, "BAD "), escape(why)));
                        said.iter().for_each(|said| console.note(&format!("it said: {said}")));
                    }
                }
            }
            show_leaks(&looked, console);
        }
    }
    Ok(if good { Exit::Done } else { Exit::GoalNotMet })
}

fn show_leaks(looked: &Looked, console: Console) {
    for (name, place) in &looked.found {
        console.line(&format!("{} {name} stands {place}", console.paint(Tone::Bad, "LEAK")));
    }
    let files = counted(looked.files, "file", "files");
    let events = counted(looked.events, "event", "events");
    console.line(&format!("looked through {files} and {events} of this workspace"));
    if !looked.found.is_empty() {
        console.note(
            "hint: what was written down counts as known: make a new secret where this one came from; then `orch-host prune`, or remove the files",
        );
    }
}

/// Secrets whose variable programs of that grant get: they see the value.
pub(super) fn seen_by_programs(granted: &Permissions, sources: &SecretSources) -> Vec<String> {
    let Some(process) = &granted.process else { return Vec::new() };
    let mut seen = Vec::new();
    for (name, source) in sources.iter() {
        if let From::Env(variable) = &source.from
            && process.variables().any(|handed_on| handed_on == variable)
        {
            let variable = escape(variable);
            seen.push(format!("PROCESS SEES secret `{name}`: its programs get the variable `{variable}`"));
        }
    }
    seen
}
