//! Conformance of services: every request gets one whole response.
//!
//! Limits: bodies of 512 KiB.
//! Not here: listening, and the limits before a request comes here (`orch-host`'s `commands/serve.rs`).

use bytes::Bytes;
use http::Request;

use super::case::{Call, Case, STORES};

pub(super) fn cases() -> Vec<Case> {
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
        request.map(|request| Case::answered(name, Call::Handle(request)))
    };
    let mut cases: Vec<Case> = requests.into_iter().filter_map(made).collect();
    if let Some(status) = status.map(Call::Handle) {
        cases.extend(STORES.map(|(name, mood)| Case { mood, ..Case::answered(name, status.clone()) }));
    }
    cases
}

pub(crate) fn request(method: &str, path: &str, odd_headers: usize, body: Bytes) -> Option<Request<Bytes>> {
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
        assert_eq!(cases().len(), 8 + STORES.len());
    }
}
