//! Words of a question, as the index of words takes them.
//!
//! In -> out: a text of anybody -> words that are searched for.
//! Limits: 32 words. Those that most passages have say little and take long: of the others, if there are others, only these are taken.

use rusqlite::Connection;

use crate::CacheError;

const WORDS_MAX: usize = 32;
/// A word that more than one of so many passages has is common.
const COMMON: u64 = 8;
/// Below so many passages nothing takes long.
const FEW: u64 = 1000;

/// The question for `words MATCH`; none: the text has no word.
pub(crate) fn question(
    connection: &Connection,
    text: &str,
    passages: u64,
) -> Result<Option<String>, CacheError> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split(|one: char| !one.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let word = word.to_lowercase();
        if !words.contains(&word) && words.len() < WORDS_MAX {
            words.push(word);
        }
    }
    if passages >= FEW {
        let mut count = connection.prepare("SELECT doc FROM known WHERE term = ?1")?;
        let mut counted = Vec::new();
        for word in words {
            let mut rows = count.query([&word])?;
            let found: i64 = rows.next()?.map_or(Ok(0), |row| row.get(0))?;
            counted.push((found.unsigned_abs(), word));
        }
        let rarest = counted.iter().map(|(count, _)| *count).min().unwrap_or(0);
        let most = rarest.max(passages / COMMON);
        words = counted.into_iter().filter(|(count, _)| *count <= most).map(|(_, word)| word).collect();
    }
    // Letters and digits only, so nothing in it is a sign of the language of questions.
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    Ok((!quoted.is_empty()).then(|| quoted.join(" OR ")))
}
