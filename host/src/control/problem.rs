//! What a holder answers that did not do what was asked (RFC 9457).

use std::collections::BTreeMap;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

use utoipa::ToSchema;
use utoipa::openapi::RefOr;

use crate::drive::act::Refused;

/// Of `application/problem+json`: `status`, `code`, `detail`, and what `code` knows besides.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    pub status: u16,
    pub detail: String,
    /// A word that was heard and not taken.
    #[serde(flatten)]
    #[schema(value_type = Coded)]
    pub why: Why,
}

/// Stable name for programs.
#[derive(ToSchema)]
#[allow(dead_code, reason = "only described")]
struct Coded {
    code: String,
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
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Self { status: status.as_u16(), detail: detail.into(), why: Why::Other { code: code.to_owned() } }
    }
}

impl axum::response::IntoResponse for Problem {
    fn into_response(self) -> axum::response::Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_REQUEST);
        let mut response = (status, axum::Json(&self)).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(KIND));
        response
    }
}

/// Every status that a problem comes with, for the description.
pub(super) struct Refusals;

impl utoipa::IntoResponses for Refusals {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        use utoipa::openapi::{ContentBuilder, Ref, ResponseBuilder};
        let refusal = |(status, what): (u16, &str)| {
            let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
            let response = ResponseBuilder::new().description(what).content(KIND, problem).build();
            (status.to_string(), RefOr::T(response))
        };
        REFUSALS.into_iter().map(refusal).collect()
    }
}

const KIND: &str = "application/problem+json";
const REFUSALS: [(u16, &str); 11] = [
    (400, "What was asked has no form"),
    (401, "No token, or none that counts"),
    (403, "Who asks may not"),
    (404, "It is not there"),
    (408, "The request did not arrive in time"),
    (409, "It is not in a state for that"),
    (413, "The body is too large"),
    (415, "The body is no JSON"),
    (422, "The body says what is no such thing"),
    (500, "The host failed"),
    (503, "Too much at once; again after `Retry-After`"),
];

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let status = match &refused {
            Refused::TaskUnknown { .. } | Refused::RunUnknown { .. } => StatusCode::NOT_FOUND,
            Refused::Reason { .. } => StatusCode::BAD_REQUEST,
            Refused::Unsure { .. } => StatusCode::INTERNAL_SERVER_ERROR,
            Refused::NotAtWork { .. }
            | Refused::Ends
            | Refused::Failed(_)
            | Refused::AtWork { .. }
            | Refused::OptionDiffers { .. }
            | Refused::RunVerified { .. }
            | Refused::TaskStatus { .. }
            | Refused::TaskUnderWay { .. }
            | Refused::TaskChanged { .. } => StatusCode::CONFLICT,
        };
        Self { status: status.as_u16(), detail: refused.to_string(), why: Why::Refused(refused) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive::act::Failure;

    #[test]
    fn a_problem_comes_back_as_it_was() {
        let refused = Refused::TaskUnknown { run: "r".to_owned(), task: "t".to_owned() };
        let (text, hint) = ("t".to_owned(), Some("h".to_owned()));
        let failed = Failure {
            code: "program-not-granted".to_owned(),
            text,
            hint,
            lines: vec!["[x]".to_owned()],
            exit: 3,
        };
        let failed = Refused::Failed(Box::new(failed));
        for problem in
            [refused.into(), failed.into(), Problem::new(StatusCode::FORBIDDEN, "peer-is-a-command", "no")]
        {
            let text = serde_json::to_string(&problem).unwrap();
            assert_eq!(serde_json::from_str::<Problem>(&text).unwrap(), problem, "{text}");
        }
    }
}
