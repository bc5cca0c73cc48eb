//! Vectors of texts, asked through the provider that the workspace binds. Permission: `embed`. An effect that spends.
//!
//! In -> out: texts -> a vector for each, all of one dimension.
//! Limits: [`TEXTS_MAX`] texts of 1 to [`TEXT_BYTES_MAX`] bytes a question; together the bytes that are granted.
//! Not here: providing vectors (`role/provider_embed.rs`).
//!
//! ```no_run
//! # fn work() -> Result<(), orch_sdk::llm::ChatError> {
//! let answer = orch_sdk::embed::texts("", vec!["where is the retry?".to_owned()])?;
//! assert_eq!(answer.vectors.len(), 1);
//! # Ok(())
//! # }
//! ```

use crate::bindings::capabilities::orch::embed::embed;
pub use crate::bindings::capabilities::orch::embed::shapes::{Answer, Model, Request};
use crate::llm::ChatError;

/// Of one question.
pub const TEXTS_MAX: usize = 256;
/// Of one text.
pub const TEXT_BYTES_MAX: usize = 32 << 10;

/// Those that are granted, by name.
pub fn models() -> Vec<Model> {
    embed::models()
}

/// A vector for each text, in their order. `model`: the operator's name; empty: what the workspace picks.
///
/// # Errors
/// Those of [`ChatError`].
pub fn texts(model: &str, texts: Vec<String>) -> Result<Answer, ChatError> {
    Ok(embed::embed(&Request { model: model.to_owned(), texts })?)
}
