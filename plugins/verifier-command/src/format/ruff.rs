//! `ruff check --output-format json`: a list of diagnostics.

use serde::Deserialize;

use super::json;
use crate::parsed::{Parsed, Place, Reading, Severity};

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
