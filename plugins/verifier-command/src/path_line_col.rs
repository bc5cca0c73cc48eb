//! Lines such as `src/a.c:3:5: warning: unused variable`.
//!
//! In -> out: output -> one [`Parsed`] for each such line; notes belong to the line before and are left out.
//! Not here: other lines; a command that fails without any such line is `judge.rs`'s.

use crate::parsed::{Parsed, Place, Severity};

/// Everything that has the form `path:line:col: message` or `path:line: message`.
#[must_use]
pub fn parse(output: &str) -> Vec<Parsed> {
    output.lines().filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<Parsed> {
    let (path, rest) = line.split_once(':')?;
    let (number, rest) = rest.split_once(':')?;
    let at_line = number.parse().ok()?;
    if !is_path(path) {
        return None;
    }
    let text = match rest.split_once(':') {
        Some((column, text)) if !column.is_empty() && column.bytes().all(|byte| byte.is_ascii_digit()) => {
            text
        }
        _ => rest,
    };
    let (severity, message) = severity_of(text.trim())?;
    if message.is_empty() {
        return None;
    }
    let place = Place::inside(path, at_line);
    let message = if place.is_some() { message.to_owned() } else { format!("{path}:{at_line}: {message}") };
    Some(Parsed { severity, message, place })
}

/// A file's name has a folder or an ending, and tools that print this form do not print spaces in it.
fn is_path(text: &str) -> bool {
    text.contains(['.', '/']) && !text.contains(char::is_whitespace)
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

    /// (severity, message, place)
    type Row<'a> = (Option<Severity>, &'a str, Option<(&'a str, u32)>);

    #[track_caller]
    fn check(line: &str, expected: Option<Row>) {
        let expected: Vec<Parsed> = expected
            .into_iter()
            .map(|(severity, message, place)| Parsed {
                severity,
                message: message.to_owned(),
                place: place.map(|(path, line)| Place { path: path.to_owned(), line }),
            })
            .collect();
        assert_eq!(parse(line), expected, "{line}");
    }

    #[test]
    fn reads_what_tools_print() {
        check("src/a.c:3:5: error: no `y`", Some((Some(Severity::Major), "no `y`", Some(("src/a.c", 3)))));
        check("a.c:3: warning: x", Some((Some(Severity::Medium), "x", Some(("a.c", 3)))));
        check("./a.py:10:80: E501 line too long", Some((None, "E501 line too long", Some(("a.py", 10)))));
        check("a.py:1:1: F401 `os`: unused", Some((None, "F401 `os`: unused", Some(("a.py", 1)))));
        check("a.py:7: error: x [code]", Some((Some(Severity::Major), "x [code]", Some(("a.py", 7)))));
        check("Makefile.am:2:message", Some((None, "message", Some(("Makefile.am", 2)))));
    }

    #[test]
    fn a_path_outside_stays_in_the_message() {
        check("/usr/x.h:3:5: error: bad", Some((Some(Severity::Major), "/usr/x.h:3: bad", None)));
        check("../x.h:3:5: bad", Some((None, "../x.h:3: bad", None)));
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
}
