//! The host's models, as the loop sees them.
//!
//! In -> out: [`Model`] -> `llm`.
//! Invariant: translates and nothing else; temperature and tokens of an answer are the operator's and the workspace's.
//! Not here: when it is asked (`turns.rs`).

use orch_sdk::llm::{self, ChatError};

use crate::model::{Answer, Message, Model, NoAnswer, Offer, Stop, ToolCall};

/// A model that the operator gave a name; an empty one: what the workspace gives this role.
pub struct HostModel {
    name: String,
    window: u64,
}

impl HostModel {
    #[must_use]
    pub fn of(name: &str) -> Self {
        let models = llm::models();
        let named = models.iter().filter(|model| name.is_empty() || model.name == name);
        // Of an unnamed one nobody says which it is: the smallest window fits them all.
        let window = named.map(|model| u64::from(model.context_window)).min().unwrap_or(0);
        Self { name: name.to_owned(), window }
    }
}

impl Model for HostModel {
    fn window(&self) -> u64 {
        self.window
    }

    fn ask(&mut self, messages: &[Message], offers: &[Offer]) -> Result<Answer, NoAnswer> {
        let request = llm::Request {
            model: self.name.clone(),
            messages: messages.iter().map(message).collect(),
            tools: offers.iter().map(tool).collect(),
            choice: llm::ToolChoice::Auto,
            format: llm::Format::Text,
            temperature: None,
            max_tokens: None,
            seed: None,
            stop: Vec::new(),
        };
        let answer = llm::chat(&request).map_err(|error| match error {
            ChatError::Denied(what) => NoAnswer::Denied(what),
            ChatError::Invalid(why) => NoAnswer::Invalid(why),
            ChatError::Limit(name) => NoAnswer::Limit(name),
            ChatError::Busy(_) => NoAnswer::Busy,
            _ => NoAnswer::Unavailable,
        })?;
        let calls = answer.said.tool_calls.into_iter();
        Ok(Answer {
            text: answer.said.text,
            calls: calls
                .map(|call| ToolCall { id: call.id, name: call.name, arguments: call.arguments })
                .collect(),
            stop: match answer.stop {
                llm::StopReason::End => Stop::End,
                llm::StopReason::Length => Stop::Length,
                llm::StopReason::ToolCalls => Stop::Calls,
                llm::StopReason::Refused => Stop::Refused,
            },
            read: answer.usage.input,
            written: answer.usage.output,
        })
    }
}

fn message(message: &Message) -> llm::Message {
    match message {
        Message::System(text) => llm::Message::System(text.clone()),
        Message::User(text) => llm::Message::User(text.clone()),
        Message::Assistant { text, calls } => {
            let tool_calls = calls.iter().map(|call| llm::ToolCall {
                id: call.id.clone(),
                name: call.name.clone(),
                arguments: call.arguments.clone(),
            });
            llm::Message::Assistant(llm::Said { text: text.clone(), tool_calls: tool_calls.collect() })
        }
        Message::Tool { call, text, failed } => {
            llm::Message::Tool(llm::ToolResult { call: call.clone(), text: text.clone(), failed: *failed })
        }
    }
}

fn tool(offer: &Offer) -> llm::Tool {
    llm::Tool {
        name: offer.name.clone(),
        description: offer.description.clone(),
        parameters: offer.parameters.clone(),
    }
}
