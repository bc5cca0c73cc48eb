//! `ruff check --output-format json`: a list of diagnostics, which is empty also if there was no file to look at.

use serde::Deserialize;

use super::json;
use crate::parsed::{Parsed, Place, Reading, Severity};
use crate::ran::Ran;

#[derive(Deserialize)]
struct Diagnostic {
    /// None in older versions: the file cannot be parsed.
    code: Option<String>,
    filename: String,
    location: Location,
    message: String,
    /// Absent in older versions.
    severity: Option<String>,
}

#[derive(Deserialize)]
struct Location {
    row: u32,
    column: u32,
}

/// It says so on its error stream, and ends with 0.
pub fn say_no_file(ran: &Ran, reading: &mut Reading) {
    if ran.stderr.lines().any(|line| line.starts_with("warning: No Python files found")) {
        reading.broke.push("it found no Python file".to_owned());
    }
}

/// Adds every diagnostic of the list.
///
/// # Errors
/// The list is malformed or cut; what stands before is added.
pub fn read(text: &str, reading: &mut Reading) -> Result<(), serde_json::Error> {
    json::each(text, |diagnostic: Diagnostic| {
        let unparsed = diagnostic.code.as_deref().is_none_or(|code| code == "invalid-syntax");
        // `error` is said of every rule, of style too: that leaves it to the check's category.
        let severity = match diagnostic.severity.as_deref() {
            _ if unparsed => Some(Severity::Major),
            Some("warning") => Some(Severity::Medium),
            Some("info" | "help") => Some(Severity::Minor),
            _ => None,
        };
        let message = match diagnostic.code {
            Some(code) => format!("{code} {}", diagnostic.message),
            None => diagnostic.message,
        };
        let Location { row, column } = diagnostic.location;
        let place = Place::new(&diagnostic.filename, row, Some(column));
        reading.push(Parsed { severity, message, place: Some(place) });
    })
}
