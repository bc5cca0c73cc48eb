//! What Slack answered.
//!
//! In -> out: status, `retry-after`, body -> [`Posted`].
//! Invariant: later only where Slack says that it took nothing.

use std::time::Duration;

use orch_sdk::Failure;
use serde::Deserialize;

const PAUSE_SECONDS: u64 = 30;
/// Of what Slack says, shown to people.
const SHOWN_MAX: usize = 100;

#[derive(Debug, PartialEq)]
pub enum Posted {
    /// Slack's name for the message.
    Done(String),
    /// Nothing was posted; after that time it may be.
    Later(Duration),
    Refused(Failure),
}

#[derive(Deserialize)]
struct Answer {
    ok: bool,
    #[serde(default)]
    error: String,
    #[serde(default)]
    ts: String,
    #[serde(default)]
    channel: String,
}

pub fn understand(status: u16, retry_after: Option<&str>, body: &str) -> Posted {
    let pause = || {
        let asked = retry_after.and_then(|text| text.trim().parse().ok());
        Posted::Later(Duration::from_secs(asked.unwrap_or(PAUSE_SECONDS)))
    };
    if status == 429 || status == 503 {
        return pause();
    }
    let answer: Answer = match serde_json::from_str(body) {
        Ok(answer) if status == 200 => answer,
        _ => {
            let unknown =
                format!("Slack answered with status {status}; whether it has posted it is not known");
            return Posted::Refused(Failure::new(unknown));
        }
    };
    if answer.ok {
        return Posted::Done(format!("{}:{}", answer.channel, answer.ts));
    }
    if matches!(answer.error.as_str(), "ratelimited" | "rate_limited" | "service_unavailable") {
        return pause();
    }
    let meaning = match answer.error.as_str() {
        "not_in_channel" => "the bot is not in the channel: invite it",
        "channel_not_found" => "Slack has no such channel, or the bot may not see it",
        "is_archived" => "the channel is archived",
        "invalid_auth" | "not_authed" => "the token is none of Slack's: look at `slack` in secrets.toml",
        "account_inactive" | "token_revoked" | "token_expired" => "the token is not good any more",
        "missing_scope" | "no_permission" | "not_allowed_token_type" => {
            "the token may not post: it needs `chat:write`"
        }
        "restricted_action" => "who is an administrator does not let it post there",
        "msg_too_long" | "no_text" => "Slack does not take this text",
        _ => "Slack refused it",
    };
    let shown: String = answer.error.chars().filter(|one| !one.is_control()).take(SHOWN_MAX).collect();
    Posted::Refused(Failure::new(format!("{meaning} (`{shown}`)")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, body: &str) -> String {
        match understand(status, None, body) {
            Posted::Refused(failure) if !failure.retriable => failure.message,
            other => panic!("{body}: {other:?}"),
        }
    }

    #[test]
    fn a_message_has_slack_s_name() {
        let posted = understand(200, None, r#"{"ok":true,"channel":"C1","ts":"1.2","message":{}}"#);
        assert_eq!(posted, Posted::Done("C1:1.2".to_owned()));
    }

    #[test]
    fn later_is_only_what_was_not_posted() {
        let later = |seconds| Posted::Later(Duration::from_secs(seconds));
        assert_eq!(understand(429, Some("7"), "{}"), later(7));
        assert_eq!(understand(429, None, ""), later(30));
        assert_eq!(understand(503, Some("x"), "<html>"), later(30));
        assert_eq!(understand(200, Some("3"), r#"{"ok":false,"error":"ratelimited"}"#), later(3));
        for (status, body) in [(500, "{}"), (502, ""), (200, "<html>"), (200, r#"{"error":"x"}"#), (302, "")]
        {
            assert!(
                refused(status, body).ends_with("whether it has posted it is not known"),
                "{status} {body}"
            );
        }
        assert!(refused(200, r#"{"ok":false,"error":"fatal_error"}"#).contains("fatal_error"));
    }

    #[test]
    fn errors_are_said_in_words() {
        for (error, said) in [
            ("not_in_channel", "invite it (`not_in_channel`)"),
            ("invalid_auth", "look at `slack` in secrets.toml (`invalid_auth`)"),
            ("missing_scope", "it needs `chat:write` (`missing_scope`)"),
            ("new_error", "Slack refused it (`new_error`)"),
        ] {
            let found = refused(200, &format!(r#"{{"ok":false,"error":"{error}"}}"#));
            assert!(found.ends_with(said), "{found}");
        }
    }
}
