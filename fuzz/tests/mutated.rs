//! Small changes of everything in the corpus, without libFuzzer: what no compiler flag is needed for.
//!
//! The same changes in every run; `ORCH_FUZZ_ROUNDS` asks for more than the usual number for each valid example. Inputs
//! that fuzzing found get a few each: there are many of them, and libFuzzer changed them already.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what reads and changes a corpus for a test is no test function, so clippy.toml does not let it"
)]

use std::fs;
use std::path::PathBuf;

use orch_fuzz::TARGETS;

const ROUNDS: u64 = 150;
/// Of an input that fuzzing found, for each of a valid example.
const FOUND_SHARE: u64 = 150;
/// What readers look for.
const WORDS: [&[u8]; 24] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b":",
    b",",
    b"\n",
    b" ",
    b"- ",
    b"null",
    b"true",
    b"0",
    b"-1",
    b"18446744073709551616",
    b"1e400",
    b"\\u0000",
    b"\xff",
    b"../",
    b"*",
    b"**",
    b"&a ",
    b"<<: *a",
    b"\xef\xbb\xbf",
];

/// Marsaglia's xorshift: it need not be good, only the same everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % most.max(1) as u64) as usize
    }

    fn change(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        let at = self.below(bytes.len());
        let end = (at + 1 + self.below(16)).min(bytes.len());
        match self.below(20) {
            0..=2 if !bytes.is_empty() => bytes[at] ^= 1 << self.below(8),
            3..=5 if !bytes.is_empty() => bytes[at] = self.below(256) as u8,
            6..=8 => drop(bytes.drain(at..end)),
            9..=11 => {
                let part = bytes[at..end].to_vec();
                let to = self.below(bytes.len() + 1);
                bytes.splice(to..to, part);
            }
            12..=15 => {
                let word = WORDS[self.below(WORDS.len())];
                bytes.splice(at..at, word.iter().copied());
            }
            16..=18 if !other.is_empty() => {
                let from = self.below(other.len());
                let part = &other[from..(from + 1 + self.below(64)).min(other.len())];
                bytes.splice(at..end, part.iter().copied());
            }
            _ => bytes.truncate(at.max(bytes.len() / 2)),
        }
    }
}

#[test]
fn small_changes_of_the_corpus_are_survived() {
    let rounds = std::env::var("ORCH_FUZZ_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(ROUNDS);
    let only = std::env::var("ORCH_FUZZ_TARGET").ok();
    for target in TARGETS.iter().filter(|target| only.as_deref().is_none_or(|only| only == target.name)) {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name);
        let mut paths: Vec<PathBuf> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        let inputs: Vec<Vec<u8>> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
        let (mut tried, mut taken) = (0u64, 0u64);
        for (place, input) in inputs.iter().enumerate() {
            let mut dice = Dice(0x9e37_79b9_7f4a_7c15 ^ (place as u64 + 1));
            let is_example =
                paths[place].file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"valid"));
            let rounds = if is_example { rounds } else { rounds.div_ceil(FOUND_SHARE) };
            for round in 0..rounds {
                let mut bytes = input.clone();
                for _ in 0..=(round % 8) / 6 {
                    let other = &inputs[dice.below(inputs.len())];
                    dice.change(&mut bytes, other);
                }
                let held = std::panic::catch_unwind(|| (target.run)(&bytes));
                tried += 1;
                taken += u64::from(held.unwrap_or_else(|_| {
                    panic!("`{}` and {:?}", target.name, String::from_utf8_lossy(&bytes))
                }));
            }
        }
        println!("{}: {tried} changed inputs, {taken} taken", target.name);
    }
}
