//! Why a workspace cannot be used, with what helps.
//!
//! Invariant: each says which file or variable it is about.
//! Not here: what is wrong with the operator's folder (`config/operator/error.rs`).

use std::path::PathBuf;

use orch_task::TaskFileError;
use orch_task::model::SETTINGS_BYTES_MAX;

/// Of one file.
pub(super) const CONFIG_BYTES_MAX: u64 = 1 << 20;

/// Why a workspace cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    #[error("`{path}` is not a folder")]
    NotAFolder { path: PathBuf },
    #[error("cannot read `{path}`")]
    Io {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("`{path}` is a link or no regular file")]
    NotAFile { path: PathBuf },
    #[error("there are both `{path}` and `{other}`")]
    TwoFiles { path: PathBuf, other: PathBuf },
    #[error("`{path}` is {found_bytes} bytes, limit is {CONFIG_BYTES_MAX}")]
    TooLarge { path: PathBuf, found_bytes: u64 },
    #[error("`{path}` sets `{key}`, which only the operator's folder can")]
    Widens { path: PathBuf, key: String },
    /// `line`: behind the name, empty if it is not known.
    #[error("`{path}`{line} has no key `{key}`")]
    NotAKey { path: PathBuf, line: String, key: String, instead: String },
    #[error("`{path}` is malformed")]
    Malformed {
        path: PathBuf,
        #[source]
        source: Box<serde_saphyr::Error>,
    },
    #[error("`{path}` is malformed")]
    Written {
        path: PathBuf,
        #[source]
        source: Box<TaskFileError>,
    },
    #[error("`{path}` sets `{key}` to {found}, expected {expected}")]
    Value { path: PathBuf, key: String, found: String, expected: &'static str },
    #[error(
        "`{path}` has settings of {found_bytes} bytes for `{plugin}`, limit is {SETTINGS_BYTES_MAX} as JSON"
    )]
    SettingsTooLarge { path: PathBuf, plugin: String, found_bytes: usize },
    #[error("variable `{variable}` has no text that one could read")]
    VariableUnread { variable: &'static str },
    #[error("what is left of `{path}` over the files beneath it cannot be used")]
    Merged {
        path: PathBuf,
        #[source]
        source: Box<serde_json::Error>,
    },
    #[error("workspace `{path}` is not known on this host")]
    Unknown { path: PathBuf },
}

impl WorkspaceError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotAFolder { .. } => "workspace-missing",
            Self::Io { .. } => "workspace-io",
            Self::NotAFile { .. } => "workspace-config-not-a-file",
            Self::TwoFiles { .. } => "two-files",
            Self::TooLarge { .. } => "workspace-config-too-large",
            Self::Widens { .. } => "workspace-widens",
            Self::SettingsTooLarge { .. } => "settings-too-large",
            Self::NotAKey { .. } => "workspace-unknown-key",
            Self::Malformed { .. }
            | Self::Written { .. }
            | Self::Value { .. }
            | Self::VariableUnread { .. }
            | Self::Merged { .. } => "workspace-config",
            Self::Unknown { .. } => "workspace-unknown",
        }
    }

    /// What the operator can do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Widens { path, key } => format!(
                "remove `{key}` from `{}`; what plugins may do is said in `policy.toml` of the operator's folder",
                path.file_name().unwrap_or_default().display()
            ),
            Self::Unknown { path } => format!(
                "`orch-host init {0}` makes it known, or run once with `--trust-workspace`",
                path.display()
            ),
            Self::NotAFile { .. } => {
                "put the file itself there: a link could lead outside the workspace".to_owned()
            }
            Self::TwoFiles { .. } => "keep the one that counts, and move the other one away".to_owned(),
            Self::NotAFolder { path } => {
                format!("`orch-host init {}` makes a workspace there", path.display())
            }
            Self::SettingsTooLarge { .. } => {
                "put what is long into a file of the workspace that the plugin may read".to_owned()
            }
            Self::NotAKey { instead, .. } => instead.clone(),
            Self::Malformed { .. } => "`orch-host init` writes an example into an empty folder".to_owned(),
            Self::Written { source, .. } => return source.hint(),
            _ => return None,
        })
    }
}
