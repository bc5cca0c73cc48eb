//! How every program takes a signer on its command line.
//!
//! In -> out: `--key`, `--signer`, `--passphrase-file`, `--passphrase-fd` -> a signer.
//! Not here: the grammar of `--signer` (`address.rs`).

use std::path::PathBuf;

use orch_trust::key::Signer;

use crate::address::SignerAddress;
use crate::key_file::Purpose;
use crate::passphrase::Passphrases;
use crate::signer::{self, SignerError};

/// What signs.
#[derive(Debug, clap::Args)]
pub struct SignerArguments {
    /// Secret key file; the same as `--signer file:FILE`
    #[arg(long, value_name = "FILE", conflicts_with = "signer")]
    key: Option<PathBuf>,
    /// What signs: `file:PATH`, `agent:KEY`, `pkcs11:..` or `exec:/PATH?key=..`; see docs/operating.md
    #[arg(long, value_name = "SIGNER")]
    signer: Option<String>,
    #[command(flatten)]
    passphrases: PassphraseArguments,
}

/// Where a passphrase or PIN comes from.
#[derive(Debug, clap::Args)]
struct PassphraseArguments {
    /// File with the passphrase or PIN in its first line; asked on the terminal unless said
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Open descriptor that gives it
    #[arg(long, value_name = "NUMBER", conflicts_with = "passphrase_file")]
    passphrase_fd: Option<u32>,
}

impl PassphraseArguments {
    fn passphrases(&self) -> Passphrases {
        match (&self.passphrase_file, self.passphrase_fd) {
            (Some(path), _) => Passphrases::File(path.clone()),
            (None, Some(number)) => Passphrases::Descriptor(number),
            (None, None) => Passphrases::Terminal,
        }
    }
}

impl SignerArguments {
    /// True if a signer was said.
    pub fn is_said(&self) -> bool {
        self.key.is_some() || self.signer.is_some()
    }

    pub fn passphrases(&self) -> Passphrases {
        self.passphrases.passphrases()
    }

    /// The signer that was said, if any.
    ///
    /// # Errors
    /// Those of the kind of signer.
    pub fn open(&self, purpose: Purpose) -> Result<Option<Box<dyn Signer>>, SignerError> {
        let address = match (&self.key, &self.signer) {
            (Some(path), _) => SignerAddress::File(path.clone()),
            (None, Some(text)) => text.parse()?,
            (None, None) => return Ok(None),
        };
        signer::open(&address, purpose, &self.passphrases()).map(Some)
    }

    /// The signer that was said.
    ///
    /// # Errors
    /// `Missing`, and those of the kind of signer.
    pub fn require(&self, purpose: Purpose) -> Result<Box<dyn Signer>, SignerError> {
        self.open(purpose)?.ok_or(SignerError::Missing)
    }
}
