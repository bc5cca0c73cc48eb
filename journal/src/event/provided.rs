//! What plugins do for others, and for the host itself.
//!
//! Not here: what they wrote (`writes.rs`).

use serde::{Deserialize, Serialize};

use super::{Actor, Writes};
use crate::spending::Reserved;

/// A plugin that is asked on behalf of another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedProvider {
    /// Empty: the host itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub consumer: String,
    pub provider: String,
    /// What it is about: a channel.
    pub subject: String,
    /// The same where the same is asked again.
    pub key: String,
    /// What it may cost at most, where budgets bound it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved: Option<Reserved>,
}

/// What became of a notice of the host's own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NoticeSent {
    /// As `run_finished` has it.
    pub key: String,
    /// Why it was not sent, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// What the provider wrote.
    #[serde(default, skip_serializing_if = "Writes::is_empty")]
    pub writes: Writes,
    pub at: u64,
}

/// What became of a question to a model. What was asked and answered is not kept, but its digests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelAnswered {
    #[serde(flatten)]
    pub by: Actor,
    #[serde(flatten)]
    pub answer: ModelAnswer,
    pub at: u64,
}

/// The same without who asked when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelAnswer {
    pub consumer: String,
    pub provider: String,
    /// The operator's name for it.
    pub model: String,
    /// As the intent has it.
    pub key: String,
    /// SHA-256 of the question.
    pub question: String,
    /// SHA-256 of the answer; none: there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// Why there was none: a word of the interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// What the provider calls the model that answered, and the answer.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub answered_by: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// Tokens read, those from a cache included; those; tokens written.
    pub input: u64,
    pub cached: u64,
    pub output: u64,
    /// Nobody said at least one of them: it is the most that it can be.
    #[serde(default, skip_serializing_if = "super::is_false")]
    pub estimated: bool,
    /// In millionths of the currency; none: the model has no price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<u64>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub currency: String,
}
