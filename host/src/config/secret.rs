//! The host's own secret, and the keys derived from it.
//!
//! In -> out: 32 random bytes in `secret` (mode 0600) -> one key for each use, by HKDF-SHA-256 with separate labels.
//! Invariant: the secret itself leaves this file never; a file that others could read refuses.
//! Not here: what the keys protect (the journal's heads, run starts, native code).

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use hkdf::Hkdf;
use orch_journal::JournalKeys;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::keeper;
use super::operator::error::OperatorError;
use crate::regular_file::{self, Links};
use crate::whole_file;

const SECRET_BYTES: usize = 32;
/// A longer file is none, whatever is in it.
const SECRET_FILE_BYTES_MAX: u64 = 1024;

/// The host's secret.
pub struct HostSecret(Zeroizing<[u8; SECRET_BYTES]>);

/// What a derived key is for.
#[derive(Clone, Copy, Debug)]
pub enum KeyUse {
    /// The MAC of `run_started`.
    RunStart,
    /// Signed heads of the journal.
    Heads,
    /// Receipts of native code.
    NativeCode,
    /// What was seen under a trust root.
    TrustState,
    /// Tokens.
    Tokens,
    /// Who did what a task is marked with.
    Marks,
    /// What the journal keeps of tasks' `env`.
    TaskEnv,
    /// Variables of two processes that are compared.
    Variables,
    /// That the operator's folder is one of development.
    Development,
}

impl KeyUse {
    fn label(self) -> &'static [u8] {
        match self {
            Self::RunStart => b"orch run-start v1",
            Self::Heads => b"orch heads v1",
            Self::NativeCode => b"orch native-code v1",
            Self::TrustState => b"orch trust-state v1",
            Self::Tokens => b"orch tokens v1",
            Self::Marks => b"orch marks v1",
            Self::TaskEnv => b"orch task-env v1",
            Self::Variables => b"orch variables v1",
            Self::Development => b"orch development v1",
        }
    }
}

impl HostSecret {
    /// Reads the secret, or makes one if there is none. Of several that make one at once, all get the same.
    pub fn read_or_make(path: &Path) -> Result<Self, OperatorError> {
        let io = |what| move |source| OperatorError::Io { what, path: path.to_owned(), source };
        if let Some(found) = Self::read(path)? {
            return Ok(found);
        }
        let drawn = Self::draw()?;
        let fresh = whole_file::fresh(path, &*drawn.0, whole_file::PRIVATE).map_err(io("write"))?;
        // Unlike a rename a link never takes the place of a secret that came first.
        let linked = std::fs::hard_link(&fresh, path);
        std::fs::remove_file(&fresh).map_err(io("write"))?;
        match linked {
            Ok(()) => Ok(drawn),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                Self::read(path)?.ok_or_else(|| io("make")(error))
            }
            Err(error) => Err(io("make")(error)),
        }
    }

    /// The same, but where the file `sealed` is there already, a secret that is gone is not made anew: nothing would
    /// open what it sealed.
    pub fn read_or_make_beside(path: &Path, sealed: &Path) -> Result<Self, OperatorError> {
        match sealed.exists() {
            false => Self::read_or_make(path),
            true => {
                let missing =
                    || OperatorError::SecretMissing { path: path.to_owned(), sealed: sealed.to_owned() };
                Self::read(path)?.ok_or_else(missing)
            }
        }
    }

    /// Reads the secret, or draws one that is kept nowhere.
    pub fn read_or_draw(path: &Path) -> Result<Self, OperatorError> {
        match Self::read(path)? {
            Some(found) => Ok(found),
            None => Self::draw(),
        }
    }

    fn read(path: &Path) -> Result<Option<Self>, OperatorError> {
        let (found, metadata) = match regular_file::read(path, Links::Followed, SECRET_FILE_BYTES_MAX) {
            Ok(found) => found,
            Err(error) if error.is_missing() => return Ok(None),
            Err(error) => return Err(OperatorError::unread(path, error)),
        };
        keeper::check(path, &metadata)?;
        let mode = metadata.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(OperatorError::SecretMode { path: path.to_owned(), mode });
        }
        let found_bytes = found.len();
        let bytes: [u8; SECRET_BYTES] = found
            .as_slice()
            .try_into()
            .map_err(|_| OperatorError::SecretSize { path: path.to_owned(), found_bytes })?;
        Ok(Some(Self(Zeroizing::new(bytes))))
    }

    fn draw() -> Result<Self, OperatorError> {
        let mut bytes = Zeroizing::new([0; SECRET_BYTES]);
        getrandom::fill(&mut *bytes).map_err(|_| OperatorError::NoRandom)?;
        Ok(Self(bytes))
    }

    /// The keys for journals: of workspaces, and of the operator's.
    pub fn journal_keys(&self) -> JournalKeys {
        JournalKeys { run_start: self.key(KeyUse::RunStart), heads: self.key(KeyUse::Heads) }
    }

    /// The key for one use.
    pub fn key(&self, for_use: KeyUse) -> [u8; 32] {
        let mut key = [0; 32];
        let derived = Hkdf::<Sha256>::new(None, &*self.0).expand(for_use.label(), &mut key);
        match derived {
            Ok(()) => key,
            Err(_) => unreachable!("32 bytes are a valid length for HKDF-SHA-256"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_secret_is_made_once_and_each_use_has_a_key_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let made = HostSecret::read_or_make(&path).unwrap();
        let read = HostSecret::read_or_make(&path).unwrap();
        assert_eq!(made.key(KeyUse::Heads), read.key(KeyUse::Heads));
        assert_ne!(made.key(KeyUse::Heads), made.key(KeyUse::RunStart));
        assert_ne!(made.key(KeyUse::NativeCode), made.key(KeyUse::RunStart));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn refuses_a_secret_that_others_can_read_or_that_is_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        HostSecret::read_or_make(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(
            HostSecret::read_or_make(&path),
            Err(OperatorError::SecretMode { mode: 0o640, .. })
        ));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, b"short").unwrap();
        assert!(matches!(
            HostSecret::read_or_make(&path),
            Err(OperatorError::SecretSize { found_bytes: 5, .. })
        ));
    }
}
