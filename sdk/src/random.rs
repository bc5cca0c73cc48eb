//! Random numbers that nobody can guess.
//!
//! Permission: `wasi`, `random`. Not deterministic.

use crate::host::random;

/// So many random bytes.
pub fn bytes(length: u64) -> Vec<u8> {
    random::get_random_bytes(length)
}

/// One random number.
pub fn number() -> u64 {
    random::get_random_u64()
}
