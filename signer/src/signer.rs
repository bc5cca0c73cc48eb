//! From an address to what signs.
//!
//! In -> out: [`SignerAddress`] -> `orch-trust`'s `Signer`.
//! Invariant: nothing is signed here; whoever puts a signature into an envelope verifies it under the key first
//! (`orch-trust`'s `dsse.rs`). What a key is for is known only where its file says it.

use orch_trust::key::Signer;

use crate::address::{AddressError, SignerAddress};
use crate::agent::{AgentError, AgentSigner};
use crate::key_file::{self, KeyFileError, Purpose};
use crate::passphrase::Passphrases;
use crate::program::{ProgramError, ProgramSigner};
use crate::token::{TokenError, TokenSigner};

/// Why there is no signer.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    #[error("nothing says what signs")]
    Missing,
    #[error(transparent)]
    Address(#[from] AddressError),
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    #[error(transparent)]
    Agent(#[from] AgentError),
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error(transparent)]
    Program(#[from] ProgramError),
}

impl SignerError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "signer-missing",
            Self::Address(error) => error.code(),
            Self::KeyFile(error) => error.code(),
            Self::Agent(error) => error.code(),
            Self::Token(error) => error.code(),
            Self::Program(error) => error.code(),
        }
    }

    /// What helps, if anything.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing => Some("say `--key FILE`, or `--signer` with another signer".to_owned()),
            Self::Address(error) => error.hint(),
            Self::KeyFile(error) => error.hint(),
            Self::Agent(error) => error.hint(),
            Self::Token(error) => error.hint(),
            Self::Program(_) => None,
        }
    }
}

/// The signer at that address, for that purpose.
///
/// # Errors
/// Those of the kind of signer.
pub fn open(
    address: &SignerAddress,
    purpose: Purpose,
    passphrases: &Passphrases,
) -> Result<Box<dyn Signer>, SignerError> {
    Ok(match address {
        SignerAddress::File(path) => Box::new(key_file::open(path, purpose, passphrases)?),
        SignerAddress::Agent(address) => Box::new(AgentSigner::open(address)?),
        SignerAddress::Token(address) => Box::new(TokenSigner::open(address, passphrases)?),
        SignerAddress::Program(address) => Box::new(ProgramSigner::open(address.clone())?),
    })
}
