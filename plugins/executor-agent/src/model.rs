//! A model, as the loop sees it.
//!
//! In -> out: a conversation and tools -> [`Answer`], or why there is none.
//! Invariant: what a model wrote is text of a stranger: nothing here trusts it to be JSON, short or true.
//! Not here: who answers (`lib.rs` asks the host), what a call of a tool does (`tool.rs`).

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    System(String),
    User(String),
    Assistant { text: String, calls: Vec<ToolCall> },
    Tool { call: String, text: String, failed: bool },
}

/// A tool that the model asks for; `arguments` as it wrote them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCall {
    pub id: String,
    pub name: String,
    pub arguments: String,
}

/// A tool that is offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    pub name: String,
    pub description: String,
    /// JSON Schema of an object.
    pub parameters: String,
}

/// Why an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    End,
    Length,
    Calls,
    Refused,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub text: String,
    pub calls: Vec<ToolCall>,
    pub stop: Stop,
    /// Tokens that were read and written.
    pub read: u64,
    pub written: u64,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    Denied(String),
    Invalid(String),
    Limit(String),
    Busy,
    Unavailable,
}

/// Whoever answers.
pub trait Model {
    /// Tokens that fit, question and answer; 0: nobody knows.
    fn window(&self) -> u64;

    /// # Errors
    /// [`NoAnswer`].
    fn ask(&mut self, messages: &[Message], offers: &[Offer]) -> Result<Answer, NoAnswer>;
}

impl Message {
    /// Bytes that count against the window.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::System(text) | Self::User(text) => text.len(),
            Self::Tool { call, text, .. } => call.len() + text.len(),
            Self::Assistant { text, calls } => {
                let of_call = |call: &ToolCall| call.id.len() + call.name.len() + call.arguments.len();
                text.len() + calls.iter().map(of_call).sum::<usize>()
            }
        }
    }
}
