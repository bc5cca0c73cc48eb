//! Choices that look random and are the same in each run of a test, but where it asks for others.
//!
//! In -> out: a seed other than 0 -> numbers.
//! Not here: what is chosen with them.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

/// Seeded and small.
pub struct Random(pub u64);

/// A seed that no test contains: of the clock, or `ORCH_TEST_SEED`, with which a run that failed is gone through again. It is
/// printed, which a test that fails shows.
pub fn fresh_seed() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let drawn = u64::try_from(since.as_nanos() % u128::from(u64::MAX)).unwrap() | 1;
    let seed = std::env::var("ORCH_TEST_SEED").map_or(drawn, |said| said.parse().unwrap());
    println!("ORCH_TEST_SEED={seed}");
    seed
}

impl Random {
    /// From 0 and below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}
