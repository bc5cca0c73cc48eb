//! Delivers notices as lines of the run's log.
//!
//! In -> out: a notice -> one line, at the level of its severity; named by its key.
//! Invariant: no effect beside the log; a line says everything, whatever line ends the text has.

use orch_sdk::notify::Severity;
use orch_sdk::{Failure, Message, NotifyProvider, Order, Receipt, log};

pub struct LogNotify;

impl NotifyProvider for LogNotify {
    fn send(order: Order, message: Message) -> Result<Receipt, Failure> {
        let line = describe(&order, &message);
        match message.severity {
            Severity::Info => log::info(&line),
            Severity::Warning => log::warn(&line),
            Severity::Error => log::error(&line),
        }
        Ok(Receipt::new(order.key))
    }
}

orch_sdk::export!(provider_notify: LogNotify);

/// `[channel] title: text <link> (consumer, key)`; what is empty is left out.
fn describe(order: &Order, message: &Message) -> String {
    let mut line = format!("[{}] {}", message.channel, message.title);
    let words: Vec<&str> = message.text.split_whitespace().collect();
    if !words.is_empty() {
        line += &format!(": {}", words.join(" "));
    }
    if let Some(link) = &message.link {
        line += &format!(" <{link}>");
    }
    let consumer = if order.consumer.is_empty() { "the host" } else { &order.consumer };
    line + &format!(" ({consumer}, {})", order.key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(consumer: &str) -> Order {
        Order {
            consumer: consumer.to_owned(),
            key: "run-t0.1.1".to_owned(),
            run: "run".to_owned(),
            workspace: "site".to_owned(),
            wall_ms: 5000,
        }
    }

    #[test]
    fn a_line_has_everything_and_stays_one() {
        let mut message = Message::new("ops", "build failed");
        assert_eq!(describe(&order(""), &message), "[ops] build failed (the host, run-t0.1.1)");
        message.text = "two\r\n\tlines\n".to_owned();
        message.link = Some("https://example.org/".to_owned());
        assert_eq!(
            describe(&order("acme/ci"), &message),
            "[ops] build failed: two lines <https://example.org/> (acme/ci, run-t0.1.1)"
        );
    }
}
