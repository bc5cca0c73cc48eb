//! What may be looked for, and what may be found.
//!
//! In -> out: a [`Query`], passages -> nothing, or what is wrong with them, in words.
//! Limits: those of the WIT text; an answer of at most 2 MiB.
//! Not here: which collection (`retrieve.rs`).

use super::query::{Passage, Query};

const COUNT_MAX: u32 = 50;
const TEXT_BYTES_MAX: usize = 8 << 10;
const FILTERS_MAX: usize = 64;
const FILTER_BYTES_MAX: usize = 1024;
const ANSWER_BYTES_MAX: usize = 2 << 20;

/// Succeeds if that may be asked.
pub(crate) fn query(query: &Query) -> Result<(), String> {
    let Query { collection: _, text, count, tokens: _, way: _, paths, languages } = query;
    if !(1..=TEXT_BYTES_MAX).contains(&text.len()) {
        return Err(format!("`text` is {} bytes, expected 1 to {TEXT_BYTES_MAX}", text.len()));
    }
    if !(1..=COUNT_MAX).contains(count) {
        return Err(format!("`count` is {count}, expected 1 to {COUNT_MAX}"));
    }
    if paths.len() > FILTERS_MAX || languages.len() > FILTERS_MAX {
        return Err(format!("more than {FILTERS_MAX} `paths` or `languages`"));
    }
    match paths.iter().chain(languages).all(|entry| entry.len() <= FILTER_BYTES_MAX) {
        true => Ok(()),
        false => Err(format!("one of `paths` or `languages` is over {FILTER_BYTES_MAX} bytes")),
    }
}

/// Succeeds if that answers it.
pub(crate) fn answer(asked: &Query, found: &[Passage]) -> Result<(), String> {
    if found.len() > asked.count as usize {
        return Err(format!("{} passages, {} were asked for", found.len(), asked.count));
    }
    let bytes: usize = found.iter().map(|one| one.text.len() + one.path.len() + one.language.len()).sum();
    if bytes > ANSWER_BYTES_MAX {
        return Err(format!("passages of {bytes} bytes, limit is {ANSWER_BYTES_MAX}"));
    }
    let (paths, languages) = (asked.paths.clone(), asked.languages.clone());
    let filter = orch_vectors::Filter { paths, languages };
    for passage in found {
        if passage.first == 0 || passage.last < passage.first {
            return Err(format!("a passage of the lines {} to {}", passage.first, passage.last));
        }
        if passage.path.chars().any(char::is_control) || !passage.score.is_finite() {
            return Err("a passage whose path or score cannot be".to_owned());
        }
        if !filter.takes(&passage.path, &passage.language) {
            return Err("a passage outside of what was asked for".to_owned());
        }
    }
    Ok(())
}
