//! What was not done, and why (RFC 9457): `status`, `code`, `detail`.

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
        let what = format!("only `{allow}` is done to it");
        Self { allow: Some(allow), ..Self::new(405, "method", what) }
    }

    /// The host could not do it now. As an answer of 5xx it asks for nothing.
    pub(crate) fn unavailable() -> Self {
        Self::new(503, "unavailable", "the host cannot do it now")
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
