//! What a notice may be.
//!
//! Limits: those of the WIT text.
//! Not here: for whom it may be (`notify.rs`).

use orch_trust::permission::DomainName;
use serde_json::{Value, json};

use crate::bindings::notify::shapes;
use crate::capability::provided::Provided;

pub(super) const TITLE_BYTES_MAX: usize = 256;
pub(super) const TEXT_BYTES_MAX: usize = 16 << 10;
pub(super) const LINK_BYTES_MAX: usize = 2048;
pub(crate) const RECEIPT_BYTES_MAX: usize = 256;

pub use shapes::{Message, Receipt, Severity};

impl Provided for Message {
    const DOMAIN: DomainName = DomainName::Notify;
    const SPENDS: bool = false;
    type Answer = Receipt;

    fn subject(&self) -> &str {
        &self.channel
    }

    fn written(&self) -> Value {
        let Self { channel, title, text, severity, link } = self;
        let severity = match severity {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        json!({ "channel": channel, "title": title, "text": text, "severity": severity, "link": link })
    }

    fn written_answer(answer: &Receipt) -> Value {
        json!({ "id": answer.id })
    }

    fn read_answer(kept: Value) -> Option<Receipt> {
        Some(Receipt { id: kept.get("id")?.as_str()?.to_owned() })
    }
}

/// Succeeds if every field is inside its limits.
pub(crate) fn check(message: &Message) -> Result<(), String> {
    let Message { channel: _, title, text, severity: _, link } = message;
    if !(1..=TITLE_BYTES_MAX).contains(&title.len()) || title.chars().any(char::is_control) {
        return Err(format!("title is not one line of 1 to {TITLE_BYTES_MAX} bytes"));
    }
    if text.len() > TEXT_BYTES_MAX {
        return Err(format!("text of {} bytes, limit is {TEXT_BYTES_MAX}", text.len()));
    }
    if text.chars().any(|one| one.is_control() && !matches!(one, '\n' | '\r' | '\t')) {
        return Err("text has control characters besides line ends and tabs".to_owned());
    }
    let is_address = |link: &String| {
        let rest = link.strip_prefix("https://").or_else(|| link.strip_prefix("http://"));
        rest.is_some_and(|rest| !rest.is_empty())
            && link.len() <= LINK_BYTES_MAX
            && link.bytes().all(|byte| byte.is_ascii_graphic())
    };
    match link {
        Some(link) if !is_address(link) => {
            Err(format!("link is no `http` or `https` address of at most {LINK_BYTES_MAX} bytes"))
        }
        _ => Ok(()),
    }
}
