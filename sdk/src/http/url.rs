//! Where a request goes.
//!
//! In -> out: the text of a URL, or what a redirect says beside one -> [`Url`].
//! Invariant: as it goes over the wire: visible ASCII, no user, no fragment; nothing is encoded or decoded.
//! Not here: which URLs may be asked (the host's rules).

use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Https,
    Http,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Url {
    pub(super) scheme: Scheme,
    /// `host` or `host:port`, in small letters.
    pub(super) authority: String,
    /// Begins with `/`.
    pub(super) path_with_query: String,
}

impl Scheme {
    fn as_str(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Https, Self::Http].into_iter().find(|scheme| text.eq_ignore_ascii_case(scheme.as_str()))
    }
}

impl Url {
    /// An error says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let text = wire(text)?;
        let (scheme, rest) = text.split_once("://").ok_or("is no `https://host/path`")?;
        Self::of(Scheme::parse(scheme).ok_or("has a scheme that is neither `https` nor `http`")?, rest)
    }

    /// `rest`: what follows `://`.
    fn of(scheme: Scheme, rest: &str) -> Result<Self, &'static str> {
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        if authority.contains('@') {
            return Err("has a name or password before its host");
        }
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        if host.is_empty() {
            return Err("has no host");
        }
        let slash = if rest.starts_with('/') { "" } else { "/" };
        let path_with_query = format!("{slash}{rest}");
        Ok(Self { scheme, authority: authority.to_ascii_lowercase(), path_with_query })
    }

    /// Where `location` leads from here (RFC 3986, 5.2).
    pub(super) fn join(&self, location: &str) -> Result<Self, &'static str> {
        let location = wire(location)?;
        if let Some(rest) = location.strip_prefix("//") {
            return Self::of(self.scheme, rest);
        }
        let first = location.split(['/', '?']).next().unwrap_or_default();
        if first.contains(':') {
            return Self::parse(location);
        }
        let path = self.path();
        let (step, query) = match location.split_once('?') {
            Some((step, query)) => (step, format!("?{query}")),
            None => (location, String::new()),
        };
        let path = match step {
            // The fragment alone, which is gone.
            "" if query.is_empty() => return Ok(self.clone()),
            "" => path.to_owned(),
            step if step.starts_with('/') => without_dots(step),
            step => {
                let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
                without_dots(&format!("{folder}/{step}"))
            }
        };
        Ok(Self { path_with_query: path + &query, ..self.clone() })
    }

    pub(super) fn path(&self) -> &str {
        self.path_with_query.split('?').next().unwrap_or_default()
    }

    pub(super) fn has_origin_of(&self, other: &Self) -> bool {
        self.origin() == other.origin()
    }

    fn origin(&self) -> (Scheme, &str) {
        let usual = if self.scheme == Scheme::Https { ":443" } else { ":80" };
        (self.scheme, self.authority.strip_suffix(usual).unwrap_or(&self.authority))
    }
}

/// Without the query, which can hold what no log should.
impl fmt::Display for Url {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}://{}{}", self.scheme.as_str(), self.authority, self.path())
    }
}

/// The text without its fragment, if it can go over the wire.
fn wire(text: &str) -> Result<&str, &'static str> {
    let text = text.split('#').next().unwrap_or_default();
    match text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
        true => Ok(text),
        false => Err("has a space, a `\\` or something that is not ASCII, which must be encoded"),
    }
}

/// A path that begins with `/`, its steps `.` and `..` taken.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut steps = path.strip_prefix('/').unwrap_or(path).split('/');
    for step in steps.clone() {
        match step {
            "." => {}
            ".." => drop(kept.pop()),
            step => kept.push(step),
        }
    }
    let leads_into_folder = matches!(steps.next_back(), Some("." | ".."));
    let end = if leads_into_folder && !kept.is_empty() { "/" } else { "" };
    format!("/{}{end}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap_or_else(|why| panic!("{text} {why}"))
    }

    #[test]
    fn a_url_is_taken_apart_as_it_goes_over_the_wire() {
        for (text, authority, rest) in [
            ("https://example.com", "example.com", "/"),
            ("HTTPS://Example.COM:8443/A/b?x=1&y=/#part", "example.com:8443", "/A/b?x=1&y=/"),
            ("http://127.0.0.1:8080?x", "127.0.0.1:8080", "/?x"),
            ("http://[::1]:80/%20", "[::1]:80", "/%20"),
        ] {
            let url = url(text);
            assert_eq!((url.authority.as_str(), url.path_with_query.as_str()), (authority, rest), "{text}");
        }
        assert_eq!(url("https://a.b/c?token=x").to_string(), "https://a.b/c");
    }

    #[test]
    fn what_is_no_url_is_said_to_be_none() {
        for text in [
            "",
            "example.com/",
            "/path",
            "ftp://example.com/",
            "https:///path",
            "https://:443/",
            "https://me@example.com/",
            "https://me:word@example.com/",
            "https://example.com/a b",
            "https://example.com/\u{e4}",
            "https://example.com\\@evil.org/",
            "https://example.com/\r\nx: y",
        ] {
            assert!(Url::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_location_is_read_from_where_it_was_said() {
        let from = url("https://a.example/b/c/d?q");
        for (location, to) in [
            ("https://other.example/x", "https://other.example/x"),
            ("http://a.example/", "http://a.example/"),
            ("//other.example:1/x?y", "https://other.example:1/x?y"),
            ("/x", "https://a.example/x"),
            ("/x/../../y/./z", "https://a.example/y/z"),
            ("x?y=1:2", "https://a.example/b/c/x?y=1:2"),
            ("../x", "https://a.example/b/x"),
            ("..", "https://a.example/b/"),
            ("../../../..", "https://a.example/"),
            ("./", "https://a.example/b/c/"),
            ("?z", "https://a.example/b/c/d?z"),
            ("#part", "https://a.example/b/c/d?q"),
        ] {
            assert_eq!(from.join(location), Ok(url(to)), "{location}");
        }
        for location in ["javascript:alert(1)", "https://", "//", "/a b", "mailto:x@y"] {
            assert!(from.join(location).is_err(), "{location}");
        }
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let one = url("https://a.example/x");
        assert!(one.has_origin_of(&url("https://A.example:443/y")));
        for other in ["http://a.example/x", "https://a.example:8443/x", "https://b.a.example/x"] {
            assert!(!one.has_origin_of(&url(other)), "{other}");
        }
        assert!(url("http://a.example:80/").has_origin_of(&url("http://a.example/")));
        assert!(!url("http://a.example:443/").has_origin_of(&url("http://a.example/")));
    }
}
