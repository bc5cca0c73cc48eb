//! Why certification does not come to a verdict.
//!
//! Invariant: a package that fails a check is no error but a verdict (`examine.rs`); each error has a stable code.
//! Not here: signers (`orch-signer`) and packages (`orch-host`'s `package.rs`).

use std::io;
use std::path::PathBuf;

use orch_host::package::PackageError;
use orch_trust::key::SignError;
use orch_trust::name::PluginIdText;
use orch_trust::refusal::Refusal;
use orch_trust::time::UnixSeconds;

use crate::advisory_db::AdvisoryDbError;

/// Why nothing was certified or signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertifyError {
    #[error(transparent)]
    Package(#[from] PackageError),
    #[error(transparent)]
    AdvisoryDb(#[from] AdvisoryDbError),
    #[error("a place for the checks to work in could not be made")]
    Place {
        #[source]
        source: io::Error,
    },
    #[error("list of known ids `{path}` cannot be read")]
    KnownIo {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("list of known ids `{path}` has a line that is none")]
    KnownMalformed {
        path: PathBuf,
        #[source]
        source: PluginIdText,
    },
    #[error("statement `{path}` cannot be read")]
    StatementIo {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("statement `{path}` is malformed: {message}")]
    StatementMalformed { path: PathBuf, message: String },
    #[error("statement is for other files: `{file}` differs")]
    StatementOtherSubject { file: String },
    #[error("statement is for `{stated}`, the package is `{found}`")]
    StatementOtherPlugin { stated: String, found: String },
    #[error("statement was made by `{stated}`, this is `{found}`")]
    StatementOtherTool { stated: String, found: String },
    #[error("statement is from {finished_at}, it can be signed for 24 hours after")]
    StatementOld { finished_at: UnixSeconds },
    #[error("statement is from the future: {finished_at}")]
    StatementNotYet { finished_at: UnixSeconds },
    #[error("statement says it is valid until {valid_until}, its level allows {latest}")]
    StatementTooLong { valid_until: UnixSeconds, latest: UnixSeconds },
    #[error("statement says another `{fact}` than the component")]
    StatementFacts { fact: &'static str },
    #[error("statement's digest of its results is not that of its results")]
    StatementDigest,
    #[error("required check `{check}` is {found}, expected one `pass`")]
    StatementCheck { check: String, found: String },
    #[error("level `certified` needs the check `reproducible-build`, which there is not for `{engine}`")]
    CheckNotAvailable { engine: String },
    #[error("package does not hold")]
    Refused(#[source] Refusal),
    #[error(transparent)]
    Sign(#[from] SignError),
    #[error("`{path}` cannot be written")]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl CertifyError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Package(error) => error.code(),
            Self::AdvisoryDb(error) => error.code(),
            Self::Place { .. } => "certify-place",
            Self::KnownIo { .. } => "known-io",
            Self::KnownMalformed { .. } => "known-malformed",
            Self::StatementIo { .. } => "statement-io",
            Self::StatementMalformed { .. } => "statement-malformed",
            Self::StatementOtherSubject { .. } => "statement-other-subject",
            Self::StatementOtherPlugin { .. } => "statement-other-plugin",
            Self::StatementOtherTool { .. } => "statement-other-tool",
            Self::StatementOld { .. } => "statement-old",
            Self::StatementNotYet { .. } => "statement-not-yet",
            Self::StatementTooLong { .. } => "statement-too-long",
            Self::StatementFacts { .. } => "statement-facts",
            Self::StatementDigest => "statement-digest",
            Self::StatementCheck { .. } => "statement-check",
            Self::CheckNotAvailable { .. } => "check-not-available",
            Self::Refused(refusal) => refusal.code(),
            Self::Sign(_) => "not-signed",
            Self::Write { .. } => "certificate-write",
        }
    }

    /// What helps, if anything.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Package(PackageError::Refused(
                Refusal::FileMissing { .. } | Refusal::PackageFile { .. },
            )) => Some(
                "a package is a folder with `manifest.json`, `component.wasm`, `sbom.cdx.json` and what the \
                 manifest names; if this is one, it was changed after it was made"
                    .to_owned(),
            ),
            Self::Package(error) => error.hint(),
            Self::Write { .. } => {
                Some("its folder must be there, and this user must be able to write into it".to_owned())
            }
            Self::AdvisoryDb(error) => error.hint(),
            Self::StatementOld { .. } | Self::StatementOtherTool { .. } => {
                Some("`orch-certify run PACKAGE --out STATEMENT` makes a new one".to_owned())
            }
            Self::CheckNotAvailable { .. } => Some(
                "its toolchain does not give the same bytes twice; `--profile local` certifies it for 7 days"
                    .to_owned(),
            ),
            Self::Refused(refusal) => refusal.hint(),
            _ => None,
        }
    }
}
