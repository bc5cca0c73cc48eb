//! Notices to people, sent by the provider that the workspace binds. Permission: `notify`. An effect.
//!
//! In -> out: a [`Message`] -> the provider's name for it.
//! Limits: a title of 256 bytes, a text of 16 KiB, a link of 2048 bytes.

use crate::Error;
pub use crate::bindings::capabilities::orch::notify::shapes::{Message, Receipt, Severity};
use crate::host::notify;

impl Message {
    /// Good to know, without a text and a link.
    pub fn new(channel: impl Into<String>, title: impl Into<String>) -> Self {
        let (channel, title) = (channel.into(), title.into());
        Self { channel, title, text: String::new(), severity: Severity::Info, link: None }
    }
}

/// Hands a notice over; what the provider calls it comes back, empty if it has no name.
///
/// # Errors
/// `Denied`: the channel. `Invalid`: a field is malformed or too long, or the notice cannot be delivered as it is.
/// `NotFound`: the provider may not be asked for this channel. `Unavailable`: no provider, or no good answer of it; whether
/// the notice is out is not known then.
pub fn send(message: &Message) -> Result<String, Error> {
    Ok(notify::send(message)?.id)
}
