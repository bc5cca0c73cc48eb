//! What a registry answers to whom it does not know, and the token that it sends for.
//!
//! In -> out: `WWW-Authenticate` -> [`Challenge`]; a token service's answer -> a token.
//! Limits: 64 KiB of an answer, 32 KiB of a token.
//! Invariant: a token is asked for over TLS, or on this machine by a registry that is on this machine; a name and a password go to
//! where the registry that they are for sends, and no further.

use http::{HeaderMap, HeaderValue};
use serde::Deserialize;

use crate::fetch::{WebAddress, WebAddressText};

pub(super) const ANSWER_BYTES_MAX: u64 = 64 << 10;
const TOKEN_BYTES_MAX: usize = 32 << 10;

/// How a registry wants to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    Basic,
    Bearer { realm: String, service: String },
}

impl Challenge {
    /// The first of the headers that is understood.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let said = headers.get_all(http::header::WWW_AUTHENTICATE);
        said.iter().filter_map(|value| value.to_str().ok()).find_map(Self::parse)
    }

    fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let (mut realm, mut service) = (None, String::new());
        let mut rest = rest.trim_start();
        while let Some((key, value)) = rest.split_once("=\"") {
            let (value, behind) = value.split_once('"')?;
            match key.trim() {
                "realm" => realm = Some(value.to_owned()),
                "service" => value.clone_into(&mut service),
                _ => {}
            }
            rest = behind.trim_start_matches([',', ' ']);
        }
        Some(Self::Bearer { realm: realm?, service })
    }
}

/// Where a token for that repository is asked for.
///
/// # Errors
/// No address, or one of this machine that another one sends to.
pub(super) fn token_address(
    registry: &WebAddress,
    realm: &str,
    service: &str,
    scope: &str,
) -> Result<WebAddress, WebAddressText> {
    let mark = if realm.contains('?') { '&' } else { '?' };
    let text = format!("{realm}{mark}service={}&scope={}", quoted(service), quoted(scope));
    let address = WebAddress::parse(&text)?;
    match address.is_loopback() && !registry.is_loopback() {
        true => {
            let found = realm.escape_default().take(200).collect();
            Err(WebAddressText { found, why: "a registry elsewhere sends to this machine" })
        }
        false => Ok(address),
    }
}

/// The token in an answer, as it is said.
pub(super) fn token(body: &[u8]) -> Option<HeaderValue> {
    #[derive(Deserialize)]
    struct Answer {
        token: Option<String>,
        access_token: Option<String>,
    }
    let answer: Answer = serde_json::from_slice(body).ok()?;
    let token = answer.token.or(answer.access_token)?;
    if token.is_empty() || token.len() > TOKEN_BYTES_MAX {
        return None;
    }
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Text in a query.
fn quoted(text: &str) -> String {
    let quote = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' | b'/' | b',' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    };
    text.bytes().map(quote).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_of_registries_are_understood() {
        let bearer = |realm: &str, service: &str| {
            Some(Challenge::Bearer { realm: realm.to_owned(), service: service.to_owned() })
        };
        let text = "Bearer realm=\"https://auth.example/token\",service=\"registry.example\",scope=\"repository:x:pull,push\"";
        assert_eq!(Challenge::parse(text), bearer("https://auth.example/token", "registry.example"));
        assert_eq!(Challenge::parse("bearer scope=\"a,b\", realm=\"https://a/\""), bearer("https://a/", ""));
        assert_eq!(Challenge::parse("Basic realm=\"x\""), Some(Challenge::Basic));
        for wrong in ["", "Negotiate", "Bearer", "Bearer service=\"x\"", "Bearer realm=\"x"] {
            assert_eq!(Challenge::parse(wrong), None, "{wrong}");
        }
        let mut headers = HeaderMap::new();
        headers.append("www-authenticate", HeaderValue::from_static("Negotiate"));
        headers.append("www-authenticate", HeaderValue::from_static("Basic realm=\"x\""));
        assert_eq!(Challenge::of(&headers), Some(Challenge::Basic));
    }

    #[test]
    fn a_token_is_asked_for_over_tls_or_on_this_machine() {
        let at = |registry: &str, realm: &str| {
            let registry = WebAddress::parse(registry).unwrap();
            token_address(&registry, realm, "a b", "repository:acme/x:pull")
                .map(|address| address.to_string())
        };
        assert_eq!(
            at("https://registry.example/v2/", "https://auth.example/token").unwrap(),
            "https://auth.example/token?service=a%20b&scope=repository:acme/x:pull"
        );
        assert!(
            at("http://127.0.0.1:5000/v2/", "http://127.0.0.1:5001/token?x=y")
                .unwrap()
                .contains("?x=y&service=")
        );
        for realm in [
            "http://auth.example/token",
            "http://127.0.0.1/token",
            "https://127.0.0.1/",
            "/token",
            "",
            "https://a@b/",
        ] {
            assert!(at("https://registry.example/v2/", realm).is_err(), "{realm}");
        }
        let said = |text: &str| token(text.as_bytes()).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(said("{\"token\":\"abc\",\"expires_in\":300}").as_deref(), Some("Bearer abc"));
        assert_eq!(said("{\"access_token\":\"abc\"}").as_deref(), Some("Bearer abc"));
        for wrong in ["", "{}", "{\"token\":\"\"}", "{\"token\":\"a\\nb\"}", "[]"] {
            assert_eq!(said(wrong), None, "{wrong}");
        }
    }
}
