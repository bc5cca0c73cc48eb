//! What vectors may be asked of, and which may be answered.
//!
//! In -> out: texts or an [`Answer`] -> nothing, or what is wrong with it, in words.
//! Limits: those of the WIT text.
//! Not here: which model (`embed.rs`).

use super::texts::{Answer, Texts};
use crate::capability::llm::check::named;

pub(crate) const TEXTS_MAX: usize = 256;
pub(crate) const TEXT_BYTES_MAX: usize = 32 << 10;

/// All texts together.
pub(crate) fn bytes(texts: &[String]) -> u64 {
    texts.iter().map(|text| text.len() as u64).sum()
}

/// Succeeds if the texts are inside their limits. `bytes_max`: of the grant.
pub(crate) fn texts(texts: &[String], bytes_max: u32) -> Result<(), String> {
    if !(1..=TEXTS_MAX).contains(&texts.len()) {
        return Err(format!("{} texts, expected 1 to {TEXTS_MAX}", texts.len()));
    }
    let wrong = texts.iter().enumerate().find(|(_, text)| !(1..=TEXT_BYTES_MAX).contains(&text.len()));
    if let Some((place, text)) = wrong {
        return Err(format!("text {place} is {} bytes, expected 1 to {TEXT_BYTES_MAX}", text.len()));
    }
    match bytes(texts) {
        bytes if bytes > bytes_max.into() => Err(format!("texts of {bytes} bytes, {bytes_max} are granted")),
        _ => Ok(()),
    }
}

/// Succeeds if that is an answer to these texts.
pub(crate) fn answer(asked: &Texts, answer: &Answer) -> Result<(), String> {
    let Answer { vectors, input, model, id } = answer;
    let (texts, dimension) = (asked.request.texts.len(), asked.target.dimension.get() as usize);
    if vectors.len() != texts {
        return Err(format!("{} vectors for {texts} texts", vectors.len()));
    }
    if let Some(vector) = vectors.iter().find(|vector| vector.len() != dimension) {
        return Err(format!("a vector of {} numbers, `models.toml` says {dimension}", vector.len()));
    }
    if vectors.iter().flatten().any(|number| !number.is_finite()) {
        return Err("a vector with a number that is not finite".to_owned());
    }
    named(model, id, *input)
}
