//! Where programs may connect: `host:port`, and what of it covers what.
//!
//! In -> out: entries of `process.network`; `host:port` of a program -> [`NetworkTarget`] -> covered or not.
//! Invariant: `*:port` covers names and never an address; a target has one spelling.
//! Not here: which address a name may lead to (`orch-host`'s `egress`), how a program gets there (its `relay`).

use std::fmt;

use serde::Deserializer;
use serde::de::{SeqAccess, Visitor};

use super::ANY;
use super::http::{HttpHost, TargetError, host_and_port};
use super::text::{covers_any, covers_host, is_dns_name, is_host_and_port};

pub(super) const REACH: &str = "`host:port`, `*:port` for every name at that port, or `*`";
/// In front of a port: every name.
const ANY_NAME: &str = "*:";

/// Where a program wants to connect, in its one spelling.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetworkTarget {
    pub host: HttpHost,
    pub port: u16,
}

impl NetworkTarget {
    /// `authority`: `host:port`, or `host` where there is a usual port.
    ///
    /// # Errors
    /// `UserInfo`, `Host`, `Port`: no entry can cover it.
    pub fn parse(authority: &str, usual_port: Option<u16>) -> Result<Self, TargetError> {
        let (host, port) = host_and_port(authority)?;
        let port = port.or(usual_port).ok_or(TargetError::Port)?;
        Ok(Self { host, port })
    }

    /// True if one of the entries of `process.network` covers it.
    pub fn is_in(&self, entries: &[String]) -> bool {
        let written = self.to_string();
        // `*` is in no grant but a candidate's, whose programs are fakes.
        entries.iter().any(|outer| covers_reach(outer, &written))
    }
}

impl fmt::Display for NetworkTarget {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.host, self.port)
    }
}

/// Reads entries as they are written. Whoever has the word of before, `true` or `false`, is told what is written now.
pub(super) fn entries<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    struct Entries;

    impl<'de> Visitor<'de> for Entries {
        type Value = Vec<String>;

        fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            out.write_str(
                "for `network` a list of `host:port`, such as `[\"example.com:443\"]`, or `[]` for nothing",
            )
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Vec<String>, A::Error> {
            let mut entries = Vec::new();
            while let Some(entry) = sequence.next_element()? {
                entries.push(entry);
            }
            Ok(entries)
        }
    }

    deserializer.deserialize_any(Entries)
}

pub(super) fn is_reach(text: &str) -> bool {
    let is_port =
        |port: &str| port.parse::<u16>().is_ok_and(|number| number != 0 && number.to_string() == port);
    text == ANY || text.strip_prefix(ANY_NAME).map_or_else(|| is_host_and_port(text), is_port)
}

pub(super) fn covers_reach(outer: &str, inner: &str) -> bool {
    let has_name_at = |port: &str| {
        inner.rsplit_once(':').is_some_and(|(host, inner_port)| {
            inner_port == port && is_dns_name(host.strip_prefix("*.").unwrap_or(host))
        })
    };
    covers_any(outer, inner)
        || covers_host(outer, inner)
        || outer.strip_prefix(ANY_NAME).is_some_and(has_name_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(entry: &str, authority: &str, reached: bool) {
        assert!(is_reach(entry), "{entry}");
        let target = NetworkTarget::parse(authority, None).unwrap();
        assert_eq!(target.is_in(&[entry.to_owned()]), reached, "{entry} and {authority}");
    }

    #[test]
    fn an_entry_reaches_what_it_names_at_its_port() {
        check("a.example:443", "a.example:443", true);
        check("a.example:443", "A.EXAMPLE:443", true);
        check("a.example:443", "a.example:80", false);
        check("a.example:443", "b.a.example:443", false);
        check("*.a.example:443", "b.a.example:443", true);
        check("*.a.example:443", "a.example:443", false);
        check("*.a.example:443", "c.b.a.example:443", false);
        check("127.0.0.1:5432", "127.0.0.1:5432", true);
        check("127.0.0.1:5432", "127.0.0.2:5432", false);
        check("[::1]:5432", "[0:0:0:0:0:0:0:1]:5432", true);
    }

    #[test]
    fn every_name_is_no_address_in_any_spelling() {
        for name in ["a.example:443", "localhost:443", "xn--e1afmkfd.example:443"] {
            check("*:443", name, true);
        }
        for other in ["a.example:444", "127.0.0.1:443", "1.1.1.1:443", "[::1]:443", "[2606:4700::1]:443"] {
            check("*:443", other, false);
        }
    }

    #[test]
    fn what_has_no_one_spelling_is_no_entry_and_no_target() {
        for entry in [
            "",
            "a.example",
            "*",
            ":443",
            "*:",
            "*:0",
            "*:0443",
            "*:65536",
            "a.example:0",
            "*.1.2:443",
            "a:b:1",
            "*.*.example:443",
            "**:443",
            "::1:443",
            "0x7f.1:443",
            "user@a.example:443",
            "https://a.example:443",
        ] {
            assert_eq!(is_reach(entry), entry == "*", "{entry}");
        }
        for target in [
            "",
            "a.example",
            "a.example:",
            "a.example:0",
            "a.example:0443",
            "2130706433:443",
            "0x7f.1:443",
            "127.1:443",
            "0177.0.0.1:443",
            "u@a.example:443",
            "[::1",
            "[::1]",
            "a b:443",
            "*.a.example:443",
            "*:443",
        ] {
            assert!(NetworkTarget::parse(target, None).is_err(), "{target}");
        }
        let usual = NetworkTarget::parse("a.example", Some(80)).unwrap();
        assert_eq!(usual.to_string(), "a.example:80");
    }
}
