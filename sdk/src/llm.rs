//! Models, asked through the provider that the workspace binds. Permission: `llm`. An effect that spends.
//!
//! In -> out: a [`Chat`], a whole conversation -> one [`Answer`]; what the model asks for goes back in by [`Chat::result`].
//! Limits: those of the WIT text: 4096 messages, 8 MiB, 128 tools; tokens as granted.
//! Not here: providing models (`role/provider_llm.rs`).
//!
//! ```no_run
//! # fn work() -> Result<(), orch_sdk::llm::ChatError> {
//! use orch_sdk::llm::{Chat, StopReason, Tool};
//! let mut chat = Chat::new().system("You count files.").user("How many are there?");
//! chat = chat.tool(Tool::new("count", "Counts files.", r#"{"type":"object","properties":{}}"#));
//! let answer = chat.send()?;
//! if answer.stop == StopReason::ToolCalls {
//!     for call in &answer.said.tool_calls {
//!         chat = chat.result(&call.id, "3");
//!     }
//! }
//! # Ok(())
//! # }
//! ```

use std::fmt;

pub use crate::bindings::capabilities::orch::llm::shapes::{
    Answer, Format, Message, Model, Request, Said, StopReason, Tool, ToolCall, ToolChoice, ToolResult, Usage,
};
use crate::bindings::capabilities::orch::llm::{llm, shapes as wire};

/// Those that are granted, by name.
pub fn models() -> Vec<Model> {
    llm::models()
}

/// One answer to a whole conversation.
///
/// # Errors
/// Those of [`ChatError`].
pub fn chat(request: &Request) -> Result<Answer, ChatError> {
    Ok(llm::chat(request)?)
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChatError {
    /// Not granted, or not known; holds what was asked.
    Denied(String),
    /// Malformed, or the provider says that it can never answer this: too long, a schema that it does not take.
    Invalid(String),
    /// A limit of the call, the grant or the budget is used up; holds its name.
    Limit(String),
    /// Too busy; after this many milliseconds it may go, if the provider said so.
    Busy(Option<u64>),
    /// No provider, or it failed; asking again may help.
    Unavailable,
}

impl ChatError {
    /// The same question may have an answer later.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Busy(_) | Self::Unavailable)
    }

    pub(crate) fn into_wit(self) -> wire::ChatError {
        match self {
            Self::Denied(what) => wire::ChatError::Denied(what),
            Self::Invalid(why) => wire::ChatError::Invalid(why),
            Self::Limit(name) => wire::ChatError::Limit(name),
            Self::Busy(ms) => wire::ChatError::Busy(ms),
            Self::Unavailable => wire::ChatError::Unavailable,
        }
    }
}

impl From<wire::ChatError> for ChatError {
    fn from(error: wire::ChatError) -> Self {
        match error {
            wire::ChatError::Denied(what) => Self::Denied(what),
            wire::ChatError::Invalid(why) => Self::Invalid(why),
            wire::ChatError::Limit(name) => Self::Limit(name),
            wire::ChatError::Busy(ms) => Self::Busy(ms),
            wire::ChatError::Unavailable => Self::Unavailable,
        }
    }
}

/// A conversation that grows.
#[derive(Clone, Debug, PartialEq)]
pub struct Chat {
    request: Request,
}

impl Default for Chat {
    fn default() -> Self {
        Self::new()
    }
}

impl Chat {
    /// Nothing said yet, with the model that the workspace gives this task.
    pub fn new() -> Self {
        let request = Request {
            model: String::new(),
            messages: Vec::new(),
            tools: Vec::new(),
            choice: ToolChoice::Auto,
            format: Format::Text,
            temperature: None,
            max_tokens: None,
            seed: None,
            stop: Vec::new(),
        };
        Self { request }
    }

    /// With the model of that name, as the operator calls it.
    pub fn model(mut self, name: impl Into<String>) -> Self {
        self.request.model = name.into();
        self
    }

    pub fn system(self, text: impl Into<String>) -> Self {
        self.message(Message::System(text.into()))
    }

    pub fn user(self, text: impl Into<String>) -> Self {
        self.message(Message::User(text.into()))
    }

    /// What the model said, with what it asked for.
    pub fn assistant(self, said: Said) -> Self {
        self.message(Message::Assistant(said))
    }

    /// What a call that the model asked for gave.
    pub fn result(self, call: impl Into<String>, text: impl Into<String>) -> Self {
        let result = ToolResult { call: call.into(), text: text.into(), failed: false };
        self.message(Message::Tool(result))
    }

    /// Why a call that the model asked for failed.
    pub fn failed(self, call: impl Into<String>, text: impl Into<String>) -> Self {
        let result = ToolResult { call: call.into(), text: text.into(), failed: true };
        self.message(Message::Tool(result))
    }

    pub fn message(mut self, message: Message) -> Self {
        self.request.messages.push(message);
        self
    }

    /// The model may ask for that function.
    pub fn tool(mut self, tool: Tool) -> Self {
        self.request.tools.push(tool);
        self
    }

    pub fn choice(mut self, choice: ToolChoice) -> Self {
        self.request.choice = choice;
        self
    }

    /// The answer is one JSON value.
    pub fn json(mut self) -> Self {
        self.request.format = Format::Json;
        self
    }

    /// The answer is one JSON value that fits this JSON Schema.
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.request.format = Format::Schema(schema.into());
        self
    }

    /// 0.0..=2.0.
    pub fn temperature(mut self, temperature: f64) -> Self {
        self.request.temperature = Some(temperature);
        self
    }

    /// Of the answer; never more than the grant.
    pub fn max_tokens(mut self, tokens: u32) -> Self {
        self.request.max_tokens = Some(tokens);
        self
    }

    pub fn seed(mut self, seed: u64) -> Self {
        self.request.seed = Some(seed);
        self
    }

    /// A text that ends the answer.
    pub fn stop(mut self, text: impl Into<String>) -> Self {
        self.request.stop.push(text.into());
        self
    }

    /// Everything said so far.
    pub fn messages(&self) -> &[Message] {
        &self.request.messages
    }

    /// As it crosses the boundary.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Asks, and takes what the model said into the conversation.
    ///
    /// # Errors
    /// Those of [`ChatError`]; the conversation stays as it is.
    pub fn send(&mut self) -> Result<Answer, ChatError> {
        let answer = chat(&self.request)?;
        self.request.messages.push(Message::Assistant(answer.said.clone()));
        Ok(answer)
    }
}

impl Tool {
    /// `parameters`: a JSON Schema of an object, as JSON.
    pub fn new(
        name: impl Into<String>,
        description: impl Into<String>,
        parameters: impl Into<String>,
    ) -> Self {
        Self { name: name.into(), description: description.into(), parameters: parameters.into() }
    }
}

impl fmt::Display for ChatError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(what) => write!(out, "the model was denied: {what}"),
            Self::Invalid(what) => write!(out, "the model cannot be asked that: {what}"),
            Self::Limit(name) => write!(out, "the limit `{name}` of what models may be asked is used up"),
            Self::Busy(Some(ms)) => write!(out, "the model is busy for {ms} ms"),
            Self::Busy(None) => out.write_str("the model is busy"),
            Self::Unavailable => out.write_str("the model did not answer"),
        }
    }
}

impl std::error::Error for ChatError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Failure;

    #[test]
    fn a_conversation_is_what_was_said_in_its_order() {
        let call = ToolCall { id: "c1".to_owned(), name: "count".to_owned(), arguments: "{}".to_owned() };
        let said = Said { text: String::new(), tool_calls: vec![call] };
        let chat = Chat::new().model("small").system("s").user("u").assistant(said.clone()).result("c1", "3");
        let chat = chat.failed("c1", "no").max_tokens(9).temperature(0.5).seed(1).stop("END").json();
        let result = |text: &str, failed| ToolResult { call: "c1".to_owned(), text: text.to_owned(), failed };
        let expected = [
            Message::System("s".to_owned()),
            Message::User("u".to_owned()),
            Message::Assistant(said),
            Message::Tool(result("3", false)),
            Message::Tool(result("no", true)),
        ];
        assert_eq!(chat.messages(), expected);
        let request = chat.request();
        assert_eq!((&*request.model, request.max_tokens, request.seed), ("small", Some(9), Some(1)));
        assert_eq!((request.temperature, &*request.stop), (Some(0.5), &["END".to_owned()][..]));
        assert_eq!(request.format, Format::Json);
    }

    #[test]
    fn what_may_pass_is_retriable() {
        for (error, retriable) in [
            (ChatError::Busy(Some(5)), true),
            (ChatError::Unavailable, true),
            (ChatError::Limit("budget".to_owned()), false),
            (ChatError::Denied("model `x`".to_owned()), false),
            (ChatError::Invalid("too long".to_owned()), false),
        ] {
            assert_eq!(Failure::from(error.clone()).retriable, retriable, "{error}");
        }
    }
}
