//! Questions and answers of models, as JSON has them: in authors' cases, and for digests.
//!
//! In -> out: a [`Request`], an [`Answer`] -> JSON, and back.
//! Invariant: what is read from JSON and written again is the same.

use serde::{Deserialize, Serialize};

use crate::bindings::llm::shapes::{
    Answer, ChatError, Format, Message, Request, Said, StopReason, Tool, ToolCall, ToolChoice, ToolResult,
    Usage,
};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WrittenRequest {
    #[serde(default)]
    pub model: String,
    pub messages: Vec<WrittenMessage>,
    #[serde(default)]
    pub tools: Vec<WrittenTool>,
    #[serde(default)]
    pub choice: WrittenChoice,
    #[serde(default)]
    pub format: WrittenFormat,
    pub temperature: Option<f64>,
    pub max_tokens: Option<u32>,
    pub seed: Option<u64>,
    #[serde(default)]
    pub stop: Vec<String>,
}

/// `{"system": ".."}`, `{"user": ".."}`, `{"assistant": {..}}`, `{"tool": {..}}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WrittenMessage {
    System(String),
    User(String),
    Assistant(WrittenSaid),
    Tool(WrittenResult),
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WrittenSaid {
    #[serde(default)]
    pub text: String,
    #[serde(default)]
    pub tool_calls: Vec<WrittenCall>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenCall {
    pub id: String,
    pub name: String,
    #[serde(default)]
    pub arguments: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenResult {
    pub call: String,
    #[serde(default)]
    pub text: String,
    #[serde(default)]
    pub failed: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenTool {
    pub name: String,
    #[serde(default)]
    pub description: String,
    pub parameters: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WrittenChoice {
    #[default]
    Auto,
    None,
    Required,
    Named(String),
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WrittenFormat {
    #[default]
    Text,
    Json,
    Schema(String),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WrittenAnswer {
    #[serde(default)]
    pub text: String,
    #[serde(default)]
    pub tool_calls: Vec<WrittenCall>,
    /// Absent: `toolCalls` if there are some, else `end`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<WrittenStop>,
    #[serde(default)]
    pub usage: WrittenUsage,
    #[serde(default)]
    pub model: String,
    #[serde(default)]
    pub id: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WrittenStop {
    End,
    Length,
    ToolCalls,
    Refused,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WrittenUsage {
    pub input: u64,
    pub cached: u64,
    pub output: u64,
}

/// `{"denied": ".."}`, `{"busy": 5}`, `"unavailable"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WrittenError {
    Denied(String),
    Invalid(String),
    Limit(String),
    Busy(Option<u64>),
    Unavailable,
}

/// Records of the same fields on both sides.
macro_rules! same {
    ($($Wire:ident = $Written:ident { $($field:ident),+ })+) => {
        $(impl From<$Wire> for $Written {
            fn from(value: $Wire) -> Self {
                let $Wire { $($field),+ } = value;
                Self { $($field),+ }
            }
        }

        impl From<$Written> for $Wire {
            fn from(value: $Written) -> Self {
                let $Written { $($field),+ } = value;
                Self { $($field),+ }
            }
        })+
    };
}

same! {
    ToolCall = WrittenCall { id, name, arguments }
    ToolResult = WrittenResult { call, text, failed }
    Tool = WrittenTool { name, description, parameters }
    Usage = WrittenUsage { input, cached, output }
}

/// Variants of the same names on both sides.
macro_rules! same_cases {
    ($($Wire:ident = $Written:ident { $($Case:ident $(($held:ident))?),+ })+) => {
        $(impl From<$Wire> for $Written {
            fn from(value: $Wire) -> Self {
                match value {
                    $($Wire::$Case $(($held))? => Self::$Case $(($held.into()))?,)+
                }
            }
        }

        impl From<$Written> for $Wire {
            fn from(value: $Written) -> Self {
                match value {
                    $($Written::$Case $(($held))? => Self::$Case $(($held.into()))?,)+
                }
            }
        })+
    };
}

same_cases! {
    Message = WrittenMessage { System(text), User(text), Assistant(said), Tool(result) }
    ToolChoice = WrittenChoice { Auto, None, Required, Named(name) }
    Format = WrittenFormat { Text, Json, Schema(schema) }
    StopReason = WrittenStop { End, Length, ToolCalls, Refused }
    ChatError = WrittenError { Denied(what), Invalid(why), Limit(name), Busy(pause), Unavailable }
}

fn all<T: Into<U>, U>(list: Vec<T>) -> Vec<U> {
    list.into_iter().map(Into::into).collect()
}

impl From<Said> for WrittenSaid {
    fn from(Said { text, tool_calls }: Said) -> Self {
        Self { text, tool_calls: all(tool_calls) }
    }
}

impl From<WrittenSaid> for Said {
    fn from(WrittenSaid { text, tool_calls }: WrittenSaid) -> Self {
        Self { text, tool_calls: all(tool_calls) }
    }
}

impl From<Request> for WrittenRequest {
    fn from(request: Request) -> Self {
        let Request { model, messages, tools, choice, format, temperature, max_tokens, seed, stop } = request;
        let (messages, tools, choice, format) = (all(messages), all(tools), choice.into(), format.into());
        Self { model, messages, tools, choice, format, temperature, max_tokens, seed, stop }
    }
}

impl From<WrittenRequest> for Request {
    fn from(request: WrittenRequest) -> Self {
        let WrittenRequest { model, messages, tools, choice, format, temperature, max_tokens, seed, stop } =
            request;
        let (messages, tools, choice, format) = (all(messages), all(tools), choice.into(), format.into());
        Self { model, messages, tools, choice, format, temperature, max_tokens, seed, stop }
    }
}

impl From<Answer> for WrittenAnswer {
    fn from(Answer { said, stop, usage, model, id }: Answer) -> Self {
        let Said { text, tool_calls } = said;
        let (stop, usage) = (Some(stop.into()), usage.into());
        Self { text, tool_calls: all(tool_calls), stop, usage, model, id }
    }
}

impl From<WrittenAnswer> for Answer {
    fn from(WrittenAnswer { text, tool_calls, stop, usage, model, id }: WrittenAnswer) -> Self {
        let by_calls = if tool_calls.is_empty() { StopReason::End } else { StopReason::ToolCalls };
        let stop = stop.map_or(by_calls, Into::into);
        Self { said: Said { text, tool_calls: all(tool_calls) }, stop, usage: usage.into(), model, id }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_is_read_and_written_again_is_the_same() {
        let written: Value = json!({
            "model": "small",
            "messages": [
                { "system": "s" }, { "user": "u" },
                { "assistant": { "text": "t", "toolCalls": [{ "id": "c", "name": "n", "arguments": "{}" }] } },
                { "tool": { "call": "c", "text": "3", "failed": true } },
            ],
            "tools": [{ "name": "n", "description": "d", "parameters": "{}" }],
            "choice": { "named": "n" },
            "format": { "schema": "{}" },
            "temperature": 0.5, "maxTokens": 9, "seed": 1, "stop": ["END"],
        });
        let read: WrittenRequest = serde_json::from_value(written.clone()).unwrap();
        let again = WrittenRequest::from(Request::from(read));
        assert_eq!(serde_json::to_value(again).unwrap(), written);
        let answer: Value = json!({
            "text": "t", "toolCalls": [], "stop": "length",
            "usage": { "input": 3, "cached": 1, "output": 2 }, "model": "m", "id": "i",
        });
        let read: WrittenAnswer = serde_json::from_value(answer.clone()).unwrap();
        assert_eq!(serde_json::to_value(WrittenAnswer::from(Answer::from(read))).unwrap(), answer);
        for error in
            [json!({ "busy": 5 }), json!({ "busy": null }), json!("unavailable"), json!({ "limit": "x" })]
        {
            let read: WrittenError = serde_json::from_value(error.clone()).unwrap();
            assert_eq!(serde_json::to_value(WrittenError::from(ChatError::from(read))).unwrap(), error);
        }
    }
}
