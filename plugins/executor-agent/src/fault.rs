//! Why an attempt of an agent ended without its task done.
//!
//! In -> out: what went wrong -> [`Fault`] -> the executor's failure.
//! Invariant: only what may go better by itself is retriable: a busy provider, a model that lost its way. What is not granted
//! and what is used up does not come back.
//! Not here: what verifiers find afterwards, which is the host's to try again.

use orch_sdk::Failure;

use crate::model::NoAnswer;

/// What kind of fault; the first word of the failure's message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Nobody answered now.
    Transient,
    /// The model answered, and nothing came of it.
    Model,
    /// It says that the task cannot be done.
    GaveUp,
    Permission,
    Budget,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub class: Class,
    pub message: String,
}

impl Class {
    fn word(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Model => "model",
            Self::GaveUp => "gave-up",
            Self::Permission => "permission",
            Self::Budget => "budget",
        }
    }

    /// True if another attempt may come out better by itself.
    #[must_use]
    pub fn is_retriable(self) -> bool {
        matches!(self, Self::Transient | Self::Model)
    }
}

impl Fault {
    pub fn new(class: Class, message: impl Into<String>) -> Self {
        Self { class, message: message.into() }
    }

    /// The failure that the host hears.
    #[must_use]
    pub fn into_failure(self) -> Failure {
        let message = format!("{}: {}", self.class.word(), self.message);
        Failure { message, retriable: self.class.is_retriable() }
    }
}

impl From<NoAnswer> for Fault {
    fn from(why: NoAnswer) -> Self {
        match why {
            NoAnswer::Denied(what) => {
                Self::new(Class::Permission, format!("the model may not be asked: {what}"))
            }
            NoAnswer::Limit(name) => Self::new(Class::Budget, format!("the limit `{name}` is used up")),
            NoAnswer::Invalid(why) => {
                Self::new(Class::Budget, format!("the model cannot be asked this: {why}"))
            }
            NoAnswer::Busy => Self::new(Class::Transient, "the model is busy"),
            NoAnswer::Unavailable => Self::new(Class::Transient, "nobody answers for the model"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_go_better_by_itself_is_retriable() {
        for (why, word, retriable) in [
            (NoAnswer::Busy, "transient: ", true),
            (NoAnswer::Unavailable, "transient: ", true),
            (NoAnswer::Denied("model `x`".to_owned()), "permission: ", false),
            (NoAnswer::Limit("budget-day".to_owned()), "budget: ", false),
            (NoAnswer::Invalid("too long".to_owned()), "budget: ", false),
        ] {
            let failure = Fault::from(why).into_failure();
            assert!(failure.message.starts_with(word) && failure.retriable == retriable, "{failure:?}");
        }
        assert!(Fault::new(Class::Model, "x").into_failure().retriable);
        assert!(!Fault::new(Class::GaveUp, "x").into_failure().retriable);
    }
}
