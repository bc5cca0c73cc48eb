//! `bandit -f json`: issues, and the files that it could not look at.
//!
//! Invariant: a file that was not looked at is no silence, though bandit ends with 0; neither is a run that looked at
//! nothing.

use std::borrow::Cow;

use serde::Deserialize;

use super::json;
use crate::parsed::{Parsed, Place, Reading, Severity};

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    results: Vec<Issue<'a>>,
    #[serde(borrow, default)]
    errors: Vec<Unread<'a>>,
    metrics: Metrics,
}

#[derive(Deserialize)]
struct Metrics {
    #[serde(rename = "_totals")]
    totals: Totals,
}

#[derive(Deserialize)]
struct Totals {
    /// Lines of code.
    loc: u64,
}

#[derive(Deserialize)]
struct Issue<'a> {
    #[serde(borrow)]
    filename: Cow<'a, str>,
    line_number: u32,
    /// From 0; absent in older versions.
    col_offset: Option<u32>,
    #[serde(borrow)]
    issue_severity: Cow<'a, str>,
    #[serde(borrow)]
    issue_text: Cow<'a, str>,
    #[serde(borrow)]
    test_id: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Unread<'a> {
    #[serde(borrow)]
    filename: Cow<'a, str>,
    #[serde(borrow)]
    reason: Cow<'a, str>,
}

/// Adds every issue.
///
/// # Errors
/// The document is malformed or cut.
pub fn read(text: &str, reading: &mut Reading) -> Result<(), serde_json::Error> {
    let document: Document = json::first(text)?;
    if document.metrics.totals.loc == 0 && document.errors.is_empty() {
        reading.broke.push("it looked at no line of code".to_owned());
    }
    for issue in document.results {
        let severity = match issue.issue_severity.as_ref() {
            "HIGH" => Some(Severity::Major),
            "MEDIUM" => Some(Severity::Medium),
            "LOW" => Some(Severity::Minor),
            _ => None,
        };
        let column = issue.col_offset.map(|offset| offset.saturating_add(1));
        reading.push(Parsed {
            severity,
            message: format!("{} {}", issue.test_id, issue.issue_text),
            place: Some(Place::new(&issue.filename, issue.line_number, column)),
        });
    }
    for unread in document.errors {
        reading.broke.push(format!("it did not look at `{}`: {}", unread.filename, unread.reason));
    }
    Ok(())
}
