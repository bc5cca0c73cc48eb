//! `pyright --outputjson`: one document with all diagnostics, and how many files were looked at.

use serde::Deserialize;

use super::json;
use crate::parsed::{Parsed, Place, Reading, Severity};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    general_diagnostics: Vec<Diagnostic>,
    summary: Summary,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    files_analyzed: u64,
    error_count: u64,
}

#[derive(Deserialize)]
struct Diagnostic {
    /// Older versions and basedpyright say `uri` as well.
    file: String,
    severity: String,
    message: String,
    /// None: it is about the file as a whole.
    range: Option<Range>,
    rule: Option<String>,
}

#[derive(Deserialize)]
struct Range {
    start: Position,
}

/// Counted from 0.
#[derive(Deserialize)]
struct Position {
    line: u32,
    character: u32,
}

/// Adds every diagnostic.
///
/// # Errors
/// The document is malformed or cut.
pub fn read(text: &str, reading: &mut Reading) -> Result<(), serde_json::Error> {
    let Document { general_diagnostics, summary } = json::first(text)?;
    let errors = general_diagnostics.iter().filter(|said| said.severity == "error").count();
    if u64::try_from(errors).unwrap_or(u64::MAX) < summary.error_count {
        reading.broke.push(format!("it counts {} errors and names {errors}", summary.error_count));
    }
    if summary.files_analyzed == 0 {
        reading.broke.push("it looked at no file".to_owned());
    }
    for said in general_diagnostics {
        let severity = match said.severity.as_str() {
            "error" => Severity::Major,
            "warning" => Severity::Medium,
            _ => Severity::Minor,
        };
        let message = match said.rule {
            Some(rule) => format!("{} ({rule})", said.message),
            None => said.message,
        };
        let place = said.range.map_or(Place::new(&said.file, 1, None), |Range { start }| {
            Place::new(&said.file, start.line.saturating_add(1), Some(start.character.saturating_add(1)))
        });
        reading.push(Parsed { severity: Some(severity), message, place: Some(place) });
    }
    Ok(())
}
