//! Lines such as `src/a.c:3:5: warning: unused variable`.
//!
//! In -> out: a run -> one [`Parsed`] for each such line; notes belong to the line before and are left out.
//! Invariant: a line that says neither error nor warning counts only if the command failed and the path is not known
//! to be no file: programs print hosts, versions and times in this form too.
//! Not here: other lines; a command that fails without any such line is `judge.rs`'s.

use crate::parsed::{Parsed, Place, Reading, Severity};
use crate::ran::{Ending, Ran};

/// Adds everything that has the form `path:line:col: message` or `path:line: message`.
pub fn read(ran: &Ran, reading: &mut Reading) {
    let succeeded = ran.ending == Ending::Code(0);
    for parsed in ran.texts().flat_map(str::lines).filter_map(parse_line) {
        match parsed.severity {
            None if succeeded || !is_file(ran, &parsed) => {}
            // It did not fail by this.
            Some(Severity::Major) if succeeded => {
                reading.push(Parsed { severity: Some(Severity::Medium), ..parsed });
            }
            _ => reading.push(parsed),
        }
    }
}

/// Adds the lines that say whether they are errors or warnings.
pub fn read_said(text: &str, reading: &mut Reading) {
    text.lines()
        .filter_map(parse_line)
        .filter(|parsed| parsed.severity.is_some())
        .for_each(|parsed| reading.push(parsed));
}

fn is_file(ran: &Ran, parsed: &Parsed) -> bool {
    parsed
        .place
        .as_ref()
        .is_some_and(|place| ran.places.is_file(&place.path).unwrap_or(looks_like_file(&place.path)))
}

/// Its last part has an ending that is no number.
fn looks_like_file(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    match name.rsplit_once('.') {
        Some((_, ending)) => !ending.starts_with(|char: char| char.is_ascii_digit()),
        None => path.contains('/'),
    }
}

pub(super) fn parse_line(line: &str) -> Option<Parsed> {
    let (path, rest) = line.split_once(':')?;
    let (number, rest) = rest.split_once(':')?;
    let at_line = number.parse().ok()?;
    if !is_path(path) {
        return None;
    }
    let (column, mut text) = without_number(rest);
    if column.is_some() {
        // `mypy --show-error-end` says where the error ends, too.
        let (end_line, after) = without_number(text);
        let (end_column, after) = without_number(after);
        if end_line.is_some() && end_column.is_some() {
            text = after;
        }
    }
    let (severity, message) = severity_of(text.trim())?;
    if message.is_empty() {
        return None;
    }
    Some(Parsed { severity, message: message.to_owned(), place: Some(Place::new(path, at_line, column)) })
}

/// The number in front of the next colon, and what follows it.
fn without_number(text: &str) -> (Option<u32>, &str) {
    let number = text.split_once(':').and_then(|(number, rest)| {
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| number.parse().ok().map(|number| (number, rest)))?
    });
    number.map_or((None, text), |(number, rest)| (Some(number), rest))
}

/// A file's name has a folder or an ending, and no spaces around it.
fn is_path(text: &str) -> bool {
    text.contains(['.', '/'])
        && text.trim() == text
        && !text.contains(char::is_control)
        && !text.contains("://")
}

/// Severity by the message's first word, and the message without it; none for a note.
fn severity_of(text: &str) -> Option<(Option<Severity>, &str)> {
    for (word, severity) in [
        ("fatal error:", Severity::Major),
        ("error:", Severity::Major),
        ("warning:", Severity::Medium),
        ("info:", Severity::Minor),
    ] {
        if let Some(message) = text.strip_prefix(word) {
            return Some((Some(severity), message.trim()));
        }
    }
    let is_note = ["note:", "help:"].iter().any(|word| text.starts_with(word));
    (!is_note).then_some((None, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (severity, message, (path, line, column))
    type Row<'a> = (Option<Severity>, &'a str, (&'a str, u32, Option<u32>));

    #[track_caller]
    fn check(line: &str, expected: Option<Row>) {
        let expected = expected.map(|(severity, message, (path, line, column))| Parsed {
            severity,
            message: message.to_owned(),
            place: Some(Place::new(path, line, column)),
        });
        assert_eq!(parse_line(line), expected, "{line}");
    }

    #[test]
    fn reads_what_tools_print() {
        check("src/a.c:3:5: error: no `y`", Some((Some(Severity::Major), "no `y`", ("src/a.c", 3, Some(5)))));
        check("a.c:3: warning: x", Some((Some(Severity::Medium), "x", ("a.c", 3, None))));
        check(
            "./a.py:10:80: E501 line too long",
            Some((None, "E501 line too long", ("./a.py", 10, Some(80)))),
        );
        check("a.py:1:1: F401 `os`: unused", Some((None, "F401 `os`: unused", ("a.py", 1, Some(1)))));
        check("a.py:7: error: x [code]", Some((Some(Severity::Major), "x [code]", ("a.py", 7, None))));
        check("a.py:7:1:9:4: error: x", Some((Some(Severity::Major), "x", ("a.py", 7, Some(1)))));
        check("my files/a.py:7: E1", Some((None, "E1", ("my files/a.py", 7, None))));
        check("Makefile.am:2:message", Some((None, "message", ("Makefile.am", 2, None))));
        check("/usr/x.h:3:5: error: bad", Some((Some(Severity::Major), "bad", ("/usr/x.h", 3, Some(5)))));
    }

    #[test]
    fn other_lines_say_nothing() {
        for line in [
            "",
            "Found 3 errors.",
            "12:30:15: started",
            "http://localhost:8080: refused",
            "In file included from a.c:1:",
            "a.c: In function 'f':",
            "a.c:3:5: note: declared here",
            "a.c:x:5: error: y",
            "a.c:3:5:",
            "   3 | return y;",
            "make: *** [Makefile:3: all] Error 1",
        ] {
            check(line, None);
        }
    }

    #[test]
    fn hosts_versions_and_times_are_no_files() {
        for path in ["127.0.0.1", "v1.2", "src/2"] {
            assert_eq!(looks_like_file(path), path == "src/2", "{path}");
        }
        assert!(looks_like_file("a.py") && looks_like_file("src/Makefile"));
    }
}
