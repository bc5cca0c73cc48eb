//! A notice as Slack shows it.
//!
//! In -> out: a notice -> the arguments of `chat.postMessage`.
//! Invariant: nothing in a notice is markup: it calls nobody and hides no address.

use std::collections::BTreeMap;

use orch_sdk::Message;
use orch_sdk::notify::Severity;
use serde::Serialize;

/// Arguments of `chat.postMessage`.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Post {
    pub channel: String,
    pub text: String,
    pub unfurl_links: bool,
    pub unfurl_media: bool,
    pub metadata: Metadata,
}

/// Not shown; by it a message is found again.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Metadata {
    pub event_type: &'static str,
    pub event_payload: Payload,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Payload {
    pub key: String,
}

impl Post {
    pub fn new(channels: &BTreeMap<String, String>, key: &str, message: &Message) -> Self {
        let channel = channels.get(&message.channel).cloned();
        let sign = match message.severity {
            Severity::Info => "",
            Severity::Warning => ":warning: ",
            Severity::Error => ":x: ",
        };
        let title: Vec<&str> = message.title.split_whitespace().collect();
        let mut text = format!("{sign}{}", escape(&title.join(" ")));
        for more in [Some(message.text.trim()), message.link.as_deref()].into_iter().flatten() {
            if !more.is_empty() {
                text.push('\n');
                text.push_str(&escape(more));
            }
        }
        Self {
            channel: channel.unwrap_or_else(|| format!("#{}", message.channel)),
            text,
            unfurl_links: false,
            unfurl_media: false,
            metadata: Metadata { event_type: "orch_notice", event_payload: Payload { key: key.to_owned() } },
        }
    }
}

/// The three characters that begin markup.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_text_and_calls_nobody() {
        let mut message = Message::new("ops", "build\nfailed <!channel>");
        message.text = "a & b <https://evil.example|bank>\n".to_owned();
        message.link = Some("https://example.org/?a=1&b=2".to_owned());
        message.severity = Severity::Error;
        let channels = [("ops".to_owned(), "C0123".to_owned())].into();
        let post = Post::new(&channels, "run-t0.1.1", &message);
        assert_eq!(
            post.text,
            ":x: build failed &lt;!channel&gt;\na &amp; b &lt;https://evil.example|bank&gt;\nhttps://example.org/?a=1&amp;b=2"
        );
        assert_eq!(post.channel, "C0123");
        assert_eq!(post.metadata.event_payload.key, "run-t0.1.1");
        assert_eq!(Post::new(&channels, "k", &Message::new("dev", "x")).channel, "#dev");
    }
}
