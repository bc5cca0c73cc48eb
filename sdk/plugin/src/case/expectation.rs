//! What must come of a case's call.
//!
//! In -> out: what was expected, what came -> differences in words.
//! Invariant: of an object only the named fields are compared, of everything else all of it; no difference means that
//! the case holds.
//! Not here: calling (`run.rs`).

use std::collections::BTreeMap;

use orch_host::cut::cut_to;
use serde::Deserialize;
use serde_json::Value;
use similar::{Algorithm, DiffTag, capture_diff_slices};

use super::content::{Content, shown};

/// What is said in one line.
const SHORT_BYTES: usize = 200;
/// Of one place that differs.
const LINES_SHOWN: usize = 20;
const LINE_BYTES: usize = 300;

/// What must come back. Of `answer`, `failure` and `error` exactly one.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    pub answer: Option<Value>,
    /// The plugin's own: `{"message": "..", "retriable": false}`.
    pub failure: Option<Value>,
    /// Code of the fault: `plugin-trap`, `limit-busy`.
    pub error: Option<String>,
    /// Lines like `info: text`; absent: any.
    pub log: Option<Vec<String>>,
    /// `{"findings": [..], "metrics": [..], "artifacts": [..], "kv": {..}}`; absent: any.
    pub writes: Option<Value>,
    /// Tasks that were asked for through `orch:tasks`; absent: any.
    pub asked: Option<Value>,
    /// What is in the workspace afterwards, or null where nothing may be; others: any.
    #[serde(default)]
    pub files: BTreeMap<String, Option<Content>>,
    /// What was denied; absent: nothing may be.
    #[serde(default)]
    pub denied: Vec<String>,
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    pub ending: Ending,
    pub log: Vec<String>,
    pub writes: Value,
    pub asked: Value,
    /// Of the files that are expected: text, or null.
    pub files: Value,
    pub denied: Vec<String>,
    /// Commands and requests that differ from the script, in words.
    pub unscripted: Vec<String>,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    Answer(Value),
    Failure(Value),
    /// Code and message.
    Error(&'static str, String),
}

impl Expectation {
    /// Every difference; none: the case holds.
    pub fn differences(&self, found: &Found) -> Vec<String> {
        let mut out = Vec::new();
        match (&self.answer, &self.failure, &self.error, &found.ending) {
            (Some(expected), None, None, Ending::Answer(value)) => {
                compare("answer", expected, value, &mut out)
            }
            (None, Some(expected), None, Ending::Failure(value)) => {
                compare("failure", expected, value, &mut out)
            }
            (None, None, Some(expected), Ending::Error(code, _)) if expected == code => {}
            (Some(_), None, None, ending) => {
                out.push(format!("expected an answer, found {}", ending.describe()))
            }
            (None, Some(_), None, ending) => {
                out.push(format!("expected a failure, found {}", ending.describe()))
            }
            (None, None, Some(code), ending) => {
                out.push(format!("expected the error `{code}`, found {}", ending.describe()));
            }
            _ => out.push("`expect` needs exactly one of `answer`, `failure` and `error`".to_owned()),
        }
        if let Some(expected) = &self.log {
            compare("log", &Value::from(expected.clone()), &Value::from(found.log.clone()), &mut out);
        }
        if let Some(expected) = &self.writes {
            compare("writes", expected, &found.writes, &mut out);
        }
        if let Some(expected) = &self.asked {
            compare("asked", expected, &found.asked, &mut out);
        }
        for (path, content) in &self.files {
            let found = found.files.get(path).unwrap_or(&Value::Null);
            let expected = content.as_ref().map_or(Value::Null, |content| shown(content.0.clone()));
            compare(&format!("files.{path}"), &expected, found, &mut out);
        }
        compare("denied", &Value::from(self.denied.clone()), &Value::from(found.denied.clone()), &mut out);
        out.extend(found.unscripted.iter().cloned());
        out
    }
}

impl Ending {
    fn describe(&self) -> String {
        match self {
            Self::Answer(value) => format!("the answer {value}"),
            Self::Failure(value) => format!("the failure {value}"),
            Self::Error(code, message) => format!("the error `{code}`: {message}"),
        }
    }
}

pub(super) fn compare(place: &str, expected: &Value, found: &Value, out: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            for (key, value) in expected {
                compare(&format!("{place}.{key}"), value, found.get(key).unwrap_or(&Value::Null), out);
            }
        }
        (Value::Array(expected), Value::Array(found)) if expected.len() == found.len() => {
            for (index, (expected, found)) in expected.iter().zip(found).enumerate() {
                compare(&format!("{place}[{index}]"), expected, found, out);
            }
        }
        (Value::Number(expected), Value::Number(found)) if expected.as_f64() == found.as_f64() => {}
        _ if expected == found => {}
        _ => differ(place, expected, found, out),
    }
}

/// What is short is said in one line; of what is long, the lines that differ.
fn differ(place: &str, expected: &Value, found: &Value, out: &mut Vec<String>) {
    let (wanted, came) = (expected.to_string(), found.to_string());
    if wanted.len().max(came.len()) <= SHORT_BYTES {
        return out.push(format!("{place}: expected {wanted}, found {came}"));
    }
    let lines = |value: &Value| match value {
        Value::String(text) => text.lines().map(str::to_owned).collect(),
        Value::Array(list) => list.iter().map(Value::to_string).collect(),
        other => vec![other.to_string()],
    };
    let (wanted, came): (Vec<String>, Vec<String>) = (lines(expected), lines(found));
    out.push(format!(
        "{place}: {} lines expected, {} found; what differs (- expected, + found):",
        wanted.len(),
        came.len()
    ));
    let mut shown = 0;
    for change in capture_diff_slices(Algorithm::Myers, &wanted, &came) {
        if change.tag() == DiffTag::Equal {
            continue;
        }
        let (old, new) = (wanted.get(change.old_range()), came.get(change.new_range()));
        let old = old.unwrap_or_default().iter().map(|line| ("-", line));
        for (sign, line) in old.chain(new.unwrap_or_default().iter().map(|line| ("+", line))) {
            shown += 1;
            if shown <= LINES_SHOWN {
                out.push(format!("  {sign} {}", cut_to(line, LINE_BYTES)));
            }
        }
    }
    if shown > LINES_SHOWN {
        out.push(format!("  and {} more lines", shown - LINES_SHOWN));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn differences(expected: Value, ending: Ending) -> Vec<String> {
        let expectation: Expectation = serde_json::from_value(expected).unwrap();
        let (log, denied) = (vec!["info: hello".to_owned()], Vec::new());
        let (files, unscripted) = (json!({ "a.txt": "one", "b.txt": null }), Vec::new());
        let found = Found { ending, log, writes: json!({}), asked: json!([]), files, denied, unscripted };
        expectation.differences(&found)
    }

    #[test]
    fn named_fields_are_compared_and_lists_whole() {
        let answer = || Ending::Answer(json!({ "a": 1, "b": [1, 2.0], "c": "x" }));
        assert_eq!(differences(json!({ "answer": { "a": 1.0, "b": [1, 2] } }), answer()), [""; 0]);
        assert_eq!(differences(json!({ "answer": { "a": 2 } }), answer()), ["answer.a: expected 2, found 1"]);
        assert_eq!(
            differences(json!({ "answer": { "b": [1] } }), answer()),
            ["answer.b: expected [1], found [1,2.0]"]
        );
        assert_eq!(
            differences(json!({ "answer": { "d": 1 } }), answer()),
            ["answer.d: expected 1, found null"]
        );
        assert_eq!(
            differences(json!({ "answer": {}, "log": [] }), answer()),
            ["log: expected [], found [\"info: hello\"]"]
        );
    }

    #[test]
    fn expected_files_are_compared_by_their_text_and_null_is_none() {
        let files =
            |files: Value| differences(json!({ "answer": {}, "files": files }), Ending::Answer(json!({})));
        assert_eq!(files(json!({ "a.txt": "one", "b.txt": null, "c.txt": null })), [""; 0]);
        assert_eq!(files(json!({ "a.txt": "two" })), ["files.a.txt: expected \"two\", found \"one\""]);
        assert_eq!(files(json!({ "a.txt": null })), ["files.a.txt: expected null, found \"one\""]);
        assert_eq!(files(json!({ "b.txt": "x" })), ["files.b.txt: expected \"x\", found null"]);
    }

    #[test]
    fn of_what_is_long_only_what_differs_is_shown() {
        let many = |changed: usize| {
            let line = |number: usize| {
                if number == changed { "info: odd".to_owned() } else { format!("info: line {number}") }
            };
            (0..1000).map(line).collect::<Vec<_>>()
        };
        let mut out = Vec::new();
        compare("log", &json!(many(7)), &json!(&many(1001)[..999]), &mut out);
        let said = [
            "log: 1000 lines expected, 999 found; what differs (- expected, + found):",
            "  - \"info: odd\"",
            "  + \"info: line 7\"",
            "  - \"info: line 999\"",
        ];
        assert_eq!(out, said);
        out.clear();
        compare("answer", &json!("x".repeat(50_000)), &json!("y".repeat(50_000)), &mut out);
        assert!(out.len() == 3 && out.iter().all(|line| line.len() < 400), "{out:?}");
        out.clear();
        compare("answer", &json!("a\n".repeat(100)), &json!("b\n".repeat(100)), &mut out);
        assert_eq!((out.len(), &**out.last().unwrap()), (22, "  and 180 more lines"));
    }

    #[test]
    fn another_ending_is_a_difference() {
        let trap = || Ending::Error("plugin-trap", "unreachable".to_owned());
        assert_eq!(differences(json!({ "error": "plugin-trap" }), trap()), [""; 0]);
        assert_eq!(
            differences(json!({ "answer": {} }), trap()),
            ["expected an answer, found the error `plugin-trap`: unreachable"]
        );
        assert_eq!(
            differences(json!({ "error": "limit-busy" }), trap()),
            ["expected the error `limit-busy`, found the error `plugin-trap`: unreachable"]
        );
        assert_eq!(
            differences(json!({}), trap()),
            ["`expect` needs exactly one of `answer`, `failure` and `error`"]
        );
        assert_eq!(differences(json!({ "answer": {}, "error": "x" }), trap()).len(), 1);
    }
}
