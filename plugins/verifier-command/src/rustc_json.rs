//! Diagnostics of rustc and cargo, one JSON object a line.
//!
//! In -> out: output -> one [`Parsed`] for each error and warning, without rustc's own sums.
//! Invariant: lines that are no diagnostics are passed over, a cut one too.
//! Not here: a command that fails without an error (`judge.rs`).

use serde::Deserialize;

use crate::parsed::{Parsed, Place, Severity};

#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    /// cargo's, around rustc's.
    Wrapped {
        message: Diagnostic,
    },
    Bare(Diagnostic),
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
    is_primary: bool,
}

/// Every error and warning of the output.
#[must_use]
pub fn parse(output: &str) -> Vec<Parsed> {
    output
        .lines()
        .filter(|line| line.starts_with('{'))
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter_map(|line| match line {
            Line::Wrapped { message } | Line::Bare(message) => read(message),
        })
        .collect()
}

fn read(diagnostic: Diagnostic) -> Option<Parsed> {
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
    let place = span.and_then(|span| Place::inside(&span.file_name, span.line_start));
    let message = match (span, &place) {
        (Some(span), None) => format!("{}:{}: {message}", span.file_name, span.line_start),
        _ => message,
    };
    Some(Parsed { severity: Some(severity), message, place })
}

/// `aborting due to 2 previous errors`, `3 warnings emitted`.
fn is_sum(message: &str) -> bool {
    message.starts_with("aborting due to ") || message.ends_with(" emitted")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_macro_elsewhere_stays_in_the_message() {
        let line = r#"{"level":"error","message":"bad","code":null,"spans":
            [{"file_name":"/rustc/x/mac.rs","line_start":3,"is_primary":true}]}"#;
        let parsed = parse(&line.replace('\n', ""));
        assert_eq!(parsed.len(), 1);
        assert_eq!((parsed[0].message.as_str(), &parsed[0].place), ("/rustc/x/mac.rs:3: bad", &None));
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
