//! Points in time, given by the caller: nothing here reads a clock.
//!
//! In -> out: RFC 3339 text in UTC, whole seconds -> [`UnixSeconds`].
//! Invariant: one text for one time.

use std::fmt;

use serde::{Deserialize, Serialize};

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
        let parsed: jiff::Timestamp = text.parse().map_err(|_| wrong())?;
        let time = Self(parsed.as_second());
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
        let end = if self.0 < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
        let time = jiff::Timestamp::from_second(self.0).unwrap_or(end);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_whole_seconds_in_utc_and_nothing_else() {
        assert_eq!(UnixSeconds::parse("1970-01-02T00:00:00Z"), Ok(UnixSeconds(86_400)));
        for wrong in
            ["1970-01-02T00:00:00+00:00", "1970-01-02T00:00:00.5Z", "1970-01-02", "", "2026-13-01T00:00:00Z"]
        {
            assert!(UnixSeconds::parse(wrong).is_err(), "{wrong}");
        }
    }
}
