//! What follows from a redirect.
//!
//! In -> out: what was sent, a status, its `location` -> the next request, or none.
//! Invariant: never from `https` to `http`; what lets in goes to its own origin only.
//! Not here: sending, how often (`client.rs`), which requests may be sent (the host's rules: each goes through them).

use super::error::HttpFault;
use super::url::{Scheme, Url};

/// With what words begin that the host replaces by secrets.
const SECRET: &str = "orch-secret-";

/// A request, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Whole {
    pub(super) method: String,
    pub(super) url: Url,
    /// Names in small letters.
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) body: Vec<u8>,
}

impl Whole {
    /// What is to be sent next; `None`: the answer is one, not a redirect.
    pub(super) fn redirected(&self, status: u16, location: Option<&str>) -> Result<Option<Self>, HttpFault> {
        let (301 | 302 | 303 | 307 | 308, Some(location)) = (status, location) else { return Ok(None) };
        let url = self.url.join(location).map_err(|why| HttpFault::Redirect(format!("to what {why}")))?;
        if (self.url.scheme, url.scheme) == (Scheme::Https, Scheme::Http) {
            return Err(HttpFault::Redirect(format!("from `https` to `{url}`")));
        }
        let mut next = Self { url, ..self.clone() };
        let becomes_get = match status {
            301 | 302 => self.method == "POST",
            303 => !matches!(self.method.as_str(), "GET" | "HEAD"),
            _ => false,
        };
        if becomes_get {
            next.method = "GET".to_owned();
            next.body = Vec::new();
            next.headers.retain(|(name, _)| !name.starts_with("content-"));
        }
        if !next.url.has_origin_of(&self.url) {
            next.headers.retain(|(name, value)| !lets_in(name, value));
        }
        Ok(Some(next))
    }
}

/// True for what makes the other side believe who is asking.
fn lets_in(name: &str, value: &[u8]) -> bool {
    matches!(name, "authorization" | "cookie" | "proxy-authorization")
        || value.windows(SECRET.len()).any(|part| part == SECRET.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(method: &str) -> Whole {
        let header = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
        Whole {
            method: method.to_owned(),
            url: Url::parse("https://a.example/x").unwrap(),
            headers: vec![
                header("accept", "*/*"),
                header("content-type", "text/plain"),
                header("authorization", "Bearer x"),
                header("x-key", "k=orch-secret-0123"),
            ],
            body: b"text".to_vec(),
        }
    }

    fn names(whole: &Whole) -> Vec<&str> {
        whole.headers.iter().map(|(name, _)| name.as_str()).collect()
    }

    #[test]
    fn the_method_becomes_get_where_the_standard_says_so() {
        for (status, method, next) in [
            (301, "POST", "GET"),
            (302, "POST", "GET"),
            (303, "POST", "GET"),
            (303, "PUT", "GET"),
            (303, "HEAD", "HEAD"),
            (301, "PUT", "PUT"),
            (302, "DELETE", "DELETE"),
            (307, "POST", "POST"),
            (308, "POST", "POST"),
        ] {
            let found = whole(method).redirected(status, Some("/y")).unwrap().unwrap();
            assert_eq!(found.method, next, "{status} {method}");
            let keeps = next == method;
            assert_eq!(found.body.is_empty(), !keeps, "{status} {method}");
            assert_eq!(names(&found).contains(&"content-type"), keeps, "{status} {method}");
            assert!(names(&found).contains(&"authorization"), "the origin is the same");
            assert_eq!(found.url.to_string(), "https://a.example/y");
        }
    }

    #[test]
    fn what_is_no_redirect_is_an_answer() {
        for (status, location) in [(200, Some("/y")), (300, Some("/y")), (304, Some("/y")), (302, None)] {
            assert_eq!(whole("GET").redirected(status, location), Ok(None), "{status}");
        }
    }

    #[test]
    fn what_lets_in_stays_with_its_origin() {
        for location in ["https://b.example/", "https://a.example:8443/", "//a.example.evil.org/"] {
            let found = whole("PUT").redirected(307, Some(location)).unwrap().unwrap();
            assert_eq!(names(&found), ["accept", "content-type"], "{location}");
        }
        let same = whole("PUT").redirected(307, Some("https://A.example:443/y")).unwrap().unwrap();
        assert_eq!(same.headers, whole("PUT").headers);
    }

    #[test]
    fn nothing_leads_from_https_to_http_or_nowhere() {
        for location in ["http://a.example/x", "http://b.example/", "javascript:0", "https://u@b.example/"] {
            let found = whole("GET").redirected(302, Some(location));
            assert!(matches!(found, Err(HttpFault::Redirect(_))), "{location}: {found:?}");
        }
        let mut plain = whole("GET");
        plain.url = Url::parse("http://a.example/").unwrap();
        assert!(plain.redirected(302, Some("https://a.example/")).unwrap().is_some());
    }
}
