//! Delivers notices to a webhook, signed as Standard Webhooks are.
//!
//! In -> out: a notice -> `POST` of its JSON, up to three times under the same id -> its receipt.
//! Limits: 10 s a try; the call's wall time for all of them.
//! Invariant: whatever is sent again has the id of the first time; the key that signs is never seen here.
//! Not here: when it is sent again (`retry.rs`).

pub mod retry;

use std::time::Duration;

use orch_sdk::http::{self, Answer, HttpError};
use orch_sdk::notify::Severity;
use orch_sdk::secrets::{self, Encoding};
use orch_sdk::{Failure, Message, NotifyProvider, Order, Receipt, clocks, log, settings};
use serde::{Deserialize, Serialize};

use crate::retry::{Next, Outcome, next};

/// As the policy and `secrets.toml` of the operator call it.
const SECRET: &str = "webhook";
const TRY_MAX: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    url: String,
}

pub struct WebhookNotify;

impl NotifyProvider for WebhookNotify {
    fn send(order: Order, message: Message) -> Result<Receipt, Failure> {
        let Settings { url } = settings::parse()?;
        let (begun, wall) = (clocks::monotonic(), Duration::from_millis(order.wall_ms));
        let (id, body) = (id(&order.key), body(&order, &message)?);
        let mut tried = 0;
        loop {
            tried += 1;
            let left = wall.saturating_sub(clocks::monotonic().saturating_sub(begun));
            let outcome = outcome(post(&url, &id, &order.key, &body, left.min(TRY_MAX))?);
            let left = wall.saturating_sub(clocks::monotonic().saturating_sub(begun));
            match next(&outcome, tried, left) {
                Next::Done => return Ok(Receipt::new(id)),
                Next::Fail(failure) => return Err(failure),
                Next::Again(pause) => {
                    log::info(format_args!("{outcome}; again in {} ms", pause.as_millis()));
                    clocks::sleep(pause);
                }
            }
        }
    }
}

orch_sdk::export!(provider_notify: WebhookNotify);

/// One try; an error here is no answer of the other side.
fn post(
    url: &str,
    id: &str,
    key: &str,
    body: &str,
    timeout: Duration,
) -> Result<Result<Answer, HttpError>, Failure> {
    let timestamp = clocks::since_epoch().as_secs();
    let signed = format!("{id}.{timestamp}.{body}");
    let signature = secrets::hmac_sha256(SECRET, signed.as_bytes(), Encoding::Base64)?;
    let request = http::post(url)
        .header("content-type", "application/json")
        .header("idempotency-key", key)
        .header("webhook-id", id)
        .header("webhook-timestamp", timestamp.to_string())
        .header("webhook-signature", format!("v1,{signature}"));
    // What is signed is for this URL and no other.
    Ok(request.body(body).timeout(timeout).redirects(0).send())
}

fn outcome(answer: Result<Answer, HttpError>) -> Outcome {
    match answer {
        Ok(answer) => Outcome::Answered {
            status: answer.status,
            retry_after: answer.header("retry-after").map(|value| value.into_owned()),
        },
        Err(error) => Outcome::Unanswered(error),
    }
}

/// The order's key; `.` parts what is signed, so there is none in it.
fn id(key: &str) -> String {
    key.replace('.', "_")
}

#[derive(Serialize)]
struct Envelope<'a> {
    r#type: &'static str,
    data: Notice<'a>,
}

#[derive(Serialize)]
struct Notice<'a> {
    key: &'a str,
    channel: &'a str,
    title: &'a str,
    text: &'a str,
    severity: &'static str,
    link: Option<&'a str>,
    /// Empty: the host itself.
    consumer: &'a str,
    run: &'a str,
    workspace: &'a str,
}

fn body(order: &Order, message: &Message) -> Result<String, Failure> {
    let severity = match message.severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Error => "error",
    };
    let data = Notice {
        key: &order.key,
        channel: &message.channel,
        title: &message.title,
        text: &message.text,
        severity,
        link: message.link.as_deref(),
        consumer: &order.consumer,
        run: &order.run,
        workspace: &order.workspace,
    };
    Ok(serde_json::to_string(&Envelope { r#type: "orch.notice", data })?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_says_all_of_a_notice_and_the_id_has_no_point() {
        let order = Order {
            consumer: String::new(),
            key: "run-t0.1.1".to_owned(),
            run: "run".to_owned(),
            workspace: "site".to_owned(),
            wall_ms: 5000,
        };
        let mut message = Message::new("ops", "build \"failed\"");
        message.text = "two\nlines".to_owned();
        message.severity = Severity::Error;
        assert_eq!(
            body(&order, &message).unwrap(),
            r#"{"type":"orch.notice","data":{"key":"run-t0.1.1","channel":"ops","title":"build \"failed\"","text":"two\nlines","severity":"error","link":null,"consumer":"","run":"run","workspace":"site"}}"#
        );
        assert_eq!(id(&order.key), "run-t0_1_1");
    }
}
