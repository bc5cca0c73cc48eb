//! A question as Anthropic's messages have it.
//!
//! In -> out: the model's name, a [`Request`] -> JSON.
//! Invariant: two messages of one side are one with several parts; a format that cannot be enforced is asked for in words.

use orch_sdk::llm::{ChatError, Format, Message, Request, ToolChoice};
use serde_json::{Map, Value, json};

/// Where a request says none, which the host never does.
const TOKENS: u32 = 4096;
/// Theirs ends there.
const TEMPERATURE_MAX: f64 = 1.0;

/// # Errors
/// `Invalid`: a schema that is no JSON.
pub fn of(model: &str, request: &Request) -> Result<Value, ChatError> {
    let mut out = Map::new();
    let mut put = |key: &str, value: Value| out.insert(key.to_owned(), value);
    put("model", json!(model));
    put("max_tokens", json!(request.max_tokens.unwrap_or(TOKENS)));
    put("stream", json!(true));
    put("messages", json!(turns(&request.messages)));
    let system = system(request);
    if !system.is_empty() {
        put("system", json!(system));
    }
    if let Some(temperature) = request.temperature {
        put("temperature", json!(temperature.min(TEMPERATURE_MAX)));
    }
    if !request.stop.is_empty() {
        put("stop_sequences", json!(request.stop));
    }
    if !request.tools.is_empty() {
        let tools: Result<Vec<Value>, ChatError> = request
            .tools
            .iter()
            .map(|tool| {
                let schema: Value = serde_json::from_str(&tool.parameters)
                    .map_err(|error| ChatError::Invalid(format!("a schema is no JSON: {error}")))?;
                Ok(json!({ "name": tool.name, "description": tool.description, "input_schema": schema }))
            })
            .collect();
        put("tools", json!(tools?));
        put(
            "tool_choice",
            match &request.choice {
                ToolChoice::Auto => json!({ "type": "auto" }),
                ToolChoice::None => json!({ "type": "none" }),
                ToolChoice::Required => json!({ "type": "any" }),
                ToolChoice::Named(name) => json!({ "type": "tool", "name": name }),
            },
        );
    }
    Ok(Value::Object(out))
}

/// What stands before the conversation, wherever it was said.
fn system(request: &Request) -> String {
    let said = request.messages.iter().filter_map(|message| match message {
        Message::System(text) if !text.is_empty() => Some(text.clone()),
        _ => None,
    });
    let wanted = match &request.format {
        Format::Text => None,
        Format::Json => Some("Answer with one JSON value and nothing else.".to_owned()),
        Format::Schema(schema) => Some(format!(
            "Answer with one JSON value that fits this JSON Schema, and nothing else:\n{schema}"
        )),
    };
    said.chain(wanted).collect::<Vec<_>>().join("\n\n")
}

fn turns(messages: &[Message]) -> Vec<Value> {
    let mut turns: Vec<(&str, Vec<Value>)> = Vec::new();
    for message in messages {
        let (role, parts) = match message {
            Message::System(_) => continue,
            Message::User(text) => ("user", text_part(text)),
            Message::Assistant(said) => {
                let calls = said.tool_calls.iter().map(|call| {
                    json!({ "type": "tool_use", "id": call.id, "name": call.name, "input": input(&call.arguments) })
                });
                ("assistant", text_part(&said.text).into_iter().chain(calls).collect())
            }
            Message::Tool(result) => {
                let part = json!({
                    "type": "tool_result", "tool_use_id": result.call, "content": result.text,
                    "is_error": result.failed,
                });
                ("user", vec![part])
            }
        };
        match turns.last_mut() {
            Some((last, found)) if *last == role => found.extend(parts),
            _ => turns.push((role, parts)),
        }
    }
    let is_said = |(_, parts): &(&str, Vec<Value>)| !parts.is_empty();
    let turn = |(role, parts)| json!({ "role": role, "content": Value::Array(parts) });
    turns.into_iter().filter(is_said).map(turn).collect()
}

/// They take no text without a character.
fn text_part(text: &str) -> Vec<Value> {
    match text.trim().is_empty() {
        true => Vec::new(),
        false => vec![json!({ "type": "text", "text": text })],
    }
}

/// They take objects only; what a model wrote otherwise is shown to it as it was.
fn input(arguments: &str) -> Value {
    match serde_json::from_str(arguments) {
        Ok(input @ Value::Object(_)) => input,
        _ => json!({ "arguments": arguments }),
    }
}

#[cfg(test)]
mod tests {
    use orch_sdk::llm::{Chat, Said, ToolCall};

    use super::*;

    #[test]
    fn each_side_speaks_in_turn_and_the_system_before_them() {
        let call = |id: &str, arguments: &str| ToolCall {
            id: id.to_owned(),
            name: "read".to_owned(),
            arguments: arguments.to_owned(),
        };
        let said = Said { text: String::new(), tool_calls: vec![call("a", "{\"p\":1}"), call("b", "oops")] };
        let chat =
            Chat::new().system("s").user("u").user("v").assistant(said).result("a", "1").failed("b", "2");
        let question = of("m", chat.json().request()).unwrap();
        assert_eq!(question["system"], "s\n\nAnswer with one JSON value and nothing else.");
        assert_eq!(
            question["messages"],
            json!([
                { "role": "user", "content": [{ "type": "text", "text": "u" }, { "type": "text", "text": "v" }] },
                { "role": "assistant", "content": [
                    { "type": "tool_use", "id": "a", "name": "read", "input": { "p": 1 } },
                    { "type": "tool_use", "id": "b", "name": "read", "input": { "arguments": "oops" } },
                ] },
                { "role": "user", "content": [
                    { "type": "tool_result", "tool_use_id": "a", "content": "1", "is_error": false },
                    { "type": "tool_result", "tool_use_id": "b", "content": "2", "is_error": true },
                ] },
            ])
        );
    }
}
