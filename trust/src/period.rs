//! Periods of fixed length, as text.
//!
//! In -> out: `P30D`, `PT12H`, `PT15M` -> seconds.
//! Limits: 1 minute to 3660 days.
//! Invariant: one text for one period: the largest unit that leaves no rest. Only units that always have the same length
//! are read, which months and years do not; so this is a part of ISO 8601 and not all of it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::time::UnixSeconds;

const MINUTE: i64 = 60;
const HOUR: i64 = 3600;
const SECONDS_MAX: i64 = 3660 * UnixSeconds::DAY;

/// So many whole minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Period(i64);

/// A text that is no period.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{found}` is not a period like `P30D`, `PT12H` or `PT15M`, of at most 3660 days")]
pub struct PeriodText {
    pub found: String,
}

impl Period {
    pub fn parse(text: &str) -> Result<Self, PeriodText> {
        let wrong = || PeriodText { found: text.escape_default().take(40).collect() };
        let (number, unit) = match (text.strip_prefix("PT"), text.strip_prefix('P')) {
            (Some(rest), _) => match (rest.strip_suffix('H'), rest.strip_suffix('M')) {
                (Some(number), _) => (number, HOUR),
                (None, Some(number)) => (number, MINUTE),
                (None, None) => return Err(wrong()),
            },
            (None, Some(rest)) => (rest.strip_suffix('D').ok_or_else(wrong)?, UnixSeconds::DAY),
            (None, None) => return Err(wrong()),
        };
        let number: i64 = number.parse().map_err(|_| wrong())?;
        let period = Self(number.checked_mul(unit).ok_or_else(wrong)?);
        match (MINUTE..=SECONDS_MAX).contains(&period.0) && period.to_string() == text {
            true => Ok(period),
            false => Err(wrong()),
        }
    }

    pub fn seconds(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Period {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            days if days % UnixSeconds::DAY == 0 => write!(out, "P{}D", days / UnixSeconds::DAY),
            hours if hours % HOUR == 0 => write!(out, "PT{}H", hours / HOUR),
            minutes => write!(out, "PT{}M", minutes / MINUTE),
        }
    }
}

impl TryFrom<String> for Period {
    type Error = PeriodText;
    fn try_from(text: String) -> Result<Self, PeriodText> {
        Self::parse(&text)
    }
}

impl From<Period> for String {
    fn from(period: Period) -> Self {
        period.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_has_one_text() {
        for (text, seconds) in
            [("PT1M", 60), ("PT15M", 900), ("PT12H", 43_200), ("P1D", 86_400), ("P3660D", SECONDS_MAX)]
        {
            assert_eq!(Period::parse(text), Ok(Period(seconds)));
            assert_eq!(Period(seconds).to_string(), text);
        }
        let wrong = [
            "",
            "P",
            "PT",
            "7D",
            "P7",
            "P7d",
            "P07D",
            "P+7D",
            "P-7D",
            "P1W",
            "P1M",
            "P1Y",
            "PT60M",
            "PT24H",
            "P0D",
            "PT0M",
            "P1DT1H",
            "P1.5D",
            "PT30S",
            "P3661D",
            "P9223372036854775807D",
            " P7D",
            "P7D\n",
        ];
        for text in wrong {
            assert!(Period::parse(text).is_err(), "{text}");
        }
    }
}
