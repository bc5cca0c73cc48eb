//! Files of secret keys: one ed25519 seed, for its owner's eyes only.
//!
//! In -> out: path <-> [`SecretKey`]. JSON: `{"kind":"orch-secret-key","version":1,"purpose":"publisher","seed":"<base64>"}`,
//! mode 0600. Limits: 4 KiB.
//! Invariant: a file that others can read, a link, or a file of another user is no key; a key is used for what it was
//! made for; a file that exists is never overwritten. Seeds are zeroed after use.
//! Not here: public keys (`orch-trust`'s `authority.rs`).

use std::fs::{File, Metadata};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use orch_trust::key::{SecretKey, base64_decode, base64_encode};
use orch_trust::strict_json;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::regular_file::{self, Links, ReadError};

const KEY_BYTES_MAX: u64 = 4096;
const KIND: &str = "orch-secret-key";
const VERSION: u32 = 1;

/// What a key was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Signs releases.
    Publisher,
    /// Signs certificates.
    Certifier,
    /// Signs versions of the trust root.
    Root,
    /// Signs revocation lists.
    Revoker,
    /// Signs freshness documents.
    Freshness,
    /// Signs delegations to jobs.
    CiIssuer,
}

impl Purpose {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Publisher => "publisher",
            Self::Certifier => "certifier",
            Self::Root => "root signer",
            Self::Revoker => "revoker",
            Self::Freshness => "freshness signer",
            Self::CiIssuer => "CI issuer",
        }
    }
}

/// Why a key file is not used, or not made.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    #[error("key file `{path}` cannot be opened")]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("key file `{path}` exists already")]
    Exists { path: PathBuf },
    #[error("key file `{path}` is a link or no regular file")]
    NotRegular { path: PathBuf },
    #[error("key file `{path}` has mode {found:04o}, expected 0600")]
    Exposed { path: PathBuf, found: u32 },
    #[error("key file `{path}` belongs to user {found}, expected {expected}")]
    OtherOwner { path: PathBuf, found: u32, expected: u32 },
    #[error("key file `{path}` is not an `{KIND}` of version {VERSION}")]
    Malformed { path: PathBuf },
    #[error("key file `{path}` is a {}'s, expected a {}'s", found.as_str(), expected.as_str())]
    OtherPurpose { path: PathBuf, found: Purpose, expected: Purpose },
    #[error("no random bytes for a new key: {message}")]
    Random { message: String },
}

impl KeyFileError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "key-file-io",
            Self::Exists { .. } => "key-file-exists",
            Self::NotRegular { .. } => "key-file-not-regular",
            Self::Exposed { .. } => "key-file-exposed",
            Self::OtherOwner { .. } => "key-file-other-owner",
            Self::Malformed { .. } => "key-file-malformed",
            Self::OtherPurpose { .. } => "key-file-other-purpose",
            Self::Random { .. } => "key-random",
        }
    }

    /// What the owner can do about it, if anything.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Exposed { path, .. } => Some(format!(
                "others may have read it: make a new key, or `chmod 600 {}` if nobody can have",
                path.display()
            )),
            Self::OtherPurpose { expected, .. } => Some(format!(
                "one key does not vouch twice: `orch-certify {}` makes the other",
                match expected {
                    Purpose::Publisher => "keygen --publisher NAMESPACE",
                    Purpose::Certifier => "keygen --certifier local",
                    Purpose::Root => "root keygen --role root",
                    Purpose::Revoker => "root keygen --role revoker",
                    Purpose::Freshness => "root keygen --role freshness",
                    Purpose::CiIssuer => "root keygen --role ci-issuer",
                }
            )),
            Self::Exists { .. } => Some("choose another name with `--out`".to_owned()),
            _ => None,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyText {
    kind: String,
    version: u32,
    /// Absent in files of before there were purposes: good for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    purpose: Option<Purpose>,
    seed: String,
}

impl Drop for KeyText {
    fn drop(&mut self) {
        self.seed.zeroize();
    }
}

/// A new key, in a new file of mode 0600.
///
/// # Errors
/// `Random`, `Exists`, `Io`.
pub fn write(path: &Path, purpose: Purpose) -> Result<SecretKey, KeyFileError> {
    let mut seed = Zeroizing::new([0u8; 32]);
    getrandom::fill(&mut *seed).map_err(|error| KeyFileError::Random { message: error.to_string() })?;
    let text = KeyText {
        kind: KIND.to_owned(),
        version: VERSION,
        purpose: Some(purpose),
        seed: base64_encode(&*seed),
    };
    let mut bytes = Zeroizing::new(serde_json::to_vec(&text).unwrap_or_default());
    bytes.push(b'\n');
    let io = |source: io::Error| match source.kind() {
        io::ErrorKind::AlreadyExists => KeyFileError::Exists { path: path.to_owned() },
        _ => KeyFileError::Io { path: path.to_owned(), source },
    };
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path).map_err(io)?;
    file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(io)?;
    Ok(SecretKey::from_seed(&seed))
}

/// The key of a file, for that purpose.
///
/// # Errors
/// `Io`, `NotRegular`, `Exposed`, `OtherOwner`, `Malformed`, `OtherPurpose`.
pub fn read(path: &Path, expected: Purpose) -> Result<SecretKey, KeyFileError> {
    let (bytes, metadata) =
        regular_file::read(path, Links::Refused, KEY_BYTES_MAX).map_err(|error| match error {
            ReadError::Io(source) => KeyFileError::Io { path: path.to_owned(), source },
            ReadError::NotRegular => KeyFileError::NotRegular { path: path.to_owned() },
            ReadError::TooLarge { .. } => KeyFileError::Malformed { path: path.to_owned() },
        })?;
    check_access(path, &metadata)?;
    let (key, purpose) = parse(&bytes).ok_or_else(|| KeyFileError::Malformed { path: path.to_owned() })?;
    match purpose.filter(|found| *found != expected) {
        None => Ok(key),
        Some(found) => Err(KeyFileError::OtherPurpose { path: path.to_owned(), found, expected }),
    }
}

fn check_access(path: &Path, metadata: &Metadata) -> Result<(), KeyFileError> {
    let path = || path.to_owned();
    let found = metadata.mode() & 0o7777;
    if found & 0o077 != 0 {
        return Err(KeyFileError::Exposed { path: path(), found });
    }
    let expected = rustix::process::geteuid().as_raw();
    match metadata.uid() == expected {
        true => Ok(()),
        false => Err(KeyFileError::OtherOwner { path: path(), found: metadata.uid(), expected }),
    }
}

fn parse(bytes: &[u8]) -> Option<(SecretKey, Option<Purpose>)> {
    let text: KeyText = strict_json::parse(bytes).ok()?;
    if text.kind != KIND || text.version != VERSION {
        return None;
    }
    let seed = Zeroizing::new(base64_decode(&text.seed).ok()?);
    let seed: Zeroizing<[u8; 32]> = Zeroizing::new(seed.as_slice().try_into().ok()?);
    Some((SecretKey::from_seed(&seed), text.purpose))
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn code(path: &Path) -> Option<&'static str> {
        read(path, Purpose::Publisher).err().map(|error| error.code())
    }

    #[test]
    fn a_key_is_read_back_and_only_its_owner_can() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.key");
        let made = write(&path, Purpose::Publisher).unwrap();
        assert_eq!(read(&path, Purpose::Publisher).unwrap().public(), made.public());
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        for mode in [0o640, 0o604, 0o610, 0o644] {
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert_eq!(code(&path), Some("key-file-exposed"), "{mode:o}");
        }
    }

    #[test]
    fn a_key_is_never_overwritten_and_two_keys_differ() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("a.key"), folder.path().join("b.key"));
        let made = write(&one, Purpose::Publisher).unwrap();
        assert_eq!(write(&one, Purpose::Publisher).unwrap_err().code(), "key-file-exists");
        assert_eq!(read(&one, Purpose::Publisher).unwrap().public(), made.public());
        assert_ne!(write(&two, Purpose::Publisher).unwrap().public(), made.public());
    }

    #[test]
    fn links_folders_and_other_contents_are_no_keys() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.key");
        write(&path, Purpose::Publisher).unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert_eq!(code(&link), Some("key-file-not-regular"));
        assert_eq!(code(folder.path()), Some("key-file-not-regular"));
        let good = std::fs::read_to_string(&path).unwrap();
        let twice = good.replacen("\"version\":1", "\"version\":1,\"version\":1", 1);
        for wrong in ["", "{}", &good.replace("orch-secret-key", "x"), &good.replace(":1", ":2"), &twice] {
            std::fs::write(&path, wrong).unwrap();
            assert_eq!(code(&path), Some("key-file-malformed"), "{wrong}");
        }
    }

    #[test]
    fn a_key_is_used_for_what_it_was_made_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.key");
        write(&path, Purpose::Certifier).unwrap();
        assert!(read(&path, Purpose::Certifier).is_ok());
        let error = read(&path, Purpose::Publisher).unwrap_err();
        assert_eq!(error.code(), "key-file-other-purpose");
        assert!(error.to_string().ends_with("is a certifier's, expected a publisher's"), "{error}");
        // Older files do not say it.
        let text = std::fs::read_to_string(&path).unwrap().replace("\"purpose\":\"certifier\",", "");
        assert!(!text.contains("purpose"));
        std::fs::write(&path, &text).unwrap();
        assert!(read(&path, Purpose::Certifier).is_ok() && read(&path, Purpose::Publisher).is_ok());
        std::fs::write(&path, text.replace("\"seed\"", "\"purpose\":\"any\",\"seed\"")).unwrap();
        assert_eq!(code(&path), Some("key-file-malformed"));
    }

    #[test]
    fn a_key_of_another_user_and_a_pipe_are_no_keys() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.key");
        write(&path, Purpose::Publisher).unwrap();
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&path, Some(4242), None).unwrap();
            assert_eq!(code(&path), Some("key-file-other-owner"));
        }
        std::fs::remove_file(&path).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR).unwrap();
        assert_eq!(code(&path), Some("key-file-not-regular"));
    }
}
