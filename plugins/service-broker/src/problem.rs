//! What was not done, and why (RFC 9457): `status`, `code`, `detail`.

use orch_sdk::Error;
use orch_sdk::http::Response;
use serde_json::json;

/// `application/problem+json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    status: u16,
    /// Stable name for programs.
    code: &'static str,
    detail: String,
    /// Of a path that is there.
    allow: Option<&'static str>,
}

impl Problem {
    pub(crate) fn new(status: u16, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), allow: None }
    }

    /// Another method was meant.
    pub(crate) fn method(allow: &'static str) -> Self {
        let what = format!("it has `{allow}`");
        Self { allow: Some(allow), ..Self::new(405, "method", what) }
    }

    pub(crate) fn unknown(id: &str) -> Self {
        Self::new(404, "task-unknown", format!("there is no task `{}`", id.escape_default()))
    }

    /// What the host did not do. As answers of 5xx these keep nothing.
    pub(crate) fn of_host(error: Error) -> Self {
        match error {
            Error::Denied(what) => Self::new(403, "denied", format!("the operator does not allow {what}")),
            Error::Limit(_) => {
                let what = "the queue has no room: remove tasks that ended, or allow it more `kv.bytes`";
                Self::new(507, "queue-full", what)
            }
            _ => Self::new(503, "unavailable", "the host cannot do it now"),
        }
    }

    #[must_use]
    pub fn into_response(self) -> Response {
        let Self { status, code, detail, allow } = self;
        let body = json!({ "status": status, "code": code, "detail": detail }).to_string();
        let response = Response::new(status, "application/problem+json", body);
        match allow {
            Some(allow) => response.with_header("allow", allow),
            None => response,
        }
    }
}
