//! What may be asked of a model, and what may be answered.
//!
//! In -> out: a [`Request`] or an [`Answer`] -> nothing, or what is wrong with it, in words.
//! Limits: those of the WIT text.
//! Not here: which model, and for how many tokens (`llm.rs`).

use std::collections::BTreeSet;

use serde_json::Value;

use super::chat::{Answer, Format, Message, Request, Said, Tool, ToolCall, ToolChoice};

const MESSAGES_MAX: usize = 4096;
const MESSAGES_BYTES_MAX: usize = 8 << 20;
pub(crate) const TOOLS_MAX: usize = 128;
pub(crate) const TOOL_NAME_BYTES_MAX: usize = 64;
const DESCRIPTION_BYTES_MAX: usize = 4096;
const SCHEMA_BYTES_MAX: usize = 32 << 10;
const CALL_ID_BYTES_MAX: usize = 128;
const STOPS_MAX: usize = 4;
const STOP_BYTES_MAX: usize = 256;
const MODEL_BYTES_MAX: usize = 128;
const ANSWER_ID_BYTES_MAX: usize = 256;
/// More than any model reads or writes at once.
const TOKENS_MAX: u64 = 1 << 40;

type Checked = Result<(), String>;

/// Succeeds if every field but the model's name is inside its limits.
pub(crate) fn request(request: &Request) -> Checked {
    let Request { model: _, messages, tools, choice, format, temperature, max_tokens, seed: _, stop } =
        request;
    if !(1..=MESSAGES_MAX).contains(&messages.len()) {
        return Err(format!("{} messages, expected 1 to {MESSAGES_MAX}", messages.len()));
    }
    let bytes = messages.iter().map(bytes_of).fold(0usize, usize::saturating_add);
    if bytes > MESSAGES_BYTES_MAX {
        return Err(format!("messages of {bytes} bytes, limit is {MESSAGES_BYTES_MAX}"));
    }
    conversation(messages)?;
    these_tools(tools)?;
    match choice {
        ToolChoice::Named(name) if !tools.iter().any(|tool| tool.name == *name) => {
            return Err("`choice` names a tool that is not in `tools`".to_owned());
        }
        ToolChoice::Required if tools.is_empty() => {
            return Err("`choice` requires a tool, and there is none".to_owned());
        }
        _ => {}
    }
    if let Format::Schema(schema) = format {
        is_object("the schema of `format`", schema)?;
    }
    if temperature.is_some_and(|value| !(0.0..=2.0).contains(&value)) {
        return Err("`temperature` is not 0.0 to 2.0".to_owned());
    }
    if *max_tokens == Some(0) {
        return Err("`max-tokens` is 0".to_owned());
    }
    if stop.len() > STOPS_MAX || stop.iter().any(|text| !(1..=STOP_BYTES_MAX).contains(&text.len())) {
        return Err(format!("`stop` is not at most {STOPS_MAX} texts of 1 to {STOP_BYTES_MAX} bytes"));
    }
    Ok(())
}

fn bytes_of(message: &Message) -> usize {
    match message {
        Message::System(text) | Message::User(text) => text.len(),
        Message::Assistant(said) => bytes_said(said),
        Message::Tool(result) => result.call.len().saturating_add(result.text.len()),
    }
}

fn bytes_said(said: &Said) -> usize {
    let calls = said.tool_calls.iter().map(|call| call.id.len() + call.name.len() + call.arguments.len());
    calls.fold(said.text.len(), usize::saturating_add)
}

/// Succeeds if each result is one of a call further up.
fn conversation(messages: &[Message]) -> Checked {
    let mut called = BTreeSet::new();
    for message in messages {
        match message {
            Message::Assistant(said) => {
                calls(&said.tool_calls)?;
                called.extend(said.tool_calls.iter().map(|call| call.id.as_str()));
            }
            Message::Tool(result) if !called.contains(result.call.as_str()) => {
                return Err("a tool's result is of no call further up".to_owned());
            }
            _ => {}
        }
    }
    Ok(())
}

fn calls(calls: &[ToolCall]) -> Checked {
    if calls.len() > TOOLS_MAX {
        return Err(format!("{} calls of tools in one message, limit is {TOOLS_MAX}", calls.len()));
    }
    let mut ids = BTreeSet::new();
    for ToolCall { id, name, arguments: _ } in calls {
        if !is_line(id, 1, CALL_ID_BYTES_MAX) {
            return Err(format!("a call's `id` is not one line of 1 to {CALL_ID_BYTES_MAX} bytes"));
        }
        if !ids.insert(id) {
            return Err("two calls of one message have the same `id`".to_owned());
        }
        if !is_line(name, 1, TOOL_NAME_BYTES_MAX) {
            return Err(format!("a call's `name` is not one line of 1 to {TOOL_NAME_BYTES_MAX} bytes"));
        }
    }
    Ok(())
}

fn these_tools(tools: &[Tool]) -> Checked {
    if tools.len() > TOOLS_MAX {
        return Err(format!("{} tools, limit is {TOOLS_MAX}", tools.len()));
    }
    let mut names = BTreeSet::new();
    for Tool { name, description, parameters } in tools {
        if !is_tool_name(name) {
            return Err(format!("a tool's name is not 1 to {TOOL_NAME_BYTES_MAX} of `[a-zA-Z0-9_-]`"));
        }
        if !names.insert(name) {
            return Err(format!("two tools have the name `{name}`"));
        }
        if description.len() > DESCRIPTION_BYTES_MAX {
            return Err(format!("the tool `{name}` has a description of over {DESCRIPTION_BYTES_MAX} bytes"));
        }
        is_object(&format!("`parameters` of the tool `{name}`"), parameters)?;
    }
    Ok(())
}

fn is_tool_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (1..=TOOL_NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(fits)
}

fn is_object(what: &str, text: &str) -> Checked {
    if text.len() > SCHEMA_BYTES_MAX {
        return Err(format!("{what} has {} bytes, limit is {SCHEMA_BYTES_MAX}", text.len()));
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(_)) => Ok(()),
        _ => Err(format!("{what} is no JSON object")),
    }
}

fn is_line(text: &str, least: usize, most: usize) -> bool {
    (least..=most).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// Succeeds if an answer is inside its limits.
pub(crate) fn answer(answer: &Answer) -> Checked {
    let Answer { said, stop: _, usage, model, id } = answer;
    if bytes_said(said) > MESSAGES_BYTES_MAX {
        return Err(format!("an answer of over {MESSAGES_BYTES_MAX} bytes"));
    }
    calls(&said.tool_calls)?;
    if usage.cached > usage.input || usage.output > TOKENS_MAX {
        return Err("the answer's `usage` cannot be".to_owned());
    }
    named(model, id, usage.input)
}

/// Succeeds if what every answer says of itself is inside its limits. `input`: tokens that were read.
pub(crate) fn named(model: &str, id: &str, input: u64) -> Checked {
    if input > TOKENS_MAX {
        return Err("the answer's `usage` cannot be".to_owned());
    }
    if !is_line(model, 0, MODEL_BYTES_MAX) {
        return Err(format!("the answer's `model` is not one line of at most {MODEL_BYTES_MAX} bytes"));
    }
    if !is_line(id, 0, ANSWER_ID_BYTES_MAX) {
        return Err(format!("the answer's `id` is not one line of at most {ANSWER_ID_BYTES_MAX} bytes"));
    }
    Ok(())
}
