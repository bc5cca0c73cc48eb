//! A question to a model and its answer, as capability and providers hand them on.
//!
//! Not here: who may ask what (`llm.rs`), their limits (`check.rs`), what a provider makes of them (`role/provider/llm.rs`).

use orch_trust::permission::DomainName;
use serde_json::{Value, json};

use super::written::{WrittenAnswer, WrittenError, WrittenRequest};
use crate::bindings::llm::shapes;
use crate::bindings::types::types::Error;
use crate::capability::provided::Provided;

pub use shapes::{
    Answer, ChatError, Format, Message, Model, Request, Said, StopReason, Tool, ToolCall, ToolChoice,
    ToolResult, Usage,
};

/// One question to a model, inside its limits, with everything filled in.
#[derive(Clone, Debug)]
pub struct Chat {
    pub target: Target,
    pub request: Request,
}

/// Where the operator says that a model is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// What the provider calls it.
    pub model: String,
    /// Empty: the provider's own.
    pub base_url: String,
}

impl Provided for Chat {
    const DOMAIN: DomainName = DomainName::Llm;
    const SPENDS: bool = true;
    /// An error is the provider's own word.
    type Answer = Result<Answer, ChatError>;

    fn subject(&self) -> &str {
        &self.request.model
    }

    fn written(&self) -> Value {
        json!(WrittenRequest::from(self.request.clone()))
    }

    fn written_answer(answer: &Self::Answer) -> Value {
        heard(answer, |answer| json!(WrittenAnswer::from(answer.clone())))
    }

    fn read_answer(kept: Value) -> Option<Self::Answer> {
        read_heard(kept, |kept| Some(serde_json::from_value::<WrittenAnswer>(kept).ok()?.into()))
    }
}

/// What a model's provider said, as a run keeps it.
pub(in crate::capability) fn heard<T>(
    answer: &Result<T, ChatError>,
    written: impl FnOnce(&T) -> Value,
) -> Value {
    match answer {
        Ok(answer) => json!({ "said": written(answer) }),
        Err(error) => json!({ "fault": WrittenError::from(error.clone()) }),
    }
}

/// The same, read.
pub(in crate::capability) fn read_heard<T>(
    mut kept: Value,
    read: impl FnOnce(Value) -> Option<T>,
) -> Option<Result<T, ChatError>> {
    match kept.get_mut("said").map(Value::take) {
        Some(said) => read(said).map(Ok),
        None => {
            let fault = kept.get_mut("fault").map(Value::take)?;
            Some(Err(serde_json::from_value::<WrittenError>(fault).ok()?.into()))
        }
    }
}

impl From<Error> for ChatError {
    fn from(error: Error) -> Self {
        match error {
            Error::Denied(what) => Self::Denied(what),
            Error::Invalid(why) => Self::Invalid(why),
            Error::Limit(name) => Self::Limit(name),
            Error::NotFound | Error::Unavailable => Self::Unavailable,
        }
    }
}
