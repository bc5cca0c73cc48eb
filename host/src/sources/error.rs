//! Why a package does not come from where it was said to be.
//!
//! Invariant: each fault has a stable code; what was there before is there still.
//! Not here: how it ends the program (`place/faults.rs`).

use std::path::PathBuf;

use orch_trust::refusal::Refusal;

use crate::fetch::FetchError;
use crate::package::PackageError;

/// Any of a source.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("`{}`: {why}", said.escape_default())]
    Unclear { said: String, why: String },
    #[error("`{}` is no address like `oci://registry.example/acme/hello`: {why}", found.escape_default())]
    Address { found: String, why: &'static str },
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("`{at}` answers {status} to {what}")]
    Status { at: String, status: u16, what: String },
    #[error("`{at}` lets nobody {what} without a name and password that it knows")]
    LoginWanted { at: String, what: &'static str },
    #[error("`{at}` has no {what}")]
    Missing { at: String, what: String },
    #[error("no version fits: wanted {wanted}, offered {}{}", listed(offered), passed_over(passed))]
    NoVersion { wanted: String, offered: Vec<String>, passed: Vec<String> },
    #[error("`{at}` sends other bytes of {what} than it promised: expected {expected}, found {found}")]
    OtherBytes { at: String, what: String, expected: String, found: String },
    #[error("`{at}` sends what is no {what}: {why}")]
    Malformed { at: String, what: &'static str, why: String },
    #[error("it is `{found}`, expected `{expected}`")]
    Other { expected: String, found: String },
    #[error("`{path}` cannot be read")]
    Io {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("index of `{at}` is refused")]
    Index {
        at: String,
        #[source]
        source: Box<Refusal>,
    },
    #[error("index of `{at}` is signed by key `{key}`, which may not publish `{id}`")]
    IndexNamespace { at: String, key: String, id: String },
    #[error("`{path}` is readable by others, or is no line `NAME:PASSWORD`")]
    Login { path: PathBuf },
    #[error(transparent)]
    Package(#[from] PackageError),
}

impl From<Refusal> for SourceError {
    fn from(refusal: Refusal) -> Self {
        Self::Package(refusal.into())
    }
}

fn listed(versions: &[String]) -> String {
    match versions {
        [] => "none".to_owned(),
        some => some.join(", "),
    }
}

fn passed_over(passed: &[String]) -> String {
    match passed {
        [] => String::new(),
        some => format!("; for hosts of other interfaces: {}", some.join(", ")),
    }
}

impl SourceError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unclear { .. } => "source-unclear",
            Self::Address { .. } => "source-address",
            Self::Fetch(error) => error.code(),
            Self::Status { .. } => "source-status",
            Self::LoginWanted { .. } => "source-login",
            Self::Missing { .. } => "source-missing",
            Self::NoVersion { .. } => "source-no-version",
            Self::OtherBytes { .. } => "source-other-bytes",
            Self::Malformed { .. } => "source-malformed",
            Self::Other { .. } => "source-other-plugin",
            Self::Io { .. } => "source-io",
            Self::Index { source, .. } => source.code(),
            Self::IndexNamespace { .. } => "index-namespace",
            Self::Login { .. } => "login-file",
            Self::Package(error) => error.code(),
        }
    }

    /// What the operator or publisher can do about it.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Fetch(error) => return error.hint(),
            Self::Package(error) => return error.hint(),
            Self::Unclear { .. } | Self::Address { .. } => {
                "a package's folder, a `.orchpkg` file, a folder or `https://` address with an index and `NAMESPACE/NAME@^1.2`, or \
                 `oci://host/name@^1.2`"
            }
            Self::LoginWanted { .. } => {
                "write one line `NAME:PASSWORD` into a file that only you can read, and say `--login FILE`; a host also looks into \
                 `logins/HOST` of the operator's folder"
            }
            Self::Login { .. } => "`chmod 600` it; a password may be a token of that registry",
            Self::OtherBytes { .. } | Self::Malformed { .. } | Self::Other { .. } => {
                "nothing was changed; ask whoever keeps that place, or take the package from elsewhere"
            }
            Self::NoVersion { .. } => "say another range, or none for the newest that is for this host",
            Self::Status { .. } => "nothing was changed; the place may be down, or no place of packages",
            Self::Index { source, .. } if source.code() == "release-unknown-key" => {
                "`orch-host trust add FILE` trusts its publisher's key, if you do"
            }
            Self::IndexNamespace { .. } => "an index is signed by the publisher of every plugin in it",
            Self::Missing { .. } | Self::Io { .. } | Self::Index { .. } => return None,
        };
        Some(text.to_owned())
    }

    /// True if the place, or the way to it, failed, and nothing is said about a package.
    pub fn is_of_the_way(&self) -> bool {
        matches!(self, Self::Fetch(error) if !matches!(error, FetchError::Address(_)))
            || matches!(self, Self::Status { .. })
    }

    /// True if what came is not what was promised, or no package.
    pub fn is_of_the_bytes(&self) -> bool {
        matches!(
            self,
            Self::OtherBytes { .. }
                | Self::Malformed { .. }
                | Self::Other { .. }
                | Self::Index { .. }
                | Self::IndexNamespace { .. }
        )
    }
}
