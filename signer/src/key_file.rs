//! Files of secret keys: one ed25519 seed, for its owner's eyes only.
//!
//! In -> out: path <-> [`SecretKey`]. Written: our own JSON (`key_file/seed.rs`) and encrypted PKCS#8
//! (`key_file/pkcs8.rs`); read also: keys of OpenSSH and of minisign. Which one it is, its first bytes say.
//! Invariant: only a private file is read (`secret_file.rs`); a key is used for what it was made for, where its file
//! says that; a file that asks for more memory or time than its limits is refused before either is spent.
//! Not here: public keys (`public_key.rs`, `orch-trust`'s `authority.rs`).

mod minisign;
mod openssh;
mod pkcs8;
mod seed;

use std::path::{Path, PathBuf};

use orch_trust::key::SecretKey;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::passphrase::{PassphraseError, Passphrases};
use crate::secret_file::{self, SecretFileError};

const WHAT: &str = "key file";

/// 32 random bytes that a key is made of.
type Seed = Zeroizing<[u8; 32]>;

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
    pub const ALL: [Self; 6] =
        [Self::Publisher, Self::Certifier, Self::Root, Self::Revoker, Self::Freshness, Self::CiIssuer];

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
    #[error(transparent)]
    File(#[from] SecretFileError),
    #[error("key file `{path}` is not {expected}")]
    Malformed { path: PathBuf, expected: &'static str },
    #[error("key file `{path}` holds a key of kind `{found}`, expected ed25519")]
    OtherAlgorithm { path: PathBuf, found: String },
    #[error("key file `{path}` asks for more work than {limit} to open it")]
    Costly { path: PathBuf, limit: &'static str },
    #[error("key file `{path}` is encrypted")]
    Passphrase {
        path: PathBuf,
        #[source]
        source: PassphraseError,
    },
    #[error("passphrase does not open key file `{path}`")]
    PassphraseWrong { path: PathBuf },
    #[error("key file `{path}` is a {}'s, expected a {}'s", found.as_str(), expected.as_str())]
    OtherPurpose { path: PathBuf, found: Purpose, expected: Purpose },
    #[error("no random bytes for a new key: {message}")]
    Random { message: String },
}

impl KeyFileError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::File(error) => error.code(),
            Self::Malformed { .. } => "key-file-malformed",
            Self::OtherAlgorithm { .. } => "key-file-other-algorithm",
            Self::Costly { .. } => "key-file-costly",
            Self::Passphrase { source, .. } => source.code(),
            Self::PassphraseWrong { .. } => "passphrase-wrong",
            Self::OtherPurpose { .. } => "key-file-other-purpose",
            Self::Random { .. } => "key-random",
        }
    }

    /// What the owner can do about it, if anything.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::File(error) => error.hint(),
            Self::Passphrase { source, .. } => source.hint(),
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
            _ => None,
        }
    }
}

/// What is wrong with the bytes of a key file, before anybody knows which file it is.
#[derive(Debug)]
enum Fault {
    Malformed(&'static str),
    OtherAlgorithm(String),
    Costly(&'static str),
    Passphrase(PassphraseError),
    PassphraseWrong,
}

impl Fault {
    fn of(self, path: &Path) -> KeyFileError {
        let path = path.to_owned();
        match self {
            Self::Malformed(expected) => KeyFileError::Malformed { path, expected },
            Self::OtherAlgorithm(found) => KeyFileError::OtherAlgorithm { path, found },
            Self::Costly(limit) => KeyFileError::Costly { path, limit },
            Self::Passphrase(source) => KeyFileError::Passphrase { path, source },
            Self::PassphraseWrong => KeyFileError::PassphraseWrong { path },
        }
    }
}

/// How a new key lies in its file.
#[derive(Clone, Copy, Debug)]
pub enum Form<'a> {
    /// Our own JSON, not encrypted.
    Seed,
    /// PKCS#8, encrypted with this passphrase.
    Encrypted(&'a str),
}

/// A new key, in a new file of mode 0600.
///
/// # Errors
/// `Random`, `File`.
pub fn write(path: &Path, purpose: Purpose, form: Form<'_>) -> Result<SecretKey, KeyFileError> {
    let mut seed = Seed::default();
    fill(&mut *seed)?;
    write_seed(path, purpose, form, &seed)?;
    Ok(SecretKey::from_seed(&seed))
}

/// A key of another tool's file, in a new file of ours.
///
/// # Errors
/// Those of [`open`] and [`write`].
pub fn import(
    from: &Path,
    path: &Path,
    purpose: Purpose,
    form: Form<'_>,
    passphrases: &Passphrases,
) -> Result<SecretKey, KeyFileError> {
    let seed = read_seed(from, purpose, passphrases)?;
    write_seed(path, purpose, form, &seed)?;
    Ok(SecretKey::from_seed(&seed))
}

/// The key of a file, for that purpose.
///
/// # Errors
/// All but `Random`.
pub fn open(path: &Path, expected: Purpose, passphrases: &Passphrases) -> Result<SecretKey, KeyFileError> {
    read_seed(path, expected, passphrases).map(|seed| SecretKey::from_seed(&seed))
}

fn read_seed(path: &Path, expected: Purpose, passphrases: &Passphrases) -> Result<Seed, KeyFileError> {
    let bytes = secret_file::read(WHAT, path)?;
    let ask = || passphrases.ask(&format!("`{}`", path.display())).map_err(Fault::Passphrase);
    let (seed, purpose) = parse(&bytes, &ask).map_err(|fault| fault.of(path))?;
    match purpose.filter(|found| *found != expected) {
        None => Ok(seed),
        Some(found) => Err(KeyFileError::OtherPurpose { path: path.to_owned(), found, expected }),
    }
}

fn write_seed(path: &Path, purpose: Purpose, form: Form<'_>, seed: &Seed) -> Result<(), KeyFileError> {
    let bytes = match form {
        Form::Seed => seed::render(seed, purpose),
        Form::Encrypted(passphrase) => {
            let mut random = [0; pkcs8::RANDOM_BYTES];
            fill(&mut random)?;
            pkcs8::render(seed, purpose, passphrase, &random)
        }
    };
    Ok(secret_file::write_new(WHAT, path, &bytes)?)
}

fn fill(bytes: &mut [u8]) -> Result<(), KeyFileError> {
    getrandom::fill(bytes).map_err(|error| KeyFileError::Random { message: error.to_string() })
}

/// Asks for the passphrase, at most once a file.
type Ask<'a> = &'a dyn Fn() -> Result<Zeroizing<String>, Fault>;

/// The seed, and what it is for if the file says so.
fn parse(bytes: &[u8], ask: Ask<'_>) -> Result<(Seed, Option<Purpose>), Fault> {
    let text = std::str::from_utf8(bytes).map_err(|_| Fault::Malformed("text"))?;
    if text.starts_with(openssh::BEGIN) {
        return openssh::parse(text, ask).map(|seed| (seed, None));
    }
    if text.starts_with(minisign::BEGIN) {
        return minisign::parse(text, ask).map(|seed| (seed, None));
    }
    match text.starts_with('-') || text.starts_with(pkcs8::PURPOSE) {
        true => pkcs8::parse(text, ask),
        false => seed::parse(bytes),
    }
}

#[cfg(test)]
mod tests;
