//! Why a plugin did not do what the host asked.
//!
//! In -> out: any error, through `?` -> [`Failure`] -> the WIT record `failure`.
//! Limits: the host keeps 4096 bytes of the message.
//! Invariant: retriable only when the plugin says so, when the host itself said `unavailable`, or when a model is busy or silent, or when a
//! request that cannot happen twice had no answer.
//! Not here: what the host answers to a plugin (`error.rs`).

use std::any::Any;

use crate::Error;
use crate::bindings::capabilities::orch::types::types as wire;
use crate::http::HttpError;
use crate::llm::ChatError;

/// Why a plugin did not do what the host asked. Every error becomes one through `?`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// For people.
    pub message: String,
    /// The same call may succeed later. An attempt that had effects is retried only if this is true.
    pub retriable: bool,
}

impl Failure {
    /// A failure that trying again does not mend.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), retriable: false }
    }

    /// A failure that may be gone next time.
    pub fn retriable(message: impl Into<String>) -> Self {
        Self { message: message.into(), retriable: true }
    }

    pub(crate) fn into_wit(self) -> wire::Failure {
        wire::Failure { message: self.message, retriable: self.retriable }
    }
}

/// The message names the error and its causes: `cannot read: not found`.
impl<E: std::error::Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let any = &error as &dyn Any;
        let retriable = matches!(any.downcast_ref::<Error>(), Some(Error::Unavailable))
            || any.downcast_ref::<HttpError>().is_some_and(HttpError::retriable)
            || any.downcast_ref::<ChatError>().is_some_and(ChatError::may_pass);
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            message.push_str(": ");
            message.push_str(&error.to_string());
            cause = error.source();
        }
        Self { message, retriable }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    #[derive(Debug)]
    struct Reading(Error);

    impl fmt::Display for Reading {
        fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(out, "cannot read `a.txt`")
        }
    }

    impl std::error::Error for Reading {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn only_unavailable_is_retriable_by_itself() {
        assert_eq!(Failure::from(Error::Unavailable), Failure::retriable("not available now"));
        assert_eq!(Failure::from(Error::NotFound), Failure::new("not found"));
        assert_eq!(Failure::from(Error::Denied("`x`".to_owned())), Failure::new("`x` is not granted"));
    }

    #[test]
    fn the_message_names_the_causes() {
        assert_eq!(Failure::from(Reading(Error::NotFound)), Failure::new("cannot read `a.txt`: not found"));
    }
}
