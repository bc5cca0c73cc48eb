//! Findings as the host takes them.
//!
//! Units: at most 1000 in all; of more, the worst and then the first ones are kept, and the last one says how many there
//! are besides.
//! Invariant: the same finding is there once.
//! Not here: where they come from (`judge.rs`).

use std::collections::{BTreeMap, BTreeSet};

use crate::check::Category;
use crate::parsed::Severity;

/// The host takes no more from one call.
pub const FINDINGS_MAX: usize = 1000;

/// What the host is told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    pub severity: Severity,
    pub category: Category,
    pub message: String,
    /// `file:line` or `file:line:column`, relative to the workspace.
    pub location: Option<String>,
}

/// The findings of one call.
#[derive(Debug, Default)]
pub struct Findings {
    kept: Vec<Finding>,
    seen: BTreeSet<Finding>,
    left_out: BTreeMap<(Severity, Category), u64>,
}

impl Findings {
    /// Adds one that is not there yet.
    pub fn push(&mut self, finding: Finding) {
        if self.seen.insert(finding.clone()) {
            self.kept.push(finding);
        }
    }

    /// Counts some that are not kept.
    pub fn leave_out(&mut self, severity: Severity, category: Category, count: u64) {
        if count > 0 {
            let counted = self.left_out.entry((severity, category)).or_default();
            *counted = counted.saturating_add(count);
        }
    }

    /// How many are kept.
    #[must_use]
    pub fn count(&self) -> usize {
        self.kept.len()
    }

    /// At most [`FINDINGS_MAX`].
    #[must_use]
    pub fn within_limit(mut self) -> Vec<Finding> {
        if self.kept.len() <= FINDINGS_MAX && self.left_out.is_empty() {
            return self.kept;
        }
        self.kept.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        for finding in self.kept.split_off(self.kept.len().min(FINDINGS_MAX - 1)) {
            self.leave_out(finding.severity, finding.category, 1);
        }
        let count: u64 = self.left_out.values().fold(0, |sum, count| sum.saturating_add(*count));
        if let Some(((severity, category), _)) = self.left_out.pop_last() {
            let message = format!("and {count} more");
            self.kept.push(Finding { severity, category, message, location: None });
        }
        self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minor(number: usize) -> Finding {
        Finding {
            severity: Severity::Minor,
            category: Category::Lint,
            message: number.to_string(),
            location: None,
        }
    }

    fn findings(all: impl IntoIterator<Item = Finding>) -> Findings {
        let mut findings = Findings::default();
        all.into_iter().for_each(|finding| findings.push(finding));
        findings
    }

    #[test]
    fn as_many_as_the_host_takes_stay_as_they_are() {
        let all: Vec<Finding> = (0..1000).map(minor).collect();
        assert_eq!(findings(all.iter().chain(&all).cloned()).within_limit(), all);
    }

    #[test]
    fn of_too_many_the_worst_stay_and_the_rest_is_counted() {
        let worst = Finding { severity: Severity::Major, ..minor(1000) };
        let kept = findings((0..1000).map(minor).chain([worst])).within_limit();
        assert_eq!(kept.len(), FINDINGS_MAX);
        assert_eq!((kept[0].severity, kept[0].message.as_str()), (Severity::Major, "1000"));
        assert_eq!((kept[999].severity, kept[999].message.as_str()), (Severity::Minor, "and 2 more"));
    }

    #[test]
    fn the_last_one_is_as_bad_as_the_worst_that_is_left_out() {
        let mut findings = findings((0..10).map(minor));
        findings.leave_out(Severity::Medium, Category::Test, 7);
        findings.leave_out(Severity::Minor, Category::Lint, 5);
        let kept = findings.within_limit();
        assert_eq!(kept.len(), 11);
        assert_eq!((kept[10].severity, kept[10].message.as_str()), (Severity::Medium, "and 12 more"));
    }
}
