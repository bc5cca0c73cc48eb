//! `pylint --output-format=json2`: messages, and how many of which kind.
//!
//! Invariant: a file that it could not look at is no silence.

use std::borrow::Cow;

use serde::Deserialize;

use super::json;
use crate::parsed::{Parsed, Place, Reading, Severity};

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    messages: Vec<Message<'a>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    symbol: Cow<'a, str>,
    #[serde(borrow)]
    message: Cow<'a, str>,
    #[serde(borrow, rename = "messageId")]
    id: Cow<'a, str>,
    #[serde(borrow)]
    path: Cow<'a, str>,
    line: u32,
    /// From 0.
    column: u32,
}

/// Adds every message.
///
/// # Errors
/// The document is malformed or cut.
pub fn read(text: &str, reading: &mut Reading) -> Result<(), serde_json::Error> {
    let document: Document = json::first(text)?;
    for found in document.messages {
        let Message { kind, symbol, message, id, path, line, column } = found;
        let severity = match kind.as_ref() {
            "fatal" => {
                reading.broke.push(format!("it did not look at `{path}`: {message}"));
                continue;
            }
            "error" => Some(Severity::Major),
            "warning" => Some(Severity::Medium),
            "refactor" | "convention" | "info" => Some(Severity::Minor),
            _ => None,
        };
        let place = Some(Place::new(&path, line, Some(column.saturating_add(1))));
        reading.push(Parsed { severity, message: format!("{id} {message} ({symbol})"), place });
    }
    Ok(())
}
