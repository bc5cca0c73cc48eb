//! Names of repositories: `oci://host[:port]/name[:tag]`.
//!
//! In -> out: text -> [`Address`] and a tag.
//! Limits: 255 characters of a name, 128 of a tag.
//! Invariant: host, name and tag are of the characters that the OCI distribution specification 1.1 has, so that none of them is a
//! path, a query or another host; a host of this machine is asked by plain HTTP, every other one over TLS.

use std::fmt;

use crate::fetch::address::is_loopback;
use crate::sources::SourceError;

/// How such a text begins.
pub const SCHEME: &str = "oci://";

/// A repository of a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub host: String,
    pub name: String,
}

impl Address {
    /// Of what stands behind `oci://`.
    ///
    /// # Errors
    /// `Address`.
    pub fn parse(text: &str) -> Result<(Self, Option<String>), SourceError> {
        let wrong = |why| SourceError::Address { found: text.chars().take(200).collect(), why };
        let (host, rest) = text.split_once('/').ok_or_else(|| wrong("it has no `/` behind its host"))?;
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) => (name, Some(tag)),
            None => (rest, None),
        };
        if !is_host(host) {
            return Err(wrong("its host is no `name`, `name:port` or address"));
        }
        if name.len() > 255 || !name.split('/').all(is_part) {
            return Err(wrong(
                "its name is not of small letters, digits and single `.`, `_`, `-` between them",
            ));
        }
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(wrong("its tag is not of letters, digits, `.`, `_` and `-`"));
        }
        Ok((Self { host: host.to_owned(), name: name.to_owned() }, tag.map(str::to_owned)))
    }

    /// Where its API is, with `/` at its end.
    pub fn api(&self) -> String {
        let bare = self.host.rsplit_once(':').map_or(self.host.as_str(), |(host, _)| host);
        let plain = is_loopback(bare) || is_loopback(&self.host);
        format!("{}://{}/v2/{}/", if plain { "http" } else { "https" }, self.host, self.name)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{SCHEME}{}/{}", self.host, self.name)
    }
}

fn is_host(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let is_port =
        |port: &str| port.parse::<u16>().is_ok_and(|number| number > 0 && number.to_string() == port);
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_name = |name: &str| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        (1..=253).contains(&name.len())
            && name.split('.').all(|label| !label.is_empty() && label.bytes().all(plain))
    };
    let good = match bracketed {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => is_name(host),
    };
    good && port.is_none_or(is_port)
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_part(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = text.bytes().next().is_some_and(letter) && text.bytes().last().is_some_and(letter);
    let mut between = text.split(|character: char| character.is_ascii() && letter(character as u8));
    ends && between.all(|part| matches!(part, "" | "." | "_" | "__") || part.bytes().all(|byte| byte == b'-'))
}

fn is_tag(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let inner = |byte: u8| word(byte) || matches!(byte, b'.' | b'-');
    text.len() <= 128 && text.bytes().next().is_some_and(word) && text.bytes().all(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_a_repository_is_no_path_and_no_other_host() {
        for (text, api, tag) in [
            ("registry.example/acme/hello", "https://registry.example/v2/acme/hello/", None),
            (
                "registry.example:8443/hello:1.2.3-rc.1",
                "https://registry.example:8443/v2/hello/",
                Some("1.2.3-rc.1"),
            ),
            ("127.0.0.1:5000/a/b_c/d--e/f__g", "http://127.0.0.1:5000/v2/a/b_c/d--e/f__g/", None),
            ("localhost/x", "http://localhost/v2/x/", None),
            ("[::1]:5000/x", "http://[::1]:5000/v2/x/", None),
            ("[::1]/x", "http://[::1]/v2/x/", None),
            ("10.0.0.1:5000/x", "https://10.0.0.1:5000/v2/x/", None),
        ] {
            let (address, found) = Address::parse(text).unwrap();
            assert_eq!((address.api().as_str(), found.as_deref()), (api, tag), "{text}");
        }
        for wrong in [
            "registry.example",
            "registry.example/",
            "/x",
            "me@registry.example/x",
            "registry.example:0/x",
            "registry.example:080/x",
            "registry.example:port/x",
            "registry..example/x",
            "Registry.example/x",
            "registry.example/X",
            "registry.example/../x",
            "registry.example/a//b",
            "registry.example/a/../../b",
            "registry.example/a.-b",
            "registry.example/-a",
            "registry.example/a___b",
            "registry.example/a?b",
            "registry.example/a%2f",
            "registry.example/a:",
            "registry.example/a:.x",
            "registry.example/a:x/y",
            "registry.example/ä",
            "[::1/x",
            "[x]/x",
        ] {
            assert!(Address::parse(wrong).is_err(), "{wrong}");
        }
    }
}
