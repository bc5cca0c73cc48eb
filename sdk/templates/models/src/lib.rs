//! Provider: asks models of a server that takes a conversation as text and answers with text.

use std::time::Duration;

use orch_sdk::http;
use orch_sdk::llm::{Answer, ChatError, Message, Request, Said, StopReason, Usage};
use orch_sdk::{LlmProvider, Order, Target, log};

struct Plugin;

impl LlmProvider for Plugin {
    fn chat(order: Order, target: Target, request: Request) -> Result<Answer, ChatError> {
        let post = http::post(&target.base_url).header("x-model", target.model.clone());
        let sent = post.body(question(&request)?).timeout(Duration::from_millis(order.wall_ms)).send();
        let answer = sent.map_err(|error| unavailable(&error.to_string()))?;
        if answer.status == 429 {
            return Err(ChatError::Busy(None));
        }
        if !answer.is_success() {
            return Err(unavailable(&format!("status {}", answer.status)));
        }
        let text = answer.text().map_err(|error| unavailable(&error.to_string()))?;
        Ok(Answer {
            said: Said { text: text.trim_end().to_owned(), tool_calls: Vec::new() },
            stop: StopReason::End,
            usage: Usage { input: 0, cached: 0, output: 0 },
            model: target.model,
            id: String::new(),
        })
    }
}

orch_sdk::export!(provider_llm: Plugin);

/// What the server is sent: one line for each thing that was said, and who said it.
fn question(request: &Request) -> Result<String, ChatError> {
    if !request.tools.is_empty() {
        return Err(ChatError::Invalid("this provider has no tools".to_owned()));
    }
    let line = |message: &Message| match message {
        Message::System(text) => format!("system: {text}\n"),
        Message::User(text) => format!("user: {text}\n"),
        Message::Assistant(said) => format!("assistant: {}\n", said.text),
        Message::Tool(result) => format!("tool: {}\n", result.text),
    };
    Ok(request.messages.iter().map(line).collect())
}

/// People read the reason in the log; whoever asked may ask again.
fn unavailable(why: &str) -> ChatError {
    log::warn(format_args!("no answer: {why}"));
    ChatError::Unavailable
}

#[cfg(test)]
mod tests {
    use orch_sdk::llm::Chat;

    use super::*;

    #[test]
    fn everything_that_was_said_is_a_line() {
        let chat = Chat::new().system("be short").user("hello");
        assert_eq!(question(chat.request()), Ok("system: be short\nuser: hello\n".to_owned()));
    }
}
