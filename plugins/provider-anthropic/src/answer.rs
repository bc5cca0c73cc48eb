//! An answer as Anthropic's messages have it, in pieces or whole.
//!
//! In -> out: a [`Body`] -> [`Answer`].
//! Invariant: an answer that says no reason for its end was cut off, and is none. What it does not say, or cannot have used, is 0.

use model_wire::{Body, Pieces, broken, line, tokens};
use orch_sdk::llm::{Answer, ChatError, StopReason, Usage};
use serde::Deserialize;
use serde_json::Value;

const MODEL_BYTES_MAX: usize = 128;
const ID_BYTES_MAX: usize = 256;

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event {
    MessageStart {
        message: Start,
    },
    ContentBlockStart {
        index: u64,
        content_block: Part,
    },
    ContentBlockDelta {
        index: u64,
        delta: Delta,
    },
    MessageDelta {
        delta: End,
        #[serde(default)]
        usage: Value,
    },
    MessageStop,
    /// Whole.
    Message {
        #[serde(flatten)]
        start: Start,
        #[serde(default)]
        content: Vec<Part>,
        stop_reason: Option<String>,
    },
    Error {
        error: Value,
    },
    /// `ping`, and what there may be one day.
    #[serde(other)]
    Else,
}

#[derive(Deserialize)]
struct Start {
    #[serde(default)]
    id: String,
    #[serde(default)]
    model: String,
    #[serde(default)]
    usage: Value,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Part {
    Text {
        #[serde(default)]
        text: String,
    },
    ToolUse {
        id: String,
        name: String,
        #[serde(default)]
        input: Value,
    },
    #[serde(other)]
    Else,
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Delta {
    #[serde(rename = "text_delta")]
    Text { text: String },
    #[serde(rename = "input_json_delta")]
    InputJson { partial_json: String },
    #[serde(other)]
    Else,
}

#[derive(Deserialize)]
struct End {
    stop_reason: Option<String>,
}

/// What was used, as far as it was said: at the beginning and, so far, at the end; nothing is used less by then.
#[derive(Default)]
struct Used {
    /// From no cache.
    fresh: u64,
    made: u64,
    cached: u64,
    output: u64,
}

impl Used {
    fn take(&mut self, usage: &Value) {
        for (known, name) in [
            (&mut self.fresh, "input_tokens"),
            (&mut self.made, "cache_creation_input_tokens"),
            (&mut self.cached, "cache_read_input_tokens"),
            (&mut self.output, "output_tokens"),
        ] {
            *known = tokens(usage.get(name)).unwrap_or(0).max(*known);
        }
    }

    /// What was written to a cache and read from one was read, too.
    fn all(self) -> Usage {
        let Self { fresh, made, cached, output } = self;
        Usage { input: fresh + made + cached, cached, output }
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
}

/// The answer.
///
/// # Errors
/// `Unavailable`: it was cut off or is none. `Busy`: they say so in its midst.
pub fn read(body: Body) -> Result<Answer, ChatError> {
    let mut reading = Reading::default();
    match body {
        Body::Whole(value) => {
            reading.take(&value.to_string())?;
        }
        Body::Events(events) => {
            for data in events {
                if reading.take(&data?)? {
                    break;
                }
            }
        }
    }
    reading.answer()
}

impl Reading {
    /// True if it was the last one.
    fn take(&mut self, data: &str) -> Result<bool, ChatError> {
        let event: Event = serde_json::from_str(data)
            .map_err(|error| broken(&format!("a piece of the answer is no JSON of its form: {error}")))?;
        match event {
            Event::MessageStart { message } => self.start(message),
            Event::ContentBlockStart { index, content_block } => self.part(index, content_block)?,
            Event::ContentBlockDelta { delta: Delta::Text { text }, .. } => self.pieces.text(&text)?,
            Event::ContentBlockDelta { index, delta: Delta::InputJson { partial_json } } => {
                self.pieces.call(index, "", "", &partial_json)?;
            }
            Event::MessageDelta { delta, usage } => {
                self.usage.take(&usage);
                self.finished = delta.stop_reason.or(self.finished.take());
            }
            Event::MessageStop => return Ok(true),
            Event::Message { start, content, stop_reason } => {
                self.start(start);
                for (place, part) in (0u64..).zip(content) {
                    self.part(place, part)?;
                }
                self.finished = stop_reason;
            }
            Event::Error { error } => {
                let kind = error.get("type").and_then(Value::as_str).unwrap_or_default();
                return Err(match kind {
                    "overloaded_error" | "rate_limit_error" => ChatError::Busy(None),
                    _ => {
                        broken(&format!("the answer ended with an error: {}", line(&error.to_string(), 500)))
                    }
                });
            }
            Event::ContentBlockDelta { delta: Delta::Else, .. } | Event::Else => {}
        }
        Ok(false)
    }

    fn start(&mut self, start: Start) {
        (self.id, self.model) = (start.id, start.model);
        self.usage.take(&start.usage);
    }

    fn part(&mut self, place: u64, part: Part) -> Result<(), ChatError> {
        match part {
            Part::Text { text } => self.pieces.text(&text),
            Part::ToolUse { id, name, input } => {
                // In pieces it begins empty, and they follow.
                let is_empty = input.as_object().is_none_or(|input| input.is_empty());
                let arguments = if is_empty { String::new() } else { input.to_string() };
                self.pieces.call(place, &id, &name, &arguments)
            }
            Part::Else => Ok(()),
        }
    }

    fn answer(self) -> Result<Answer, ChatError> {
        let Some(reason) = self.finished else {
            return Err(broken("the answer was cut off: it says no reason for its end"));
        };
        let stop = match reason.as_str() {
            "max_tokens" | "model_context_window_exceeded" => StopReason::Length,
            "refusal" => StopReason::Refused,
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

    fn used(said: &[Value]) -> [u64; 3] {
        let mut used = Used::default();
        said.iter().for_each(|usage| used.take(usage));
        let Usage { input, cached, output } = used.all();
        [input, cached, output]
    }

    #[test]
    fn the_end_adds_to_the_beginning_and_takes_nothing_from_it() {
        let begins = json!({ "input_tokens": 9, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 2, "output_tokens": 1 });
        assert_eq!(used(&[begins.clone(), json!({ "output_tokens": 30 })]), [15, 4, 30]);
        assert_eq!(used(&[begins.clone(), json!({ "input_tokens": 0, "output_tokens": 0 })]), [15, 4, 1]);
        assert_eq!(used(&[begins, Value::Null]), [15, 4, 1]);
    }

    #[test]
    fn an_answer_is_no_worse_for_what_it_says_of_its_usage() {
        for usage in [json!(null), json!("none"), json!({ "input_tokens": -1, "output_tokens": 1e300 })] {
            let whole = json!({
                "type": "message", "content": [{ "type": "text", "text": "yes" }],
                "stop_reason": "end_turn", "usage": usage,
            });
            let answer = read(Body::Whole(whole)).unwrap();
            assert_eq!((&*answer.said.text, answer.usage.input, answer.usage.output), ("yes", 0, 0));
        }
    }
}
