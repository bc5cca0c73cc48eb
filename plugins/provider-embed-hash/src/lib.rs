//! Makes vectors of texts by feature hashing.
//!
//! In -> out: texts, a dimension -> vectors.
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
        let vectors = request.texts.iter().map(|text| features::vector(text, dimension)).collect();
        Ok(Answer { vectors, input: 0, model: "feature-hashing-1".to_owned(), id: String::new() })
    }
}

orch_sdk::export!(provider_embed: Hashing);
