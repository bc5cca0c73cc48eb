//! Passphrases and PINs: from the terminal without echo, from a private file, or from an open descriptor.
//!
//! In -> out: what it is for -> text, zeroed when it is dropped. Limits: 1 to 1024 bytes, without the line's end.
//! Invariant: a passphrase is never an argument nor a variable of the environment: other processes can read both.
//! Not here: what it opens (`key_file.rs`, `token.rs`).

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::secret_file::{self, SecretFileError};

const PASSPHRASE_BYTES_MAX: usize = 1024;
/// Of a new one. Those of others' files and tokens may be shorter.
const NEW_BYTES_MIN: usize = 8;

/// Where passphrases come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Passphrases {
    /// Asked, each time, without showing what is typed.
    #[default]
    Terminal,
    /// The first line of a file that only its owner can read.
    File(PathBuf),
    /// The first line of what an open descriptor gives.
    Descriptor(u32),
}

/// Why there is no passphrase.
#[derive(Debug, thiserror::Error)]
pub enum PassphraseError {
    #[error("there is no terminal to ask for the passphrase on")]
    NoTerminal {
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    File(#[from] SecretFileError),
    #[error("descriptor {number} gives no passphrase")]
    Descriptor {
        number: u32,
        #[source]
        source: io::Error,
    },
    #[error("passphrase is not one line of 1 to {PASSPHRASE_BYTES_MAX} bytes of UTF-8")]
    NotText,
    #[error("passphrase has {found} bytes, expected at least {NEW_BYTES_MIN}")]
    Short { found: usize },
    #[error("the two passphrases differ")]
    Differ,
}

impl PassphraseError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoTerminal { .. } => "passphrase-no-terminal",
            Self::File(_) => "passphrase-file",
            Self::Descriptor { .. } => "passphrase-descriptor",
            Self::NotText => "passphrase-not-text",
            Self::Short { .. } => "passphrase-short",
            Self::Differ => "passphrase-differ",
        }
    }

    /// What helps, if anything.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoTerminal { .. } => Some(
                "`--passphrase-file FILE` or `--passphrase-fd NUMBER` say where else it comes from"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

impl Passphrases {
    /// The passphrase for that.
    ///
    /// # Errors
    /// `NoTerminal`, `File`, `Descriptor`, `NotText`.
    pub fn ask(&self, what: &str) -> Result<Zeroizing<String>, PassphraseError> {
        match self {
            Self::Terminal => {
                let answer = rpassword::prompt_password(format!("passphrase for {what}: "));
                let answer = answer.map_err(|source| PassphraseError::NoTerminal { source })?;
                let answer = Zeroizing::new(answer);
                first_line(answer.as_bytes())
            }
            Self::File(path) => first_line(&secret_file::read("passphrase file", path)?),
            Self::Descriptor(number) => first_line(&read_descriptor(*number)?),
        }
    }

    /// A new passphrase, said twice on a terminal.
    ///
    /// # Errors
    /// Those of [`Self::ask`]; `Short`, `Differ`.
    pub fn choose(&self, what: &str) -> Result<Zeroizing<String>, PassphraseError> {
        let chosen = self.ask(&format!("the new {what}"))?;
        if chosen.len() < NEW_BYTES_MIN {
            return Err(PassphraseError::Short { found: chosen.len() });
        }
        if *self == Self::Terminal && self.ask(&format!("the new {what} again"))? != chosen {
            return Err(PassphraseError::Differ);
        }
        Ok(chosen)
    }
}

/// Opened anew by its name, so that no descriptor changes its owner here.
fn read_descriptor(number: u32) -> Result<Zeroizing<Vec<u8>>, PassphraseError> {
    let failed = |source| PassphraseError::Descriptor { number, source };
    let file = File::open(format!("/dev/fd/{number}")).map_err(failed)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(PASSPHRASE_BYTES_MAX + 2));
    file.take(PASSPHRASE_BYTES_MAX as u64 + 2).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

fn first_line(bytes: &[u8]) -> Result<Zeroizing<String>, PassphraseError> {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match std::str::from_utf8(line) {
        Ok(text) if (1..=PASSPHRASE_BYTES_MAX).contains(&text.len()) => Ok(Zeroizing::new(text.to_owned())),
        _ => Err(PassphraseError::NotText),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn a_passphrase_is_the_first_line_of_a_private_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pass");
        let asked = |bytes: &[u8]| {
            let _ = std::fs::remove_file(&path);
            secret_file::write_new("passphrase file", &path, bytes).unwrap();
            Passphrases::File(path.clone()).ask("a key").map(|text| text.to_string())
        };
        assert_eq!(asked(b"open sesame\n").unwrap(), "open sesame");
        assert_eq!(asked(b"open sesame\r\nmore").unwrap(), "open sesame");
        assert_eq!(asked(" spaces stay ".as_bytes()).unwrap(), " spaces stay ");
        assert_eq!(asked(&[b'x'; 1024]).unwrap().len(), 1024);
        for wrong in [&b""[..], b"\nlater", &[b'x'; 1025], b"\xff\xfe"] {
            assert_eq!(asked(wrong).unwrap_err().code(), "passphrase-not-text");
        }
        std::os::unix::fs::symlink(&path, folder.path().join("link")).unwrap();
        let link = Passphrases::File(folder.path().join("link")).ask("a key").unwrap_err();
        assert_eq!(link.code(), "passphrase-file");
    }

    #[test]
    fn a_passphrase_comes_from_an_open_descriptor() {
        let (read, mut write) = io::pipe().unwrap();
        write.write_all(b"open sesame\n").unwrap();
        drop(write);
        let number = read.as_raw_fd() as u32;
        assert_eq!(*Passphrases::Descriptor(number).ask("a key").unwrap(), "open sesame");
        let error = Passphrases::Descriptor(900_000).ask("a key").unwrap_err();
        assert_eq!(error.code(), "passphrase-descriptor");
    }

    #[test]
    fn a_new_passphrase_is_not_short() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pass");
        secret_file::write_new("passphrase file", &path, b"1234567\n").unwrap();
        let from = Passphrases::File(path);
        assert_eq!(from.choose("key").unwrap_err().code(), "passphrase-short");
        assert!(from.ask("key").is_ok());
    }
}
