//! Asks models by chat completions.
//!
//! In -> out: a question -> `POST /chat/completions` -> its answer, as it is written or whole.
//! Limits: what is left of the call's time; one try: whoever asks knows whether to ask again.
//! Invariant: the key is never seen here; no answer from outside ends the call otherwise than by a named error.
//! Not here: the question and the answer as JSON (`question.rs`, `answer.rs`), statuses and events (`model-wire`).

pub mod answer;
pub mod question;

use std::time::Duration;

use model_wire::{ask, key};
use orch_sdk::llm::{Answer, ChatError, Request};
use orch_sdk::{LlmProvider, Order, Target, settings};
use serde::Deserialize;

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
        let wrong = |failure: orch_sdk::Failure| ChatError::Denied(failure.message);
        let Settings { key: has_key, url } = settings::parse().map_err(wrong)?;
        let base = if target.base_url.is_empty() { url } else { target.base_url };
        let question = question::of(&target.model, &base, &request)?;
        let url = format!("{}/chat/completions", base.trim_end_matches('/'));
        let headers = match has_key {
            true => vec![("authorization", key(SECRET)?.bearer())],
            false => Vec::new(),
        };
        answer::read(ask(&url, headers, &question, Duration::from_millis(order.wall_ms))?)
    }
}

orch_sdk::export!(provider_llm: OpenAi);
