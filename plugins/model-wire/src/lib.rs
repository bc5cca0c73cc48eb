//! What providers of models share.
//!
//! In -> out: a request, a place -> an answer's body, as events or whole; statuses and faults -> [`ChatError`]; pieces -> what was
//! said.
//! Limits: 8 MiB of an answer, 128 calls in it, 1 MiB an event.
//! Invariant: whatever comes from outside is an answer or a named error, never a trap.
//! Not here: what a provider calls things (each plugin's own).

mod events;
mod fault;
mod pieces;
mod usage;

pub use events::Events;
pub use fault::{of_error, of_status};
pub use pieces::Pieces;
pub use usage::tokens;

use std::time::Duration;

use orch_sdk::http::{self, Answer};
use orch_sdk::llm::ChatError;
use orch_sdk::{log, secrets};
use serde_json::Value;

/// Of an answer that is no success, and of one that comes whole.
const BODY_BYTES_MAX: usize = 8 << 20;
/// Kept of the time for what is done with the answer.
const REST: Duration = Duration::from_millis(200);

/// What came of a question.
pub enum Body {
    /// As it is written.
    Events(Events<http::Lines>),
    Whole(Value),
}

/// The secret of that name as a word for a header, if the plugin is set to use one.
///
/// # Errors
/// `Denied`: there is none, which the operator hears.
pub fn key(name: &str) -> Result<secrets::Secret, ChatError> {
    secrets::placeholder(name).map_err(|error| ChatError::Denied(format!("no secret `{name}`: {error}")))
}

/// Posts a question; an answer that is no success is an error.
pub fn ask(
    url: &str,
    headers: Vec<(&str, String)>,
    question: &Value,
    wall: Duration,
) -> Result<Body, ChatError> {
    let mut request = http::post(url).header("accept", "text/event-stream, application/json");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    // A key is for this address and no other.
    let request = request.json(question).timeout(wall.saturating_sub(REST)).redirects(0);
    let answer = request.send().map_err(|error| of_error(&error))?;
    let (status, pause) = (answer.status, answer.header("retry-after").map(|value| value.into_owned()));
    if !answer.is_success() {
        let body = answer.bytes(BODY_BYTES_MAX).unwrap_or_default();
        return Err(of_status(status, pause.as_deref(), &body));
    }
    let is_events =
        answer.header("content-type").is_some_and(|kind| kind.trim_start().starts_with("text/event-stream"));
    match is_events {
        true => Ok(Body::Events(Events::new(answer.lines()))),
        false => whole(answer).map(Body::Whole),
    }
}

fn whole(answer: Answer) -> Result<Value, ChatError> {
    let bytes = answer.bytes(BODY_BYTES_MAX).map_err(|error| of_error(&error))?;
    serde_json::from_slice(&bytes).map_err(|error| broken(&format!("what was answered is no JSON: {error}")))
}

/// The error of an answer that is none; the operator hears why.
pub fn broken(why: &str) -> ChatError {
    log::warn(format_args!("{why}"));
    ChatError::Unavailable
}

/// At most so many bytes of it, on one line.
pub fn line(text: &str, bytes_max: usize) -> String {
    let mut line: String = text.chars().filter(|one| !one.is_control()).collect();
    line.truncate(line.floor_char_boundary(bytes_max));
    line
}
