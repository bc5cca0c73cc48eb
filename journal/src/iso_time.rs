//! Times as people and SQLite read them.
//!
//! In -> out: milliseconds since 1970 UTC -> `2026-01-31T12:00:00.000Z`.
//! Limits: years up to 9999; later times show the last millisecond of that year.
//! Not here: clocks; every time comes from an event.

const DAY_MS: u64 = 86_400_000;
const MS_MAX: u64 = 253_402_300_799_999;

/// ISO 8601 in UTC with milliseconds. Four of them are made for each task, so no formatter is asked.
pub fn iso_time(ms: u64) -> String {
    let ms = ms.min(MS_MAX);
    let (year, month, day) = civil(ms / DAY_MS);
    let rest = ms % DAY_MS;
    let mut text = String::with_capacity("1970-01-01T00:00:00.000Z".len());
    for (value, digits, after) in [
        (year, 4, '-'),
        (month, 2, '-'),
        (day, 2, 'T'),
        (rest / 3_600_000, 2, ':'),
        (rest / 60_000 % 60, 2, ':'),
        (rest / 1000 % 60, 2, '.'),
        (rest % 1000, 3, 'Z'),
    ] {
        for place in (0..digits).rev() {
            let digit = (value / 10_u64.pow(place) % 10) as u8;
            text.push(char::from(b'0' + digit));
        }
        text.push(after);
    }
    text
}

/// Year, month and day of a day since 1970. Counted in years that start in March, so the leap day comes last.
fn civil(days: u64) -> (u64, u64, u64) {
    const ERA_DAYS: u64 = 146_097;
    let days = days + 719_468;
    let (era, of_era) = (days / ERA_DAYS, days % ERA_DAYS);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(ms: u64, text: &str) {
        assert_eq!(iso_time(ms), text);
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        check(0, "1970-01-01T00:00:00.000Z");
        check(951_782_400_000, "2000-02-29T00:00:00.000Z");
        check(1_078_099_199_999, "2004-02-29T23:59:59.999Z");
        check(1_740_787_200_000, "2025-03-01T00:00:00.000Z");
        check(4_107_542_400_000, "2100-03-01T00:00:00.000Z");
        check(u64::MAX, "9999-12-31T23:59:59.999Z");
    }
}
