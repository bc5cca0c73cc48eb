//! What may be put into a collection, and what may be asked of it.
//!
//! In -> out: fields of a call -> nothing, or what is wrong with them, in words.
//! Limits: those of the WIT text.
//! Not here: which collection (`vectors.rs`).

use crate::bindings::vectors::vectors::{Document, Filter};

const PATH_BYTES_MAX: usize = 1024;
const DIGEST_BYTES_MAX: usize = 128;
const MODEL_BYTES_MAX: usize = 128;
const LANGUAGE_BYTES_MAX: usize = 64;
const CHUNKS_MAX: usize = 4096;
const CHUNK_BYTES_MAX: usize = 16 << 10;
const DIMENSION_MAX: usize = 8192;
const COUNT_MAX: u32 = 100;
const FILTERS_MAX: usize = 64;
const QUESTION_BYTES_MAX: usize = 8 << 10;

type Checked = Result<(), String>;

fn line(what: &str, text: &str, most: usize) -> Checked {
    match (1..=most).contains(&text.len()) && !text.chars().any(char::is_control) {
        true => Ok(()),
        false => Err(format!("{what} is not one line of 1 to {most} bytes")),
    }
}

pub(super) fn path(path: &str) -> Checked {
    line("`path`", path, PATH_BYTES_MAX)
}

pub(super) fn vector(vector: &[f32]) -> Checked {
    if !(1..=DIMENSION_MAX).contains(&vector.len()) {
        return Err(format!("a vector of {} numbers, expected 1 to {DIMENSION_MAX}", vector.len()));
    }
    match vector.iter().all(|number| number.is_finite()) {
        true => Ok(()),
        false => Err("a vector with a number that is not finite".to_owned()),
    }
}

/// Succeeds if a document may be put; `model`: whose vectors it has.
pub(super) fn document(model: &str, document: &Document) -> Checked {
    let Document { path: name, digest, language, chunks } = document;
    line("`model`", model, MODEL_BYTES_MAX)?;
    path(name)?;
    line("`digest`", digest, DIGEST_BYTES_MAX)?;
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'+' | b'-');
    if language.len() > LANGUAGE_BYTES_MAX || !language.bytes().all(fits) {
        return Err(format!("`language` is not at most {LANGUAGE_BYTES_MAX} of `[a-z0-9+-]`"));
    }
    if chunks.len() > CHUNKS_MAX {
        return Err(format!("{} chunks, limit is {CHUNKS_MAX}", chunks.len()));
    }
    for chunk in chunks {
        if !(1..=CHUNK_BYTES_MAX).contains(&chunk.text.len()) {
            return Err(format!("a chunk of {} bytes, expected 1 to {CHUNK_BYTES_MAX}", chunk.text.len()));
        }
        if chunk.first == 0 || chunk.last < chunk.first {
            return Err(format!("a chunk of the lines {} to {}", chunk.first, chunk.last));
        }
        vector(&chunk.vector)?;
    }
    Ok(())
}

/// What it counts against the grant: texts, and four bytes for each number.
pub(super) fn bytes(document: &Document) -> u64 {
    let chunks = document.chunks.iter().map(|chunk| chunk.text.len() as u64 + 4 * chunk.vector.len() as u64);
    document.path.len() as u64 + chunks.sum::<u64>()
}

/// Succeeds if that may be asked. `text`: empty where there is none.
pub(super) fn question(count: u32, filter: &Filter, text: &str) -> Checked {
    if !(1..=COUNT_MAX).contains(&count) {
        return Err(format!("`count` is {count}, expected 1 to {COUNT_MAX}"));
    }
    if filter.paths.len() > FILTERS_MAX || filter.languages.len() > FILTERS_MAX {
        return Err(format!("a filter of over {FILTERS_MAX} entries"));
    }
    let long = filter.paths.iter().chain(&filter.languages).find(|entry| entry.len() > PATH_BYTES_MAX);
    if long.is_some() {
        return Err(format!("a filter's entry of over {PATH_BYTES_MAX} bytes"));
    }
    match text.len() {
        0..=QUESTION_BYTES_MAX => Ok(()),
        found => Err(format!("a text of {found} bytes, limit is {QUESTION_BYTES_MAX}")),
    }
}
