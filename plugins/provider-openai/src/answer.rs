//! An answer as chat completions have it, in pieces or whole.
//!
//! In -> out: a [`Body`] -> [`Answer`].
//! Invariant: an answer that says no reason for its end was cut off, and is none.

use model_wire::{Body, Pieces, broken, line};
use orch_sdk::llm::{Answer, ChatError, StopReason, Usage};
use serde::Deserialize;
use serde_json::Value;

const MODEL_BYTES_MAX: usize = 128;
const ID_BYTES_MAX: usize = 256;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Chunk {
    id: Option<String>,
    model: Option<String>,
    choices: Option<Vec<Choice>>,
    usage: Option<WrittenUsage>,
    error: Option<Value>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Choice {
    /// In pieces.
    delta: Option<Piece>,
    /// Whole.
    message: Option<Piece>,
    finish_reason: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Piece {
    content: Option<String>,
    refusal: Option<String>,
    tool_calls: Option<Vec<Call>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Call {
    index: Option<u64>,
    id: Option<String>,
    function: Option<Function>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Function {
    name: Option<String>,
    arguments: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WrittenUsage {
    prompt_tokens: u64,
    completion_tokens: u64,
    prompt_tokens_details: Option<Details>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Details {
    cached_tokens: Option<u64>,
}

/// What came so far.
#[derive(Default)]
struct Reading {
    pieces: Pieces,
    id: String,
    model: String,
    usage: Option<Usage>,
    finished: Option<String>,
    refused: bool,
}

/// The answer.
///
/// # Errors
/// `Unavailable`: it was cut off or is none.
pub fn read(body: Body) -> Result<Answer, ChatError> {
    let mut reading = Reading::default();
    match body {
        Body::Whole(value) => reading.take(&value.to_string())?,
        Body::Events(events) => {
            for data in events {
                let data = data?;
                if data.trim() == "[DONE]" {
                    break;
                }
                reading.take(&data)?;
            }
        }
    }
    reading.answer()
}

impl Reading {
    fn take(&mut self, data: &str) -> Result<(), ChatError> {
        let chunk: Chunk = serde_json::from_str(data)
            .map_err(|error| broken(&format!("a piece of the answer is no JSON of its form: {error}")))?;
        if let Some(error) = chunk.error {
            return Err(broken(&format!(
                "the answer ended with an error: {}",
                line(&error.to_string(), 500)
            )));
        }
        for (found, name) in [(&mut self.id, chunk.id), (&mut self.model, chunk.model)] {
            if let (true, Some(name)) = (found.is_empty(), name) {
                *found = name;
            }
        }
        if let Some(usage) = chunk.usage {
            let (input, output) = (usage.prompt_tokens, usage.completion_tokens);
            let cached = usage.prompt_tokens_details.and_then(|details| details.cached_tokens).unwrap_or(0);
            self.usage = Some(Usage { input, cached: cached.min(input), output });
        }
        // One answer was asked for.
        let Some(choice) = chunk.choices.unwrap_or_default().into_iter().next() else { return Ok(()) };
        for piece in [choice.delta, choice.message].into_iter().flatten() {
            self.piece(piece)?;
        }
        if let Some(reason) = choice.finish_reason {
            self.finished = Some(reason);
        }
        Ok(())
    }

    fn piece(&mut self, piece: Piece) -> Result<(), ChatError> {
        if let Some(text) = piece.content {
            self.pieces.text(&text)?;
        }
        if let Some(text) = piece.refusal {
            self.refused = true;
            self.pieces.text(&text)?;
        }
        for (place, call) in (0u64..).zip(piece.tool_calls.unwrap_or_default()) {
            let Function { name, arguments } = call.function.unwrap_or_default();
            let (id, name) = (call.id.unwrap_or_default(), name.unwrap_or_default());
            let place = call.index.unwrap_or(place);
            self.pieces.call(place, &id, &name, &arguments.unwrap_or_default())?;
        }
        Ok(())
    }

    fn answer(self) -> Result<Answer, ChatError> {
        let Some(reason) = self.finished else {
            return Err(broken("the answer was cut off: it says no reason for its end"));
        };
        let stop = match reason.as_str() {
            "length" => StopReason::Length,
            "content_filter" => StopReason::Refused,
            _ if self.refused => StopReason::Refused,
            // Some say `stop` also then.
            _ if self.pieces.has_calls() => StopReason::ToolCalls,
            _ => StopReason::End,
        };
        let usage = self.usage.unwrap_or_else(|| {
            orch_sdk::log::warn(format_args!("the answer does not say what it used: it counts nothing"));
            Usage { input: 0, cached: 0, output: 0 }
        });
        Ok(Answer {
            said: self.pieces.said()?,
            stop,
            usage,
            model: line(&self.model, MODEL_BYTES_MAX),
            id: line(&self.id, ID_BYTES_MAX),
        })
    }
}
