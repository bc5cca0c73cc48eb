//! Asks models by chat completions, and for vectors by embeddings.
//!
//! In -> out: a question -> `POST /chat/completions` -> its answer, as it is written or whole; texts -> `POST /embeddings` ->
//! their vectors.
//! Limits: what is left of the call's time; one try: whoever asks knows whether to ask again.
//! Invariant: the key is never seen here; no answer from outside ends the call otherwise than by a named error.
//! Not here: the question and the answer as JSON (`question.rs`, `answer.rs`, `vectors.rs`), statuses and events (`model-wire`).

pub mod answer;
pub mod question;
pub mod vectors;

use std::time::Duration;

use model_wire::{Body, ask, key};
use orch_sdk::llm::{Answer, ChatError, Request};
use orch_sdk::{EmbedProvider, LlmProvider, Order, Target, VectorTarget, embed, settings};
use serde::Deserialize;
use serde_json::Value;

/// As the policy and `secrets.toml` of the operator call it.
const SECRET: &str = "openai";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    key: bool,
    url: String,
}

pub struct OpenAi;

impl LlmProvider for OpenAi {
    fn chat(order: Order, target: Target, request: Request) -> Result<Answer, ChatError> {
        let place = Place::of(target.base_url)?;
        let question = question::of(&target.model, &place.base, &request)?;
        answer::read(place.post("chat/completions", &question, &order)?)
    }
}

impl EmbedProvider for OpenAi {
    fn embed(
        order: Order,
        target: VectorTarget,
        request: embed::Request,
    ) -> Result<embed::Answer, ChatError> {
        let place = Place::of(target.base_url)?;
        let question = vectors::question(&target.model, &request.texts);
        vectors::read(place.post("embeddings", &question, &order)?, request.texts.len())
    }
}

/// Where a model is asked.
struct Place {
    base: String,
    has_key: bool,
}

impl Place {
    /// `base_url`: the operator's; empty: that of the settings.
    fn of(base_url: String) -> Result<Self, ChatError> {
        let wrong = |failure: orch_sdk::Failure| ChatError::Denied(failure.message);
        let Settings { key: has_key, url } = settings::parse().map_err(wrong)?;
        Ok(Self { base: if base_url.is_empty() { url } else { base_url }, has_key })
    }

    fn post(&self, path: &str, question: &Value, order: &Order) -> Result<Body, ChatError> {
        let url = format!("{}/{path}", self.base.trim_end_matches('/'));
        let headers = match self.has_key {
            true => vec![("authorization", key(SECRET)?.bearer())],
            false => Vec::new(),
        };
        ask(&url, headers, question, Duration::from_millis(order.wall_ms))
    }
}

orch_sdk::export!(provider_llm: OpenAi, provider_embed: OpenAi);
