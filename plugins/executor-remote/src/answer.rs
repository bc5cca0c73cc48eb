//! What a broker says of a task.
//!
//! In -> out: its JSON -> [`Shown`]; a status that is no success -> [`Refused`], which may pass or not.
//! Invariant: what is not known to pass does not: nobody waits for it.
//! Not here: asking (`broker.rs`).

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

/// A task, as far as it is read here.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Shown {
    pub command: Value,
    /// By the broker's clock; with the id it is this task and no other.
    pub created_at_ms: u64,
    pub attempts: u32,
    pub lease: Option<Lease>,
    pub result: Option<Ended>,
    pub stdout_bytes: u64,
    pub stderr_bytes: u64,
}

impl Shown {
    /// For people, and for the next attempt: how this very task ended.
    #[must_use]
    pub fn named(&self, ended: &Ended) -> String {
        format!("{}, of the task of {}", ended.shown(), self.created_at_ms)
    }

    /// True if its end is in a journal: where no attempt of this run failed or was cut off since the last success, or where the
    /// last one failed with this end. `earlier`: what the host says of that attempt.
    #[must_use]
    pub fn was_recorded(&self, earlier: Option<&str>) -> bool {
        let Some(ended) = &self.result else { return false };
        earlier.is_none_or(|said| said.starts_with(&self.named(ended)))
    }
}

/// Who works on it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Lease {
    pub worker: String,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Ended {
    pub worker: Option<String>,
    pub exit_code: Option<i32>,
    pub reason: Option<String>,
}

impl Ended {
    /// For people: `exit 0 at worker w1`.
    #[must_use]
    pub fn shown(&self) -> String {
        let at = self.worker.as_ref().map_or_else(String::new, |worker| format!(" at worker `{worker}`"));
        match (self.exit_code, &self.reason) {
            (Some(code), _) => format!("exit {code}{at}"),
            (None, Some(reason)) => format!("no exit code{at}: {reason}"),
            (None, None) => format!("no exit code{at}"),
        }
    }
}

/// A request that came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Asking again may help.
    Later(String),
    Never(String),
    /// There is a task of that id.
    Taken,
    /// A worker has it.
    InProgress,
    /// There is no task of that id.
    Unknown,
}

impl fmt::Display for Refused {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Later(why) | Self::Never(why) => write!(out, "{why}"),
            Self::Taken => write!(out, "the broker has another task of this id"),
            Self::InProgress => write!(out, "a worker has the task"),
            Self::Unknown => write!(out, "the broker has no such task (any more)"),
        }
    }
}

#[derive(Deserialize)]
struct Problem {
    code: String,
    #[serde(default)]
    detail: String,
}

/// What a status that is no success means; `body`: a problem as JSON, or anything.
#[must_use]
pub fn refused(status: u16, body: &[u8]) -> Refused {
    let problem: Option<Problem> = serde_json::from_slice(body).ok();
    let code = problem.as_ref().map_or("", |problem| problem.code.as_str());
    match (status, code) {
        (409, "id-taken") => return Refused::Taken,
        (409, "in-progress") => return Refused::InProgress,
        (404, "task-unknown") => return Refused::Unknown,
        _ => {}
    }
    let said = problem.map_or_else(String::new, |problem| format!(" ({}: {})", problem.code, problem.detail));
    let hint = match status {
        401 | 403 => ": the secret `broker` needs the scope `run` there",
        404 => ": the setting `broker` needs the path that the broker is mounted at",
        507 => ": tasks that ended have to be removed there, or its `kv.bytes` raised",
        _ => "",
    };
    let why = format!("the broker answered with status {status}{said}{hint}");
    match status {
        429 | 500 | 502 | 503 | 504 => Refused::Later(why),
        _ => Refused::Never(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_read_as_the_broker_shows_it() {
        let shown: Shown = serde_json::from_str(
            r#"{"id": "s.a", "title": null, "command": ["make"], "status": "in_progress", "priority": 50, "timeout_seconds": null,
                "attempts": 2, "max_attempts": 10, "created_at_ms": 1, "lease": {"worker": "w1", "until_ms": 5}, "result": null,
                "stdout_bytes": 0, "stderr_bytes": 3}"#,
        )
        .unwrap();
        assert_eq!((shown.attempts, shown.stderr_bytes, shown.result), (2, 3, None));
        assert_eq!(shown.lease, Some(Lease { worker: "w1".to_owned() }));
        let ended = |worker: Option<&str>, exit_code, reason: Option<&str>| {
            let (worker, reason) = (worker.map(str::to_owned), reason.map(str::to_owned));
            Ended { worker, exit_code, reason }.shown()
        };
        assert_eq!(ended(Some("w1"), Some(3), None), "exit 3 at worker `w1`");
        assert_eq!(ended(None, None, Some("timeout")), "no exit code: timeout");
    }

    #[test]
    fn an_end_was_recorded_if_the_host_says_it_or_knows_of_no_attempt_that_it_could_be_of() {
        let of = |created_at_ms, result: Option<Ended>| Shown {
            command: Value::Null,
            created_at_ms,
            attempts: 1,
            lease: None,
            result,
            stdout_bytes: 0,
            stderr_bytes: 0,
        };
        let ended = Ended { worker: Some("w1".to_owned()), exit_code: Some(3), reason: None };
        let there = of(77, Some(ended.clone()));
        let said = there.named(&ended) + ":\nno such file (asked for)";
        for (there, earlier, expected) in [
            (&there, None, true),
            (&there, Some(said.as_str()), true),
            (&there, Some("the host ended after the attempt's first effect and before its answer"), false),
            (&of(78, Some(ended.clone())), Some(said.as_str()), false),
            (&of(77, None), None, false),
            (&of(77, None), Some(said.as_str()), false),
        ] {
            assert_eq!(there.was_recorded(earlier), expected, "{there:?} {earlier:?}");
        }
    }

    #[test]
    fn only_what_may_pass_is_asked_again() {
        let problem = |code: &str| format!(r#"{{"code": "{code}", "detail": "d"}}"#);
        assert_eq!(refused(409, problem("id-taken").as_bytes()), Refused::Taken);
        assert_eq!(refused(409, problem("in-progress").as_bytes()), Refused::InProgress);
        assert_eq!(refused(404, problem("task-unknown").as_bytes()), Refused::Unknown);
        for status in [429, 500, 502, 503, 504] {
            assert!(matches!(refused(status, b"?"), Refused::Later(_)), "{status}");
        }
        for status in [302, 400, 401, 403, 404, 405, 413, 415, 501, 507] {
            assert!(matches!(refused(status, b""), Refused::Never(_)), "{status}");
        }
        let said = refused(401, problem("token-missing").as_bytes()).to_string();
        assert!(said.contains("status 401 (token-missing: d)") && said.contains("scope `run`"), "{said}");
    }
}
