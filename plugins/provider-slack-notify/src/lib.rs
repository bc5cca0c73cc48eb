//! Delivers notices as messages in Slack.
//!
//! In -> out: a notice -> `chat.postMessage` -> Slack's name for the message.
//! Limits: 10 s a try; a second one only where Slack says that it took nothing, after the pause that it asks for.
//! Invariant: Slack knows no message again, so what may have been posted is not posted again; the token is never seen here.
//! Not here: the message and what Slack's errors mean (`message.rs`, `answer.rs`).

pub mod answer;
pub mod message;

use std::collections::BTreeMap;
use std::time::Duration;

use orch_sdk::http::{self, HttpError};
use orch_sdk::{Failure, Message, NotifyProvider, Order, Receipt, clocks, log, secrets, settings};
use serde::Deserialize;

use crate::answer::{Posted, understand};
use crate::message::Post;

/// As the policy and `secrets.toml` of the operator call it.
const SECRET: &str = "slack";
const TRY_MAX: Duration = Duration::from_secs(10);
/// What a further try needs at least.
const TRY_MIN: Duration = Duration::from_millis(500);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    api: String,
    channels: BTreeMap<String, String>,
}

pub struct SlackNotify;

impl NotifyProvider for SlackNotify {
    fn send(order: Order, message: Message) -> Result<Receipt, Failure> {
        let Settings { api, channels } = settings::parse()?;
        let (begun, wall) = (clocks::monotonic(), Duration::from_millis(order.wall_ms));
        let left = || wall.saturating_sub(clocks::monotonic().saturating_sub(begun));
        let url = format!("{}/chat.postMessage", api.trim_end_matches('/'));
        let post = Post::new(&channels, &order.key, &message);
        match try_post(&url, &post, left())? {
            Posted::Done(ts) => Ok(Receipt::new(ts)),
            Posted::Refused(failure) => Err(failure),
            Posted::Later(pause) if left().checked_sub(pause).is_some_and(|rest| rest >= TRY_MIN) => {
                log::info(format_args!("Slack takes it in {} s", pause.as_secs()));
                clocks::sleep(pause);
                match try_post(&url, &post, left())? {
                    Posted::Done(ts) => Ok(Receipt::new(ts)),
                    Posted::Refused(failure) => Err(failure),
                    Posted::Later(pause) => Err(later(pause)),
                }
            }
            Posted::Later(pause) => Err(later(pause)),
        }
    }
}

orch_sdk::export!(provider_notify: SlackNotify);

fn later(pause: Duration) -> Failure {
    Failure::retriable(format!("Slack takes no more messages for {} s", pause.as_secs()))
}

fn try_post(url: &str, post: &Post, left: Duration) -> Result<Posted, Failure> {
    let token = secrets::placeholder(SECRET)?;
    let request = http::post(url).header("authorization", token.bearer()).json(post);
    // A token is for this URL and no other.
    let answer = request.timeout(left.min(TRY_MAX)).redirects(0).send()?;
    let status = answer.status;
    let retry_after = answer.header("retry-after").map(|value| value.into_owned());
    let text = answer.text().map_err(|error: HttpError| {
        Failure::new(format!("{error}; whether Slack has posted it is not known"))
    })?;
    Ok(understand(status, retry_after.as_deref(), &text))
}
