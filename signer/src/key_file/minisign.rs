//! minisign's secret key files (`minisign -G`), with or without a passphrase.
//!
//! In -> out: text -> seed. Limit: 1 GiB of scrypt's memory, which is what minisign asks for itself.
//! Invariant: the file's own digest holds, and the public key in it is the seed's.
//! Layout after two lines' comment and base64: algorithm `Ed`, key derivation `Sc` or zeros, digest `B2` (2 bytes each),
//! salt 32, operations 8, memory 8 (little-endian), then key number 8, seed 32, public key 32, BLAKE2b-256 32; these
//! last 104 are encrypted by XOR with scrypt's output.

use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest};
use orch_trust::key::{SecretKey, base64_decode, base64_encode};
use zeroize::Zeroizing;

use super::{Ask, Fault, Seed};

pub(super) const BEGIN: &str = "untrusted comment: ";
const EXPECTED: &str = "a secret key of minisign";
const HEAD_BYTES: usize = 54;
const SECRET_BYTES: usize = 104;
const MEMORY_BYTES_MAX: u64 = 1 << 30;
const LANES_MAX: u32 = 16;

pub(super) fn parse(text: &str, ask: Ask<'_>) -> Result<Seed, Fault> {
    let malformed = || Fault::Malformed(EXPECTED);
    let mut lines = text.lines();
    let (Some(_), Some(line), None) = (lines.next(), lines.next(), lines.next()) else {
        return Err(malformed());
    };
    let bytes = Zeroizing::new(base64_decode(line).map_err(|_| malformed())?);
    let (head, secret) = bytes.split_at_checked(HEAD_BYTES).ok_or_else(malformed)?;
    let mut secret = Zeroizing::new(<[u8; SECRET_BYTES]>::try_from(secret).map_err(|_| malformed())?);
    let (algorithms, derivation) = head.split_at(6);
    match algorithms {
        b"EdScB2" => {
            let stream = derive(derivation, ask)?;
            secret.iter_mut().zip(stream.iter()).for_each(|(byte, key)| *byte ^= key);
        }
        b"Ed\0\0B2" => {}
        _ => return Err(malformed()),
    }
    match algorithms == b"EdScB2" {
        true => seed_of(&secret, false).ok_or(Fault::PassphraseWrong),
        false => seed_of(&secret, true).ok_or_else(malformed),
    }
}

/// The seed, if the digest and the public key beside it are right. minisign leaves the digest zero where nothing is
/// encrypted.
fn seed_of(secret: &[u8; SECRET_BYTES], zeros: bool) -> Option<Seed> {
    let (number, rest) = secret.split_at(8);
    let (seed, rest) = rest.split_at(32);
    let (public, digest) = rest.split_at(32);
    let expected = Blake2b::<U32>::new().chain_update(b"Ed").chain_update(number).chain_update(seed);
    let holds = expected.chain_update(public).finalize().as_slice() == digest;
    let absent = zeros && digest.iter().all(|byte| *byte == 0);
    if !(holds || absent) {
        return None;
    }
    let seed = Seed::new(seed.try_into().ok()?);
    (SecretKey::from_seed(&seed).public().to_base64() == base64_encode(public)).then_some(seed)
}

fn derive(derivation: &[u8], ask: Ask<'_>) -> Result<Zeroizing<[u8; SECRET_BYTES]>, Fault> {
    let malformed = || Fault::Malformed(EXPECTED);
    let (salt, numbers) = derivation.split_at_checked(32).ok_or_else(malformed)?;
    let (operations, memory) = numbers.split_at_checked(8).ok_or_else(malformed)?;
    let number = |bytes: &[u8]| bytes.try_into().map(u64::from_le_bytes).map_err(|_| malformed());
    let (log_n, lanes) = cost(number(operations)?, number(memory)?)?;
    let cost = scrypt::Params::new(log_n, 8, lanes).map_err(|_| malformed())?;
    let mut stream = Zeroizing::new([0; SECRET_BYTES]);
    scrypt::scrypt(ask()?.as_bytes(), salt, &cost, &mut *stream).map_err(|_| malformed())?;
    Ok(stream)
}

/// What libsodium makes of its two limits: log2 of N, and p; r is 8. The largest N (a power of two) whose half is
/// within the operations or the memory, whichever is less, and at least 2.
fn cost(operations: u64, memory: u64) -> Result<(u8, u32), Fault> {
    let operations = operations.max(32_768);
    let costly = || Fault::Costly("1 GiB and 16 lanes of scrypt");
    let bounded_by_operations = operations < memory / 32;
    let n_max = if bounded_by_operations { operations / 32 } else { memory / 1024 };
    let log_n = (n_max / 2).checked_ilog2().map_or(1, |log| log + 1).max(1);
    if log_n > 62 || (1024_u64 << log_n.min(40)) > MEMORY_BYTES_MAX {
        return Err(costly());
    }
    let lanes = if bounded_by_operations { 1 } else { (operations / 4) >> log_n >> 3 };
    match u32::try_from(lanes) {
        Ok(lanes) if lanes <= LANES_MAX => Ok((u8::try_from(log_n).map_err(|_| costly())?, lanes)),
        _ => Err(costly()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_libsodiums_and_end_at_a_gibibyte() {
        // Its names: interactive, sensitive (minisign's), and minisign's when memory is short.
        assert_eq!(cost(524_288, 16 << 20).unwrap(), (14, 1));
        assert_eq!(cost(33_554_432, 1 << 30).unwrap(), (20, 1));
        assert_eq!(cost(1 << 20, 32 << 20).unwrap(), (15, 1));
        assert!(cost(33_554_432, 2 << 30).is_ok(), "bounded by operations");
        for (operations, memory) in [(u64::MAX, u64::MAX), (u64::MAX, 1 << 30), (1 << 40, 1 << 41)] {
            assert!(matches!(cost(operations, memory), Err(Fault::Costly(_))), "{operations} {memory}");
        }
    }
}
