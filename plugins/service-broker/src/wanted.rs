//! What a request says.
//!
//! In -> out: body and query of a request -> checked values.
//! Limits: the constants below; the host's limit for a body comes before them.
//! Invariant: a body is one JSON object with the keys that are known, or bytes where bytes are asked for; of a query each key
//! that is known comes at most once, and no other comes.

use orch_sdk::http::Request;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::Number;

use crate::problem::Problem;
use crate::queue::CELL_BYTES;
use crate::task::{Command, Status, is_id, is_name};

const COMMAND_BYTES_MAX: usize = 16 * 1024;
const WORDS_MAX: usize = 256;
const TITLE_CHARACTERS_MAX: usize = 256;
const REASON_CHARACTERS_MAX: usize = 2000;
const STREAM_CHARACTERS_MAX: usize = 100_000;
/// Largest fence and offset: JSON has none above that everybody reads alike.
const NUMBER_MAX: u64 = 9_007_199_254_740_991;
/// Up to it every whole number is one of its own, with a point or without.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
const PRIORITY: u8 = 50;
const ATTEMPTS: u32 = 10;
const LEASE_SECONDS: u32 = 60;
const PAGE: u32 = 100;
/// Thirty days.
const KEEP_SECONDS_MAX: u32 = 30 * 86_400;

/// A task that somebody adds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Added {
    pub id: Option<String>,
    pub title: Option<String>,
    pub command: Command,
    #[serde(default = "priority", deserialize_with = "whole")]
    pub priority: u8,
    #[serde(default, deserialize_with = "whole_or_nothing")]
    pub timeout_seconds: Option<u32>,
    #[serde(default = "attempts", deserialize_with = "whole")]
    pub max_attempts: u32,
    #[serde(default, deserialize_with = "whole_or_nothing")]
    pub keep_seconds: Option<u32>,
}

/// A whole number, also one that is written with a point: JSON has one kind of number.
fn whole<'de, D: Deserializer<'de>, T: TryFrom<i64>>(deserializer: D) -> Result<T, D::Error> {
    number(Number::deserialize(deserializer)?)
}

fn whole_or_nothing<'de, D: Deserializer<'de>, T: TryFrom<i64>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Option::<Number>::deserialize(deserializer)?.map(number).transpose()
}

fn number<T: TryFrom<i64>, E: Error>(number: Number) -> Result<T, E> {
    let point = || number.as_f64().filter(|number| number.fract() == 0.0 && number.abs() <= EXACT_MAX);
    let whole = number.as_i64().or_else(|| point().map(|number| number as i64));
    let fits = whole.and_then(|whole| T::try_from(whole).ok());
    fits.ok_or_else(|| E::custom(format!("`{number}` is no whole number that fits here")))
}

fn priority() -> u8 {
    PRIORITY
}

fn attempts() -> u32 {
    ATTEMPTS
}

/// A worker's word that it is still there.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Beat {
    #[serde(deserialize_with = "whole")]
    pub fence: u64,
}

/// How a task ended, and output that was not sent before.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    #[serde(deserialize_with = "whole")]
    pub fence: u64,
    /// Null, but there, if the command did not exit by itself.
    #[serde(deserialize_with = "whole_or_nothing")]
    pub exit_code: Option<i32>,
    pub reason: Option<String>,
    #[serde(default)]
    pub stdout: String,
    #[serde(default)]
    pub stderr: String,
}

/// Who wants a task, and for how long.
#[derive(Debug, PartialEq, Eq)]
pub struct Asked {
    pub worker: String,
    pub seconds: u32,
}

/// Which tasks are listed.
#[derive(Debug, PartialEq, Eq)]
pub struct Listed {
    pub status: Option<Status>,
    pub after: Option<String>,
    pub limit: u32,
}

/// # Errors
/// 400, 415.
pub fn added(request: &Request) -> Result<Added, Problem> {
    let added: Added = read(request)?;
    let bytes = match &added.command {
        Command::Line(line) => line.len(),
        Command::Words(words) => words.iter().map(String::len).sum(),
    };
    let (is_there, has_nul) = match &added.command {
        Command::Line(line) => (!line.trim().is_empty(), line.contains('\0')),
        Command::Words(words) => (
            words.first().is_some_and(|program| !program.is_empty()),
            words.iter().any(|word| word.contains('\0')),
        ),
    };
    let words = if let Command::Words(words) = &added.command { words.len() } else { 1 };
    let wrong = [
        (!is_there, "`command` names no program".to_owned()),
        (has_nul, "`command` has a NUL".to_owned()),
        (
            bytes > COMMAND_BYTES_MAX || words > WORDS_MAX,
            format!("`command` has at most {COMMAND_BYTES_MAX} bytes and {WORDS_MAX} words"),
        ),
        (
            added.id.as_deref().is_some_and(|id| !is_id(id)),
            "`id` has 1 to 64 letters, digits, `.`, `_`, `-`, and is not `next`".to_owned(),
        ),
        (
            too_long(added.title.as_deref(), TITLE_CHARACTERS_MAX),
            format!("`title` has at most {TITLE_CHARACTERS_MAX} characters"),
        ),
        (added.priority > 100, "`priority` is 0 to 100".to_owned()),
        (!(1..=100).contains(&added.max_attempts), "`max_attempts` is 1 to 100".to_owned()),
        (
            added.timeout_seconds.is_some_and(|seconds| !(1..=86_400).contains(&seconds)),
            "`timeout_seconds` is 1 to 86400".to_owned(),
        ),
        (
            added.keep_seconds.is_some_and(|seconds| !(1..=KEEP_SECONDS_MAX).contains(&seconds)),
            format!("`keep_seconds` is 1 to {KEEP_SECONDS_MAX}"),
        ),
    ];
    refuse(wrong)?;
    Ok(added)
}

/// # Errors
/// 400, 415.
pub fn said(request: &Request) -> Result<Said, Problem> {
    let said: Said = read(request)?;
    let streams = [&said.stdout, &said.stderr];
    refuse([
        (
            too_long(said.reason.as_deref(), REASON_CHARACTERS_MAX),
            format!("`reason` has at most {REASON_CHARACTERS_MAX} characters"),
        ),
        (
            streams.into_iter().any(|stream| too_long(Some(stream), STREAM_CHARACTERS_MAX)),
            format!(
                "`stdout` and `stderr` have at most {STREAM_CHARACTERS_MAX} characters here; more is sent to `output` before"
            ),
        ),
    ])?;
    Ok(said)
}

/// # Errors
/// 400, 415.
pub fn beat(request: &Request) -> Result<Beat, Problem> {
    read(request)
}

/// Who appends what, and where: fence, offset, bytes.
///
/// # Errors
/// 400, 413, 415.
pub fn chunk(request: &Request) -> Result<(u64, u64, &[u8]), Problem> {
    let query = Query::of(request, &["fence", "offset"])?;
    let fence = query.number("fence", 0..=NUMBER_MAX)?.ok_or_else(|| missing("fence"))?;
    let offset = query.number("offset", 0..=NUMBER_MAX)?.ok_or_else(|| missing("offset"))?;
    expect_kind(request, "application/octet-stream")?;
    match request.body.len() {
        bytes if bytes > CELL_BYTES => {
            let what = format!("{bytes} bytes, at most {CELL_BYTES} are appended at once");
            Err(Problem::new(413, "chunk-too-large", what))
        }
        _ => Ok((fence, offset, &request.body)),
    }
}

/// Where output is read from.
///
/// # Errors
/// 400.
pub fn offset(request: &Request) -> Result<u64, Problem> {
    Ok(Query::of(request, &["offset"])?.number("offset", 0..=NUMBER_MAX)?.unwrap_or(0))
}

/// # Errors
/// 400.
pub fn asked(request: &Request) -> Result<Asked, Problem> {
    let query = Query::of(request, &["worker", "lease_seconds"])?;
    let seconds = query.number("lease_seconds", 1..=3600)?;
    let seconds = seconds.and_then(|seconds| u32::try_from(seconds).ok()).unwrap_or(LEASE_SECONDS);
    let worker = query.text("worker").unwrap_or("worker").to_owned();
    match is_name(&worker) {
        true => Ok(Asked { worker, seconds }),
        false => Err(query_malformed("`worker` has 1 to 64 letters, digits, `.`, `_`, `-`")),
    }
}

/// # Errors
/// 400.
pub fn listed(request: &Request) -> Result<Listed, Problem> {
    let query = Query::of(request, &["status", "after", "limit"])?;
    let limit = query.number("limit", 1..=500)?;
    let limit = limit.and_then(|limit| u32::try_from(limit).ok()).unwrap_or(PAGE);
    let after = query.text("after").map(str::to_owned);
    if after.as_deref().is_some_and(|after| !is_id(after)) {
        return Err(query_malformed("`after` is a task's id"));
    }
    let status = match query.text("status") {
        None => None,
        Some(said) => {
            let known = Status::ALL.into_iter().find(|status| status.name() == said);
            Some(known.ok_or_else(|| query_malformed("`status` is pending, in_progress, done or failed"))?)
        }
    };
    Ok(Listed { status, after, limit })
}

/// Refuses a query or a body where none is read.
///
/// # Errors
/// 400.
pub fn nothing(request: &Request) -> Result<(), Problem> {
    Query::of(request, &[]).map(drop)
}

/// Keys and values, decoded.
struct Query(Vec<(String, String)>);

impl Query {
    fn of(request: &Request, known: &[&str]) -> Result<Self, Problem> {
        let query = request.query.as_deref().unwrap_or_default();
        let mut found: Vec<(String, String)> = Vec::new();
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            if !known.contains(&&*key) {
                return Err(query_malformed(format!("`{}` is not known", key.escape_default())));
            }
            if found.iter().any(|(there, _)| *there == key) {
                return Err(query_malformed(format!("`{key}` comes twice")));
            }
            found.push((key.into_owned(), value.into_owned()));
        }
        Ok(Self(found))
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| found == key).map(|(_, value)| value.as_str())
    }

    fn number(&self, key: &str, range: std::ops::RangeInclusive<u64>) -> Result<Option<u64>, Problem> {
        let Some(text) = self.text(key) else { return Ok(None) };
        let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|number| is_plain && range.contains(number));
        let (least, most) = (range.start(), range.end());
        number.map(Some).ok_or_else(|| query_malformed(format!("`{key}` is a number from {least} to {most}")))
    }
}

fn too_long(text: Option<&str>, characters_max: usize) -> bool {
    text.is_some_and(|text| text.chars().nth(characters_max).is_some())
}

fn refuse(wrong: impl IntoIterator<Item = (bool, String)>) -> Result<(), Problem> {
    match wrong.into_iter().find(|(is_wrong, _)| *is_wrong) {
        Some((_, what)) => Err(malformed(what)),
        None => Ok(()),
    }
}

fn malformed(what: impl Into<String>) -> Problem {
    Problem::new(400, "body-malformed", what)
}

fn query_malformed(what: impl Into<String>) -> Problem {
    Problem::new(400, "query-malformed", what)
}

fn missing(key: &str) -> Problem {
    query_malformed(format!("`{key}` is missing"))
}

fn expect_kind(request: &Request, expected: &str) -> Result<(), Problem> {
    let kind = request.header("content-type").unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    match essence.eq_ignore_ascii_case(expected) {
        true => Ok(()),
        false => Err(Problem::new(415, "body-kind", format!("expected a body of `{expected}`"))),
    }
}

fn read<T: DeserializeOwned>(request: &Request) -> Result<T, Problem> {
    nothing(request)?;
    expect_kind(request, "application/json")?;
    // A list would be taken for an object's values in their order.
    if request.body.trim_ascii_start().first() != Some(&b'{') {
        return Err(malformed("expected an object"));
    }
    serde_json::from_slice(&request.body).map_err(|error| malformed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(kind: &str, query: &str, body: &str) -> Request {
        Request {
            method: "POST".to_owned(),
            path: "/".to_owned(),
            query: (!query.is_empty()).then(|| query.to_owned()),
            headers: vec![("content-type".to_owned(), kind.into())],
            body: body.into(),
        }
    }

    fn status<T: std::fmt::Debug>(found: Result<T, Problem>) -> u16 {
        found.err().map_or(200, |problem| problem.into_response().status)
    }

    #[test]
    fn a_task_is_an_object_with_a_command() {
        let json = "application/json";
        let long = "x".repeat(COMMAND_BYTES_MAX + 1);
        for (kind, body, expected) in [
            (json, r#"{"command":"make"}"#, 200),
            ("Application/JSON; charset=utf-8", r#"{"command":["make","-j"]}"#, 200),
            (
                json,
                r#"{"command":"x","id":"a.b","title":"t","priority":0,"timeout_seconds":5,"max_attempts":1}"#,
                200,
            ),
            (json, r#"{"command":"x","id":null}"#, 200),
            (json, r#"{"command":"x","priority":5.0,"timeout_seconds":null,"max_attempts":1e1}"#, 200),
            (json, r#"{"command":"x","priority":5.5}"#, 400),
            (json, r#"{"command":"x","priority":null}"#, 400),
            ("text/plain", r#"{"command":"make"}"#, 415),
            ("", r#"{"command":"make"}"#, 415),
            (json, "", 400),
            (json, "{}", 400),
            (json, r#"["make"]"#, 400),
            (json, r#"{"command":""}"#, 400),
            (json, r#"{"command":"  "}"#, 400),
            (json, r#"{"command":[]}"#, 400),
            (json, r#"{"command":[""]}"#, 400),
            (json, r#"{"command":"a\u0000"}"#, 400),
            (json, r#"{"command":7}"#, 400),
            (json, r#"{"command":"x","id":"next"}"#, 400),
            (json, r#"{"command":"x","id":"a/b"}"#, 400),
            (json, r#"{"command":"x","priority":101}"#, 400),
            (json, r#"{"command":"x","priority":-1}"#, 400),
            (json, r#"{"command":"x","max_attempts":0}"#, 400),
            (json, r#"{"command":"x","timeout_seconds":0}"#, 400),
            (json, r#"{"command":"x","keep_seconds":2592000}"#, 200),
            (json, r#"{"command":"x","keep_seconds":0}"#, 400),
            (json, r#"{"command":"x","keep_seconds":2592001}"#, 400),
            (json, r#"{"command":"x","status":"done"}"#, 400),
            (json, r#"{"command":"x","command":"y"}"#, 400),
            (json, r#"{"command":"x"} {}"#, 400),
            (json, &format!(r#"{{"command":"{long}"}}"#), 400),
        ] {
            assert_eq!(status(added(&request(kind, "", body))), expected, "{kind} {body:.80}");
        }
    }

    #[test]
    fn a_result_says_its_fence_and_how_the_command_exited() {
        let json = "application/json";
        for (body, expected) in [
            (r#"{"fence":1,"exit_code":0}"#, 200),
            (r#"{"fence":1,"exit_code":null,"reason":"signal 9"}"#, 200),
            (r#"{"fence":1,"exit_code":0,"stdout":"a","stderr":""}"#, 200),
            (r#"{"fence":1.0,"exit_code":-1.0}"#, 200),
            (r#"{"fence":1,"exit_code":1e300}"#, 400),
            (r#"{"fence":1}"#, 400),
            (r#"{"exit_code":0}"#, 400),
            (r#"{"fence":-1,"exit_code":0}"#, 400),
            (r#"{"fence":1,"exit_code":0.5}"#, 400),
            (r#"{"fence":1,"exit_code":0,"worker":"w"}"#, 400),
        ] {
            assert_eq!(status(said(&request(json, "", body))), expected, "{body}");
        }
        assert_eq!(status(said(&request(json, "x=1", r#"{"fence":1,"exit_code":0}"#))), 400);
    }

    #[test]
    fn queries_have_known_keys_once() {
        let plain = |query| request("", query, "");
        for (query, expected) in [
            ("", 200),
            ("worker=a&lease_seconds=1", 200),
            ("worker=%61", 200),
            ("worker=", 400),
            ("worker=a%20b", 400),
            ("worker=a&worker=b", 400),
            ("lease_seconds=0", 400),
            ("lease_seconds=3601", 400),
            ("lease_seconds=+1", 400),
            ("lease_seconds=", 400),
            ("other=1", 400),
        ] {
            assert_eq!(status(asked(&plain(query))), expected, "{query}");
        }
        for (query, expected) in [
            ("", 200),
            ("status=in_progress&after=a&limit=500", 200),
            ("status=ready", 400),
            ("limit=501", 400),
            ("after=a/b", 400),
        ] {
            assert_eq!(status(listed(&plain(query))), expected, "{query}");
        }
    }

    #[test]
    fn a_chunk_is_bytes_with_its_place() {
        let bytes = "application/octet-stream";
        let large = "x".repeat(CELL_BYTES + 1);
        for (kind, query, body, expected) in [
            (bytes, "fence=1&offset=0", "x", 200),
            (bytes, "fence=1", "x", 400),
            (bytes, "offset=1", "x", 400),
            (bytes, "fence=1&offset=-1", "x", 400),
            (bytes, "fence=1&offset=9007199254740992", "x", 400),
            (bytes, "fence=1&offset=9007199254740991", "x", 200),
            (bytes, "fence=1&offset=0", "", 200),
            ("text/plain", "fence=1&offset=0", "x", 415),
            (bytes, "fence=1&offset=0", large.as_str(), 413),
        ] {
            assert_eq!(status(chunk(&request(kind, query, body))), expected, "{kind} {query}");
        }
    }
}
