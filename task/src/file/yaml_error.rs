//! What the YAML parser's errors become.
//!
//! In -> out: `serde_saphyr::Error` -> [`TaskFileError`], with its place.
//! Not here: what a task may say (`fields.rs`).

use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::granit_parser::ErrorKind;
use serde_saphyr::{Error, ExternalMessageSource, Location};

use crate::file::error::{Place, TaskFileError};

/// The place that the parser names, or the start of the file.
pub(crate) fn place_of(location: Option<Location>) -> Place {
    let known = location.filter(|location| location.line() > 0);
    let number = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
    match known {
        Some(location) => Place { line: number(location.line()), column: number(location.column()) },
        None => Place { line: 1, column: 1 },
    }
}

pub(crate) fn from_yaml(error: &Error) -> TaskFileError {
    let error = error.without_snippet();
    let place = place_of(error.location());
    match error {
        Error::MultipleDocuments { .. } => TaskFileError::SecondDocument { place },
        Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayCounterOverflow { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => TaskFileError::AliasBomb { place },
        Error::Budget { breach, .. } => from_breach(breach, place),
        Error::DuplicateMappingKey { key, .. } => TaskFileError::DuplicateKey {
            key: key.as_deref().unwrap_or("?").escape_debug().to_string(),
            place,
        },
        Error::AliasError { error: inner, .. } => match from_yaml(inner) {
            // The place where the alias is used is the one to look at.
            TaskFileError::AliasBomb { .. } => TaskFileError::AliasBomb { place },
            TaskFileError::TooComplex { what, .. } => TaskFileError::TooComplex { what, place },
            other => other,
        },
        Error::ExternalMessage { source, msg, .. } => match source.as_ref() {
            ExternalMessageSource::Parser(cause)
                if matches!(cause.kind(), ErrorKind::RecursionLimitExceeded) =>
            {
                TaskFileError::TooComplex { what: "nesting", place }
            }
            _ => TaskFileError::Syntax { what: clean(msg), place },
        },
        Error::NullIntoString { .. } => {
            TaskFileError::Syntax { what: "a key is empty, expected a text".to_owned(), place }
        }
        Error::Unexpected { expected: "string scalar", .. } => {
            TaskFileError::Syntax { what: "a key is a list or a mapping, expected a text".to_owned(), place }
        }
        other => TaskFileError::Syntax { what: clean(&other.to_string()), place },
    }
}

fn from_breach(breach: &BudgetBreach, place: Place) -> TaskFileError {
    let what = match breach {
        BudgetBreach::Aliases { .. }
        | BudgetBreach::Anchors { .. }
        | BudgetBreach::MergeKeys { .. }
        | BudgetBreach::AliasAnchorRatio { .. }
        | BudgetBreach::RecordedAnchorEvents { .. }
        | BudgetBreach::RecordedAnchorBytes { .. } => return TaskFileError::AliasBomb { place },
        BudgetBreach::Depth { .. } => "nesting",
        BudgetBreach::Documents { .. } => return TaskFileError::SecondDocument { place },
        _ => "the number of values",
    };
    TaskFileError::TooComplex { what, place }
}

/// The parser's text without its own "at line ..., column ...", which the error says itself.
fn clean(text: &str) -> String {
    let text = text.split(" at line ").next().unwrap_or(text);
    text.chars()
        .flat_map(|letter| if letter.is_control() { letter.escape_debug().collect() } else { vec![letter] })
        .collect()
}
