//! Why there is no answer, in the words of the interface.
//!
//! In -> out: a status with its body, a fault of HTTP -> [`ChatError`].
//! Invariant: what may pass is `busy` or `unavailable`; what cannot, neither.

use orch_sdk::http::{HttpError, HttpFault};
use orch_sdk::llm::ChatError;
use orch_sdk::log;
use serde_json::Value;

use crate::line;

const SAID_BYTES_MAX: usize = 500;
/// A pause that is longer is no pause.
const PAUSE_SECONDS_MAX: f64 = 86_400.0;

/// What a status that is no success means.
pub fn of_status(status: u16, retry_after: Option<&str>, body: &[u8]) -> ChatError {
    let error = understand(status, retry_after, body);
    if matches!(error, ChatError::Unavailable) {
        log::warn(format_args!("status {status}: {}", said(body)));
    }
    error
}

fn understand(status: u16, retry_after: Option<&str>, body: &[u8]) -> ChatError {
    let pause = retry_after.and_then(|text| text.trim().parse::<f64>().ok());
    let pause = pause.filter(|seconds| (0.0..=PAUSE_SECONDS_MAX).contains(seconds));
    let pause = pause.map(|seconds| (seconds * 1000.0) as u64);
    match status {
        // What is not paid for does not pass.
        429 if code(body).is_some_and(|code| code == "insufficient_quota") => {
            ChatError::Limit("quota".to_owned())
        }
        429 | 529 => ChatError::Busy(pause),
        503 if pause.is_some() => ChatError::Busy(pause),
        401 | 403 => ChatError::Denied(format!("status {status}: {}", said(body))),
        402 => ChatError::Limit("quota".to_owned()),
        400 | 404 | 405 | 413 | 415 | 422 => ChatError::Invalid(format!("status {status}: {}", said(body))),
        _ => ChatError::Unavailable,
    }
}

/// What a fault of HTTP means.
pub fn of_error(error: &HttpError) -> ChatError {
    match &error.fault {
        HttpFault::Denied => {
            ChatError::Denied(format!("no rule of `http` has {}", line(&error.url, SAID_BYTES_MAX)))
        }
        HttpFault::Limit => ChatError::Limit("http".to_owned()),
        _ => {
            log::warn(format_args!("{error}"));
            ChatError::Unavailable
        }
    }
}

fn code(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    body.pointer("/error/code")?.as_str().map(str::to_owned)
}

/// The message of an error's body, as OpenAI, Anthropic and others write it; else the body.
fn said(body: &[u8]) -> String {
    let read: Value = serde_json::from_slice(body).unwrap_or_default();
    let places = ["/error/message", "/message", "/detail", "/error"];
    let message = places.iter().find_map(|place| read.pointer(place)?.as_str());
    match message {
        Some(message) => line(message, SAID_BYTES_MAX),
        None => {
            let some = body.get(..SAID_BYTES_MAX).unwrap_or(body);
            line(&String::from_utf8_lossy(some), SAID_BYTES_MAX)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_its_meaning() {
        let check = |status, pause: Option<&str>, body: &str, expected| {
            assert_eq!(understand(status, pause, body.as_bytes()), expected, "{status} {body}");
        };
        check(429, Some("2"), "{}", ChatError::Busy(Some(2000)));
        check(429, Some("1.5"), "", ChatError::Busy(Some(1500)));
        check(429, Some("Wed, 21 Oct"), "", ChatError::Busy(None));
        check(429, Some("-1"), "", ChatError::Busy(None));
        let quota = r#"{"error":{"code":"insufficient_quota"}}"#;
        check(429, None, quota, ChatError::Limit("quota".to_owned()));
        check(529, None, "", ChatError::Busy(None));
        check(503, Some("1"), "", ChatError::Busy(Some(1000)));
        for status in [500, 502, 503, 504, 302, 418] {
            check(status, None, "<html>", ChatError::Unavailable);
        }
        let long = r#"{"error":{"message":"too long\nfor the window"}}"#;
        check(400, None, long, ChatError::Invalid("status 400: too longfor the window".to_owned()));
        check(401, None, r#"{"error":"no key"}"#, ChatError::Denied("status 401: no key".to_owned()));
        match understand(413, None, &[0xff; 100_000]) {
            ChatError::Invalid(said) => assert!(said.len() < 600),
            other => panic!("{other:?}"),
        }
    }
}
