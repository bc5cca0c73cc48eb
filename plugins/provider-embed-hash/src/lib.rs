//! Makes vectors of texts by feature hashing.
//!
//! In -> out: texts, a dimension -> vectors; of tokens, the words that were read.
//! Invariant: asks nobody; the same text has the same vector everywhere.
//! Not here: the features of a text and their places (`features.rs`).

pub mod features;

use orch_sdk::embed::{Answer, Request};
use orch_sdk::llm::ChatError;
use orch_sdk::{EmbedProvider, Order, VectorTarget};

pub struct Hashing;

impl EmbedProvider for Hashing {
    fn embed(_order: Order, target: VectorTarget, request: Request) -> Result<Answer, ChatError> {
        let dimension = target.dimension as usize;
        let (mut vectors, mut input) = (Vec::with_capacity(request.texts.len()), 0);
        for text in &request.texts {
            let words = features::words(text);
            vectors.push(features::vector(&words, dimension));
            input += words.len().max(1) as u64;
        }
        Ok(Answer { vectors, input, model: "feature-hashing-1".to_owned(), id: String::new() })
    }
}

orch_sdk::export!(provider_embed: Hashing);
