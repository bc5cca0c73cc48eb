//! Runs every required check of a level on a package, and signs if all passed and there is a key.
//!
//! In -> out: package folder -> a table of checks, a certificate, a statement.
//! Invariant: a required check that is not `pass` leaves the package without a new certificate; exit 3.
//! Not here: the checks (`check.rs`, `conformance.rs`).

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context;
use clap::ValueEnum;
use orch_certify::check::{Beside, names};
use orch_certify::error::CertifyError;
use orch_certify::examine::{Examination, examine};
use orch_certify::issue::{assemble, replace, sign_into, still_valid};
use orch_certify::sandbox::Sandbox;
use orch_certify::{report, statement};
use orch_host::console::{Console, Tone, escape};
use orch_host::exit::{Exit, Outcome};
use orch_host::package;
use orch_trust::authority::Level;
use orch_trust::manifest::Manifest;
use orch_trust::package::PackageBytes;
use orch_trust::time::UnixSeconds;
use serde_json::json;

use super::{Format, fault, now, read_key};

/// Run every required check on a package; sign what it found.
#[derive(clap::Args)]
pub(crate) struct RunArgs {
    /// Package folder
    package: PathBuf,
    /// Certifier's secret key; without it nothing is signed
    #[arg(long)]
    key: Option<PathBuf>,
    /// Level to certify at
    #[arg(long, value_enum, default_value_t = Profile::Local)]
    profile: Profile,
    /// Folder of the release before this one, for `--profile certified`
    #[arg(long, value_name = "DIR")]
    previous: Option<PathBuf>,
    /// Ids of other plugins, one a line, that this one must not be taken for
    #[arg(long, value_name = "FILE")]
    known: Option<PathBuf>,
    /// How to print the results
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Write the unsigned statement there, for `sign`
    #[arg(long)]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Profile {
    Local,
    Certified,
}

impl Profile {
    fn level(self) -> Level {
        match self {
            Self::Local => Level::Local,
            Self::Certified => Level::Certified,
        }
    }
}

pub(crate) fn run(args: &RunArgs, console: &Console) -> Outcome {
    let (level, started_at, started) = (args.profile.level(), now(), Instant::now());
    let package = package::read(&args.package).map_err(|error| fault(CertifyError::Package(error)))?;
    let plugin = name_of(&package);
    // Known to be usable before the checks begin. Children are started anew and hold nothing of it.
    let key = args.key.as_deref().map(read_key).transpose()?;
    if let Some(key) = &key
        && args.out.is_none()
        && let Some(valid_until) = still_valid(&package, level, key, started_at)
    {
        show_still_valid(args, console, &plugin, valid_until);
        return Ok(Exit::Done);
    }
    let program = std::env::current_exe().context("cannot find this program")?;
    let mut sandbox = Sandbox::new(program);
    sandbox.beside = beside(args).map_err(fault)?;
    let examination = examine(&args.package, &package, level, &sandbox).map_err(fault)?;
    if !examination.passed() {
        show(args, console, &plugin, &examination, None);
        return Ok(Exit::PluginRefused);
    }
    let seconds = i64::try_from(started.elapsed().as_secs()).unwrap_or(i64::MAX);
    let certificate =
        assemble(&package, examination.clone(), started_at, started_at.plus(seconds)).map_err(fault)?;
    let valid_until = certificate.valid_until;
    if let Some(out) = &args.out {
        let bytes = statement::render(&package, certificate.clone());
        replace(out, &bytes).map_err(|source| fault(CertifyError::Write { path: out.clone(), source }))?;
    }
    let signed = match &key {
        Some(key) => {
            sign_into(&args.package, &package, certificate, key).map_err(fault)?;
            Some(valid_until)
        }
        None => None,
    };
    show(args, console, &plugin, &examination, signed);
    Ok(Exit::Done)
}

/// What the checks are told beside the package.
fn beside(args: &RunArgs) -> Result<Beside, CertifyError> {
    let known = match &args.known {
        Some(path) => names::read_known(path)?,
        None => Vec::new(),
    };
    Ok(Beside { known, previous: args.previous.clone() })
}

fn name_of(package: &PackageBytes) -> String {
    Manifest::parse(package.manifest()).map_or_else(
        |_| "(no manifest)".to_owned(),
        |manifest| format!("{} {}", manifest.id, manifest.version),
    )
}

fn show(
    args: &RunArgs,
    console: &Console,
    plugin: &str,
    examination: &Examination,
    signed: Option<UnixSeconds>,
) {
    if args.format == Format::Json {
        let mut value = report::json(plugin, examination);
        if let Some(fields) = value.as_object_mut() {
            fields.insert("validUntil".to_owned(), json!(signed));
        }
        return console.line(&value.to_string());
    }
    console.line(&report::text(plugin, examination));
    console.line(&match (examination.passed(), signed) {
        (false, _) => console.paint(Tone::Bad, "refused: a required check did not pass"),
        (true, None) => "every required check passed; nothing was signed".to_owned(),
        (true, Some(until)) => {
            console.paint(Tone::Good, &format!("certified ({}) until {until}", examination.level.as_str()))
        }
    });
}

fn show_still_valid(args: &RunArgs, console: &Console, plugin: &str, valid_until: UnixSeconds) {
    console.line(&match args.format {
        Format::Json => {
            json!({ "plugin": plugin, "passed": true, "reused": true, "validUntil": valid_until }).to_string()
        }
        Format::Text => format!("plugin {}: certificate is still valid until {valid_until}", escape(plugin)),
    });
}
