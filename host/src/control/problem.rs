//! What a holder answers that did not do what was asked (RFC 9457).

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde::{Deserialize, Serialize};

use crate::drive::act::Refused;

/// Of `application/problem+json`: `status`, `code`, `detail`, and what `code` knows besides.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    pub status: u16,
    pub detail: String,
    /// A word that was heard and not taken.
    #[serde(flatten)]
    pub why: Why,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Why {
    /// About a task, or the run.
    Refused(Refused),
    /// About who asks and how.
    Other { code: String },
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Self { status: status.as_u16(), detail: detail.into(), why: Why::Other { code: code.to_owned() } }
    }

    pub(super) fn response(&self) -> Response<Full<Bytes>> {
        let mut response = json(StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_REQUEST), self);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let status = match &refused {
            Refused::TaskUnknown { .. } => StatusCode::NOT_FOUND,
            Refused::NotAtWork { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Refused::Reason { .. } => StatusCode::BAD_REQUEST,
            Refused::TaskStatus { .. } | Refused::TaskUnderWay { .. } | Refused::TaskChanged { .. } => {
                StatusCode::CONFLICT
            }
        };
        Self { status: status.as_u16(), detail: refused.to_string(), why: Why::Refused(refused) }
    }
}

pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response<Full<Bytes>> {
    let (status, body) = match serde_json::to_vec(body) {
        Ok(body) => (status, body),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, Vec::new()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_comes_back_as_it_was() {
        let refused = Refused::TaskUnknown { run: "r".to_owned(), task: "t".to_owned() };
        for problem in [refused.into(), Problem::new(StatusCode::FORBIDDEN, "peer-is-a-command", "no")] {
            let text = serde_json::to_string(&problem).unwrap();
            assert_eq!(serde_json::from_str::<Problem>(&text).unwrap(), problem, "{text}");
        }
    }
}
