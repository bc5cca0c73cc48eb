//! Runs every required check of a level on a package, and signs if all passed and there is a key.
//!
//! In -> out: package folder -> a table of checks, a certificate, a statement.
//! Invariant: a required check that is not `pass` leaves the package without a new certificate; exit 3, or 5 if nothing
//! but this tool is to blame.
//! Not here: the checks (`check.rs`, `conformance.rs`).

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context;
use clap::ValueEnum;
use orch_certify::advisory_db::{self, FreshDatabase};
use orch_certify::check::{Beside, names};
use orch_certify::error::CertifyError;
use orch_certify::examine::{Verdict, examine_telling};
use orch_certify::issue::{assemble, sign_into, still_valid};
use orch_certify::outside::{Outside, Programs};
use orch_certify::report::{self, Report};
use orch_certify::sandbox::Sandbox;
use orch_certify::statement;
use orch_host::console::{Console, Tone, escape};
use orch_host::exit::{Exit, Fault, Outcome};
use orch_host::package;
use orch_host::whole_file;
use orch_signer::arguments::SignerArguments;
use orch_trust::authority::Level;
use orch_trust::certificate::{Certificate, CheckResult};
use orch_trust::digest::Sha256Digest;
use orch_trust::package::PackageBytes;
use orch_trust::time::UnixSeconds;

use super::{EXITS, ReportFormat, fault, now, open_signer, state_folder};

/// Run every required check on a package; sign what it found.
#[derive(clap::Args)]
#[command(after_help = EXITS)]
pub(crate) struct RunArgs {
    /// Package folder
    package: PathBuf,
    #[command(flatten)]
    signer: SignerArguments,
    /// Level to certify at
    #[arg(long, value_enum, default_value_t = Profile::Local)]
    profile: Profile,
    /// Folder of the plugin's sources, with `Cargo.toml`, in a git repository; for `--profile certified`
    #[arg(long, value_name = "DIR")]
    source: Option<PathBuf>,
    /// Folder of the database of advisories, as RustSec publishes it; for `--profile certified`
    #[arg(long, value_name = "PATH")]
    advisory_db: Option<PathBuf>,
    /// The tool `cargo-audit`; the one on the search path if absent
    #[arg(long, value_name = "PROGRAM")]
    cargo_audit: Option<PathBuf>,
    /// The tool `cargo-vet`; the one on the search path if absent
    #[arg(long, value_name = "PROGRAM")]
    cargo_vet: Option<PathBuf>,
    /// Folder that remembers which database was used last; `orch-certify` in the user's state folder if absent
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Folder of the release before this one, for `--profile certified`
    #[arg(long, value_name = "DIR")]
    previous: Option<PathBuf>,
    /// Ids of other plugins, one a line, that this one must not be taken for
    #[arg(long, value_name = "FILE")]
    known: Option<PathBuf>,
    /// How to print the results
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    format: ReportFormat,
    /// Write the unsigned statement there, for `sign`
    #[arg(long)]
    out: Option<PathBuf>,
    /// Say nothing on standard error while checks run
    #[arg(long)]
    quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Profile {
    Development,
    Local,
    Certified,
}

impl Profile {
    fn level(self) -> Level {
        match self {
            Self::Development => Level::Development,
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
    let key = open_signer(&args.signer)?;
    let (beside, outside) = (beside(args).map_err(fault)?, outside(args, started_at)?);
    let database = outside.database.as_ref().map(FreshDatabase::identity);
    if let Some(key) = &key
        && args.out.is_none()
        && let Some(certificate) = still_valid(&package, level, &**key, database, started_at)
        && is_beside(&certificate, &beside)
    {
        show(args, console, &of_certificate(plugin, &package, certificate), Verdict::Passed)?;
        return Ok(Exit::Done);
    }
    let program = std::env::current_exe().context("cannot find this program")?;
    let mut sandbox = Sandbox::new(program);
    sandbox.beside = beside;
    sandbox.outside = outside;
    let tell = |result: &CheckResult| {
        if !args.quiet {
            console.note(&report::progress(result));
        }
    };
    let examination = examine_telling(&args.package, &package, level, &sandbox, &tell).map_err(fault)?;
    if let Some(used) = &examination.inputs.advisory_db {
        advisory_db::remember(&state_folder(args.state.as_deref())?, used)
            .map_err(|error| fault(error.into()))?;
    }
    let mut report = Report::of(&plugin, &package, &examination);
    let verdict = examination.verdict();
    if verdict != Verdict::Passed {
        show(args, console, &report, verdict)?;
        return Ok(match verdict {
            Verdict::Broken => Exit::HostError,
            _ => Exit::PluginRefused,
        });
    }
    let seconds = i64::try_from(started.elapsed().as_secs()).unwrap_or(i64::MAX);
    let certificate = assemble(&package, examination, started_at, started_at.plus(seconds)).map_err(fault)?;
    let valid_until = certificate.valid_until;
    if let Some(out) = &args.out {
        let bytes = statement::render(&package, certificate.clone());
        whole_file::write_out(out, &bytes, whole_file::PUBLIC)
            .map_err(|source| fault(CertifyError::Write { path: out.clone(), source }))?;
    }
    if let Some(key) = &key {
        sign_into(&args.package, &package, certificate, &**key).map_err(fault)?;
        report.valid_until = Some(valid_until);
    }
    show(args, console, &report, verdict)?;
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

/// True if the certificate is of a plugin that was looked at beside the same.
fn is_beside(certificate: &Certificate, beside: &Beside) -> bool {
    let inputs = certificate.inputs.clone().unwrap_or_default();
    // Only level `certified` looks at the release before.
    let previous = beside.previous.as_ref().filter(|_| certificate.level == Level::Certified);
    let previous =
        previous.map(|folder| package::read(folder).map(|before| Sha256Digest::of(before.manifest())));
    inputs.known_ids_sha256 == beside.known_ids_sha256()
        && match previous {
            None => inputs.previous_manifest_sha256.is_none(),
            Some(found) => found.is_ok_and(|found| inputs.previous_manifest_sha256 == Some(found)),
        }
}

/// What is given from outside of the package; a database that may not be used ends everything.
fn outside(args: &RunArgs, now: UnixSeconds) -> Result<Outside, Fault> {
    let absolute = |path: &PathBuf| {
        let found = path.canonicalize();
        found
            .with_context(|| format!("cannot find `{}`", path.display()))
            .map_err(|error| Fault::new(Exit::Usage, "outside-missing", None, error))
    };
    let database = match &args.advisory_db {
        None => None,
        Some(folder) => {
            let last = advisory_db::last_used(&state_folder(args.state.as_deref())?);
            let last = last.map_err(|error| fault(error.into()))?;
            let opened = FreshDatabase::open(folder, last.as_ref(), now);
            Some(opened.map_err(|error| fault(error.into()))?)
        }
    };
    let mut programs = Programs::find();
    for (given, program) in
        [(&args.cargo_audit, &mut programs.cargo_audit), (&args.cargo_vet, &mut programs.cargo_vet)]
    {
        if let Some(given) = given {
            *program = Some(absolute(given)?);
        }
    }
    Ok(Outside { source: args.source.as_ref().map(absolute).transpose()?, database, programs })
}

fn name_of(package: &PackageBytes) -> String {
    package.parse_manifest().map_or_else(
        |_| "(no manifest)".to_owned(),
        |manifest| format!("{} {}", manifest.id, manifest.version),
    )
}

/// A certificate that holds, as if its checks had just run.
fn of_certificate(plugin: String, package: &PackageBytes, certificate: Certificate) -> Report {
    Report {
        plugin,
        files: package.subjects(),
        level: certificate.level,
        results: certificate.checks,
        unmet: Vec::new(),
        measured: certificate.measured,
        inputs: certificate.inputs.unwrap_or_default(),
        self_check: Some(certificate.self_check),
        valid_until: Some(certificate.valid_until),
        reused: true,
    }
}

/// Results are the only thing on standard output; progress went to standard error.
fn show(args: &RunArgs, console: &Console, report: &Report, verdict: Verdict) -> Result<(), Fault> {
    let format = args.format;
    if format != ReportFormat::Text {
        return format.print(console, report);
    }
    let level = report.level.as_str();
    match (report.reused, report.valid_until) {
        (true, Some(until)) => {
            let plugin = escape(&report.plugin);
            console.line(&format!("plugin {plugin}: certificate is still valid until {until}"));
            return Ok(());
        }
        _ => format.print(console, report)?,
    }
    console.line(&match (verdict, report.valid_until) {
        (Verdict::Refused, _) => console.paint(Tone::Bad, "refused: a required check did not pass"),
        (Verdict::Broken, _) => {
            console.paint(Tone::Bad, "broken: a check did not come to an end; nothing is said of the package")
        }
        (Verdict::Passed, None) => "every required check passed; nothing was signed".to_owned(),
        (Verdict::Passed, Some(until)) => {
            console.paint(Tone::Good, &format!("certified ({level}) until {until}"))
        }
    });
    Ok(())
}
