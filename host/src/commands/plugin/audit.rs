//! `orch-host plugin audit`: whether each package that this host finds would run today, and for how long.
//!
//! In -> out: package folders, operator, a workspace's lock -> a line for each package, and an exit that CI can branch on.
//! Invariant: the verdicts are admission's own; nothing is changed.

use std::path::PathBuf;

use orch_trust::admission::explain;
use orch_trust::denial::{Denial, Denied};
use orch_trust::evidence::Compilable;
use orch_trust::name::PluginId;
use orch_trust::package::PackageBytes;
use orch_trust::time::UnixSeconds;
use serde_json::json;

use super::Format;
use crate::commands::counted;
use crate::config::operator::Operator;
use crate::config::workspace::WorkspaceConfig;
use crate::console::{Console, Tone, escape};
use crate::exit::{Exit, Outcome};
use crate::place::{self, Place, WorkspaceArgs};
use crate::plugins;

/// A certificate that ends within so many days is said.
const ENDING_DAYS: i64 = 2;

#[derive(clap::Args)]
pub struct AuditArgs {
    /// One more folder with packages; may be said again
    #[arg(long, value_name = "DIR")]
    plugins: Vec<PathBuf>,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    #[command(flatten)]
    place: WorkspaceArgs,
}

/// What is said of one package.
struct Verdict {
    id: String,
    version: String,
    folder: PathBuf,
    /// Its trust, or code and text of what refuses it.
    standing: Result<&'static str, (String, String)>,
    valid_until: Option<UnixSeconds>,
    warnings: Vec<String>,
    locked: bool,
}

pub(super) fn run(args: &AuditArgs, operator: &Operator, console: Console) -> Outcome {
    let place = Place::from_args(&args.place)?;
    let lock = place.lock()?;
    let rules = operator.rules(&WorkspaceConfig::default(), lock.clone());
    let now = place::now();
    let found = plugins::discover(&place::package_folders(operator, &args.plugins)?);
    let verdict = |found: plugins::Found| {
        let (standing, valid_until, warnings) = match plugins::read(&found) {
            Err(error) => (Err((error.code().to_owned(), error.to_string())), None, Vec::new()),
            Ok(bytes) => {
                let steps = explain(&bytes, &rules, now);
                let mut warnings = plugins::warnings_of(&steps, found.id.as_str());
                warnings.extend(denials(operator, &found.id, &bytes));
                let standing = match steps.outcome {
                    Ok(admitted) => Ok(admitted.trust().as_str()),
                    Err((_, refusal)) => Err((refusal.code().to_owned(), refusal.to_string())),
                };
                (standing, steps.valid_until, warnings)
            }
        };
        let pinned = lock.plugins.get(&found.id).is_some_and(|pin| pin.version == found.version);
        Verdict {
            id: found.id.to_string(),
            version: found.version.to_string(),
            folder: found.folder,
            standing,
            valid_until,
            warnings,
            locked: pinned,
        }
    };
    let verdicts: Vec<Verdict> = found.into_iter().map(verdict).collect();
    for one in &verdicts {
        match args.format {
            Format::Text => show(one, now, console),
            Format::Json => console.json(&as_json(one).to_string()),
        }
    }
    if args.format == Format::Text {
        super::trust::lines(operator).iter().for_each(|line| console.line(line));
    }
    let refused = verdicts.iter().filter(|one| one.standing.is_err()).count();
    if args.format == Format::Text {
        let denied = operator.denials.denied.len();
        console.line(&format!(
            "{}, {refused} refused; {} of this host",
            counted(verdicts.len(), "package", "packages"),
            counted(denied, "denial", "denials")
        ));
    }
    Ok(if refused == 0 { Exit::Done } else { Exit::PluginRefused })
}

/// Why this host denied it, as whoever did so said.
fn denials(operator: &Operator, id: &PluginId, bytes: &PackageBytes) -> Vec<String> {
    let files: Vec<_> = bytes.list().map(|(_, _, digest)| digest).collect();
    let is_about = |denial: &&Denial| match &denial.what {
        Denied::Id(denied) => denied == id,
        Denied::Sha256(digest) => files.contains(digest),
        Denied::Key(_) => false,
    };
    let of_host = operator.denials.denied.iter().filter(is_about);
    of_host.map(|denial| format!("denied on {}: {}", denial.at, denial.reason)).collect()
}

fn show(one: &Verdict, now: UnixSeconds, console: Console) {
    let (tone, word) = match &one.standing {
        Ok(trust) => (Tone::Good, (*trust).to_owned()),
        Err((code, _)) => (Tone::Bad, format!("refused: {code}")),
    };
    let pinned = if one.locked { "  pinned" } else { "" };
    console.line(&format!("{} {}  {}{pinned}", one.id, one.version, console.paint(tone, &word)));
    match (&one.standing, one.valid_until) {
        (Err((_, text)), _) => console.line(&format!("  {}", escape(text))),
        (Ok(_), Some(until)) if now.plus(ENDING_DAYS * UnixSeconds::DAY) > until => {
            console.line(&format!(
                "  {}",
                console.paint(Tone::Careful, &format!("certificate ends at {until}"))
            ));
        }
        (Ok(_), Some(until)) => console.line(&format!("  certificate until {until}")),
        (Ok(_), None) => {}
    }
    for warning in &one.warnings {
        console.line(&format!("  {}", console.paint(Tone::Careful, &escape(warning))));
    }
}

fn as_json(one: &Verdict) -> serde_json::Value {
    let refusal = one.standing.as_ref().err().map(|(code, text)| json!({ "code": code, "message": text }));
    json!({
        "id": one.id, "version": one.version, "folder": one.folder.display().to_string(), "pinned": one.locked,
        "trust": one.standing.as_ref().ok(), "refusal": refusal, "validUntil": one.valid_until,
        "warnings": one.warnings,
    })
}
