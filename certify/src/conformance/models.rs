//! Conformance of providers of models: plain questions and those at the edges, whatever whoever runs the model answers.
//!
//! In -> out: nothing of a run -> cases.
//! Invariant: a provider answers or says why not; no answer from outside ends its call otherwise.
//! Not here: what of a question the host checks before (`orch-host`'s `capability/llm`).

use std::sync::Arc;

use arbitrary::{Result, Unstructured};
use orch_host::capability::llm::{
    Answer, Chat, ChatError, Format, Message, Request, Said, Target, Tool, ToolCall, ToolChoice, ToolResult,
};
use orch_host::role::provider::AskModel;
use orch_task::Kind;

use super::call::{Call, Judged};
use super::case::{Case, OUTSIDE, STORES};
use super::value::{order, text};

impl Judged for AskModel {
    fn wrong(&self, answer: &std::result::Result<Answer, ChatError>) -> Vec<String> {
        let asked = |name: &String| self.chat.request.tools.iter().any(|tool| tool.name == *name);
        let calls = answer.iter().flat_map(|answer| &answer.said.tool_calls);
        let unknown = calls.filter(|call| self.chat.request.tools.is_empty() && !asked(&call.name));
        unknown.map(|call| format!("the call of a tool `{}`, and there was none", call.name)).collect()
    }
}

fn plain() -> AskModel {
    let request = Request {
        model: "small".to_owned(),
        messages: vec![Message::System("Be short.".to_owned()), Message::User("How many?".to_owned())],
        tools: Vec::new(),
        choice: ToolChoice::Auto,
        format: Format::Text,
        temperature: Some(0.0),
        max_tokens: Some(800),
        seed: None,
        stop: Vec::new(),
    };
    let target = Target { model: "model-1".to_owned(), base_url: "https://models.example.com/v1".to_owned() };
    AskModel { order: order("acme/agent", "run-t0.1.1", "run"), chat: Chat { target, request } }
}

fn with(edit: impl FnOnce(&mut Request)) -> AskModel {
    let mut ask = plain();
    edit(&mut ask.chat.request);
    ask
}

fn tool(name: &str) -> Tool {
    let parameters = r#"{"type":"object","properties":{"path":{"type":"string"}}}"#.to_owned();
    Tool { name: name.to_owned(), description: "Reads a file.".to_owned(), parameters }
}

/// A conversation with a call, whose arguments are these, and its result.
fn called(arguments: &str) -> Vec<Message> {
    let call = ToolCall { id: "call-1".to_owned(), name: "read".to_owned(), arguments: arguments.to_owned() };
    let result = ToolResult { call: "call-1".to_owned(), text: "no such file".to_owned(), failed: true };
    vec![
        Message::User("Read it.".to_owned()),
        Message::Assistant(Said { text: String::new(), tool_calls: vec![call] }),
        Message::Tool(result),
    ]
}

pub(super) fn cases(_kind: &Kind) -> Vec<Case> {
    let plain = plain();
    let most = with(|request| {
        request.messages = vec![Message::User("x".repeat(64)); 4096];
        request.tools = (0..128).map(|number| tool(&format!("tool_{number:059}"))).collect();
        request.choice = ToolChoice::Required;
        request.stop = vec!["s".repeat(256); 4];
        request.seed = Some(u64::MAX);
        request.temperature = Some(2.0);
        request.max_tokens = Some(u32::MAX);
    });
    let mut cases = vec![
        Case::survived("question", plain.clone()),
        Case::survived("the-same-again", plain.clone()),
        Case::survived("question-at-every-limit", most),
        Case::survived(
            "question-with-a-result",
            with(|request| {
                request.tools = vec![tool("read")];
                request.messages = called("{}");
            }),
        ),
        Case::survived("arguments-that-are-no-json", with(|request| request.messages = called("{\"path\""))),
        Case::survived("format-json", with(|request| request.format = Format::Json)),
        Case::survived(
            "format-schema",
            with(|request| request.format = Format::Schema("{\"type\":\"object\"}".to_owned())),
        ),
        Case::survived(
            "choice-of-a-tool",
            with(|request| {
                request.tools = vec![tool("read")];
                request.choice = ToolChoice::Named("read".to_owned());
            }),
        ),
    ];
    let moods = STORES.into_iter().chain(OUTSIDE);
    cases.extend(moods.map(|(name, mood)| Case::in_mood(name, &plain, mood)));
    cases
}

pub(super) fn seeded(source: &mut Unstructured<'_>, _kind: &Kind) -> Result<Arc<dyn Call>> {
    let mut messages = Vec::new();
    for _ in 0..source.int_in_range(1..=4u32)? {
        messages.push(match source.int_in_range(0..=2u8)? {
            0 => Message::System(text(source)?),
            1 => Message::User(text(source)?),
            _ => Message::Assistant(Said { text: text(source)?, tool_calls: Vec::new() }),
        });
    }
    let tools = if source.arbitrary()? { vec![tool("read")] } else { Vec::new() };
    let choice = match tools.is_empty() {
        true => ToolChoice::Auto,
        false => source.choose(&[ToolChoice::Auto, ToolChoice::Required, ToolChoice::None])?.clone(),
    };
    let format = source.choose(&[Format::Text, Format::Json, Format::Schema("{}".to_owned())])?.clone();
    let (seed, stop) = (source.arbitrary()?, Vec::new());
    let request = Request {
        messages,
        tools,
        choice,
        format,
        temperature: Some(f64::from(source.int_in_range(0..=20u8)?) / 10.0),
        max_tokens: Some(source.int_in_range(1..=100_000u32)?),
        seed,
        stop,
        ..plain().chat.request
    };
    let key = format!("run-{}", source.int_in_range(0..=999_999u32)?);
    let chat = Chat { request, ..plain().chat };
    Ok(Arc::new(AskModel { order: order("acme/agent", &key, "run"), chat }))
}
