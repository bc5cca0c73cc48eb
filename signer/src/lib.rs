//! What holds secret keys and signs with them, and signatures that other tools made.
//!
//! In -> out: a signer's address on the command line -> `orch-trust`'s `Signer`; a foreign signature -> a verified one.
//! Invariant: secrets are read from the terminal, from private files or from open descriptors, never from arguments
//! or variables, and are zeroed after use.
//! Not here: what is signed and what a signature is worth (`orch-trust`).

pub mod address;
pub mod agent;
pub mod arguments;
pub mod code_file;
pub mod foreign;
pub mod key_file;
pub mod passphrase;
pub mod program;
pub mod public_key;
pub mod secret_file;
pub mod signer;
pub mod token;
