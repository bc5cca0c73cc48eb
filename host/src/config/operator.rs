//! The operator's folder: all authority of a host.
//!
//! In -> out: `policy.toml`, `secrets.toml`, `models.toml`, `trust/`, `approvals/`, `secret` -> [`Operator`], from which [`Rules`] are made.
//! Limits: 1 MiB a file, 1000 files a folder.
//! Invariant: authority is read from here and, for one publisher of `local/`, from `PLUGIN_SIGNING_KEY`; never from a
//! workspace. A file that is malformed, or that others could have written, refuses; it is never skipped.
//! Not here: what the rules mean (`orch-trust`), who may own and write what is read (`keeper.rs`), what commands change
//! (`decisions.rs`, `intake.rs`, `../tokens.rs`).

mod anchor;
mod decisions;
mod development;
pub(super) mod error;
mod folder_lock;
mod intake;
mod pins;
mod stream;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use orch_journal::AuditReport;
use orch_trust::admission::Rules;
use orch_trust::anchor::Anchor;
use orch_trust::approval::Approval;
use orch_trust::authority::{AuthorityError, Certifier, Publisher};
use orch_trust::denial::Denials;
use orch_trust::key::KeyError;
use orch_trust::lock::Lock;
use orch_trust::name::PluginId;
use orch_trust::policy::Policy;
use orch_trust::state::TRUST_STATE;
use rustix::fs::Access;

pub use error::OperatorError;
pub use error::RecordError;
pub use intake::{Brought, Taken};
pub use pins::Keeping;
pub use stream::{Change, this_process};

use anchor::{Shelf, Wait};

use super::keeper;
use super::models;
use super::secret::HostSecret;
use super::secrets;
use super::workspace::WorkspaceConfig;
use crate::capability::llm::catalogue::Catalogue;
use crate::clock;
use crate::regular_file::{self, Links};
use crate::secrets::SecretSources;
use crate::whole_file;

const FILE_BYTES_MAX: u64 = 1 << 20;
const FILES_MAX: usize = 1000;
/// What this host denies by itself.
const DENIALS: &str = "trust/denied.toml";
/// What the folder has; the first is the folder itself.
const FOLDERS: [&str; 9] = [
    "",
    "trust",
    "trust/publishers",
    "trust/certifiers",
    anchor::ROOTS,
    "approvals",
    "packages",
    stream::HEADS,
    "cache",
];
/// Adds one publisher for the namespace `local/`: a base64 ed25519 public key, or the path of a file with one.
pub const SIGNING_KEY_VARIABLE: &str = "PLUGIN_SIGNING_KEY";

/// The operator's folder, read.
pub struct Operator {
    /// Absolute and without links: walls are put around it, and others are told of it.
    pub home: PathBuf,
    /// With everything that this host denied by itself.
    pub policy: Policy,
    /// What this host denied by itself.
    pub denials: Denials,
    pub publishers: Vec<Publisher>,
    pub certifiers: Vec<Certifier>,
    pub approvals: BTreeMap<PluginId, Approval>,
    pub secret: HostSecret,
    /// Where the secrets of plugins come from.
    pub secrets: SecretSources,
    /// Which models there are.
    pub models: Catalogue,
    /// `PLUGIN_SIGNING_KEY` added a publisher: every report says so.
    pub signing_key: bool,
    /// What a trust root says; then nobody else is trusted.
    pub anchor: Option<Arc<Anchor>>,
    /// This is the folder of a host of development.
    pub development: bool,
}

/// Where the operator's folder is: what was said, else `$XDG_CONFIG_HOME/orch`, else `~/.config/orch`. A variable with
/// a relative path counts as not set, as the XDG specification says.
pub fn home(said: Option<&Path>) -> Result<PathBuf, OperatorError> {
    match said {
        Some(said) => Ok(said.to_owned()),
        None => absolute("XDG_CONFIG_HOME")
            .map(|config| config.join("orch"))
            .or_else(|| home_folder().map(|home| home.join(".config/orch")))
            .ok_or(OperatorError::NoHome),
    }
}

/// The operator's own, where `HOME` says one.
pub fn home_folder() -> Option<PathBuf> {
    absolute("HOME")
}

/// Where programs of this user keep what is no configuration and no cache: `$XDG_STATE_HOME`, else `~/.local/state`.
pub fn state_home() -> Option<PathBuf> {
    absolute("XDG_STATE_HOME").or_else(|| Some(home_folder()?.join(".local/state")))
}

/// As it is named from everywhere; it may not be there yet.
fn one_spelling(home: &Path) -> Result<PathBuf, OperatorError> {
    let found = home.canonicalize().or_else(|_| std::path::absolute(home));
    found.map_err(|source| OperatorError::Io { what: "find", path: home.to_owned(), source })
}

fn absolute(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute())
}

impl Operator {
    /// Reads the folder; makes it, and the host's secret, if they are not there.
    pub fn open(home: &Path) -> Result<Self, OperatorError> {
        make_folders(home)?;
        let secret = HostSecret::read_or_make_beside(&home.join("secret"), &home.join(TRUST_STATE))?;
        Self::seen(home, secret, Wait::ForOthers)
    }

    /// Reads a folder that was there before, and keeps what is seen of its trust root. Waits for no other host: what
    /// cannot be kept at once is kept the next time.
    pub fn again(home: &Path) -> Result<Self, OperatorError> {
        Self::seen(home, HostSecret::read_or_draw(&home.join("secret"))?, Wait::Never)
    }

    /// Reads the folder and makes nothing. Without a secret it has one that ends with the process: nothing may be
    /// kept that was signed with it.
    pub fn look(home: &Path) -> Result<Self, OperatorError> {
        let secret = HostSecret::read_or_draw(&home.join("secret"))?;
        let anchor = anchor::look(home, &secret, clock::now())?;
        Self::read(home, secret, anchor)
    }

    fn seen(home: &Path, secret: HostSecret, wait: Wait) -> Result<Self, OperatorError> {
        let anchor = Shelf::new(home, &secret).refresh(clock::now(), wait)?.map(Arc::new);
        Self::read(home, secret, anchor)
    }

    fn read(home: &Path, secret: HostSecret, anchor: Option<Arc<Anchor>>) -> Result<Self, OperatorError> {
        for folder in FOLDERS.iter().chain(&["keys", stream::FOLDER]) {
            keeper::check_folder(&home.join(folder))?;
        }
        let mut policy = policy_of(&home.join("policy.toml"))?.unwrap_or_default();
        let secrets = secrets_of(&home.join(secrets::FILE))?.unwrap_or_default();
        let models = models_of(&home.join(models::FILE))?;
        let denials = denials(home)?;
        denials.join(&mut policy.deny);
        let mut publishers = each(&home.join("trust/publishers"), "toml", Publisher::parse)?;
        let certifiers = each(&home.join("trust/certifiers"), "toml", Certifier::parse)?;
        // One that is no text is no key, and said to be none.
        let signing_key = std::env::var_os(SIGNING_KEY_VARIABLE)
            .map(|value| value.to_string_lossy().into_owned())
            .filter(|value| !value.trim().is_empty());
        if anchor.is_some() {
            if let Some(path) = anchor::plain_key_files(home)?.into_iter().next() {
                return Err(OperatorError::BesideRoot { path });
            }
            if signing_key.is_some() {
                return Err(OperatorError::SigningKeyBesideRoot);
            }
        }
        if let Some(said) = &signing_key {
            publishers.push(signing_key_publisher(said.trim())?);
        }
        let development = development::check(home, &secret, anchor.is_some(), &certifiers)?;
        Ok(Self {
            development,
            home: one_spelling(home)?,
            policy,
            publishers,
            certifiers,
            approvals: approvals(&home.join("approvals"))?,
            denials,
            secret,
            secrets,
            models,
            signing_key: signing_key.is_some(),
            anchor,
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
            anchor: self.anchor.clone(),
            development: self.development,
        }
    }

    /// Folders with packages, in the order of search: those said, those of the policy, the operator's own.
    pub fn package_folders(&self, said: &[PathBuf]) -> Vec<PathBuf> {
        let of_policy = self.policy.packages.iter().map(|folder| self.home.join(folder));
        said.iter().cloned().chain(of_policy).chain([self.home.join("packages")]).collect()
    }

    /// Fails if nothing can be kept of how far a run is, before it begins.
    pub fn check_heads(&self) -> Result<(), OperatorError> {
        let heads = self.home.join("heads");
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&heads);
        made.and_then(|()| {
            Ok(rustix::fs::access(&heads, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK)?)
        })
        .map_err(|source| OperatorError::Io { what: "write into", path: heads, source })
    }
}

/// What is wrong with the journal of decisions in that folder, whatever else is wrong there; makes nothing.
pub fn verify_decisions(home: &Path) -> Result<AuditReport, OperatorError> {
    stream::verify(home, &HostSecret::read_or_draw(&home.join("secret"))?)
}

fn signing_key_publisher(said: &str) -> Result<Publisher, OperatorError> {
    let wrong = |source| OperatorError::SigningKey { source };
    let path = Path::new(said);
    let key = Publisher::of_signing_key(said);
    if key.is_ok() || !path.exists() {
        // A text that could be a key is called by what is wrong with it.
        return key.map_err(|error| match error {
            AuthorityError::Key(KeyError::Base64) => OperatorError::SigningKeyMissing,
            other => wrong(other),
        });
    }
    let text = read(path)?.unwrap_or_default();
    // The public file that `keygen` makes: its key counts, its namespaces do not.
    match Publisher::parse(&text) {
        Ok(publisher) => Publisher::of_signing_key(&publisher.key.to_base64()),
        Err(_) => Publisher::of_signing_key(&text),
    }
    .map_err(wrong)
}

fn denials(home: &Path) -> Result<Denials, OperatorError> {
    let path = home.join(DENIALS);
    match read(&path)? {
        Some(text) => Denials::parse(&text).map_err(|source| OperatorError::Authority { path, source }),
        None => Ok(Denials::default()),
    }
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
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(found),
        entries => entries.map_err(io)?,
    };
    for entry in entries {
        let path = entry.map_err(io)?.path();
        // What begins with a dot is an editor's or a file manager's.
        let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !is_hidden && path.extension().is_some_and(|extension| extension == end) {
            found.push(path);
        }
        if found.len() > FILES_MAX {
            return Err(OperatorError::TooMany { path: folder.to_owned(), limit: FILES_MAX });
        }
    }
    found.sort();
    Ok(found)
}

/// Where secrets come from, as that file says; nothing if there is none.
pub fn secrets_of(path: &Path) -> Result<Option<SecretSources>, OperatorError> {
    let parsed = read(path)?.map(|text| secrets::parse(&text)).transpose();
    parsed.map_err(|source| OperatorError::Authority { path: path.to_owned(), source })
}

/// What plugins may do, as that file says; nothing if there is none.
pub fn policy_of(path: &Path) -> Result<Option<Policy>, OperatorError> {
    let parsed = read(path)?.map(|text| Policy::parse(&text)).transpose();
    parsed.map_err(|source| OperatorError::Authority { path: path.to_owned(), source })
}

/// Which models there are, as that file says; none if there is no such file.
fn models_of(path: &Path) -> Result<Catalogue, OperatorError> {
    let parsed = read(path)?.map(|text| models::parse(&text)).transpose();
    let parsed = parsed.map_err(|source| OperatorError::Authority { path: path.to_owned(), source })?;
    Ok(parsed.unwrap_or_default())
}

/// The text of a file that gives authority; nothing if there is none.
fn read(path: &Path) -> Result<Option<String>, OperatorError> {
    match regular_file::read_text(path, Links::Followed, FILE_BYTES_MAX) {
        Ok((text, metadata)) => keeper::check(path, &metadata).map(|()| Some(text)),
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(OperatorError::unread(path, error)),
    }
}

fn make_folders(home: &Path) -> Result<(), OperatorError> {
    FOLDERS.iter().try_for_each(|folder| make_folder(&home.join(folder)))
}

fn make_folder(path: &Path) -> Result<(), OperatorError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|source| OperatorError::Io {
        what: "make",
        path: path.to_owned(),
        source,
    })
}

/// Writes a file of the operator's folder whole or not at all, mode 0600. It is there after a loss of power, and what
/// was written before it, too.
fn write_private(path: &Path, bytes: &[u8]) -> Result<(), OperatorError> {
    let io = |source| OperatorError::Io { what: "write", path: path.to_owned(), source };
    whole_file::write(path, bytes, whole_file::PRIVATE).map_err(io)?;
    path.parent().map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all()).map_err(io)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

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

    #[test]
    fn whatever_others_can_change_gives_no_authority() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("orch");
        Operator::open(&home).unwrap();
        let key = orch_trust::key::SecretKey::from_seed(&[7; 32]).public().to_base64();
        let publisher = format!("key = \"{key}\"\nowner = \"a\"\nnamespaces = []\n");
        fs::create_dir(home.join("keys")).unwrap();
        write_private(&home.join("policy.toml"), b"").unwrap();
        write_private(&home.join("trust/publishers/a.toml"), publisher.as_bytes()).unwrap();
        Operator::open(&home).unwrap().trust_workspace(Path::new("/w")).unwrap();
        // What a link leads to counts.
        write_private(&folder.path().join("elsewhere.toml"), publisher.as_bytes()).unwrap();
        std::os::unix::fs::symlink("../../../elsewhere.toml", home.join("trust/publishers/b.toml")).unwrap();
        assert_eq!(Operator::open(&home).unwrap().publishers.len(), 2);
        let folders = FOLDERS.iter().chain(&["keys"]).map(|name| (home.join(name), 0o700));
        let files = ["policy.toml", "trust/publishers/a.toml", "../elsewhere.toml"];
        for (path, mode) in folders.chain(files.iter().map(|name| (home.join(name), 0o600))) {
            for others in [0o020, 0o002] {
                fs::set_permissions(&path, fs::Permissions::from_mode(mode | others)).unwrap();
                let error = Operator::open(&home).err().unwrap();
                assert_eq!(error.code(), "operator-writable", "{}", path.display());
                assert!(error.hint().unwrap().contains("chmod go-w"));
            }
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
        fs::set_permissions(home.join("workspaces"), fs::Permissions::from_mode(0o602)).unwrap();
        let operator = Operator::open(&home).unwrap();
        assert_eq!(operator.knows_workspace(Path::new("/w")).unwrap_err().code(), "operator-writable");
    }

    #[test]
    fn a_pipe_in_the_place_of_a_file_is_refused_at_once() {
        for name in [
            "policy.toml",
            "secret",
            "trust/publishers/x.toml",
            "trust/certifiers/x.toml",
            "approvals/x.json",
        ] {
            let folder = tempfile::tempdir().unwrap();
            Operator::open(folder.path()).unwrap();
            let path = folder.path().join(name);
            let _ = fs::remove_file(&path);
            rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR).unwrap();
            let code = Operator::open(folder.path()).err().unwrap().code();
            assert_eq!(code, "operator-file", "{name}");
        }
    }

    #[test]
    fn workspaces_made_known_at_once_are_all_known_and_the_secret_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("orch");
        let names: Vec<PathBuf> = (0..16).map(|number| PathBuf::from(format!("/w/{number}"))).collect();
        let keys: Vec<[u8; 32]> = std::thread::scope(|scope| {
            let host = |name: &PathBuf| {
                let (home, name) = (home.clone(), name.clone());
                scope.spawn(move || {
                    let operator = Operator::open(&home).unwrap();
                    operator.trust_workspace(&name).unwrap();
                    operator.secret.key(crate::config::secret::KeyUse::Heads)
                })
            };
            let hosts: Vec<_> = names.iter().map(host).collect();
            hosts.into_iter().map(|host| host.join().unwrap()).collect()
        });
        let operator = Operator::open(&home).unwrap();
        for name in &names {
            assert!(operator.knows_workspace(name).unwrap(), "{}", name.display());
        }
        assert!(keys.iter().all(|key| *key == operator.secret.key(crate::config::secret::KeyUse::Heads)));
        let left = files(&home, "new").unwrap();
        assert!(left.is_empty(), "{left:?}");
    }

    #[test]
    fn looking_makes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let operator = Operator::look(&folder.path().join("orch")).unwrap();
        assert!(operator.publishers.is_empty() && !folder.path().join("orch").exists());
        fs::create_dir(folder.path().join("orch")).unwrap();
        Operator::look(&folder.path().join("orch")).unwrap();
        assert_eq!(fs::read_dir(folder.path().join("orch")).unwrap().count(), 0);
    }

    #[test]
    fn the_signing_key_is_a_key_or_a_file_with_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            write_private(&folder.path().join(name), text.as_bytes()).unwrap();
            folder.path().join(name).display().to_string()
        };
        let key = orch_trust::key::SecretKey::from_seed(&[8; 32]).public();
        let public = format!("key = \"{}\"\nowner = \"me\"\nnamespaces = [\"acme/\"]\n", key.to_base64());
        for said in [key.to_base64(), file("key.txt", &key.to_base64()), file("key.toml", &public)] {
            let publisher = signing_key_publisher(&said).unwrap();
            assert_eq!((publisher.key, publisher.namespaces), (key, vec!["local/".to_owned()]), "{said}");
        }
        for said in ["/nonexist", "key.toml", "secret"] {
            assert!(matches!(signing_key_publisher(said), Err(OperatorError::SigningKeyMissing)), "{said}");
        }
        let other = file("other.toml", "x = 1");
        assert!(matches!(signing_key_publisher(&other), Err(OperatorError::SigningKey { .. })));
    }
}
