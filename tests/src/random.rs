//! Choices that look random and are the same in each run of a test.
//!
//! In -> out: a seed other than 0 -> numbers.
//! Not here: what is chosen with them.

/// Seeded and small.
pub struct Random(pub u64);

impl Random {
    /// From 0 and below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}
