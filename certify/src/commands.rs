//! Verbs of `orch-certify`, one file each.
//!
//! Invariant: the clock is read here and nowhere deeper.
//! Not here: what the verbs do, which is the library's.

pub(crate) mod check;
pub(crate) mod db;
pub(crate) mod delegate;
pub(crate) mod explain;
pub(crate) mod keygen;
pub(crate) mod rebuild;
pub(crate) mod recheck;
pub(crate) mod revoke;
pub(crate) mod root;
pub(crate) mod run;
pub(crate) mod sign;
mod trusted;
pub(crate) mod verify;

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::ValueEnum;
use orch_certify::document::DocumentError;
use orch_certify::error::CertifyError;
use orch_certify::report::{self, Report};
pub(crate) use orch_host::clock::now;
use orch_host::console::Console;
use orch_host::exit::{Exit, Fault};
use orch_signer::arguments::SignerArguments;
use orch_signer::key_file::{KeyFileError, Purpose};
use orch_signer::secret_file::SecretFileError;
use orch_signer::signer::SignerError;
use orch_trust::key::Signer;

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
}

/// How the results of checks are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    Text,
    Json,
    /// SARIF 2.1.0
    Sarif,
    /// JUnit XML
    Junit,
}

impl ReportFormat {
    pub(crate) fn print(self, console: &Console, report: &Report) -> Result<(), Fault> {
        match self {
            Self::Text => console.lines(report::text(report).lines()),
            Self::Json => console.json(&report::json(report)),
            Self::Sarif => console.json(&report::sarif::render(report)),
            Self::Junit => {
                let text = report::junit::render(report).context("cannot write XML")?;
                // What could not be written is told at the end.
                let _ = console.bytes(text.as_bytes());
            }
        }
        Ok(())
    }
}

/// How commands end that look at a package.
pub(crate) const EXITS: &str = "\
Exit codes:
  0  certified, or every required check passed
  2  usage, a file that cannot be read, a key that is not usable
  3  the package is refused
  5  a check did not come to an end, this tool did not pass its own check, or a file cannot be written";

/// A document of the trust root that is not read, signed or written.
pub(crate) fn document_fault(error: DocumentError) -> Fault {
    let exit = match &error {
        DocumentError::Lock { .. } | DocumentError::Write { .. } => Exit::HostError,
        _ => Exit::Usage,
    };
    Fault::new(exit, error.code(), error.hint(), error)
}

/// The certifier's signer, if one was said.
pub(crate) fn open_signer(said: &SignerArguments) -> Result<Option<Box<dyn Signer>>, Fault> {
    said.open(Purpose::Certifier).map_err(signer_fault)
}

pub(crate) fn signer_fault(error: SignerError) -> Fault {
    let exit = match &error {
        SignerError::KeyFile(
            KeyFileError::File(SecretFileError::Write { .. }) | KeyFileError::Random { .. },
        ) => Exit::HostError,
        _ => Exit::Usage,
    };
    Fault::new(exit, error.code(), error.hint(), error)
}

pub(crate) fn key_fault(error: KeyFileError) -> Fault {
    signer_fault(SignerError::KeyFile(error))
}

/// Where it is remembered which database was used last.
pub(crate) fn state_folder(given: Option<&Path>) -> Result<PathBuf, Fault> {
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || set("HOME").map(|home| home.join(".local/state"));
    let own = || set("XDG_STATE_HOME").or_else(home).map(|state| state.join("orch-certify"));
    given.map(Path::to_owned).or_else(own).ok_or_else(|| {
        let error = anyhow::anyhow!("neither `XDG_STATE_HOME` nor `HOME` says where the state folder is");
        Fault::new(Exit::Usage, "state-folder", Some("say `--state DIR`".to_owned()), error)
    })
}

/// Whose fault it is decides how the program ends.
pub(crate) fn fault(error: CertifyError) -> Fault {
    let exit = match &error {
        CertifyError::KnownIo { .. } | CertifyError::KnownMalformed { .. } => Exit::Usage,
        CertifyError::StatementIo { .. }
        | CertifyError::StatementMalformed { .. }
        | CertifyError::AdvisoryDb(_) => Exit::Usage,
        CertifyError::Place { .. } | CertifyError::Write { .. } | CertifyError::Sign(_) => Exit::HostError,
        CertifyError::Package(orch_host::package::PackageError::Io { .. }) => Exit::Usage,
        _ => Exit::PluginRefused,
    };
    Fault::new(exit, error.code(), error.hint(), error)
}
