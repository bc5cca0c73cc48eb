//! TypeScript's compiler, pretty or not; it has no machine form.
//!
//! Invariant: an error without a place is about options or configuration, so nothing was checked.

use crate::parsed::{Parsed, Place, Reading, Severity};
use crate::ran::{Ending, Ran};

/// Adds every error; with exit code 0 there is none.
pub fn read(ran: &Ran, reading: &mut Reading) {
    if ran.ending == Ending::Code(0) {
        return;
    }
    for line in ran.texts().flat_map(str::lines) {
        if let Some((place, message)) = error(line) {
            reading.push(Parsed {
                severity: Some(Severity::Major),
                message: message.to_owned(),
                place: Some(place),
            });
        } else if line.starts_with("error TS") {
            reading.broke.push(line.to_owned());
        }
    }
}

/// `src/a.ts(1,7): error TS2322: ...` or `src/a.ts:1:7 - error TS2322: ...`.
fn error(line: &str) -> Option<(Place, &str)> {
    if line.starts_with(char::is_whitespace) {
        return None;
    }
    let (before, message) = line
        .split_once("): error TS")
        .or_else(|| line.split_once(" - error TS"))
        .map(|(before, rest)| (before, line.get(line.len() - rest.len() - 2..).unwrap_or(rest)))?;
    let place = match before.rsplit_once('(') {
        Some((path, numbers)) if line.contains("): error TS") => {
            let (row, column) = numbers.split_once(',')?;
            Place::new(path, row.parse().ok()?, column.parse().ok())
        }
        _ => {
            let (before, column) = before.rsplit_once(':')?;
            let (path, row) = before.rsplit_once(':')?;
            Place::new(path, row.parse().ok()?, column.parse().ok())
        }
    };
    Some((place, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_have_the_same_place_and_message() {
        let expected = Some((Place::new("src/a b.ts", 1, Some(7)), "TS2322: Type 'x' - error."));
        assert_eq!(error("src/a b.ts(1,7): error TS2322: Type 'x' - error."), expected);
        assert_eq!(error("src/a b.ts:1:7 - error TS2322: Type 'x' - error."), expected);
        for line in ["  src/a.ts:2:29", "error TS5023: Unknown", "Found 3 errors", "x(1): error TS1: y"] {
            assert_eq!(error(line), None, "{line}");
        }
    }
}
