//! The operator's folder: all authority of a host.
//!
//! In -> out: `policy.toml`, `trust/`, `approvals/`, `secret` -> [`Operator`], from which [`Rules`] are made.
//! Limits: 1 MiB a file, 1000 files a folder.
//! Invariant: authority is read from here and, for one publisher of `local/`, from `PLUGIN_SIGNING_KEY`; never from a
//! workspace. A file that is malformed refuses, it is never skipped.
//! Not here: what the rules mean (`orch-trust`).

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use orch_trust::admission::Rules;
use orch_trust::approval::Approval;
use orch_trust::authority::{AuthorityError, Certifier, Publisher};
use orch_trust::lock::Lock;
use orch_trust::name::PluginId;
use orch_trust::policy::Policy;
use orch_trust::strict_json::JsonError;

use super::secret::HostSecret;
use super::workspace::WorkspaceConfig;

const FILE_BYTES_MAX: u64 = 1 << 20;
const FILES_MAX: usize = 1000;
/// Adds one publisher for the namespace `local/`: a base64 ed25519 public key, or the path of a file with one.
pub const SIGNING_KEY_VARIABLE: &str = "PLUGIN_SIGNING_KEY";

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
    #[error("`{path}` is {found_bytes} bytes, limit is {FILE_BYTES_MAX}")]
    TooLarge { path: PathBuf, found_bytes: u64 },
    #[error("`{path}` has more than {FILES_MAX} files")]
    TooMany { path: PathBuf },
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
    #[error("`{SIGNING_KEY_VARIABLE}` is neither a public key nor the path of one")]
    SigningKey {
        #[source]
        source: AuthorityError,
    },
}

impl OperatorError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "operator-io",
            Self::NoHome => "operator-no-home",
            Self::NoRandom => "no-random",
            Self::SecretMode { .. } | Self::SecretSize { .. } => "operator-secret",
            Self::TooLarge { .. } | Self::TooMany { .. } => "operator-too-large",
            Self::Authority { .. } | Self::Approval { .. } => "operator-file",
            Self::SigningKey { .. } => "signing-key",
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
                format!("remove `{}`; stores made with it will be refused as foreign", path.display())
            }
            Self::Authority { .. } | Self::Approval { .. } => {
                "correct the file or move it out of the folder; nothing runs while it cannot be read"
                    .to_owned()
            }
            Self::SigningKey { .. } => {
                "it is a base64 ed25519 public key, or the path of a file with one".to_owned()
            }
            _ => return None,
        })
    }
}

/// The operator's folder, read.
pub struct Operator {
    pub home: PathBuf,
    pub policy: Policy,
    pub publishers: Vec<Publisher>,
    pub certifiers: Vec<Certifier>,
    pub approvals: BTreeMap<PluginId, Approval>,
    pub secret: HostSecret,
    /// `PLUGIN_SIGNING_KEY` added a publisher: every report says so.
    pub signing_key: bool,
}

/// Where the operator's folder is: what was said, else `$XDG_CONFIG_HOME/orch`, else `~/.config/orch`.
pub fn home(said: Option<&Path>) -> Result<PathBuf, OperatorError> {
    let from =
        |variable: &str| std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    match said {
        Some(said) => Ok(said.to_owned()),
        None => from("XDG_CONFIG_HOME")
            .map(|config| config.join("orch"))
            .or_else(|| from("HOME").map(|home| home.join(".config/orch")))
            .ok_or(OperatorError::NoHome),
    }
}

impl Operator {
    /// Reads the folder; makes it, and the host's secret, if they are not there.
    pub fn open(home: &Path) -> Result<Self, OperatorError> {
        for folder in ["", "trust/publishers", "trust/certifiers", "approvals", "packages", "heads", "cache"]
        {
            make_folder(&home.join(folder))?;
        }
        let policy_path = home.join("policy.toml");
        let policy = match read(&policy_path)? {
            Some(text) => Policy::parse(&text)
                .map_err(|source| OperatorError::Authority { path: policy_path, source })?,
            None => Policy::default(),
        };
        let mut publishers = each(&home.join("trust/publishers"), "toml", Publisher::parse)?;
        let certifiers = each(&home.join("trust/certifiers"), "toml", Certifier::parse)?;
        let signing_key = std::env::var(SIGNING_KEY_VARIABLE).ok().filter(|value| !value.trim().is_empty());
        if let Some(said) = &signing_key {
            publishers.push(signing_key_publisher(said)?);
        }
        Ok(Self {
            home: home.to_owned(),
            policy,
            publishers,
            certifiers,
            approvals: approvals(&home.join("approvals"))?,
            secret: HostSecret::read_or_make(&home.join("secret"))?,
            signing_key: signing_key.is_some(),
        })
    }

    /// The rules for one workspace.
    pub fn rules(&self, workspace: &WorkspaceConfig, lock: Lock) -> Rules {
        Rules {
            publishers: self.publishers.clone(),
            certifiers: self.certifiers.clone(),
            policy: self.policy.clone(),
            approvals: self.approvals.clone(),
            lock,
            narrow: workspace.narrow.clone(),
        }
    }

    /// Folders with packages, in the order of search: those said, those of the policy, the operator's own.
    pub fn package_folders(&self, said: &[PathBuf]) -> Vec<PathBuf> {
        let of_policy = self.policy.packages.iter().map(|folder| self.home.join(folder));
        said.iter().cloned().chain(of_policy).chain([self.home.join("packages")]).collect()
    }

    /// Keeps an approval.
    pub fn approve(&self, approval: &Approval) -> Result<(), OperatorError> {
        let name = format!("{}.{}.json", approval.id.namespace(), approval.id.name());
        write_private(&self.home.join("approvals").join(name), approval.render().as_bytes())
    }

    /// True if a run was started in that workspace before, or somebody said that it may be.
    pub fn knows_workspace(&self, workspace: &Path) -> Result<bool, OperatorError> {
        let known = read(&self.home.join("workspaces"))?.unwrap_or_default();
        Ok(known.lines().any(|line| Path::new(line) == workspace))
    }

    /// Remembers a workspace.
    pub fn trust_workspace(&self, workspace: &Path) -> Result<(), OperatorError> {
        if self.knows_workspace(workspace)? {
            return Ok(());
        }
        let path = self.home.join("workspaces");
        let known = read(&path)?.unwrap_or_default();
        write_private(&path, format!("{known}{}\n", workspace.display()).as_bytes())
    }
}

fn signing_key_publisher(said: &str) -> Result<Publisher, OperatorError> {
    let path = Path::new(said.trim());
    let text = match path.is_file() {
        true => read(path)?.unwrap_or_default(),
        false => said.to_owned(),
    };
    Publisher::of_signing_key(&text).map_err(|source| OperatorError::SigningKey { source })
}

fn approvals(folder: &Path) -> Result<BTreeMap<PluginId, Approval>, OperatorError> {
    let mut found = BTreeMap::new();
    for path in files(folder, "json")? {
        let text = read(&path)?.unwrap_or_default();
        let approval =
            Approval::parse(text.as_bytes()).map_err(|source| OperatorError::Approval { path, source })?;
        found.insert(approval.id.clone(), approval);
    }
    Ok(found)
}

fn each<T>(
    folder: &Path,
    end: &str,
    parse: fn(&str) -> Result<T, AuthorityError>,
) -> Result<Vec<T>, OperatorError> {
    let mut found = Vec::new();
    for path in files(folder, end)? {
        let text = read(&path)?.unwrap_or_default();
        found.push(parse(&text).map_err(|source| OperatorError::Authority { path, source })?);
    }
    Ok(found)
}

/// Files of that ending, sorted by name.
fn files(folder: &Path, end: &str) -> Result<Vec<PathBuf>, OperatorError> {
    let io = |source| OperatorError::Io { what: "read", path: folder.to_owned(), source };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.extension().is_some_and(|extension| extension == end) {
            found.push(path);
        }
        if found.len() > FILES_MAX {
            return Err(OperatorError::TooMany { path: folder.to_owned() });
        }
    }
    found.sort();
    Ok(found)
}

fn read(path: &Path) -> Result<Option<String>, OperatorError> {
    let io = |source| OperatorError::Io { what: "read", path: path.to_owned(), source };
    let found_bytes = match fs::metadata(path) {
        Ok(found) => found.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(error)),
    };
    if found_bytes > FILE_BYTES_MAX {
        return Err(OperatorError::TooLarge { path: path.to_owned(), found_bytes });
    }
    fs::read_to_string(path).map(Some).map_err(io)
}

fn make_folder(path: &Path) -> Result<(), OperatorError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|source| OperatorError::Io {
        what: "make",
        path: path.to_owned(),
        source,
    })
}

/// Writes a file of the operator's folder whole or not at all, mode 0600.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), OperatorError> {
    let io = |source| OperatorError::Io { what: "write", path: path.to_owned(), source };
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    // What an earlier write that was cut off left behind.
    let _ = fs::remove_file(&new);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new).map_err(io)?;
    file.write_all(bytes).map_err(io)?;
    file.sync_all().map_err(io)?;
    fs::rename(&new, path).map_err(io)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_folder_gives_a_host_that_trusts_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let operator = Operator::open(&folder.path().join("orch")).unwrap();
        assert!(
            operator.publishers.is_empty() && operator.certifiers.is_empty() && operator.approvals.is_empty()
        );
        assert!(!operator.knows_workspace(Path::new("/w")).unwrap());
        operator.trust_workspace(Path::new("/w")).unwrap();
        assert!(operator.knows_workspace(Path::new("/w")).unwrap());
        assert!(!operator.knows_workspace(Path::new("/w/x")).unwrap());
    }

    #[test]
    fn a_malformed_file_refuses_and_is_not_skipped() {
        let folder = tempfile::tempdir().unwrap();
        Operator::open(folder.path()).unwrap();
        fs::write(folder.path().join("trust/publishers/x.toml"), "key = 1").unwrap();
        assert_eq!(Operator::open(folder.path()).err().unwrap().code(), "operator-file");
        fs::remove_file(folder.path().join("trust/publishers/x.toml")).unwrap();
        fs::write(folder.path().join("policy.toml"), "allow_everything = true").unwrap();
        assert_eq!(Operator::open(folder.path()).err().unwrap().code(), "operator-file");
    }
}
