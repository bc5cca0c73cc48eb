//! Why the host did not do what a plugin asked.
//!
//! In -> out: the WIT variant `error` -> [`Error`].
//! Invariant: five cases that code can tell apart; none holds anything that the plugin did not say itself.
//! Not here: what a plugin answers to the host (`failure.rs`).

use std::fmt;

use crate::bindings::capabilities::orch::types::types as wire;

/// Why the host did not do what a plugin asked. Asking never ends the plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// Not granted; holds what was asked.
    Denied(String),
    /// Malformed, or over a documented limit.
    Invalid(String),
    /// No such thing.
    NotFound,
    /// A limit of this call or of the grant is used up; holds its name.
    Limit(String),
    /// Not now; asking again later may help.
    Unavailable,
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(asked) => write!(out, "{asked} is not granted"),
            Self::Invalid(why) => write!(out, "{why}"),
            Self::NotFound => write!(out, "not found"),
            Self::Limit(name) => write!(out, "limit `{name}` is used up"),
            Self::Unavailable => write!(out, "not available now"),
        }
    }
}

impl std::error::Error for Error {}

impl From<wire::Error> for Error {
    fn from(error: wire::Error) -> Self {
        match error {
            wire::Error::Denied(asked) => Self::Denied(asked),
            wire::Error::Invalid(why) => Self::Invalid(why),
            wire::Error::NotFound => Self::NotFound,
            wire::Error::Limit(name) => Self::Limit(name),
            wire::Error::Unavailable => Self::Unavailable,
        }
    }
}
