//! PKCS#8 in PEM: what `openssl pkey` and most tools read and write; ours is encrypted.
//!
//! In -> out: text <-> seed. A first line `Purpose: certifier` before the PEM, which other tools skip, says what the
//! key is for. Written: scrypt (N 2^14, r 8, p 5: 16 MiB, which OpenSSL still opens) and AES-256-CBC.
//! Limits: 1 GiB of scrypt's memory, 10,000,000 rounds of PBKDF2.
//! Specification: RFC 5958, RFC 7468, RFC 8018, RFC 8410.

use orch_trust::key::SecretKey;
use pkcs8::der::asn1::{BitStringRef, OctetStringRef};
use pkcs8::der::pem::PemLabel;
use pkcs8::der::{Decode, Encode};
use pkcs8::pkcs5::pbes2::{Kdf, Parameters};
use pkcs8::pkcs5::{EncryptionScheme, scrypt};
use pkcs8::spki::AlgorithmIdentifierRef;
use pkcs8::{EncryptedPrivateKeyInfoRef, LineEnding, ObjectIdentifier, PrivateKeyInfoRef, SecretDocument};
use zeroize::Zeroizing;

use super::{Ask, Fault, Purpose, Seed};

/// What stands before the purpose in the line before the PEM.
pub(super) const PURPOSE: &str = "Purpose: ";
/// Salt and initial vector.
pub(super) const RANDOM_BYTES: usize = 32;

const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const EXPECTED: &str = "a private key in PKCS#8 and PEM";
const SCRYPT_BYTES_MAX: u64 = 1 << 30;
const SCRYPT_LANES_MAX: u16 = 16;
const PBKDF2_ROUNDS_MAX: u32 = 10_000_000;
const LIMIT: &str = "1 GiB and 16 lanes of scrypt, or 10,000,000 rounds of PBKDF2,";

pub(super) fn render(
    seed: &Seed,
    purpose: Purpose,
    passphrase: &str,
    random: &[u8; RANDOM_BYTES],
) -> Zeroizing<Vec<u8>> {
    let pem = encrypt(seed, passphrase, random);
    let Ok(pem) = pem else { unreachable!("32 bytes have a form in DER, and the cost is one of scrypt's") };
    Zeroizing::new(format!("{PURPOSE}{}\n{}", purpose.as_str(), *pem).into_bytes())
}

fn encrypt(
    seed: &Seed,
    passphrase: &str,
    random: &[u8; RANDOM_BYTES],
) -> Result<Zeroizing<String>, pkcs8::Error> {
    let private = Zeroizing::new(OctetStringRef::new(&**seed)?.to_der()?);
    let algorithm = AlgorithmIdentifierRef { oid: ED25519, parameters: None };
    let key = PrivateKeyInfoRef::new(algorithm, OctetStringRef::new(&private)?);
    let (salt, vector) = random.split_at(16);
    let vector = <[u8; 16]>::try_from(vector).unwrap_or_default();
    let cost = scrypt::Params::new(14, 8, 5).map_err(|_| pkcs8::Error::ParametersMalformed)?;
    let parameters = Parameters::generate_scrypt_aes256cbc(cost, salt, vector)?;
    let document = key.encrypt_with_params(parameters, passphrase)?;
    Ok(document.to_pem(EncryptedPrivateKeyInfoRef::PEM_LABEL, LineEnding::LF)?)
}

pub(super) fn parse(text: &str, ask: Ask<'_>) -> Result<(Seed, Option<Purpose>), Fault> {
    let malformed = || Fault::Malformed(EXPECTED);
    let (purpose, pem) = match text.strip_prefix(PURPOSE) {
        None => (None, text),
        Some(rest) => {
            let (name, pem) = rest.split_once('\n').ok_or_else(malformed)?;
            let known = Purpose::ALL;
            let purpose = known.into_iter().find(|known| known.as_str() == name).ok_or_else(malformed)?;
            (Some(purpose), pem)
        }
    };
    let (label, document) = SecretDocument::from_pem(pem).map_err(|_| malformed())?;
    if label == EncryptedPrivateKeyInfoRef::PEM_LABEL {
        let encrypted = EncryptedPrivateKeyInfoRef::from_der(document.as_bytes()).map_err(|_| malformed())?;
        check_cost(&encrypted.encryption_algorithm)?;
        let passphrase = ask()?;
        // Without a digest of its own, a wrong key shows in the padding or in what comes out.
        let opened = encrypted.decrypt(passphrase.as_bytes()).map_err(|_| Fault::PassphraseWrong)?;
        let seed = seed_of(opened.as_bytes());
        return seed.map(|seed| (seed, purpose)).map_err(|fault| match fault {
            Fault::Malformed(_) => Fault::PassphraseWrong,
            other => other,
        });
    }
    match label == PrivateKeyInfoRef::PEM_LABEL {
        true => seed_of(document.as_bytes()).map(|seed| (seed, purpose)),
        false => Err(malformed()),
    }
}

fn check_cost(scheme: &EncryptionScheme) -> Result<(), Fault> {
    let Some(parameters) = scheme.pbes2() else { return Err(Fault::Malformed("encrypted by PBES2")) };
    let fits = match &parameters.kdf {
        Kdf::Scrypt(scrypt) => {
            let bytes = u64::from(scrypt.block_size).checked_mul(128);
            let bytes = bytes.and_then(|bytes| bytes.checked_mul(scrypt.cost_parameter));
            bytes.is_some_and(|bytes| bytes <= SCRYPT_BYTES_MAX) && scrypt.parallelization <= SCRYPT_LANES_MAX
        }
        Kdf::Pbkdf2(pbkdf2) => pbkdf2.iteration_count <= PBKDF2_ROUNDS_MAX,
        _ => false,
    };
    match fits {
        true => Ok(()),
        false => Err(Fault::Costly(LIMIT)),
    }
}

/// The seed of a `OneAsymmetricKey`; a public key beside it must be the seed's.
fn seed_of(der: &[u8]) -> Result<Seed, Fault> {
    let malformed = || Fault::Malformed(EXPECTED);
    let key = PrivateKeyInfoRef::from_der(der).map_err(|_| malformed())?;
    if key.algorithm.oid != ED25519 || key.algorithm.parameters.is_some() {
        return Err(Fault::OtherAlgorithm(key.algorithm.oid.to_string()));
    }
    let seed = <&OctetStringRef>::from_der(key.private_key.as_bytes()).map_err(|_| malformed())?;
    let seed = Seed::new(seed.as_bytes().try_into().map_err(|_| malformed())?);
    let own = SecretKey::from_seed(&seed).public().to_base64();
    let same = |public: &BitStringRef<'_>| orch_trust::key::base64_encode(public.raw_bytes()) == own;
    match key.public_key.as_ref().is_none_or(same) {
        true => Ok(seed),
        false => Err(malformed()),
    }
}
