//! What a tool says about one thing, and all that was read of one run of it.
//!
//! In -> out: filled by the formats (`format/`), read by `judge.rs`.
//! Units: lines and columns count from 1; of each severity at most 1000 are kept, the others are counted.
//! Invariant: the same thing is kept and counted once.
//! Not here: severity by category and where the command ran (`judge.rs`), paths (`places.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::Deserialize;

/// More than the host takes from one call are of no use.
pub const KEPT_MAX: usize = 1000;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Minor,
    Medium,
    Major,
}

/// Something that the tool reports.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Parsed {
    /// None: the tool does not say.
    pub severity: Option<Severity>,
    pub message: String,
    pub place: Option<Place>,
}

/// A line of a file, with the path as the tool says it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    pub path: String,
    pub line: u32,
    pub column: Option<u32>,
}

impl Place {
    #[must_use]
    pub fn new(path: &str, line: u32, column: Option<u32>) -> Self {
        Self { path: path.to_owned(), line, column }
    }
}

/// All that was read of one run of a tool.
#[derive(Debug, Default)]
pub struct Reading {
    pub parsed: Vec<Parsed>,
    /// Tests that ran, without those that were skipped; none: the format does not say.
    pub tests: Option<u64>,
    /// Tests that were passed over.
    pub skipped: u64,
    /// Why the tool did not do its work, in its own words.
    pub broke: Vec<String>,
    counts: BTreeMap<Option<Severity>, Count>,
    seen: BTreeSet<u64>,
}

#[derive(Debug, Default)]
struct Count {
    kept: usize,
    left_out: u64,
}

impl Reading {
    /// Keeps one more, unless it is known or there are enough of its severity.
    pub fn push(&mut self, parsed: Parsed) {
        let mut hasher = DefaultHasher::new();
        parsed.hash(&mut hasher);
        if !self.seen.insert(hasher.finish()) {
            return;
        }
        let count = self.counts.entry(parsed.severity).or_default();
        if count.kept < KEPT_MAX {
            count.kept += 1;
            self.parsed.push(parsed);
        } else {
            count.left_out += 1;
        }
    }

    /// Something without a place.
    pub fn push_message(&mut self, severity: Severity, message: String) {
        self.push(Parsed { severity: Some(severity), message, place: None });
    }

    /// Tests that ran and that were skipped, besides those that were counted before.
    pub fn count_tests(&mut self, ran: u64, skipped: u64) {
        self.tests = Some(self.tests.unwrap_or(0).saturating_add(ran));
        self.skipped = self.skipped.saturating_add(skipped);
    }

    /// Counts of what was not kept, by what the tool says of their severity.
    pub fn left_out(&self) -> impl Iterator<Item = (Option<Severity>, u64)> {
        self.counts.iter().map(|(severity, count)| (*severity, count.left_out))
    }
}
