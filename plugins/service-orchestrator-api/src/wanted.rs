//! What a request's body says.
//!
//! In -> out: a request -> the tasks of a run, or that nothing was said.
//! Invariant: a body is one JSON object with the keys that are known, or it is empty; nothing else is taken for either.

use orch_sdk::control::Choice;
use orch_sdk::http::Request;
use serde::Deserialize;

use crate::problem::Problem;

const ENTRIES_MAX: usize = 1000;
const CHARACTERS_MAX: usize = 256;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Start {
    tasks: Vec<String>,
    tags: Vec<String>,
    exclude: Vec<String>,
    fail_fast: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// The tasks that are asked for.
///
/// # Errors
/// 400 for a body that is no such object, 415 for one that is no JSON.
pub fn choice(request: &Request) -> Result<Choice, Problem> {
    let Start { tasks, tags, exclude, fail_fast } = read(request)?;
    for list in [&tasks, &tags, &exclude] {
        if list.len() > ENTRIES_MAX || list.iter().any(|entry| entry.chars().count() > CHARACTERS_MAX) {
            let what = format!("a list has at most {ENTRIES_MAX} entries of {CHARACTERS_MAX} characters");
            return Err(Problem::new(400, "body-malformed", what));
        }
    }
    Ok(Choice { tasks, tags, exclude, fail_fast })
}

/// Succeeds if nothing is said: by no body, or by an object without keys.
///
/// # Errors
/// As of [`choice`].
pub fn nothing(request: &Request) -> Result<(), Problem> {
    read::<Nothing>(request).map(drop)
}

fn read<T: Default + for<'a> Deserialize<'a>>(request: &Request) -> Result<T, Problem> {
    if request.body.is_empty() {
        return Ok(T::default());
    }
    let kind = request.header("content-type").unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(Problem::new(415, "body-no-json", "expected a body of `application/json`"));
    }
    let malformed = |error: serde_json::Error| Problem::new(400, "body-malformed", error.to_string());
    // A list would be taken for an object's values in their order.
    if request.body.trim_ascii_start().first() != Some(&b'{') {
        return Err(Problem::new(400, "body-malformed", "expected an object"));
    }
    serde_json::from_slice(&request.body).map_err(malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(kind: &str, body: &str) -> Request {
        Request {
            method: "POST".to_owned(),
            path: "/start".to_owned(),
            query: None,
            headers: vec![("content-type".to_owned(), kind.into())],
            body: body.into(),
        }
    }

    #[test]
    fn a_body_is_an_object_or_nothing() {
        let json = "application/json";
        for (kind, body, status) in [
            ("", "", 200),
            (json, "", 200),
            (json, "{}", 200),
            ("Application/JSON; charset=utf-8", r#"{"tasks":["a"],"failFast":true}"#, 200),
            ("text/plain", "{}", 415),
            ("", "{}", 415),
            ("application/jsonx", "{}", 415),
            (json, "{", 400),
            (json, "[]", 400),
            (json, "null", 400),
            (json, r#"[["a"],[],[],true]"#, 400),
            (json, r#"{"tasks":"a"}"#, 400),
            (json, r#"{"tasks":null}"#, 400),
            (json, r#"{"force":true}"#, 400),
            (json, r#"{"retryFailed":true}"#, 400),
            (json, "{} {}", 400),
            (json, r#"{"tags":[],"tags":["a"]}"#, 400),
        ] {
            let found = choice(&request(kind, body)).map_err(|problem| problem.into_response().status);
            assert_eq!(found.err().unwrap_or(200), status, "{kind} {body}");
        }
        assert!(nothing(&request(json, "{}")).is_ok());
        assert!(nothing(&request(json, r#"{"tasks":[]}"#)).is_err());
    }
}
