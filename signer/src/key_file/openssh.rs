//! OpenSSH's private key files (`ssh-keygen -t ed25519`), with or without a passphrase.
//!
//! In -> out: text -> seed. Limit: 1,000 rounds of bcrypt (`ssh-keygen -a`; OpenSSH's own are 16 or 24).
//! Invariant: the public key in the file is the seed's.

use orch_trust::key::{SecretKey, base64_encode};
use ssh_key::{Kdf, PrivateKey};

use super::{Ask, Fault, Seed};

pub(super) const BEGIN: &str = "-----BEGIN OPENSSH PRIVATE KEY-----";
const EXPECTED: &str = "an ed25519 private key of OpenSSH";
const ROUNDS_MAX: u32 = 1000;

pub(super) fn parse(text: &str, ask: Ask<'_>) -> Result<Seed, Fault> {
    let malformed = || Fault::Malformed(EXPECTED);
    let mut key = PrivateKey::from_openssh(text).map_err(|_| malformed())?;
    let algorithm = key.algorithm();
    if algorithm != ssh_key::Algorithm::Ed25519 {
        return Err(Fault::OtherAlgorithm(algorithm.to_string()));
    }
    if key.is_encrypted() {
        match key.kdf() {
            Kdf::Bcrypt { rounds, .. } if *rounds <= ROUNDS_MAX => {}
            _ => return Err(Fault::Costly("1,000 rounds of bcrypt")),
        }
        // A wrong key shows in the file's two check numbers, or in an authenticating cipher's tag.
        key = key.decrypt(ask()?.as_bytes()).map_err(|_| Fault::PassphraseWrong)?;
    }
    let pair = key.key_data().ed25519().ok_or_else(malformed)?;
    let seed = Seed::new(pair.private.to_bytes());
    match SecretKey::from_seed(&seed).public().to_base64() == base64_encode(&pair.public.0) {
        true => Ok(seed),
        false => Err(malformed()),
    }
}
