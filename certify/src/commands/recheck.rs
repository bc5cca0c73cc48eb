//! Says what the certificates of a package would say differently if they were made today.
//!
//! In -> out: package folder, certifiers or a trust root -> differences; exit 0 for none, 1 for some, 3 if it would be
//! refused.
//! Invariant: static checks run in child processes, as in `run`; nothing is written. A root says more than who certifies,
//! so with one nothing that `verify` refuses ends as done.
//! Not here: what is compared (`orch-certify`'s `recheck.rs`), who is trusted (`trusted.rs`).

use std::path::PathBuf;

use anyhow::Context;
use orch_certify::error::CertifyError;
use orch_certify::recheck::{BROKEN, Recheck, certifiers, recheck};
use orch_certify::sandbox::Sandbox;
use orch_host::console::{Console, Tone, escape, escape_cut};
use orch_host::exit::{Exit, Outcome};
use orch_host::package;
use orch_trust::admission::explain;
use serde_json::json;

use super::trusted::{self, TrustedArgs};
use super::{Format, fault, now};

const DIFFERENCE_CHARACTERS_MAX: usize = 400;
const EXITS: &str = "\
Exit codes:
  0  a certificate of today would say the same
  1  it would say something else, and still certify
  2  usage, or a file that cannot be read
  3  the package would be refused today
  5  a check did not come to an end";

/// Say what the certificates of a package would say differently today.
///
/// Facts and static checks are derived again, and compared together with tools, times and the required list. With a trust
/// root, what `verify` refuses by it is refused too: what was taken back, a release or a certificate that is missing.
#[derive(clap::Args)]
#[command(after_help = EXITS)]
pub(crate) struct RecheckArgs {
    /// Package folder
    package: PathBuf,
    #[command(flatten)]
    trusted: TrustedArgs,
    /// How to print what differs
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

pub(crate) fn run(args: &RecheckArgs, console: &Console) -> Outcome {
    let rules = args.trusted.rules()?;
    let package = package::read(&args.package).map_err(|error| fault(CertifyError::Package(error)))?;
    let sandbox = Sandbox::new(std::env::current_exe().context("cannot find this program")?);
    let place = tempfile::tempdir().map_err(|source| fault(CertifyError::Place { source }))?;
    let run_static = |group| sandbox.run(group, &args.package, &package, place.path()).results;
    let refused = |refusal| fault(CertifyError::Refused(refusal));
    let certifiers = certifiers(&package, &rules, now()).map_err(refused)?;
    let found = recheck(&package, &certifiers, now(), &run_static).map_err(refused)?;
    match args.format {
        Format::Text => found.iter().for_each(|one| show(one, console)),
        Format::Json => {
            let list: Vec<_> = found.iter().map(to_json).collect();
            console.json(&json!({ "certificates": list }).to_string());
        }
    }
    if rules.anchor.is_some()
        && let Err((step, refusal)) = explain(&package, &rules, now()).outcome
        && trusted::steps(&rules).any(|looked_at| looked_at == step)
    {
        return Err(refused(refusal));
    }
    let mut differences = found.iter().flat_map(|one| &one.differences);
    Ok(match () {
        () if differences.clone().any(|difference| difference.refuses) => Exit::PluginRefused,
        () if differences.clone().any(|difference| difference.code == BROKEN) => Exit::HostError,
        () if differences.next().is_some() => Exit::GoalNotMet,
        () => Exit::Done,
    })
}

fn show(one: &Recheck, console: &Console) {
    let certificate = &one.certificate;
    let (level, until) = (certificate.level.as_str(), certificate.valid_until);
    console.line(&format!("{}: {level}, valid until {until}", escape(&one.file)));
    if one.differences.is_empty() {
        console.line(&format!("  {}", console.paint(Tone::Good, "would say the same today")));
    }
    for difference in &one.differences {
        let what = escape_cut(&difference.what, DIFFERENCE_CHARACTERS_MAX);
        let weight = if difference.refuses { "refuses" } else { "differs" };
        console.line(&format!("  {weight}  {}: {what}", difference.code));
    }
}

fn to_json(one: &Recheck) -> serde_json::Value {
    let differences: Vec<_> = one
        .differences
        .iter()
        .map(|difference| {
            json!({ "code": difference.code, "what": difference.what, "refuses": difference.refuses })
        })
        .collect();
    json!({
        "file": one.file,
        "certifier": one.certifier.to_string(),
        "level": one.certificate.level,
        "validUntil": one.certificate.valid_until,
        "differences": differences,
    })
}
