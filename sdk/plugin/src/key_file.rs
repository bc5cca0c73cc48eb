//! A secret key in a file of its owner's.
//!
//! In -> out: path -> [`SecretKey`]; a new key -> a file of mode 0600.
//! Form: `{"schema": "urn:orch:secret-key:v1", "seed": base64 of 32 bytes, "public": base64 of 32 bytes}`.
//! Invariant: a file that others can read is refused; the public half is checked against the seed.
//! Not here: what a key signs (`sign.rs`), who trusts it (`orch-trust`).

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use orch_trust::key::{KeyError, SecretKey, base64_decode, base64_encode};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

const SCHEMA: &str = "urn:orch:secret-key:v1";
const BYTES_MAX: u64 = 4096;
const OTHERS: u32 = 0o077;

/// Why a file gives no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    #[error("cannot read or write key file `{path}`")]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("key file `{path}` has mode {found:o}, others can read it; expected 600")]
    Readable { path: PathBuf, found: u32 },
    #[error("`{path}` is no key file")]
    Form {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
    #[error("key file `{path}` has schema `{found}`, expected `{SCHEMA}`")]
    Schema { path: PathBuf, found: String },
    #[error("seed in key file `{path}` is not 32 bytes of base64")]
    Seed {
        path: PathBuf,
        #[source]
        source: KeyError,
    },
    #[error("public key in `{path}` is not the seed's")]
    OtherPublic { path: PathBuf },
    #[error("no random numbers for a new key")]
    NoRandom,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    schema: String,
    seed: String,
    public: String,
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        self.seed.zeroize();
    }
}

/// The key in a file.
pub fn read(path: &Path) -> Result<SecretKey, KeyFileError> {
    let at = |source| KeyFileError::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(at)?;
    let mode = file.metadata().map_err(at)?.mode() & 0o777;
    if mode & OTHERS != 0 {
        return Err(KeyFileError::Readable { path: path.to_owned(), found: mode });
    }
    let mut text = Zeroizing::new(String::new());
    file.take(BYTES_MAX).read_to_string(&mut text).map_err(at)?;
    let form = |source| KeyFileError::Form { path: path.to_owned(), source };
    let found: KeyFile = serde_json::from_str(&text).map_err(form)?;
    if found.schema != SCHEMA {
        return Err(KeyFileError::Schema { path: path.to_owned(), found: found.schema.clone() });
    }
    let seed = |source| KeyFileError::Seed { path: path.to_owned(), source };
    let bytes = Zeroizing::new(base64_decode(&found.seed).map_err(seed)?);
    let bytes: &[u8; 32] = bytes.as_slice().try_into().map_err(|_| seed(KeyError::KeyLength))?;
    let key = SecretKey::from_seed(bytes);
    match key.public().to_base64() == found.public {
        true => Ok(key),
        false => Err(KeyFileError::OtherPublic { path: path.to_owned() }),
    }
}

/// A new key in a new file; a file that exists is left as it is.
pub fn create(path: &Path) -> Result<SecretKey, KeyFileError> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut_slice()).map_err(|_| KeyFileError::NoRandom)?;
    let key = SecretKey::from_seed(&seed);
    let content = KeyFile {
        schema: SCHEMA.to_owned(),
        seed: base64_encode(seed.as_slice()),
        public: key.public().to_base64(),
    };
    let at = |source| KeyFileError::Io { path: path.to_owned(), source };
    let text = serde_json::to_string_pretty(&content).map(Zeroizing::new);
    let text = text.map_err(|source| KeyFileError::Form { path: path.to_owned(), source })?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(at)?;
    writeln!(file, "{}", text.as_str()).and_then(|()| file.sync_all()).map_err(at)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_comes_back_and_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("publisher.key");
        let key = create(&path).unwrap();
        assert_eq!(read(&path).unwrap().public(), key.public());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert!(matches!(create(&path), Err(KeyFileError::Io { .. })));
        assert_eq!(read(&path).unwrap().public(), key.public());
    }

    #[test]
    fn a_file_that_others_can_read_or_that_was_changed_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("publisher.key");
        create(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(read(&path), Err(KeyFileError::Readable { found: 0o640, .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let other = SecretKey::from_seed(&[1; 32]);
        let mut content: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        content["public"] = other.public().to_base64().into();
        fs::write(&path, content.to_string()).unwrap();
        assert!(matches!(read(&path), Err(KeyFileError::OtherPublic { .. })));
    }
}
