//! A question as chat completions have it.
//!
//! In -> out: the model's name, where it is, a [`Request`] -> JSON.

use orch_sdk::llm::{ChatError, Format, Message, Request, ToolChoice};
use serde_json::{Map, Value, json};

/// # Errors
/// `Invalid`: a schema that is no JSON.
pub fn of(model: &str, base: &str, request: &Request) -> Result<Value, ChatError> {
    let messages: Vec<Value> = request.messages.iter().map(message).collect();
    let mut out = Map::new();
    let mut put = |key: &str, value: Value| out.insert(key.to_owned(), value);
    put("model", json!(model));
    put("messages", json!(messages));
    put("stream", json!(true));
    put("stream_options", json!({ "include_usage": true }));
    if let Some(tokens) = request.max_tokens {
        put(tokens_key(base), json!(tokens));
    }
    if let Some(temperature) = request.temperature {
        put("temperature", json!(temperature));
    }
    if let Some(seed) = request.seed {
        // It is a signed number there.
        put("seed", json!(seed & (i64::MAX as u64)));
    }
    if !request.stop.is_empty() {
        put("stop", json!(request.stop));
    }
    if !request.tools.is_empty() {
        let tools: Result<Vec<Value>, ChatError> = request
            .tools
            .iter()
            .map(|tool| {
                let parameters = schema(&tool.parameters)?;
                let function =
                    json!({ "name": tool.name, "description": tool.description, "parameters": parameters });
                Ok(json!({ "type": "function", "function": function }))
            })
            .collect();
        put("tools", json!(tools?));
        put(
            "tool_choice",
            match &request.choice {
                ToolChoice::Auto => json!("auto"),
                ToolChoice::None => json!("none"),
                ToolChoice::Required => json!("required"),
                ToolChoice::Named(name) => json!({ "type": "function", "function": { "name": name } }),
            },
        );
    }
    match &request.format {
        Format::Text => {}
        Format::Json => {
            put("response_format", json!({ "type": "json_object" }));
        }
        Format::Schema(text) => {
            let wanted = json!({ "name": "answer", "schema": schema(text)? });
            put("response_format", json!({ "type": "json_schema", "json_schema": wanted }));
        }
    }
    Ok(Value::Object(out))
}

/// OpenAI's newer models take no `max_tokens`; others take nothing else.
fn tokens_key(base: &str) -> &'static str {
    match base.starts_with("https://api.openai.com/") {
        true => "max_completion_tokens",
        false => "max_tokens",
    }
}

fn schema(text: &str) -> Result<Value, ChatError> {
    serde_json::from_str(text).map_err(|error| ChatError::Invalid(format!("a schema is no JSON: {error}")))
}

fn message(message: &Message) -> Value {
    match message {
        Message::System(text) => json!({ "role": "system", "content": text }),
        Message::User(text) => json!({ "role": "user", "content": text }),
        Message::Assistant(said) if said.tool_calls.is_empty() => {
            json!({ "role": "assistant", "content": said.text })
        }
        Message::Assistant(said) => {
            let call = |call: &orch_sdk::llm::ToolCall| {
                let function = json!({ "name": call.name, "arguments": call.arguments });
                json!({ "id": call.id, "type": "function", "function": function })
            };
            let calls: Vec<Value> = said.tool_calls.iter().map(call).collect();
            let content = if said.text.is_empty() { Value::Null } else { json!(said.text) };
            json!({ "role": "assistant", "content": content, "tool_calls": calls })
        }
        Message::Tool(result) => {
            let content = match result.failed {
                true => format!("error: {}", result.text),
                false => result.text.clone(),
            };
            json!({ "role": "tool", "tool_call_id": result.call, "content": content })
        }
    }
}

#[cfg(test)]
mod tests {
    use orch_sdk::llm::{Chat, Tool};

    use super::*;

    #[test]
    fn what_nobody_said_is_not_sent_and_what_was_said_has_its_name() {
        let chat = Chat::new().system("s").user("u");
        let plain = of("m", "http://127.0.0.1:8080/v1", chat.request()).unwrap();
        assert_eq!(
            plain,
            json!({
                "model": "m", "stream": true, "stream_options": { "include_usage": true },
                "messages": [{ "role": "system", "content": "s" }, { "role": "user", "content": "u" }],
            })
        );
        let chat = chat.tool(Tool::new("t", "d", "{}")).choice(ToolChoice::Named("t".to_owned()));
        let chat = chat.max_tokens(5).seed(u64::MAX).schema("{\"type\":\"object\"}").stop("x");
        let full = of("m", "https://api.openai.com/v1", chat.request()).unwrap();
        assert_eq!(full["max_completion_tokens"], 5);
        assert_eq!(full["seed"], i64::MAX);
        assert_eq!(full["tool_choice"]["function"]["name"], "t");
        assert_eq!(full["response_format"]["json_schema"]["schema"]["type"], "object");
        assert!(of("m", "", Chat::new().schema("{").request()).is_err());
    }
}
