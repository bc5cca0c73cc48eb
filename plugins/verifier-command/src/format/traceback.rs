//! What Python's tracebacks say, in pytest's styles and in Python's own.
//!
//! Invariant: the reason is that of the exception that ended the test, not of one that led to it.

use crate::parsed::Place;
use crate::places::is_foreign;

/// Between an exception and the one that it led to.
const CHAINS: [&str; 2] =
    ["During handling of the above exception", "The above exception was the direct cause"];

/// The innermost line that lies in no language's or package's own files.
pub fn place<'a>(lines: impl Iterator<Item = &'a str>) -> Option<Place> {
    lines
        .filter_map(|line| frame(line).or_else(|| python_frame(line)))
        .filter(|place| !is_foreign(&place.path))
        .last()
}

/// The first line of pytest's `E   ` after the last chain; of a syntax error, whose source comes first, the last one.
pub fn reason<'a>(lines: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let (mut reason, mut shows_source) = (None, false);
    for line in lines {
        if CHAINS.iter().any(|chain| line.starts_with(chain)) {
            (reason, shows_source) = (None, false);
        } else if let Some(said) = line.strip_prefix("E  ").map(str::trim) {
            shows_source |= reason.is_none() && said.starts_with("File \"");
            if reason.is_none() || shows_source {
                reason = Some(said);
            }
        }
    }
    reason
}

/// `tests/test_calc.py:7: AssertionError`, `tests/test_x.py:1: in <module>`, `calc.py:2: `.
pub fn frame(line: &str) -> Option<Place> {
    let (path, rest) = line.split_once(".py:")?;
    let (number, _) =
        rest.split_once(": ").or_else(|| rest.split_once(':').filter(|(_, rest)| rest.is_empty()))?;
    if path.starts_with(char::is_whitespace) || path.contains(": ") {
        return None;
    }
    Some(Place::new(&format!("{path}.py"), number.parse().ok()?, None))
}

/// `  File "/p/tests/test_x.py", line 7, in test_add`, also after pytest's `E`.
pub fn python_frame(line: &str) -> Option<Place> {
    let (path, line) = python_line(line.strip_prefix('E').unwrap_or(line))?;
    Some(Place::new(path, line, None))
}

/// Path and line of Python's own form, in an exception group too.
pub fn python_line(line: &str) -> Option<(&str, u32)> {
    let (path, rest) =
        line.trim_start_matches([' ', '|']).strip_prefix("File \"")?.split_once("\", line ")?;
    let number = rest.split(|char: char| !char.is_ascii_digit()).next()?;
    Some((path, number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_the_innermost_in_the_project() {
        let lines = ["tests/test_a.py:3: in test_x", "    f()", "/usr/lib/python3.11/json.py:9: ValueError"];
        assert_eq!(place(lines.into_iter()), Some(Place::new("tests/test_a.py", 3, None)));
        let lines =
            ["E     File \"/p/tests/test_s.py\", line 4", "E       def f(:", "E   SyntaxError: invalid"];
        assert_eq!(place(lines.into_iter()), Some(Place::new("/p/tests/test_s.py", 4, None)));
        assert_eq!(reason(lines.into_iter()), Some("SyntaxError: invalid"));
    }

    #[test]
    fn the_reason_is_the_last_exceptions() {
        let chained = [
            "E   ValueError: inner",
            "a.py:2: ValueError",
            "During handling of the above exception, another exception occurred:",
            "E   KeyError: 'outer'",
            "E   more",
        ];
        assert_eq!(reason(chained.into_iter()), Some("KeyError: 'outer'"));
        assert_eq!(reason(["x"].into_iter()), None);
    }

    #[test]
    fn other_lines_are_no_frames() {
        for line in ["    a.py:3: x", "see a.py:x: y", "E   a: b.py:3: c", "a.pyc:3: x"] {
            assert_eq!(frame(line), None, "{line}");
        }
    }
}
