//! The publisher's secret key, in a file of its owner's.
//!
//! In -> out: path -> [`SecretKey`]. The form is that of `orch-certify keygen`: JSON with `kind`, `version`, `seed`.
//! Limits: 4 KiB.
//! Invariant: a link, or a file that others can read, is no key; seeds are zeroed after use.
//! Not here: making keys (`orch-certify`), what a key signs (`sign.rs`), who trusts it (`orch-trust`).

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use orch_trust::key::{SecretKey, base64_decode};
use orch_trust::strict_json;
use rustix::fs::OFlags;
use serde::Deserialize;
use zeroize::{Zeroize, Zeroizing};

const KIND: &str = "orch-secret-key";
const VERSION: u32 = 1;
const BYTES_MAX: u64 = 4096;
const OTHERS: u32 = 0o077;

/// Why a file gives no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    #[error("cannot read key file `{path}`")]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("key file `{path}` is no regular file")]
    NotRegular { path: PathBuf },
    #[error("key file `{path}` has mode {found:04o}, expected 0600")]
    Exposed { path: PathBuf, found: u32 },
    #[error("key file `{path}` is not an `{KIND}` of version {VERSION}")]
    Malformed { path: PathBuf },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyText {
    kind: String,
    version: u32,
    seed: String,
}

impl Drop for KeyText {
    fn drop(&mut self) {
        self.seed.zeroize();
    }
}

/// The key in a file.
///
/// # Errors
/// `Io`, also for a link; `NotRegular`, `Exposed`, `Malformed`.
pub fn read(path: &Path) -> Result<SecretKey, KeyFileError> {
    let at = |source| KeyFileError::Io { path: path.to_owned(), source };
    // Without following a link at its end, and without waiting for the other side of a pipe.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = File::options().read(true).custom_flags(flags).open(path).map_err(at)?;
    let metadata = file.metadata().map_err(at)?;
    if !metadata.is_file() {
        return Err(KeyFileError::NotRegular { path: path.to_owned() });
    }
    let mode = metadata.mode() & 0o777;
    if mode & OTHERS != 0 {
        return Err(KeyFileError::Exposed { path: path.to_owned(), found: mode });
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(512));
    file.take(BYTES_MAX).read_to_end(&mut bytes).map_err(at)?;
    parse(&bytes).ok_or_else(|| KeyFileError::Malformed { path: path.to_owned() })
}

fn parse(bytes: &[u8]) -> Option<SecretKey> {
    let text: KeyText = strict_json::parse(bytes).ok()?;
    if text.kind != KIND || text.version != VERSION {
        return None;
    }
    let seed = Zeroizing::new(base64_decode(&text.seed).ok()?);
    Some(SecretKey::from_seed(seed.as_slice().try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use orch_trust::key::base64_encode;

    use super::*;

    fn text(kind: &str, version: u32, seed: &[u8]) -> String {
        serde_json::json!({ "kind": kind, "version": version, "seed": base64_encode(seed) }).to_string()
    }

    fn written(path: &Path, text: &str, mode: u32) {
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_key_comes_out_of_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("publisher.json");
        written(&path, &text(KIND, VERSION, &[7; 32]), 0o600);
        assert_eq!(read(&path).unwrap().public(), SecretKey::from_seed(&[7; 32]).public());
    }

    #[test]
    fn a_file_that_others_can_read_or_that_is_none_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("publisher.json"), folder.path().join("link.json"));
        written(&path, &text(KIND, VERSION, &[7; 32]), 0o640);
        assert!(matches!(read(&path), Err(KeyFileError::Exposed { found: 0o640, .. })));
        written(&path, &text(KIND, VERSION, &[7; 32]), 0o600);
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(matches!(read(&link), Err(KeyFileError::Io { .. })));
        assert!(matches!(read(folder.path()), Err(KeyFileError::NotRegular { .. })));
        for wrong in
            [text("other", VERSION, &[7; 32]), text(KIND, 2, &[7; 32]), text(KIND, VERSION, &[7; 31])]
        {
            written(&path, &wrong, 0o600);
            assert!(matches!(read(&path), Err(KeyFileError::Malformed { .. })), "{wrong}");
        }
    }
}
