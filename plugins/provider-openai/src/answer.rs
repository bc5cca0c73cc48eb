//! An answer as chat completions have it, in pieces or whole.
//!
//! In -> out: a [`Body`] -> [`Answer`].
//! Invariant: an answer that says no reason for its end was cut off, and is none. What it does not say, or cannot have used, is 0.

use model_wire::{Body, Pieces, broken, line, tokens};
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
    usage: Value,
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

/// What was used, as far as it was said: some say it with each piece, and nothing is used less by then.
#[derive(Default)]
struct Used {
    input: u64,
    cached: u64,
    output: u64,
}

impl Used {
    fn take(&mut self, usage: &Value) {
        let said = |name| tokens(usage.get(name));
        let (input, output, both) = (said("prompt_tokens"), said("completion_tokens"), said("total_tokens"));
        let rest = |other: Option<u64>| both?.checked_sub(other?);
        let cached = tokens(usage.pointer("/prompt_tokens_details/cached_tokens"));
        self.input = self.input.max(input.or_else(|| rest(output)).unwrap_or(0));
        self.output = self.output.max(output.or_else(|| rest(input)).unwrap_or(0));
        self.cached = self.cached.max(cached.unwrap_or(0));
    }

    fn all(self) -> Usage {
        let Self { input, cached, output } = self;
        Usage { input, cached: cached.min(input), output }
    }
}

/// What came so far.
#[derive(Default)]
struct Reading {
    pieces: Pieces,
    id: String,
    model: String,
    usage: Used,
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
        self.usage.take(&chunk.usage);
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
        Ok(Answer {
            said: self.pieces.said()?,
            stop,
            usage: self.usage.all(),
            model: line(&self.model, MODEL_BYTES_MAX),
            id: line(&self.id, ID_BYTES_MAX),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(pieces: &[Value], input: u64, cached: u64, output: u64) {
        let mut used = Used::default();
        pieces.iter().for_each(|piece| used.take(piece));
        assert_eq!(used.all(), Usage { input, cached, output });
    }

    #[test]
    fn what_was_said_counts_and_what_cannot_be_is_as_if_nobody_said_it() {
        let both = json!({ "prompt_tokens": 9, "completion_tokens": 3, "prompt_tokens_details": { "cached_tokens": 4 } });
        check(&[both], 9, 4, 3);
        check(&[json!({ "prompt_tokens": 9 })], 9, 0, 0);
        check(&[json!({ "completion_tokens": 3.0 })], 0, 0, 3);
        check(&[json!({ "prompt_tokens": 9, "total_tokens": 12 })], 9, 0, 3);
        check(&[json!({ "completion_tokens": 3, "total_tokens": 12 })], 9, 0, 3);
        check(&[json!({ "prompt_tokens": 9, "total_tokens": 3 })], 9, 0, 0);
        check(&[json!({ "prompt_tokens": -9, "completion_tokens": 1e300, "total_tokens": "12" })], 0, 0, 0);
        check(&[json!({ "prompt_tokens": u64::MAX, "completion_tokens": 0.5 })], 0, 0, 0);
        for odd in [json!(null), json!("all"), json!([9, 3]), json!(true)] {
            check(&[odd], 0, 0, 0);
        }
    }

    #[test]
    fn said_with_each_piece_the_most_of_it_counts() {
        let said = |input: u64, output: u64| json!({ "prompt_tokens": input, "completion_tokens": output });
        check(&[said(9, 1), Value::Null, said(9, 2), said(9, 3)], 9, 0, 3);
        check(&[said(9, 3), said(0, 0)], 9, 0, 3);
    }

    #[test]
    fn an_answer_is_no_worse_for_what_it_says_of_its_usage() {
        for usage in [json!(null), json!("none"), json!({ "prompt_tokens": -1 })] {
            let whole = json!({
                "choices": [{ "message": { "content": "yes" }, "finish_reason": "stop" }], "usage": usage,
            });
            let answer = read(Body::Whole(whole)).unwrap();
            assert_eq!((&*answer.said.text, answer.usage.input, answer.usage.output), ("yes", 0, 0));
        }
    }
}
