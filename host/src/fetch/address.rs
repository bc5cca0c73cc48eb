//! Addresses that this host asks by itself: `https`, and plain `http` to this machine only.
//!
//! In -> out: text, or what a server said where something is -> [`WebAddress`].
//! Limits: 2048 bytes.
//! Invariant: no name and password, no fragment; nothing leads from `https` to plain `http`.

use std::fmt;
use std::net::IpAddr;

use http::Uri;

const BYTES_MAX: usize = 2048;

/// Where something on the web is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebAddress(Uri);

/// A text that is none.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{found}` is no address like `https://example.org/plugins/`: {why}")]
pub struct WebAddressText {
    pub found: String,
    pub why: &'static str,
}

impl WebAddress {
    /// The address in a text.
    ///
    /// # Errors
    /// It is none, or one that is not asked.
    pub fn parse(text: &str) -> Result<Self, WebAddressText> {
        let wrong = |why| WebAddressText { found: text.escape_default().take(200).collect(), why };
        if text.len() > BYTES_MAX {
            return Err(wrong("it is over 2048 bytes"));
        }
        if text.contains('#') {
            return Err(wrong("it has a fragment"));
        }
        let uri: Uri = text.parse().map_err(|_| wrong("it is no URL"))?;
        let authority = uri.authority().ok_or_else(|| wrong("it has no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("it has a name or password"));
        }
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if is_loopback(authority.host()) => {}
            Some("http") => return Err(wrong("plain `http` goes to this machine only")),
            _ => return Err(wrong("it does not begin with `https://`")),
        }
        Ok(Self(uri))
    }

    /// Where a server said that something is, from here.
    ///
    /// # Errors
    /// It is no address, or leads from `https` to plain `http`.
    pub fn join(&self, said: &str) -> Result<Self, WebAddressText> {
        // A scheme, as RFC 3986 has it.
        let absolute = said.split_once(':').is_some_and(|(scheme, _)| {
            scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
        });
        let (origin, path) = (self.origin(), self.0.path());
        let next = match (absolute, said.strip_prefix('/')) {
            (true, _) => Self::parse(said)?,
            (false, Some(rest)) if !rest.starts_with('/') => Self::parse(&format!("{origin}{said}"))?,
            (false, Some(_)) => Self::parse(&format!("{}:{said}", self.scheme()))?,
            (false, None) => {
                let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
                Self::parse(&format!("{origin}{folder}/{said}"))?
            }
        };
        match self.scheme() == "https" && next.scheme() == "http" {
            true => {
                let found = said.escape_default().take(200).collect();
                Err(WebAddressText { found, why: "it leads from `https` to plain `http`" })
            }
            false => Ok(next),
        }
    }

    /// Scheme, host and port.
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme(), self.authority())
    }

    pub fn authority(&self) -> &str {
        self.0.authority().map(http::uri::Authority::as_str).unwrap_or_default()
    }

    fn scheme(&self) -> &str {
        self.0.scheme_str().unwrap_or_default()
    }

    /// True if it is on this machine, by its text alone.
    pub fn is_loopback(&self) -> bool {
        is_loopback(self.0.host().unwrap_or_default())
    }

    pub fn uri(&self) -> &Uri {
        &self.0
    }
}

impl fmt::Display for WebAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, out)
    }
}

/// True of `localhost` and of written-out addresses of this machine.
pub fn is_loopback(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_goes_to_this_machine_only() {
        for good in [
            "https://example.org/plugins/",
            "https://example.org:8443/x?y=z",
            "http://127.0.0.1:5000/v2/",
            "http://[::1]:5000/",
            "http://localhost/x",
        ] {
            assert_eq!(WebAddress::parse(good).unwrap().to_string(), good);
        }
        for wrong in [
            "http://example.org/",
            "http://10.0.0.1/",
            "http://localhost.example.org/",
            "http://127.0.0.1.example.org/",
            "https://me:word@example.org/",
            "https://example.org/#part",
            "https:///x",
            "ftp://example.org/",
            "example.org/x",
            "/x",
            "",
            &format!("https://example.org/{}", "x".repeat(2048)),
        ] {
            assert!(WebAddress::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_server_leads_to_https_or_stays_on_this_machine() {
        let check = |from: &str, said: &str, to: Option<&str>| {
            let joined = WebAddress::parse(from).unwrap().join(said).ok();
            assert_eq!(joined.map(|to| to.to_string()).as_deref(), to, "{from} {said}");
        };
        check("https://a.example/x/y", "/z?q=1", Some("https://a.example/z?q=1"));
        check("https://a.example/x/y", "z", Some("https://a.example/x/z"));
        check("https://a.example/x/", "z", Some("https://a.example/x/z"));
        check("https://a.example/x/y", "//b.example/z", Some("https://b.example/z"));
        check("https://a.example/x/y", "https://b.example/z", Some("https://b.example/z"));
        check("https://a.example/x/y", "http://127.0.0.1/z", None);
        check("https://a.example/x/y", "http://b.example/z", None);
        check("https://a.example/x/y", "ftp://b.example/z", None);
        check("https://a.example/x/y", "file:/z", None);
        check("http://127.0.0.1:1/x", "http://127.0.0.1:2/z", Some("http://127.0.0.1:2/z"));
        check("http://127.0.0.1:1/x", "https://b.example/z", Some("https://b.example/z"));
        check("http://127.0.0.1:1/x", "http://b.example/z", None);
    }
}
