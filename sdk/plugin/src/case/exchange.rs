//! Requests that a plugin makes of others in a case, and what it is answered.
//!
//! In -> out: [`ScriptedExchange`]s, the requests that were sent -> differences in words.
//! Invariant: every request that was sent and every one of the script is compared, by its place in the order.
//! Not here: the fake that answers (`orch_host::trial`), rules, which the host enforces before it.

use std::collections::BTreeMap;

use http::Uri;
use orch_host::capability::trial::{ScriptedAnswer, ScriptedFault, SentRequest};
use orch_trust::key::base64_decode;
use orch_trust::permission::HttpTarget;
use serde::Deserialize;
use serde_json::Value;

use super::expectation::compare;

/// A request and its answer: `{"request": {..}, "answer": {..}}`, or in the answer's place a `fault`.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Written")]
pub struct ScriptedExchange {
    /// Absent: any.
    request: Option<ExpectedRequest>,
    answer: ScriptedAnswer,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    request: Option<ExpectedRequest>,
    answer: Option<WrittenAnswer>,
    fault: Option<ScriptedFault>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedRequest {
    method: String,
    /// With the query.
    url: String,
    /// Those that are named are compared; names in small letters.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// A text as it is; anything else is JSON, of which named fields are compared. Absent: any.
    body: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenAnswer {
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// A text as it is; anything else is written as JSON.
    #[serde(default)]
    body: Option<Value>,
    /// In its place: what is no text.
    base64: Option<String>,
}

impl WrittenAnswer {
    fn body(body: Option<Value>, base64: Option<String>) -> Result<Vec<u8>, &'static str> {
        match (body, base64) {
            (Some(_), Some(_)) => Err("an answer has `body` or `base64`, not both"),
            (None, Some(coded)) => base64_decode(&coded).map_err(|_| "`base64` of an answer is none"),
            (None, None) => Ok(Vec::new()),
            (Some(Value::String(text)), None) => Ok(text.into_bytes()),
            (Some(json), None) => Ok(json.to_string().into_bytes()),
        }
    }
}

impl TryFrom<Written> for ScriptedExchange {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let answer = match (written.answer, written.fault) {
            (Some(WrittenAnswer { status, headers, body, base64 }), None) => {
                let body = WrittenAnswer::body(body, base64)?;
                ScriptedAnswer::Answer { status, headers: headers.into_iter().collect(), body }
            }
            (None, Some(fault)) => ScriptedAnswer::Fault(fault),
            _ => return Err("an exchange of `http` needs exactly one of `answer` and `fault`"),
        };
        Ok(Self { request: written.request, answer })
    }
}

impl ScriptedExchange {
    pub(super) fn answer(&self) -> ScriptedAnswer {
        self.answer.clone()
    }
}

/// What differs between the script and what was sent.
pub(super) fn differences(script: &[ScriptedExchange], sent: &[SentRequest]) -> Vec<String> {
    let mut out = Vec::new();
    for index in 0..script.len().max(sent.len()) {
        match (script.get(index), sent.get(index)) {
            (Some(ScriptedExchange { request: Some(expected), .. }), Some(sent)) => {
                expected.compare(&format!("http[{index}]"), sent, &mut out);
            }
            (Some(ScriptedExchange { request: Some(expected), .. }), None) => {
                out.push(format!("http[{index}]: `{} {}` never came", expected.method, expected.url));
            }
            (Some(_), None) => out.push(format!("http[{index}]: no request came")),
            (None, Some(sent)) => {
                out.push(format!("http[{index}]: expected no request, found `{}`", shown(sent)));
            }
            _ => {}
        }
    }
    out
}

impl ExpectedRequest {
    fn compare(&self, place: &str, sent: &SentRequest, out: &mut Vec<String>) {
        if self.target() != Some((sent.target.clone(), sent.query.clone())) {
            let expected = format!("`{} {}`", self.method, self.url);
            out.push(format!("{place}: expected {expected}, found `{}`", shown(sent)));
            return;
        }
        for (name, expected) in &self.headers {
            let found = sent.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value);
            let found = found.map_or(Value::Null, |value| Value::from(value.as_str()));
            compare(&format!("{place}.headers.{name}"), &Value::from(expected.as_str()), &found, out);
        }
        if let Some(expected) = &self.body {
            let text = String::from_utf8_lossy(&sent.body);
            let found = match expected {
                Value::String(_) => Value::from(text),
                _ => serde_json::from_str(&text).unwrap_or_else(|_| Value::from(text)),
            };
            compare(&format!("{place}.body"), expected, &found, out);
        }
    }

    fn target(&self) -> Option<(HttpTarget, Option<String>)> {
        let uri: Uri = self.url.parse().ok()?;
        let target = HttpTarget::new(&self.method, uri.scheme_str()?, uri.authority()?.as_str(), uri.path());
        Some((target.ok()?, uri.query().map(str::to_owned)))
    }
}

fn shown(sent: &SentRequest) -> String {
    let query = sent.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
    format!("{}{query}", sent.target)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn script(value: Value) -> Vec<ScriptedExchange> {
        serde_json::from_value(value).unwrap()
    }

    fn sent(url: &str, query: Option<&str>, body: &str) -> SentRequest {
        let uri: Uri = url.parse().unwrap();
        let target = HttpTarget::new("POST", "https", uri.authority().unwrap().as_str(), uri.path()).unwrap();
        SentRequest {
            target,
            query: query.map(str::to_owned),
            headers: vec![("accept".to_owned(), "*/*".to_owned())],
            body: body.into(),
        }
    }

    #[test]
    fn requests_are_compared_in_their_order_and_what_is_left_is_named() {
        let one = json!({
            "request": {
                "method": "POST",
                "url": "https://a.example/x?q=1",
                "headers": { "accept": "*/*" },
                "body": { "text": "hello" },
            },
            "answer": { "status": 200, "body": { "ok": true } },
        });
        let any = json!({ "fault": "timeout" });
        let good = sent("https://a.example/x", Some("q=1"), r#"{"text": "hello", "more": 1}"#);
        let check = |script: &[ScriptedExchange], sent: &[SentRequest]| differences(script, sent);
        let both = script(json!([one, any]));
        assert_eq!(check(&both, &[good.clone(), sent("https://b.example/", None, "")]), [""; 0]);
        assert_eq!(check(&both, std::slice::from_ref(&good)), ["http[1]: no request came"]);
        let one = script(json!([one]));
        assert_eq!(check(&one, &[]), ["http[0]: `POST https://a.example/x?q=1` never came"]);
        assert_eq!(
            check(&one, &[good.clone(), good.clone()]),
            ["http[1]: expected no request, found `POST https://a.example:443/x?q=1`"]
        );
        assert_eq!(
            check(&one, &[sent("https://a.example/x", Some("q=2"), "")]),
            ["http[0]: expected `POST https://a.example/x?q=1`, found `POST https://a.example:443/x?q=2`"]
        );
        let other = SentRequest { headers: Vec::new(), body: br#"{"text": "bye"}"#.to_vec(), ..good };
        assert_eq!(
            check(&one, &[other]),
            [
                "http[0].headers.accept: expected \"*/*\", found null",
                "http[0].body.text: expected \"hello\", found \"bye\""
            ]
        );
    }

    #[test]
    fn an_answer_is_one_thing_and_known() {
        for wrong in [
            json!({}),
            json!({ "answer": { "status": 200 }, "fault": "dns" }),
            json!({ "fault": "tired" }),
            json!({ "answer": { "status": 200, "bdoy": "" } }),
            json!({ "request": { "method": "GET" }, "answer": { "status": 200 } }),
        ] {
            assert!(serde_json::from_value::<ScriptedExchange>(wrong.clone()).is_err(), "{wrong}");
        }
        let texts = script(json!([
            { "answer": { "status": 200, "headers": { "retry-after": "3" }, "body": "plain" } },
            { "answer": { "status": 200, "body": [1] } },
        ]));
        let bodies = texts.iter().map(|exchange| match exchange.answer() {
            ScriptedAnswer::Answer { body, .. } => String::from_utf8(body).unwrap(),
            ScriptedAnswer::Fault(_) => String::new(),
        });
        assert_eq!(bodies.collect::<Vec<_>>(), ["plain", "[1]"]);
    }
}
