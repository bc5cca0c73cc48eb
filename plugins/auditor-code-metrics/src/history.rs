//! What a file measured, now and before, as it is kept between runs.
//!
//! In -> out: a file's bytes -> [`Measurement`]; two of them -> [`Record`], and the trend between them.
//! Units: a digest is SHA-256 of the bytes in hex; what is kept of a file are its blocks above [`KEPT_ABOVE`] or above the threshold, if
//! that is lower.
//! Invariant: a record's two measurements are of different bytes.
//! Not here: where records are kept (`lib.rs`), what follows from a trend (`judgement.rs`).

use std::collections::BTreeMap;

use code_metrics::{FileMetrics, Language, measure, source};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Simpler blocks are not kept: radon ranks them A.
pub const KEPT_ABOVE: u32 = 5;
/// Of a value of `orch:kv`.
const RECORD_BYTES_MAX: usize = 64 * 1024;
/// Of a key of `orch:kv`.
const KEY_BYTES_MAX: usize = 256;

/// What one content of a file measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    pub digest: String,
    /// Of the whole file.
    pub complexity: u32,
    pub maintainability: f64,
    pub sloc: u32,
    /// Halstead's, in bits.
    pub volume: f64,
    /// What is not in `blocks` is not more complex than this.
    pub above: u32,
    /// By qualified name; one that is defined twice is there once, at its worst.
    pub blocks: BTreeMap<String, Complex>,
}

/// A block of some complexity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Complex {
    pub complexity: u32,
    pub line: u32,
}

/// A file's last two measurements.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub now: Measurement,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Measurement>,
    /// What it was in the revision before, where it is a checkout; kept elsewhere.
    #[serde(skip)]
    pub revision: Option<Measurement>,
}

/// Where a file goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trend {
    /// Known as it is now alone, or equal.
    Steady,
    Worse,
    Better,
}

/// What names a content.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Where a file's record is kept. A path that is too long for a key is kept by its digest.
#[must_use]
pub fn key(path: &str) -> String {
    if path.len() < KEY_BYTES_MAX { format!("/{path}") } else { format!("#{}", digest(path.as_bytes())) }
}

impl Measurement {
    /// Measures a file. `threshold`: blocks above it are kept in any case.
    ///
    /// # Errors
    /// Why it cannot be measured, for people.
    pub fn of(bytes: Vec<u8>, digest: String, language: Language, threshold: u32) -> Result<Self, String> {
        let above = threshold.min(KEPT_ABOVE);
        let text = source::text_of(bytes, language)?;
        let FileMetrics { blocks, complexity, halstead, raw, maintainability, .. } =
            measure(language, &text).map_err(|error| error.to_string())?;
        let mut kept: BTreeMap<String, Complex> = BTreeMap::new();
        for block in blocks.into_iter().filter(|block| block.complexity > above) {
            let found = Complex { complexity: block.complexity, line: block.line };
            let worst = kept.entry(block.name).or_insert(found);
            *worst = found.max(*worst);
        }
        let (sloc, volume) = (raw.sloc, halstead.volume());
        Ok(Self { digest, complexity, maintainability, sloc, volume, above, blocks: kept })
    }

    /// The most complex block; the first by name of equal ones.
    #[must_use]
    pub fn worst(&self) -> Option<(&str, Complex)> {
        let block = |(name, block): (_, &Complex)| (name, *block);
        self.blocks
            .iter()
            .map(|(name, found)| block((name.as_str(), found)))
            .rev()
            .max_by_key(|(_, block)| block.complexity)
    }

    /// Of a block; of one that is not kept the most that it can be.
    #[must_use]
    pub fn complexity_of(&self, name: &str) -> u32 {
        self.blocks.get(name).map_or(self.above, |block| block.complexity)
    }
}

impl Record {
    /// Of a file that was not measured before.
    #[must_use]
    pub fn first(now: Measurement) -> Self {
        Self { now, before: None, revision: None }
    }

    /// The record after another measurement.
    #[must_use]
    pub fn followed_by(self, now: Measurement) -> Self {
        let before = if self.now.digest == now.digest { self.before } else { Some(self.now) };
        Self { now, before, revision: None }
    }

    /// True if nothing has to be measured to know this content's blocks above the threshold.
    #[must_use]
    pub fn knows(&self, digest: &str, threshold: u32) -> bool {
        self.now.digest == digest && self.now.above <= threshold
    }

    /// As it is kept; of a file with too many blocks the simplest are left out.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut record = self.clone();
        loop {
            let bytes = serde_json::to_vec(&record).unwrap_or_default();
            if bytes.len() <= RECORD_BYTES_MAX {
                return bytes;
            }
            for measured in std::iter::once(&mut record.now).chain(&mut record.before) {
                measured.above = measured.above.max(halve(&mut measured.blocks));
            }
        }
    }

    /// None: it was kept in another form, and the file is measured as if for the first time.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// By the most complex block, and if that is equal by the whole file; since it was measured before, or else since the
    /// revision before.
    #[must_use]
    pub fn trend(&self) -> Trend {
        let Some(before) = self.before.as_ref().or(self.revision.as_ref()) else { return Trend::Steady };
        let of = |measured: &Measurement| {
            (measured.worst().map_or(0, |(_, block)| block.complexity), measured.complexity)
        };
        match of(&self.now).cmp(&of(before)) {
            std::cmp::Ordering::Greater => Trend::Worse,
            std::cmp::Ordering::Less => Trend::Better,
            std::cmp::Ordering::Equal => Trend::Steady,
        }
    }

    /// The first block above `threshold` that is more complex than it was before, with what it was.
    #[must_use]
    pub fn worsened(&self, threshold: u32) -> Option<(&str, Complex, u32)> {
        let before = self.before.as_ref()?;
        let above = self.now.blocks.iter().filter(|(_, block)| block.complexity > threshold);
        let mut worse = above.filter_map(|(name, block)| {
            let was = before.complexity_of(name);
            (block.complexity > was).then_some((name.as_str(), *block, was))
        });
        worse.next()
    }
}

/// Leaves the more complex half; gives what the others have at most.
fn halve(blocks: &mut BTreeMap<String, Complex>) -> u32 {
    let mut sorted: Vec<u32> = blocks.values().map(|block| block.complexity).collect();
    sorted.sort_unstable();
    let middle = sorted.get(sorted.len() / 2).copied().unwrap_or(0);
    blocks.retain(|_, block| block.complexity > middle);
    middle
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(digest: &str, complexity: u32, blocks: &[(&str, u32)]) -> Measurement {
        let block = |(name, complexity): &(&str, u32)| {
            ((*name).to_owned(), Complex { complexity: *complexity, line: 1 })
        };
        Measurement {
            digest: digest.to_owned(),
            complexity,
            maintainability: 50.0,
            sloc: 1,
            volume: 1.0,
            above: KEPT_ABOVE,
            blocks: blocks.iter().map(block).collect(),
        }
    }

    fn record(before: Measurement, now: Measurement) -> Record {
        Record::first(before).followed_by(now)
    }

    #[test]
    fn a_file_is_measured_with_its_complex_blocks() {
        let source = format!("def f(a):\n{}def g():\n    pass\n", "    if a: a = 1\n".repeat(7));
        let bytes = source.into_bytes();
        let found = Measurement::of(bytes.clone(), digest(&bytes), Language::Python, 15).unwrap();
        assert_eq!(found.blocks, BTreeMap::from([("f".to_owned(), Complex { complexity: 8, line: 1 })]));
        assert_eq!((found.complexity, found.sloc), (8, 10));
        assert!(Measurement::of(b"def".to_vec(), String::new(), Language::Python, 15).is_err());
        assert!(Measurement::of(vec![0xff], String::new(), Language::Rust, 15).is_err());
        let simple = Measurement::of(bytes.clone(), digest(&bytes), Language::Python, 0).unwrap();
        assert_eq!((simple.blocks.len(), simple.above, simple.complexity_of("h")), (2, 0, 0));
    }

    #[test]
    fn the_same_content_leaves_the_record_and_another_one_moves_it() {
        let one = record(measured("a", 5, &[]), measured("a", 5, &[]));
        assert_eq!((one.before.clone(), one.trend()), (None, Trend::Steady));
        let two = one.followed_by(measured("b", 6, &[]));
        assert_eq!(
            (two.before.as_ref().map(|before| before.digest.as_str()), two.trend()),
            (Some("a"), Trend::Worse)
        );
    }

    #[test]
    fn a_lower_threshold_needs_another_measurement_of_the_same_content() {
        let first = Record::first(measured("a", 5, &[]));
        assert!(
            first.knows("a", 15)
                && first.knows("a", KEPT_ABOVE)
                && !first.knows("a", 4)
                && !first.knows("b", 15)
        );
        let lower = first.followed_by(Measurement { above: 4, ..measured("a", 5, &[("f", 5)]) });
        assert!(lower.knows("a", 4) && lower.before.is_none());
    }

    #[test]
    fn the_worst_block_decides_before_the_whole_file() {
        let before = || measured("a", 50, &[("f", 20)]);
        assert_eq!(record(before(), measured("b", 40, &[("f", 21)])).trend(), Trend::Worse);
        assert_eq!(record(before(), measured("b", 60, &[("f", 19)])).trend(), Trend::Better);
        assert_eq!(record(before(), measured("b", 49, &[("g", 20)])).trend(), Trend::Better);
        assert_eq!(record(before(), measured("b", 50, &[("f", 20)])).trend(), Trend::Steady);
    }

    #[test]
    fn a_revision_counts_where_no_run_measured_the_file_before_and_asks_for_nothing_again() {
        let now = || measured("b", 50, &[("f", 20)]);
        let of = |was| Some(measured("a", 50, &[("f", was)]));
        let alone = |was| Record { revision: of(was), ..Record::first(now()) };
        assert_eq!(
            [alone(19), alone(21), alone(20)].map(|one| one.trend()),
            [Trend::Worse, Trend::Better, Trend::Steady]
        );
        assert_eq!(alone(19).worsened(15), None);
        let both = Record { revision: of(19), ..record(measured("c", 50, &[("f", 30)]), now()) };
        assert_eq!(both.trend(), Trend::Better);
        assert_eq!(Record::from_bytes(&alone(19).to_bytes()), Some(Record::first(now())));
    }

    #[test]
    fn only_a_block_that_is_above_and_was_simpler_worsened() {
        let found = record(
            measured("a", 9, &[("f", 20), ("g", 17)]),
            measured("b", 9, &[("f", 20), ("g", 18), ("h", 15)]),
        );
        assert_eq!(
            found.worsened(15).map(|(name, block, was)| (name, block.complexity, was)),
            Some(("g", 18, 17))
        );
        assert_eq!(found.worsened(18), None);
        let new = record(measured("a", 9, &[]), measured("b", 9, &[("n", 16)]));
        assert_eq!(new.worsened(15).map(|(name, _, was)| (name, was)), Some(("n", KEPT_ABOVE)));
    }

    #[test]
    fn what_is_kept_comes_back_and_fits_a_value() {
        let found = record(measured("a", 9, &[("f", 20)]), measured("b", 9, &[("f", 21)]));
        assert_eq!(Record::from_bytes(&found.to_bytes()), Some(found));
        assert_eq!(Record::from_bytes(b"{}"), None);
        let names: Vec<String> = (0..5000).map(|number| format!("a.rather.long.name.{number}")).collect();
        for complexity in [|_| 9, |number: usize| 6 + number as u32 % 50] {
            let many: Vec<(&str, u32)> =
                names.iter().enumerate().map(|(number, name)| (name.as_str(), complexity(number))).collect();
            let bytes = record(measured("a", 9, &many), measured("b", 9, &many)).to_bytes();
            assert!(bytes.len() <= RECORD_BYTES_MAX && Record::from_bytes(&bytes).is_some());
        }
    }

    #[test]
    fn keys_fit_and_differ() {
        let long = "x".repeat(400);
        assert_eq!(key("src/a.py"), "/src/a.py");
        assert!(key(&long).len() <= KEY_BYTES_MAX && key(&long) != key(&format!("{long}y")));
    }
}
