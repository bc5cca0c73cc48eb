//! Ranges of versions, for taking back: `>=1.3.0, <1.4.2`.
//!
//! In -> out: text -> [`VersionRange`]; a version -> inside or not.
//! Limits: 1 to 8 comparators, each with all three numbers; `*` alone is every version.
//! Invariant: a version is compared by its precedence only. Off-spec: other than a requirement of Cargo, a range covers
//! the pre-releases between its ends, so that `1.4.0-rc.1` is no way around `>=1.3.0, <1.4.2`.

use std::cmp::Ordering;
use std::fmt;

use semver::Version;
use serde::{Deserialize, Serialize};

const COMPARATORS_MAX: usize = 8;

/// Some versions of something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VersionRange(Vec<(Compare, Version)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compare {
    Less,
    AtMost,
    Equal,
    AtLeast,
    Greater,
}

/// Longest first, so that `<` does not hide `<=`.
const SIGNS: [(&str, Compare); 5] = [
    ("<=", Compare::AtMost),
    (">=", Compare::AtLeast),
    ("<", Compare::Less),
    (">", Compare::Greater),
    ("=", Compare::Equal),
];

/// A text that is no range.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{found}` is not a range of versions like `>=1.3.0, <1.4.2`, or `*`")]
pub struct VersionRangeText {
    pub found: String,
}

impl VersionRange {
    pub fn parse(text: &str) -> Result<Self, VersionRangeText> {
        let wrong = || VersionRangeText { found: text.escape_default().take(100).collect() };
        if text == "*" {
            return Ok(Self(Vec::new()));
        }
        let comparator = |part: &str| {
            let (sign, compare) = SIGNS.into_iter().find(|(sign, _)| part.starts_with(sign))?;
            let version = Version::parse(part.strip_prefix(sign)?).ok()?;
            version.build.is_empty().then_some((compare, version))
        };
        let parts: Vec<&str> = text.split(", ").collect();
        if parts.len() > COMPARATORS_MAX {
            return Err(wrong());
        }
        let range = Self(parts.into_iter().map(comparator).collect::<Option<_>>().ok_or_else(wrong)?);
        match range.to_string() == text {
            true => Ok(range),
            false => Err(wrong()),
        }
    }

    /// True if every comparator holds for the version.
    pub fn covers(&self, version: &Version) -> bool {
        self.0.iter().all(|(compare, bound)| {
            let order = version.cmp_precedence(bound);
            match compare {
                Compare::Less => order == Ordering::Less,
                Compare::AtMost => order != Ordering::Greater,
                Compare::Equal => order == Ordering::Equal,
                Compare::AtLeast => order != Ordering::Less,
                Compare::Greater => order == Ordering::Greater,
            }
        })
    }

    /// True if two comparators contradict each other, so that no version is covered.
    pub fn covers_nothing(&self) -> bool {
        let contradict = |(from, low): &(Compare, Version), (to, high): &(Compare, Version)| {
            let is_low = matches!(from, Compare::AtLeast | Compare::Greater | Compare::Equal);
            let is_high = matches!(to, Compare::AtMost | Compare::Less | Compare::Equal);
            let ends_meet = *from != Compare::Greater && *to != Compare::Less;
            is_low
                && is_high
                && match low.cmp_precedence(high) {
                    Ordering::Less => false,
                    Ordering::Equal => !ends_meet,
                    Ordering::Greater => true,
                }
        };
        self.0.iter().any(|low| self.0.iter().any(|high| contradict(low, high)))
    }
}

impl fmt::Display for VersionRange {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return out.write_str("*");
        }
        for (place, (compare, version)) in self.0.iter().enumerate() {
            let sign = SIGNS.iter().find(|(_, one)| one == compare).map_or("", |(sign, _)| sign);
            let comma = if place == 0 { "" } else { ", " };
            write!(out, "{comma}{sign}{version}")?;
        }
        Ok(())
    }
}

impl TryFrom<String> for VersionRange {
    type Error = VersionRangeText;
    fn try_from(text: String) -> Result<Self, VersionRangeText> {
        Self::parse(&text)
    }
}

impl From<VersionRange> for String {
    fn from(range: VersionRange) -> Self {
        range.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(range: &str, version: &str, covered: bool) {
        let found = VersionRange::parse(range).unwrap().covers(&Version::parse(version).unwrap());
        assert_eq!(found, covered, "`{version}` in `{range}`");
    }

    #[test]
    fn a_range_covers_what_lies_between_its_ends_also_before_a_release() {
        let range = ">=1.3.0, <1.4.2";
        check(range, "1.2.9", false);
        check(range, "1.3.0-rc.1", false);
        check(range, "1.3.0", true);
        check(range, "1.3.0+build.7", true);
        check(range, "1.4.0-rc.1", true);
        check(range, "1.4.2-rc.1", true);
        check(range, "1.4.2", false);
        check("=1.0.0", "1.0.0+anything", true);
        check("=1.0.0", "1.0.1", false);
        check(">1.0.0", "1.0.0", false);
        check(">1.0.0", "1.0.1-a", true);
        check("<=1.0.0", "1.0.0", true);
        check("<=1.0.0", "1.0.1-a", false);
        check("*", "0.0.0-a", true);
    }

    #[test]
    fn a_range_whose_ends_contradict_covers_nothing() {
        let nothing = |range: &str| VersionRange::parse(range).unwrap().covers_nothing();
        for range in [
            ">=2.0.0, <1.0.0",
            "<1.0.0, >=2.0.0",
            ">=1.0.0, <1.0.0",
            ">1.0.0, <=1.0.0",
            "=1.0.0, =2.0.0",
            "=1.0.0, >1.0.0",
            ">=1.0.0, <2.0.0, >=3.0.0",
            ">=1.0.0, <=1.0.0-rc.1",
        ] {
            assert!(nothing(range), "{range}");
        }
        for range in ["*", "<1.0.0", ">=1.0.0, <=1.0.0", "=1.0.0, =1.0.0", "=1.0.0, <2.0.0", ">1.0.0, <1.0.1"]
        {
            assert!(!nothing(range), "{range}");
        }
    }

    #[test]
    fn a_range_has_one_text() {
        let wrong = [
            "",
            "1.0.0",
            "^1.0.0",
            "~1.0.0",
            "1.*",
            ">=1",
            "<1.4",
            ">= 1.0.0",
            ">=1.0.0,<2.0.0",
            ">=1.0.0, ",
            ">=1.0.0,  <2.0.0",
            "=1.0.0+b",
            "==1.0.0",
            "*, <1.0.0",
            "<01.0.0",
            " *",
        ];
        for text in wrong {
            assert!(VersionRange::parse(text).is_err(), "{text}");
        }
        let long = |count: usize| vec![">=1.0.0"; count].join(", ");
        assert!(VersionRange::parse(&long(8)).is_ok());
        assert!(VersionRange::parse(&long(9)).is_err());
    }
}
