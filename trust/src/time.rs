//! Points in time, given by the caller: nothing here reads a clock.
//!
//! In -> out: RFC 3339 text in UTC, whole seconds -> [`UnixSeconds`]; a date -> [`Day`].
//! Invariant: one text for one time.

use std::fmt;

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime, Time};
use serde::{Deserialize, Serialize};

/// Times are counted by the calendar: the library's points in time end a day before year 9999 does.
const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

/// Seconds since 1970 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UnixSeconds(pub i64);

/// A text that is no time.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{found}` is not a time like `2026-11-20T10:00:00Z`")]
pub struct TimeText {
    pub found: String,
}

impl UnixSeconds {
    pub const DAY: i64 = 86_400;

    pub fn parse(text: &str) -> Result<Self, TimeText> {
        let wrong = || TimeText { found: text.chars().take(40).collect() };
        let parsed: DateTime = text.strip_suffix('Z').ok_or_else(wrong)?.parse().map_err(|_| wrong())?;
        let time = Self(parsed.duration_since(EPOCH).as_secs());
        match time.to_string() == text {
            true => Ok(time),
            false => Err(wrong()),
        }
    }

    /// That many seconds later.
    pub fn plus(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }
}

impl fmt::Display for UnixSeconds {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What no text can say is shown as the last or first time that one can, never as 1970.
        let time = EPOCH.saturating_add(SignedDuration::from_secs(self.0));
        write!(out, "{}", time.strftime("%Y-%m-%dT%H:%M:%SZ"))
    }
}

impl TryFrom<String> for UnixSeconds {
    type Error = TimeText;
    fn try_from(text: String) -> Result<Self, TimeText> {
        Self::parse(&text)
    }
}

impl From<UnixSeconds> for String {
    fn from(time: UnixSeconds) -> Self {
        time.to_string()
    }
}

/// A day of the calendar, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Day(Date);

/// A text that is no day.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{found}` is not a day like `2026-11-20`")]
pub struct DayText {
    pub found: String,
}

impl Day {
    pub fn parse(text: &str) -> Result<Self, DayText> {
        let wrong = || DayText { found: text.chars().take(40).collect() };
        let day = Self(text.parse().map_err(|_| wrong())?);
        match day.to_string() == text {
            true => Ok(day),
            false => Err(wrong()),
        }
    }

    /// Its first second.
    pub fn start(self) -> UnixSeconds {
        UnixSeconds(self.0.to_datetime(Time::midnight()).duration_since(EPOCH).as_secs())
    }
}

impl fmt::Display for Day {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.0.strftime("%Y-%m-%d"))
    }
}

impl TryFrom<String> for Day {
    type Error = DayText;
    fn try_from(text: String) -> Result<Self, DayText> {
        Self::parse(&text)
    }
}

impl From<Day> for String {
    fn from(day: Day) -> Self {
        day.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_whole_seconds_in_utc_and_nothing_else() {
        assert_eq!(UnixSeconds::parse("1970-01-02T00:00:00Z"), Ok(UnixSeconds(86_400)));
        assert_eq!(UnixSeconds::parse("9999-12-31T23:59:59Z"), Ok(UnixSeconds(253_402_300_799)));
        assert_eq!(UnixSeconds::parse("0000-03-01T00:00:00Z"), Ok(UnixSeconds(-62_162_035_200)));
        assert_eq!(UnixSeconds(i64::MAX).to_string(), "9999-12-31T23:59:59Z");
        for wrong in [
            "10000-01-01T00:00:00Z",
            "1970-01-02T23:59:60Z",
            "1970-01-02T00:00:00",
            "1970-01-02T00:00:00z",
            "1970-01-02T00:00:00+00:00",
            "1970-01-02T00:00:00.5Z",
            "1970-01-02",
            "",
            "2026-13-01T00:00:00Z",
        ] {
            assert!(UnixSeconds::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_day_begins_at_midnight_in_utc() {
        assert_eq!(Day::parse("1970-01-02").map(Day::start), Ok(UnixSeconds(86_400)));
        assert_eq!(Day::parse("9999-12-31").map(Day::start), Ok(UnixSeconds(253_402_214_400)));
        assert!(Day::parse("2026-08-21").unwrap() < Day::parse("2026-11-01").unwrap());
        for wrong in ["2026-8-21", "20260821", "2026-08-32", "2026-08-21T00:00:00Z", ""] {
            assert!(Day::parse(wrong).is_err(), "{wrong}");
        }
    }
}
