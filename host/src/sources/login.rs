//! Names and passwords for places of packages.
//!
//! In -> out: a file with one line `NAME:PASSWORD`, or a folder with one such file a host -> what is said to that host.
//! Limits: 4 KiB.
//! Invariant: the file is its owner's alone; what it says goes to its host, or where that host sends for tokens, and into no
//! message.
//! Not here: secrets of plugins (`secrets.rs`).

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use zeroize::Zeroizing;

use super::SourceError;
use crate::regular_file::{self, Links};

const FILE_BYTES_MAX: u64 = 4096;

/// Where they are looked for.
#[derive(Clone, Debug, Default)]
pub struct Logins {
    /// What was said, whichever host it is.
    pub said: Option<PathBuf>,
    /// With a file for each host: `registry.example`, `registry.example_5000`.
    pub folder: Option<PathBuf>,
}

impl Logins {
    /// The value of `Authorization` for that host, if there is one.
    ///
    /// # Errors
    /// `Io`, `Login`.
    pub fn basic(&self, host: &str) -> Result<Option<HeaderValue>, SourceError> {
        let path = match (&self.said, &self.folder) {
            (Some(said), _) => said.clone(),
            (None, Some(folder)) => folder.join(host.replace(':', "_")),
            (None, None) => return Ok(None),
        };
        match regular_file::read_text(&path, Links::Followed, FILE_BYTES_MAX) {
            Err(error) if error.is_missing() && self.said.is_none() => Ok(None),
            Err(error) => Err(SourceError::Io { path, source: error.into() }),
            Ok((text, metadata)) => {
                let text = Zeroizing::new(text);
                read(&text)
                    .filter(|_| metadata.mode() & 0o077 == 0)
                    .map(Some)
                    .ok_or(SourceError::Login { path })
            }
        }
    }

    /// With what is in the operator's folder, unless a file was said.
    pub fn of(said: Option<&Path>, home: &Path) -> Self {
        Self { said: said.map(Path::to_owned), folder: Some(home.join("logins")) }
    }
}

fn read(text: &str) -> Option<HeaderValue> {
    let line = text.strip_suffix('\n').unwrap_or(text);
    let (name, password) = line.split_once(':')?;
    if name.is_empty() || password.is_empty() || line.chars().any(char::is_control) {
        return None;
    }
    let encoded = Zeroizing::new(format!("Basic {}", STANDARD.encode(line)));
    let mut value = HeaderValue::from_str(&encoded).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_login_is_one_line_of_a_file_that_nobody_else_reads() {
        let folder = tempfile::tempdir().unwrap();
        let logins = Logins { said: None, folder: Some(folder.path().to_owned()) };
        let path = folder.path().join("127.0.0.1_5000");
        let asked = |text: &str, mode: u32| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let found = logins.basic("127.0.0.1:5000");
            found.map(|value| value.unwrap().to_str().unwrap().to_owned()).map_err(|error| error.code())
        };
        assert_eq!(asked("me:word\n", 0o600), Ok("Basic bWU6d29yZA==".to_owned()));
        assert_eq!(asked("me:w:o", 0o600), Ok("Basic bWU6dzpv".to_owned()));
        assert_eq!(asked("me:word\n", 0o640), Err("login-file"));
        for wrong in ["", "me", "me:", ":word", "me:word\nmore\n", "me:word\r\n"] {
            assert_eq!(asked(wrong, 0o600), Err("login-file"), "{wrong:?}");
        }
        assert!(logins.basic("other.example").unwrap().is_none());
        let said = Logins { said: Some(folder.path().join("nowhere")), folder: None };
        assert_eq!(said.basic("other.example").unwrap_err().code(), "source-io");
    }
}
