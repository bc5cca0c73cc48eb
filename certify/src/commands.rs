//! Verbs of `orch-certify`, one file each.
//!
//! Invariant: the clock is read here and nowhere deeper.
//! Not here: what the verbs do, which is the library's.

pub(crate) mod check;
pub(crate) mod keygen;
pub(crate) mod run;
pub(crate) mod sign;
pub(crate) mod verify;

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::ValueEnum;
use orch_certify::error::CertifyError;
use orch_host::exit::{Exit, Fault};
use orch_host::key_file::{self, KeyFileError, Purpose};
use orch_trust::key::SecretKey;
use orch_trust::time::UnixSeconds;

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
}

/// The time.
pub(crate) fn now() -> UnixSeconds {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixSeconds(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

pub(crate) fn read_key(path: &Path) -> Result<SecretKey, Fault> {
    key_file::read(path, Purpose::Certifier).map_err(key_fault)
}

pub(crate) fn key_fault(error: KeyFileError) -> Fault {
    Fault::new(Exit::Usage, error.code(), error.hint(), error)
}

/// Whose fault it is decides how the program ends.
pub(crate) fn fault(error: CertifyError) -> Fault {
    let exit = match &error {
        CertifyError::KnownIo { .. } | CertifyError::KnownMalformed { .. } => Exit::Usage,
        CertifyError::StatementIo { .. } | CertifyError::StatementMalformed { .. } => Exit::Usage,
        CertifyError::Place { .. } | CertifyError::Write { .. } => Exit::HostError,
        CertifyError::Package(orch_host::package::PackageError::Io { .. }) => Exit::Usage,
        _ => Exit::PluginRefused,
    };
    Fault::new(exit, error.code(), error.hint(), error)
}
