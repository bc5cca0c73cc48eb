//! Why the operator's folder cannot be used, and what its operator can do about it.
//!
//! Not here: who is checked for what (`operator.rs`, `keeper.rs`, `secret.rs`).

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use orch_journal::{JournalError, StoreError};
use orch_trust::authority::AuthorityError;
use orch_trust::key::KeyId;
use orch_trust::refusal::Refusal;
use orch_trust::strict_json::JsonError;

use crate::regular_file::ReadError;

/// Why a decision is not in the journal.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Why the operator's folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    #[error("cannot {what} `{path}`")]
    Io {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("neither `--config-home`, `XDG_CONFIG_HOME` nor `HOME` says where the operator's folder is")]
    NoHome,
    #[error("the machine gives no random numbers")]
    NoRandom,
    #[error("`{path}` can be read by others: its mode is {mode:o}, expected 600")]
    SecretMode { path: PathBuf, mode: u32 },
    #[error("`{path}` is {found_bytes} bytes, expected 32")]
    SecretSize { path: PathBuf, found_bytes: usize },
    #[error("`{path}` is gone, and only it opens `{sealed}`")]
    SecretMissing { path: PathBuf, sealed: PathBuf },
    #[error("`{path}` can be changed by others: its mode is {mode:o}")]
    Writable { path: PathBuf, mode: u32 },
    #[error("`{path}` belongs to user {owner}, expected {me} or root")]
    OtherOwner { path: PathBuf, owner: u32, me: u32 },
    #[error("`{path}` cannot be remembered: its name has control characters or is no UTF-8")]
    WorkspaceName { path: PathBuf },
    #[error("`{path}` is no regular file")]
    NotRegular { path: PathBuf },
    #[error("`{path}` is {found_bytes} bytes, limit is {limit_bytes}")]
    TooLarge { path: PathBuf, found_bytes: u64, limit_bytes: u64 },
    #[error("`{path}` has more than {limit} files")]
    TooMany { path: PathBuf, limit: usize },
    #[error("`{path}` is not usable")]
    Authority {
        path: PathBuf,
        #[source]
        source: AuthorityError,
    },
    #[error("`{path}` is no approval")]
    Approval {
        path: PathBuf,
        #[source]
        source: JsonError,
    },
    #[error("what `{path}` says is not trusted")]
    Trust {
        path: PathBuf,
        #[source]
        source: Box<Refusal>,
    },
    #[error("`{path}` is gone, though this host has a trust root: nobody knows what it saw")]
    TrustStateMissing { path: PathBuf },
    #[error("`{path}` is gone, the root that this host trusts")]
    RootMissing { path: PathBuf },
    #[error("`{path}` does not count beside a trust root")]
    BesideRoot { path: PathBuf },
    #[error("the key in `{path}` would not count beside the trust root")]
    KeyBesideRoot { path: PathBuf },
    #[error("`PLUGIN_SIGNING_KEY` does not count beside a trust root")]
    SigningKeyBesideRoot,
    #[error("this is the first root of this host, and nobody said its SHA-256")]
    HashNotSaid,
    #[error("this host has no trust root, and a list counts only under one")]
    NoTrustRoot,
    #[error("`{path}` is no root, freshness document or revocation list")]
    NotOfTrust { path: PathBuf },
    #[error("`{path}` is the second `{file}` of this command")]
    Twice { path: PathBuf, file: &'static str },
    #[error("journal `{path}` cannot be read")]
    Journal {
        path: PathBuf,
        #[source]
        source: StoreError,
    },
    #[error("nothing was changed: the decision cannot be recorded in `{path}`")]
    NotRecorded {
        path: PathBuf,
        #[source]
        source: RecordError,
    },
    #[error("nothing was changed: `{path}` is not as this host left it: {fault}")]
    JournalDamaged { path: PathBuf, fault: String },
    #[error("`{path}` is there, and is no folder of a host of development")]
    NotDevelopment { path: PathBuf },
    #[error("`{path}` is the mark of another host of development")]
    DevelopmentMark { path: PathBuf },
    #[error("`{path}` does not count beside a trust root: whom it trusts is no word of development")]
    DevelopmentBesideRoot { path: PathBuf },
    #[error("certifier `{key}` in `{path}` is for `development`, and this host is not one of development")]
    DevelopmentKey { path: PathBuf, key: KeyId },
    #[error(
        "`{path}` is the folder of a host of development, which runs tasks for its author and does nothing for others"
    )]
    DevelopmentRunsOnly { path: PathBuf },
    #[error("another host holds `{path}`")]
    Locked { path: PathBuf },
    #[error("`PLUGIN_SIGNING_KEY` is neither a public key nor the path of one")]
    SigningKey {
        #[source]
        source: AuthorityError,
    },
    #[error(
        "`PLUGIN_SIGNING_KEY` is neither a base64 ed25519 public key nor the path of a file that is there"
    )]
    SigningKeyMissing,
}

impl OperatorError {
    /// That file cannot be read.
    pub(crate) fn unread(path: &Path, error: ReadError) -> Self {
        let path = path.to_owned();
        match error {
            ReadError::Io(source) => Self::Io { what: "read", path, source },
            ReadError::NotRegular => Self::NotRegular { path },
            ReadError::TooLarge { found_bytes, limit_bytes } => {
                Self::TooLarge { path, found_bytes, limit_bytes }
            }
        }
    }

    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "operator-io",
            Self::NoHome => "operator-no-home",
            Self::NoRandom => "no-random",
            Self::SecretMode { .. } | Self::SecretSize { .. } => "operator-secret",
            Self::SecretMissing { .. } => "operator-secret-missing",
            Self::Writable { .. } => "operator-writable",
            Self::OtherOwner { .. } => "operator-other-owner",
            Self::WorkspaceName { .. } => "workspace-name",
            Self::TooLarge { .. } | Self::TooMany { .. } => "operator-too-large",
            Self::NotRegular { .. } | Self::Authority { .. } | Self::Approval { .. } => "operator-file",
            Self::SigningKey { .. } | Self::SigningKeyMissing => "signing-key",
            Self::Trust { source, .. } => source.code(),
            Self::TrustStateMissing { .. } => "trust-state-missing",
            Self::RootMissing { .. } => "root-missing",
            Self::BesideRoot { .. } | Self::KeyBesideRoot { .. } | Self::SigningKeyBesideRoot => {
                "trust-beside-root"
            }
            Self::HashNotSaid => "root-hash-missing",
            Self::NoTrustRoot => "no-trust-root",
            Self::NotOfTrust { .. } | Self::Twice { .. } => "trust-file",
            Self::Journal { .. } | Self::NotRecorded { .. } => "operator-journal",
            Self::JournalDamaged { .. } => "operator-journal",
            Self::NotDevelopment { .. } => "development-folder",
            Self::DevelopmentMark { .. } => "development-mark",
            Self::DevelopmentBesideRoot { .. } => "development-beside-root",
            Self::DevelopmentKey { .. } => "development-key",
            Self::DevelopmentRunsOnly { .. } => "development-runs-only",
            Self::Locked { .. } => "operator-locked",
        }
    }

    /// What the operator can do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoHome => "say `--config-home DIR`".to_owned(),
            Self::SecretMode { path, .. } => {
                format!("`chmod 600 {}`; if somebody read it, remove it and every `.orch`", path.display())
            }
            Self::SecretSize { path, .. } => {
                format!(
                    "put it back from a backup; without it, remove `{}`: stores made with it will be refused as foreign, and a trust root is taken anew",
                    path.display()
                )
            }
            Self::SecretMissing { sealed, .. } => format!(
                "put both back from one backup; or remove `{}` and begin anew: `orch-host plugin trust ROOT --sha256 HASH` with the newest root and the hash that its keeper says; `journal` and `heads/operator.json` are moved away then, a new secret vouches for a new journal",
                sealed.display()
            ),
            Self::Writable { path, .. } => format!(
                "what is in it decides what plugins may do: look whether it says what you wrote, then `chmod go-w {}`; with `umask 022` new files are made so",
                path.display()
            ),
            Self::OtherOwner { path, .. } => format!(
                "look whether it says what you want, then make it yours: `chown $(id -u) {}`",
                path.display()
            ),
            // A run that would begin, not a decision.
            Self::Io { what: "write into", source, .. } if is_read_only(source) =>
            {
                "the host keeps in the operator's folder how far each run is (`heads/`), native code (`cache/`) and which workspaces it knows: it must be able to write there"
                    .to_owned()
            }
            Self::WorkspaceName { .. } => "give the folder another name".to_owned(),
            Self::NotRegular { path } | Self::Authority { path, .. } if path.ends_with(super::DENIALS) => {
                "correct it or put it back from a backup: without it, what this host took back would run again"
                    .to_owned()
            }
            Self::NotRegular { .. } | Self::Authority { .. } | Self::Approval { .. } => {
                "correct the file or move it out of the folder; nothing runs while it cannot be read"
                    .to_owned()
            }
            Self::TrustStateMissing { .. } => {
                "if `orch-host plugin trust` was interrupted, give it again; else put it back from a backup, or begin anew: `orch-host plugin trust ROOT --sha256 HASH` with the newest root"
                    .to_owned()
            }
            Self::RootMissing { .. } => {
                "put it back, or take the same file again with `orch-host plugin trust`".to_owned()
            }
            Self::BesideRoot { path } => {
                format!("whom to trust stands in the root; remove `{}`", path.display())
            }
            Self::KeyBesideRoot { .. } => {
                "whom to trust stands in the root: `orch-certify root rotate` and `root add-key` make its next version"
                    .to_owned()
            }
            Self::SigningKeyBesideRoot => "unset `PLUGIN_SIGNING_KEY`".to_owned(),
            Self::NotDevelopment { path } => format!(
                "remove `{}` if `orch-plugin dev` made it and was interrupted; it makes such a folder anew, and none of one that is there",
                path.display()
            ),
            Self::DevelopmentMark { path } | Self::DevelopmentBesideRoot { path } => format!(
                "remove `{}`: only `orch-plugin dev` makes a host of development, in a folder of its own",
                path.display()
            ),
            Self::DevelopmentKey { .. } => {
                "remove that file: what a plugin's author says of it while writing counts on the author's host of development alone"
                    .to_owned()
            }
            Self::DevelopmentRunsOnly { .. } => {
                "pack, sign and certify the plugin, and add it to an ordinary host".to_owned()
            }
            Self::HashNotSaid => {
                "ask whoever keeps the root for its SHA-256, by another way than you got the file, and say `--sha256 HASH`"
                    .to_owned()
            }
            Self::Io { what, source, .. } if *what != "read" && is_read_only(source) => READ_ONLY.to_owned(),
            Self::NotRecorded { source: RecordError::Store(StoreError::Io { source, .. }), .. }
                if is_read_only(source) =>
            {
                READ_ONLY.to_owned()
            }
            Self::Journal { path, .. } | Self::NotRecorded { path, .. } | Self::JournalDamaged { path, .. } => format!(
                "{}`orch-host audit verify --operator` says what is wrong; to decide all the same, move `{}` and `{}` to where whoever looks into it finds them: the next decision begins a new journal",
                match self {
                    Self::JournalDamaged { .. } => "",
                    _ => "look first for a full disk and for `ulimit -f`; ",
                },
                path.display(),
                path.with_file_name("heads").join("operator.json").display()
            ),
            Self::Locked { path } => {
                format!("look which process has it: `fuser -v {}`; a host that was stopped goes on with `fg`", path.display())
            }
            Self::Trust { source, .. }
                if matches!(**source, Refusal::AnchorMissing { .. } | Refusal::RevocationsNotPinned { .. }) =>
            {
                "get the newest `revocations.dsse.json` and `freshness.dsse.json`, and take both at once: `orch-host plugin trust REVOCATIONS FRESHNESS`"
                    .to_owned()
            }
            Self::Trust { source, .. } => return source.hint(),
            Self::NoTrustRoot => "`orch-host plugin trust ROOT --sha256 HASH` first".to_owned(),
            Self::SigningKey { .. } | Self::SigningKeyMissing => {
                "it is a base64 ed25519 public key, or the path of a file with one, such as a publisher's public `.toml` of `orch-certify keygen`".to_owned()
            }
            _ => return None,
        })
    }
}

/// Whoever keeps a folder read-only wants no decisions made on that machine.
const READ_ONLY: &str =
    "this user may not change the operator's folder, and nothing was changed; decide where it can be written";

fn is_read_only(source: &std::io::Error) -> bool {
    matches!(source.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_told_to_move_away_what_was_taken_back() {
        let hint = |path: &str| OperatorError::NotRegular { path: PathBuf::from(path) }.hint().unwrap();
        assert!(hint("/home/me/.config/orch/trust/publishers/a.toml").contains("move it out"));
        assert!(!hint("/home/me/.config/orch/trust/denied.toml").contains("move it"));
    }

    #[test]
    fn a_folder_that_may_not_be_changed_is_said_and_other_faults_are_not_called_that() {
        let hint = |what, kind: ErrorKind| {
            let path = PathBuf::from("lock");
            OperatorError::Io { what, path, source: kind.into() }.hint()
        };
        let recorded = |kind: ErrorKind| {
            let source = StoreError::Io { what: "open", path: PathBuf::from("x"), source: kind.into() };
            OperatorError::NotRecorded { path: PathBuf::from("journal"), source: source.into() }.hint()
        };
        for kind in [ErrorKind::PermissionDenied, ErrorKind::ReadOnlyFilesystem] {
            assert_eq!(hint("lock", kind).as_deref(), Some(READ_ONLY));
            assert_eq!(hint("write", kind).as_deref(), Some(READ_ONLY));
            assert_eq!(hint("read", kind), None);
            assert_eq!(recorded(kind).as_deref(), Some(READ_ONLY));
        }
        assert_eq!(hint("lock", ErrorKind::StorageFull), None);
        assert!(recorded(ErrorKind::StorageFull).unwrap().contains("audit verify --operator"));
    }
}
