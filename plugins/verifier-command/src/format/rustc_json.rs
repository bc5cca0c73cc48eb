//! Diagnostics of rustc, cargo and clippy, one JSON object a line.
//!
//! In -> out: a run -> one [`Parsed`] for each error and warning, without rustc's own sums.
//! Invariant: lines that are no diagnostics are passed over, a cut one too.
//! Not here: a command that fails without an error (`judge.rs`).

use serde::Deserialize;

use crate::parsed::{Parsed, Place, Reading, Severity};
use crate::ran::Ran;

#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    /// cargo's, around rustc's.
    Wrapped {
        message: Diagnostic,
    },
    Bare(Diagnostic),
    /// Of cargo, about other things.
    Other {
        reason: String,
        /// Of `build-finished`.
        success: Option<bool>,
    },
}

#[derive(Deserialize)]
struct Diagnostic {
    level: String,
    message: String,
    code: Option<Code>,
    #[serde(default)]
    spans: Vec<Span>,
}

#[derive(Deserialize)]
struct Code {
    code: String,
}

#[derive(Deserialize)]
struct Span {
    file_name: String,
    line_start: u32,
    column_start: Option<u32>,
    is_primary: bool,
}

/// Lines of this form.
#[derive(Debug, Default)]
pub struct Lines {
    /// There was one.
    pub any: bool,
    /// cargo said that its build is finished, and did not fail.
    pub finished: bool,
}

/// Adds every error and warning.
pub fn read(ran: &Ran, reading: &mut Reading) -> Lines {
    let mut lines = Lines::default();
    ran.texts().for_each(|text| read_text(text, reading, &mut lines));
    lines
}

fn read_text(text: &str, reading: &mut Reading, lines: &mut Lines) {
    for line in text.lines().filter(|line| line.starts_with('{')) {
        let Ok(line) = serde_json::from_str(line) else { continue };
        lines.any = true;
        match line {
            Line::Wrapped { message } | Line::Bare(message) => {
                parsed(message).into_iter().for_each(|parsed| reading.push(parsed));
            }
            Line::Other { reason, success } => {
                lines.finished |= reason == "build-finished" && success != Some(false);
            }
        }
    }
}

fn parsed(diagnostic: Diagnostic) -> Option<Parsed> {
    let severity = match diagnostic.level.as_str() {
        "error" | "error: internal compiler error" => Severity::Major,
        "warning" => Severity::Medium,
        _ => return None,
    };
    if diagnostic.spans.is_empty() && is_sum(&diagnostic.message) {
        return None;
    }
    let message = match &diagnostic.code {
        Some(code) => format!("{} ({})", diagnostic.message, code.code),
        None => diagnostic.message,
    };
    let span = diagnostic.spans.iter().find(|span| span.is_primary);
    let place = span.map(|span| Place::new(&span.file_name, span.line_start, span.column_start));
    Some(Parsed { severity: Some(severity), message, place })
}

/// `aborting due to 2 previous errors`, `3 warnings emitted`.
fn is_sum(message: &str) -> bool {
    message.starts_with("aborting due to ") || message.ends_with(" emitted")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Vec<Parsed> {
        let mut reading = Reading::default();
        read_text(text, &mut reading, &mut Lines::default());
        reading.parsed
    }

    #[test]
    fn an_error_without_a_place_is_still_one() {
        let parsed =
            parse(r#"{"level":"error","message":"linking failed","code":null,"spans":[],"children":[]}"#);
        assert_eq!(parsed[0].message, "linking failed");
        assert_eq!(parsed[0].severity, Some(Severity::Major));
    }

    #[test]
    fn sums_notes_and_broken_lines_are_passed_over() {
        for line in [
            r#"{"level":"error","message":"aborting due to 2 previous errors","code":null,"spans":[]}"#,
            r#"{"level":"warning","message":"3 warnings emitted","code":null,"spans":[]}"#,
            r#"{"level":"failure-note","message":"For more information","code":null,"spans":[]}"#,
            r#"{"reason":"build-finished","success":false}"#,
            r#"{"level":"error","message":"cut of"#,
            "warning: unused",
            "",
        ] {
            assert_eq!(parse(line), [], "{line}");
        }
    }
}
