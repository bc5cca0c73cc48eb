//! Provider: delivers notices as lines of the host's log.

use orch_sdk::notify::Severity;
use orch_sdk::{Failure, Message, NotifyProvider, Order, Receipt, log};

struct Plugin;

impl NotifyProvider for Plugin {
    fn send(order: Order, message: Message) -> Result<Receipt, Failure> {
        let line = line(&order, &message);
        match message.severity {
            Severity::Info => log::info(&line),
            Severity::Warning => log::warn(&line),
            Severity::Error => log::error(&line),
        }
        // The same key again is the same notice: whoever reads the log sees that.
        Ok(Receipt::new(order.key))
    }
}

orch_sdk::export!(provider_notify: Plugin);

/// What is told of a notice, in one line.
fn line(order: &Order, message: &Message) -> String {
    let Message { channel, title, text, link, .. } = message;
    let consumer = if order.consumer.is_empty() { "the host" } else { &order.consumer };
    let text = text.replace(['\n', '\r', '\t'], " ");
    let link = link.as_deref().unwrap_or_default();
    let parts = [title.as_str(), text.trim(), link];
    let said: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    format!("[{channel}] {} ({consumer}, {})", said.join("; "), order.key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_all_and_stays_one() {
        let order = Order {
            consumer: String::new(),
            key: "run-1".to_owned(),
            run: "run".to_owned(),
            workspace: "site".to_owned(),
            wall_ms: 1000,
        };
        let mut message = Message::new("ops", "the run failed");
        assert_eq!(line(&order, &message), "[ops] the run failed (the host, run-1)");
        message.text = "two\nlines\n".to_owned();
        message.link = Some("https://example.org/".to_owned());
        assert_eq!(
            line(&order, &message),
            "[ops] the run failed; two lines; https://example.org/ (the host, run-1)"
        );
    }
}
