//! `eslint -f json`: a list of files with their messages; each file that it looked at is in it.

use serde::Deserialize;

use super::json;
use crate::parsed::{Parsed, Place, Reading, Severity};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    file_path: String,
    messages: Vec<Message>,
    #[serde(default)]
    error_count: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    rule_id: Option<String>,
    severity: u8,
    message: String,
    #[serde(default)]
    line: Option<u32>,
    #[serde(default)]
    column: Option<u32>,
}

/// Adds every message of every file.
///
/// # Errors
/// The list is malformed or cut; the files before are added.
pub fn read(text: &str, reading: &mut Reading) -> Result<(), serde_json::Error> {
    let mut files = 0_u64;
    let read = json::each(text, |file: File| {
        files += 1;
        if file.messages.is_empty() && file.error_count > 0 {
            reading.broke.push(format!("it counts errors of `{}` and names none", file.file_path));
        }
        for said in file.messages {
            let severity = if said.severity >= 2 { Severity::Major } else { Severity::Medium };
            let message = match said.rule_id {
                Some(rule) => format!("{} ({rule})", said.message),
                None => said.message,
            };
            let place = Place::new(&file.file_path, said.line.unwrap_or(1), said.column);
            reading.push(Parsed { severity: Some(severity), message, place: Some(place) });
        }
    });
    if read.is_ok() && files == 0 {
        reading.broke.push("it looked at no file".to_owned());
    }
    read
}
