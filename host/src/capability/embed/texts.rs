//! Texts that want vectors, and what comes of them, as capability and providers hand them on.
//!
//! Not here: who may ask what (`embed.rs`), their limits (`check.rs`), what a provider makes of them (`role/provider/embed.rs`).

use std::num::NonZeroU32;

use orch_trust::permission::DomainName;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::bindings::embed::shapes;
use crate::capability::llm::chat::{ChatError, heard, read_heard};
use crate::capability::provided::Provided;

pub use shapes::{Answer, Model, Request};

/// Texts that want vectors, inside their limits.
#[derive(Clone, Debug)]
pub struct Texts {
    pub target: Target,
    pub request: Request,
}

/// Where the operator says that a model is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// What the provider calls it.
    pub model: String,
    /// Empty: the provider's own.
    pub base_url: String,
    /// Numbers of a vector.
    pub dimension: NonZeroU32,
}

impl Provided for Texts {
    const DOMAIN: DomainName = DomainName::Embed;
    const SPENDS: bool = true;
    /// An error is the provider's own word.
    type Answer = Result<Answer, ChatError>;

    fn subject(&self) -> &str {
        &self.request.model
    }

    fn written(&self) -> Value {
        let Request { model, texts } = &self.request;
        json!({ "model": model, "texts": texts })
    }

    fn written_answer(answer: &Self::Answer) -> Value {
        heard(
            answer,
            |Answer { vectors, input, model, id }| json!({ "vectors": vectors, "input": input, "model": model, "id": id }),
        )
    }

    fn read_answer(kept: Value) -> Option<Self::Answer> {
        read_heard(kept, |kept| {
            let Kept { vectors, input, model, id } = serde_json::from_value(kept).ok()?;
            Some(Answer { vectors, input, model, id })
        })
    }
}

/// An answer that a run kept.
#[derive(Deserialize)]
struct Kept {
    vectors: Vec<Vec<f32>>,
    input: u64,
    model: String,
    id: String,
}
