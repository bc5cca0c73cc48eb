//! `mypy --output json`, one object a line, else mypy's text.
//!
//! Invariant: notes belong to the error before and are left out, as in mypy's own count.

use serde::Deserialize;

use super::path_line_col;
use crate::parsed::{Parsed, Place, Reading, Severity};
use crate::ran::Ran;

#[derive(Deserialize)]
struct Line {
    file: String,
    line: i64,
    /// From 0; -1 is none.
    column: i64,
    message: String,
    code: Option<String>,
    severity: String,
}

/// Adds every error.
pub fn read(ran: &Ran, reading: &mut Reading) {
    let mut is_json = false;
    for text in ran.documents() {
        for line in text.lines().filter(|line| line.starts_with('{')) {
            let Ok(line) = serde_json::from_str::<Line>(line) else { continue };
            is_json = true;
            if line.severity == "error" {
                reading.push(parsed(line));
            }
        }
    }
    if !is_json {
        ran.texts().for_each(|text| path_line_col::read_said(text, reading));
    }
}

fn parsed(line: Line) -> Parsed {
    let message = match line.code {
        Some(code) => format!("{} [{code}]", line.message),
        None => line.message,
    };
    let column = u32::try_from(line.column).ok().map(|column| column.saturating_add(1));
    let at_line = u32::try_from(line.line).unwrap_or(1).max(1);
    Parsed { severity: Some(Severity::Major), message, place: Some(Place::new(&line.file, at_line, column)) }
}
