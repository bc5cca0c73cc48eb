//! Conformance of services: every request gets one whole response.
//!
//! Limits: bodies of 512 KiB.
//! Not here: listening, and the limits before a request comes here (`orch-host`'s `commands/serve.rs`).

use std::sync::Arc;

use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use http::{Method, Request, Response, header};
use orch_host::role::service::Handle;
use orch_task::Kind;

use super::Questions;
use super::call::{Call, Judged};
use super::case::{Case, STORES};
use super::value::text;

pub(super) const QUESTIONS: Questions = Questions { cases, seeded, functions: 1 };

impl Judged for Handle {
    fn wrong(&self, response: &Response<Bytes>) -> Vec<String> {
        let mut wrong = Vec::new();
        if response.status().is_informational() {
            wrong.push(format!("ends with the status {}", response.status().as_u16()));
        }
        let stated = response.headers().get(header::CONTENT_LENGTH);
        let stated = stated.map(|value| value.to_str().ok().and_then(|text| text.parse::<u64>().ok()));
        let bytes = response.body().len() as u64;
        // To a question for the head alone, the length is that of what is left out.
        if stated.is_some_and(|stated| stated != Some(bytes)) && self.0.method() != Method::HEAD {
            wrong.push("states another length than its body has".to_owned());
        }
        wrong
    }
}

fn cases(_kind: &Kind) -> Vec<Case> {
    let long = format!("/{}?{}", "a/".repeat(1000), "%00&".repeat(1000));
    let status = request("GET", "/status", 1, Bytes::new());
    let requests = [
        ("status", status.clone()),
        ("root", request("GET", "/", 1, Bytes::new())),
        ("head", request("HEAD", "/status", 1, Bytes::new())),
        ("odd-method", request("BREW", "/../..//%2e%2e/", 1, Bytes::new())),
        ("long-path", request("DELETE", &long, 1, Bytes::new())),
        ("large-body", request("POST", "/status", 1, Bytes::from(vec![0xff; 512 * 1024]))),
        ("empty-body", request("PUT", "/status", 1, Bytes::new())),
        ("many-headers", request("OPTIONS", "/status", 64, Bytes::new())),
    ];
    let made = |(name, request): (&str, Option<Request<Bytes>>)| {
        request.map(|request| Case::answered(name, Handle(request)))
    };
    let mut cases: Vec<Case> = requests.into_iter().filter_map(made).collect();
    if let Some(status) = status.map(Handle) {
        cases.extend(STORES.map(|(name, mood)| Case { mood, ..Case::answered(name, status.clone()) }));
    }
    cases
}

fn seeded(source: &mut Unstructured<'_>, _kind: &Kind) -> Result<Arc<dyn Call>> {
    let method = *source.choose(&["GET", "POST", "HEAD", "BREW", "OPTIONS", "DELETE", "PATCH"])?;
    let parts: Vec<char> = "/status/..%2e%00?&=#a;:@~".chars().collect();
    let count = source.int_in_range(0..=200)?;
    let path: String = (0..count).map(|_| source.choose(&parts).copied()).collect::<Result<_>>()?;
    let body = Bytes::from(text(source)?.into_bytes());
    let headers = source.int_in_range(0..=40)?;
    // Some of these are no address: the host would not have taken them either.
    let asked = request(method, &format!("/{path}"), headers, body.clone());
    let asked = asked.or_else(|| request(method, "/", headers, body));
    Ok(Arc::new(Handle(asked.ok_or(arbitrary::Error::IncorrectFormat)?)))
}

fn request(method: &str, path: &str, odd_headers: usize, body: Bytes) -> Option<Request<Bytes>> {
    let mut request = Request::builder()
        .method(method)
        .uri(format!("http://localhost{path}"))
        .header("host", "localhost")
        .body(body)
        .ok()?;
    for number in 0..odd_headers {
        let name = http::HeaderName::try_from(format!("x-odd-{number}")).ok()?;
        request.headers_mut().insert(name, http::HeaderValue::from_static("\t,;=\""));
    }
    Some(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_is_well_formed() {
        assert_eq!(cases(&Kind::shell()).len(), 8 + STORES.len());
    }

    #[test]
    fn a_response_is_final_and_as_long_as_it_says() {
        let wrong = |method: &str, status: u16, length: &str| {
            let response = Response::builder().status(status).header(header::CONTENT_LENGTH, length);
            let response = response.body(Bytes::from_static(b"ok")).unwrap();
            Handle(request(method, "/", 0, Bytes::new()).unwrap()).wrong(&response).len()
        };
        assert_eq!(wrong("GET", 200, "2"), 0);
        assert_eq!(wrong("GET", 103, "2"), 1);
        assert_eq!(wrong("GET", 200, "3"), 1);
        assert_eq!(wrong("HEAD", 200, "3"), 0);
    }
}
