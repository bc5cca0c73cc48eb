//! `orch-host plugin renew [ID...]`: certificates of what is approved, before they end.
//!
//! In -> out: packages that were admitted, or whose certificate ended -> the same, certified again by this machine's certifier.
//! Invariant: nothing but certificates changes; a package that is refused for another reason is left and named.
//! It runs by itself before a run and `serve` where `[certificates] renew` says so.
//! Not here: the checks (`orch-certify`), the program and its key (`starter/certifier.rs`).

use std::path::{Path, PathBuf};

use orch_trust::admission::{Rules, Steps, explain};
use orch_trust::evidence::Compilable;
use orch_trust::name::PluginId;
use orch_trust::policy::Renewal;

use super::rules;
use crate::config::operator::Operator;
use crate::config::workspace::WorkspaceConfig;
use crate::console::{Console, Tone};
use crate::exit::{Exit, Fault, Outcome};
use crate::place;
use crate::plugins::{self, Found};
use crate::starter::Certifier;

#[derive(clap::Args)]
pub struct RenewArgs {
    /// NAMESPACE/NAME; everything that is approved if absent
    ids: Vec<String>,
    /// The certifier's secret key; `keys/certifier.json` of the operator's folder if absent
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// One more folder with packages; may be said again
    #[arg(long, value_name = "DIR")]
    plugins: Vec<PathBuf>,
}

/// Of refusals, those that a certificate of today ends.
const ENDED: [&str; 2] = ["certificate-expired", "certificate-missing"];

pub(super) fn run(args: &RenewArgs, operator: &Operator, console: Console) -> Outcome {
    let parsed =
        |id: &String| PluginId::parse(id).map_err(|error| place::input("plugin-id", None, error.to_string()));
    let named = args.ids.iter().map(parsed);
    let named = named.collect::<Result<Vec<PluginId>, Fault>>()?;
    let folders = place::package_folders(operator, &args.plugins)?;
    let found = plugins::discover(&folders);
    let wanted = |id: &PluginId| match named.is_empty() {
        true => operator.approvals.contains_key(id),
        false => named.contains(id),
    };
    if let Some(id) = named.iter().find(|id| !found.iter().any(|package| package.id == **id)) {
        return Err(plugins::PluginsError::NotFound { id: id.to_string(), searched: folders }.into());
    }
    let certifier = Certifier::beside(&operator.home, args.key.as_deref())?;
    let outcomes: Vec<Renewed> = found
        .iter()
        .filter(|package| wanted(&package.id))
        .map(|package| renew(package, &rules(operator), &certifier, console))
        .collect::<Result<_, _>>()?;
    if outcomes.is_empty() {
        console.line("nothing is approved that could be certified again");
    }
    match outcomes.contains(&Renewed::No) {
        true => Ok(Exit::PluginRefused),
        false => Ok(Exit::Done),
    }
}

/// The same for what a workspace binds and whose certificate ends soon or has ended, where the operator's policy says so. What
/// does not succeed is a warning: admission has the word.
///
/// # Errors
/// Of reading packages.
pub(in crate::commands) fn by_itself(
    operator: &Operator,
    workspace: &WorkspaceConfig,
    folders: &[PathBuf],
    rules: &Rules,
    console: Console,
) -> Result<(), Fault> {
    if operator.policy.certificates.renew != Some(Renewal::Starter) {
        return Ok(());
    }
    for id in workspace.roles.ids().into_iter().filter_map(|text| PluginId::parse(&text).ok()) {
        let found = plugins::versions(folders, &id);
        let Some(package) = plugins::choose(&found, &id, rules) else { continue };
        let steps = look(&package.folder, rules)?;
        let is_due = match (&steps.outcome, steps.valid_until) {
            (Ok(admitted), Some(until)) => plugins::is_ending(admitted.trust(), until, place::now()),
            (Ok(_), None) => false,
            (Err((_, refusal)), _) => refusal.code() == "certificate-expired",
        };
        if !is_due {
            continue;
        }
        match Certifier::beside(&operator.home, None).and_then(|certifier| certifier.certify(&package.folder))
        {
            Ok(()) => console.note(&format!("{id} {}: certified again", package.version)),
            Err(fault) => {
                console.warn(&format!("{id} {} is not certified again: {:#}", package.version, fault.source))
            }
        }
    }
    Ok(())
}

/// Whether a package can be admitted now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Renewed {
    Yes,
    No,
}

fn renew(package: &Found, rules: &Rules, certifier: &Certifier, console: Console) -> Result<Renewed, Fault> {
    let (id, version) = (&package.id, &package.version);
    let say = |tone, what: &str| console.line(&format!("{id} {version}  {}", console.paint(tone, what)));
    let before = look(&package.folder, rules)?;
    if let Err((_, refusal)) = &before.outcome
        && !ENDED.contains(&refusal.code())
    {
        say(Tone::Bad, &format!("left: refused: {}", refusal.code()));
        return Ok(Renewed::No);
    }
    if let Err(fault) = certifier.certify(&package.folder) {
        if fault.code != "certification-refused" {
            return Err(fault.context(format!("package `{}`", package.folder.display())));
        }
        console.error(&fault);
        say(Tone::Bad, "not certified: a check did not pass");
        return Ok(Renewed::No);
    }
    let after = look(&package.folder, rules)?;
    match (&after.outcome, after.valid_until) {
        (Ok(_), Some(until)) if before.valid_until == after.valid_until => {
            say(Tone::Good, &format!("still valid until {until}"));
        }
        (Ok(_), Some(until)) => say(Tone::Good, &format!("renewed until {until}")),
        (Ok(_), None) => say(Tone::Good, "renewed"),
        (Err((_, refusal)), _) => {
            say(Tone::Bad, &format!("certified, and refused: {}", refusal.code()));
            return Ok(Renewed::No);
        }
    }
    Ok(Renewed::Yes)
}

fn look(folder: &Path, rules: &Rules) -> Result<Steps, Fault> {
    Ok(explain(&crate::package::read(folder)?, rules, place::now()))
}
