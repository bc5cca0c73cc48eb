//! `wasi:random/random`: bytes nobody can foretell, or in certification the same ones in each call.
//!
//! Limits: 1 MiB a call; more traps, as the interface has no error.

use sha2::{Digest, Sha256};
use wasmtime_wasi::p2::bindings::random::random::Host;

use super::Wasi;
use crate::capability::shape::View;

const BYTES_MAX: u64 = 1 << 20;

/// The source of one store.
pub(super) enum Random {
    Host,
    /// SHA-256 of a counter.
    Fixed {
        counter: u64,
    },
}

impl Random {
    pub(super) fn new(fixed: bool) -> Self {
        match fixed {
            true => Self::Fixed { counter: 0 },
            false => Self::Host,
        }
    }

    pub(super) fn bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        if len > BYTES_MAX {
            return Err(wasmtime::Error::msg(format!("asked for {len} random bytes, limit is {BYTES_MAX}")));
        }
        let mut bytes = vec![0; len as usize];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn number(&mut self) -> wasmtime::Result<u64> {
        let mut bytes = [0; 8];
        self.fill(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn fill(&mut self, bytes: &mut [u8]) -> wasmtime::Result<()> {
        match self {
            Self::Host => getrandom::fill(bytes).map_err(wasmtime::Error::msg),
            Self::Fixed { counter } => {
                for chunk in bytes.chunks_mut(32) {
                    let block = Sha256::digest(counter.to_le_bytes());
                    chunk.iter_mut().zip(block).for_each(|(byte, fixed)| *byte = fixed);
                    *counter += 1;
                }
                Ok(())
            }
        }
    }
}

impl Host for View<'_, Wasi> {
    fn get_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        let random = &mut self.state.random;
        self.ledger.tape.reading(|| random.bytes(len))
    }

    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        let random = &mut self.state.random;
        self.ledger.tape.reading(|| random.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_bytes_repeat_in_each_call_and_others_never() {
        let first = |fixed| Random::new(fixed).bytes(40).unwrap();
        assert_eq!(first(true), first(true));
        assert_ne!(first(false), first(false));
        let mut random = Random::new(true);
        assert_ne!(random.bytes(32).unwrap(), random.bytes(32).unwrap());
    }

    #[test]
    fn a_mebibyte_is_the_most() {
        assert_eq!(Random::Host.bytes(BYTES_MAX).unwrap().len(), 1 << 20);
        assert!(Random::Host.bytes(BYTES_MAX + 1).is_err());
    }
}
