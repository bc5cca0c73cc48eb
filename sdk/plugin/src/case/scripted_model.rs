//! Questions to models that a case expects, with their answers.
//!
//! In -> out: [`ScriptedModel`]s, the questions that came -> differences in words.
//! Invariant: every question that came and every one of the script is compared, by its place in the order.
//! Not here: the fake that answers (`orch_host::trial`), grants, which the host holds before it.

use orch_host::capability::llm::written::{WrittenAnswer, WrittenError, WrittenRequest};
use orch_host::capability::llm::{Answer, Chat, ChatError};
use orch_host::capability::trial::{AskedModel, ScriptedChat};
use serde::Deserialize;
use serde_json::{Value, json};

use super::expectation::compare;

/// A question and its answer: `{"request": {..}, "answer": {..}}`, or in the answer's place an `error`.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Written")]
pub struct ScriptedModel {
    /// Absent: any. Of what is named only that is compared; `last` is the last message.
    request: Option<Value>,
    answer: Result<WrittenAnswer, WrittenError>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    request: Option<Value>,
    answer: Option<WrittenAnswer>,
    error: Option<WrittenError>,
}

impl TryFrom<Written> for ScriptedModel {
    type Error = String;

    fn try_from(Written { request, answer, error }: Written) -> Result<Self, String> {
        const FIELDS: [&str; 10] = [
            "model",
            "messages",
            "last",
            "tools",
            "choice",
            "format",
            "temperature",
            "maxTokens",
            "seed",
            "stop",
        ];
        let fields = request.iter().filter_map(Value::as_object).flat_map(|request| request.keys());
        if let Some(unknown) = fields.into_iter().find(|field| !FIELDS.contains(&field.as_str())) {
            return Err(format!(
                "a request of `models` has `{unknown}`, expected some of {}",
                FIELDS.join(", ")
            ));
        }
        let answer = match (answer, error) {
            (Some(answer), None) => Ok(answer),
            (None, Some(error)) => Err(error),
            _ => return Err("an exchange of `models` needs exactly one of `answer` and `error`".to_owned()),
        };
        Ok(Self { request, answer })
    }
}

impl ScriptedModel {
    pub(super) fn answer(&self) -> ScriptedChat {
        self.answer.clone().map(Answer::from).map_err(ChatError::from)
    }
}

/// What differs between the script and what was asked.
pub(super) fn differences(script: &[ScriptedModel], asked: &[AskedModel]) -> Vec<String> {
    let mut out = Vec::new();
    for index in 0..script.len().max(asked.len()) {
        match (script.get(index), asked.get(index)) {
            (Some(ScriptedModel { request: Some(expected), .. }), Some(asked)) => {
                compare(&format!("models[{index}]"), expected, &shown(&asked.chat), &mut out);
            }
            (Some(_), None) => out.push(format!("models[{index}]: no model was asked")),
            (None, Some(asked)) => {
                let found = shown(&asked.chat);
                let last = found.get("last").unwrap_or(&Value::Null);
                out.push(format!("models[{index}]: expected no question, found one that ends with {last}"));
            }
            _ => {}
        }
    }
    out
}

/// A question as a script writes it.
fn shown(chat: &Chat) -> Value {
    let written = WrittenRequest::from(chat.request.clone());
    let last = json!(written.messages.last());
    let mut shown = json!(written);
    if let Value::Object(fields) = &mut shown {
        fields.insert("last".to_owned(), last);
    }
    shown
}

#[cfg(test)]
mod tests {
    use orch_host::capability::llm::{Request, Target};
    use orch_host::capability::provided::Order;

    use super::*;

    fn script(value: Value) -> Vec<ScriptedModel> {
        serde_json::from_value(value).unwrap()
    }

    fn asked(text: &str) -> AskedModel {
        let request: WrittenRequest =
            serde_json::from_value(json!({ "model": "small", "messages": [{ "user": text }] })).unwrap();
        let order = Order {
            consumer: String::new(),
            key: String::new(),
            run: "run".into(),
            workspace: "site".into(),
        };
        AskedModel { order, chat: Chat { target: Target::default(), request: Request::from(request) } }
    }

    #[test]
    fn questions_are_compared_in_their_order_and_what_is_left_is_named() {
        let one = json!({ "request": { "model": "small", "last": { "user": "hello" } }, "answer": { "text": "yes" } });
        let both = script(json!([one, { "error": { "busy": 5 } }]));
        assert_eq!(differences(&both, &[asked("hello"), asked("again")]), [""; 0]);
        assert_eq!(differences(&both, &[asked("hello")]), ["models[1]: no model was asked"]);
        assert_eq!(
            differences(&both[..1], &[asked("bye"), asked("more")]),
            [
                "models[0].last.user: expected \"hello\", found \"bye\"",
                "models[1]: expected no question, found one that ends with {\"user\":\"more\"}"
            ]
        );
    }

    #[test]
    fn an_exchange_is_one_thing_and_known() {
        for wrong in [
            json!({}),
            json!({ "answer": {}, "error": "unavailable" }),
            json!({ "answer": { "txet": "" } }),
            json!({ "error": "tired" }),
            json!({ "request": { "massages": [] }, "answer": {} }),
        ] {
            assert!(serde_json::from_value::<ScriptedModel>(wrong.clone()).is_err(), "{wrong}");
        }
        let calls = script(json!([{ "answer": { "toolCalls": [{ "id": "c", "name": "n" }] } }]));
        assert_eq!(calls[0].answer().unwrap().said.tool_calls.len(), 1);
    }
}
