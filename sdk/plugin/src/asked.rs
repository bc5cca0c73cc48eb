//! One call that an author asks for by hand.
//!
//! In -> out: name and argument of a call, what its host has, as texts -> what cases are made of; what came -> lines.
//! Invariant: the words are those of case files, so that a call that is good becomes a case by copying it.
//! Not here: making the call (`case/run.rs`).

use serde_json::{Value, json};

use crate::case::expectation::{Ending, Found};
use crate::case::{Call, Script};

/// What was asked for is no call.
#[derive(Debug, thiserror::Error)]
#[error("{what} is not one that cases write")]
pub struct AskedError {
    what: String,
    #[source]
    source: serde_json::Error,
}

impl AskedError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        "asked-form"
    }

    /// What the author can do about it.
    pub fn hint(&self) -> String {
        "`docs/authoring.md` has every call and what a host has; `orch-plugin call execute '{\"task\": {\"id\": \"a\", \"kind\": \"note\"}}'`"
            .to_owned()
    }
}

/// The call of that name.
pub fn call(export: &str, argument: &str) -> Result<Call, AskedError> {
    let wrong = |source| AskedError { what: format!("call `{export}` with `{argument}`"), source };
    let argument: Value = serde_json::from_str(argument).map_err(wrong)?;
    serde_json::from_value(json!({ export: argument })).map_err(wrong)
}

/// What a call's host has.
pub fn host(text: &str) -> Result<Script, AskedError> {
    serde_json::from_str(text).map_err(|source| AskedError { what: format!("host `{text}`"), source })
}

/// True if the plugin answered.
pub fn is_answer(found: &Found) -> bool {
    matches!(found.ending, Ending::Answer(_))
}

/// What came of a call: its log first, then what it left, its ending last.
pub fn told(found: &Found) -> Vec<String> {
    let mut lines: Vec<String> = found.log.iter().map(|line| format!("log      {line}")).collect();
    lines.extend(found.denied.iter().map(|what| format!("denied   {what}")));
    lines.extend(found.unscripted.iter().map(|what| format!("host     {what}")));
    for (name, value) in [("writes", &found.writes), ("asked", &found.asked)] {
        let is_empty = |value: &Value| match value {
            Value::Array(list) => list.is_empty(),
            Value::Object(object) => object.iter().all(|(key, inner)| {
                // Whose they are is known.
                key == "plugin"
                    || inner.as_array().is_some_and(Vec::is_empty)
                    || inner == &json!({})
                    || inner == &json!("")
            }),
            _ => false,
        };
        if !is_empty(value) {
            lines.push(format!("{name:<8} {value}"));
        }
    }
    lines.push(match &found.ending {
        Ending::Answer(value) => format!("answer   {value}"),
        Ending::Failure(value) => format!("failure  {value}"),
        Ending::Error(code, message) => format!("error    {code}: {message}"),
    });
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_one_that_cases_write() {
        assert!(matches!(call("reflect", "{}"), Ok(Call::Reflect(_))));
        for (export, argument) in [("dream", "{}"), ("reflect", "{"), ("execute", "{}")] {
            let error = call(export, argument).unwrap_err();
            assert!(error.to_string().contains(export) && error.hint().contains("execute"), "{error}");
        }
        assert_eq!(host(r#"{"files": {"a": "b"}}"#).unwrap().files.len(), 1);
        assert!(host(r#"{"flies": {}}"#).is_err());
    }

    #[test]
    fn what_came_is_told_log_first_and_ending_last() {
        let found = Found {
            ending: Ending::Error("plugin-trap", "unreachable".to_owned()),
            log: vec!["error: panicked at src/lib.rs:7:5".to_owned()],
            writes: json!({ "findings": [], "kv": [{ "label": "a" }] }),
            asked: json!([]),
            files: json!({}),
            denied: vec!["files: `x`".to_owned()],
            unscripted: Vec::new(),
        };
        assert_eq!(
            told(&found),
            [
                "log      error: panicked at src/lib.rs:7:5",
                "denied   files: `x`",
                "writes   {\"findings\":[],\"kv\":[{\"label\":\"a\"}]}",
                "error    plugin-trap: unreachable",
            ]
        );
        assert!(!is_answer(&found));
    }
}
