//! `http`: outgoing HTTP, by rules.
//!
//! In -> out: a list of rules; a request -> [`HttpTarget`] -> allowed or not.
//! Invariant: each rule is a product, the list is their union: what one rule allows for a host is never allowed for another
//! rule's; a target has one spelling, and a server that takes its path apart stays below the prefix that was compared.
//! Not here: which address a name may lead to, what goes over the wire (`orch-host`'s `egress`).

use std::fmt;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rule::{Entries, Rule, Star, fields, named};
use super::text::{
    HOST, covers_host_or_any, covers_path, is_dns_name, is_host_and_port_or_any, is_method, is_path_prefix,
    steps_aside,
};
use super::{ANY, Domain, Effect, PermissionExcess, PermissionForm, Side};
use crate::import::Import;
use crate::role::Role;

const RULES_MAX: usize = 32;
const TARGET_BYTES_MAX: usize = 8 * 1024;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct HttpPermission {
    pub rules: Vec<HttpRule>,
}

/// Each of these methods, at each of these hosts, below each of these paths.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpRule {
    #[serde(default)]
    pub scheme: HttpScheme,
    /// `host:port`; `*.` in front covers exactly one label. A name never leads to an address of this machine or of a private
    /// network; an address that is written out does. In a manifest `*` stands for the hosts that the operator names for these
    /// methods and paths.
    pub hosts: Vec<String>,
    pub methods: Vec<String>,
    /// Prefixes.
    pub paths: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HttpScheme {
    #[default]
    Https,
    Http,
}

impl HttpScheme {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
        }
    }

    fn port(self) -> u16 {
        match self {
            Self::Https => 443,
            Self::Http => 80,
        }
    }
}

const HOSTS: Entries = Entries {
    expected: HOST,
    fits: is_host_and_port_or_any,
    covers: covers_host_or_any,
    star: Star::NamedByOperator,
};
const METHODS: Entries = named("an upper-case method, and not `CONNECT` or `TRACE`", is_method, Star::Plain);
const PATHS: Entries = Entries {
    expected: "a plain prefix that starts with `/`",
    fits: is_path_prefix,
    covers: covers_path,
    star: Star::Plain,
};

impl HttpRule {
    fn check_within(&self, outer: &Self) -> Result<(), PermissionExcess> {
        let Self { scheme, hosts, methods, paths } = self;
        if *scheme != outer.scheme {
            return Err(PermissionExcess::new("http.scheme", scheme.as_str(), outer.scheme.as_str()));
        }
        HOSTS.check_within("http.hosts", hosts, &outer.hosts)?;
        METHODS.check_within("http.methods", methods, &outer.methods)?;
        PATHS.check_within("http.paths", paths, &outer.paths)
    }

    /// What both allow; `None`: nothing.
    fn both(&self, other: &Self) -> Option<Self> {
        let mut both = self.clone();
        HOSTS.narrow(&mut both.hosts, &other.hosts);
        METHODS.narrow(&mut both.methods, &other.methods);
        PATHS.narrow(&mut both.paths, &other.paths);
        let is_something = ![&both.hosts, &both.methods, &both.paths].iter().any(|list| list.is_empty());
        (self.scheme == other.scheme && is_something).then_some(both)
    }

    /// The same with the hosts of each rule of the operator that has the rest of it, as far as the maximum has them.
    fn named(&self, operators: &[Self], maximum: Option<&Vec<Self>>) -> Vec<Self> {
        let has_rest = |outer: &&Self| {
            self.scheme == outer.scheme
                && METHODS.check_within("http.methods", &self.methods, &outer.methods).is_ok()
                && PATHS.check_within("http.paths", &self.paths, &outer.paths).is_ok()
        };
        let mut lists: Vec<_> = operators.iter().filter(has_rest).map(|rule| rule.hosts.clone()).collect();
        if let Some(maximum) = maximum {
            let most = maximum.iter().filter(has_rest);
            let narrowed = most.flat_map(|most| {
                lists.iter().map(|hosts| {
                    let mut hosts = hosts.clone();
                    HOSTS.narrow(&mut hosts, &most.hosts);
                    hosts.retain(|host| host != ANY);
                    hosts
                })
            });
            lists = narrowed.collect();
        }
        let mut named: Vec<Self> = Vec::new();
        for hosts in lists.into_iter().filter(|hosts| !hosts.is_empty()) {
            let rule = Self { hosts, ..self.clone() };
            if !named.contains(&rule) {
                named.push(rule);
            }
        }
        named
    }

    fn allows(&self, target: &HttpTarget) -> bool {
        let host = target.host_and_port();
        self.scheme == target.scheme
            && self.methods.contains(&target.method)
            // `*` is in no grant but a candidate's that meets fakes, whose requests go nowhere.
            && self.hosts.iter().any(|outer| covers_host_or_any(outer, &host))
            && self.paths.iter().any(|prefix| covers_path(prefix, &target.path))
    }
}

impl fmt::Display for HttpRule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, hosts, methods, paths } = self;
        let hosts: Vec<_> = hosts.iter().map(|host| format!("{}://{host}", scheme.as_str())).collect();
        write!(out, "{} {} below {}", methods.join(", "), hosts.join(", "), paths.join(", "))
    }
}

/// Each rule must lie in one of the bound.
struct Rules;

impl Rule<Vec<HttpRule>> for Rules {
    fn check_form(
        &self,
        _path: &'static str,
        rules: &Vec<HttpRule>,
        side: Side,
    ) -> Result<(), PermissionForm> {
        if rules.len() > RULES_MAX {
            let found = format!("{} rules", rules.len());
            return Err(PermissionForm { path: "http", found, expected: "at most 32 rules" });
        }
        for HttpRule { scheme: _, hosts, methods, paths } in rules {
            HOSTS.check_form("http.hosts", hosts, side)?;
            METHODS.check_form("http.methods", methods, side)?;
            PATHS.check_form("http.paths", paths, side)?;
        }
        Ok(())
    }

    fn check_within(
        &self,
        _path: &'static str,
        rules: &Vec<HttpRule>,
        outer: &Vec<HttpRule>,
    ) -> Result<(), PermissionExcess> {
        for rule in rules {
            let excess: Vec<_> = outer.iter().map(|outer| rule.check_within(outer)).collect();
            if excess.iter().any(Result::is_ok) {
                continue;
            }
            // Of one rule only is it clear what goes too far.
            return match (outer.len(), excess.into_iter().next()) {
                (1, Some(excess)) => excess,
                _ => {
                    let shown: Vec<_> = outer.iter().map(ToString::to_string).collect();
                    Err(PermissionExcess::new("http", rule, format!("[{}]", shown.join("; "))))
                }
            };
        }
        Ok(())
    }

    fn narrow(&self, rules: &mut Vec<HttpRule>, to: &Vec<HttpRule>) {
        let mut kept: Vec<HttpRule> = Vec::new();
        for both in rules.iter().flat_map(|rule| to.iter().filter_map(|to| rule.both(to))) {
            if !kept.contains(&both) {
                kept.push(both);
            }
        }
        *rules = kept;
    }

    /// A rule with `*` becomes one for each rule of the operator that has its scheme, methods and paths. Where there is none,
    /// it stays and goes beyond what is allowed.
    fn name_programs(
        &self,
        rules: &mut Vec<HttpRule>,
        operators: &Vec<HttpRule>,
        maximum: Option<&Vec<HttpRule>>,
    ) {
        let mut named = Vec::new();
        for rule in rules.drain(..) {
            let stands = rule.hosts.iter().any(|host| host == ANY);
            let found = if stands { rule.named(operators, maximum) } else { Vec::new() };
            if found.is_empty() {
                named.push(rule);
                continue;
            }
            let hosts: Vec<_> = rule.hosts.iter().filter(|host| *host != ANY).cloned().collect();
            if !hosts.is_empty() {
                named.push(HttpRule { hosts, ..rule });
            }
            named.extend(found);
        }
        *rules = named;
    }
}

impl Domain for HttpPermission {
    const NAME: &'static str = "http";
    const PROVIDED: bool = false;

    fn interface(import: Import<'_>) -> Option<&'static str> {
        (import.wasi()? == "http/outgoing-handler").then_some("http")
    }

    fn opens(&self, import: Import<'_>) -> bool {
        // With what its types are made of.
        let interface = import.wasi().unwrap_or_default();
        !self.rules.is_empty()
            && matches!(interface, "http/outgoing-handler" | "http/types" | "clocks/monotonic-clock")
    }

    fn is_for(role: Role) -> bool {
        role != Role::Planner
    }

    fn effect(&self) -> Effect {
        match self.rules.is_empty() {
            true => Effect::None,
            false => Effect::Changing,
        }
    }

    fn keeps(&self) -> bool {
        false
    }

    fn beyond_nothing(&self) -> Result<(), PermissionExcess> {
        let shown: Vec<_> = self.rules.iter().map(ToString::to_string).collect();
        Err(PermissionExcess::new("http", format!("[{}]", shown.join("; ")), "nothing"))
    }

    fn lines(&self) -> Vec<String> {
        self.rules.iter().map(|rule| format!("http: {rule}")).collect()
    }

    fields! { rules: "http.rules" => Rules }
}

impl HttpPermission {
    /// True if one of the rules has all of it.
    pub fn allows(&self, target: &HttpTarget) -> bool {
        self.rules.iter().any(|rule| rule.allows(target))
    }

    /// The rules that have one of these hosts, for these hosts only.
    pub(super) fn at(&self, hosts: &[String]) -> Self {
        let at = |rule: &HttpRule| {
            let has = |host: &&String| rule.hosts.iter().any(|outer| covers_host_or_any(outer, host));
            let hosts: Vec<_> = hosts.iter().filter(has).cloned().collect();
            (!hosts.is_empty()).then(|| HttpRule { hosts, ..rule.clone() })
        };
        Self { rules: self.rules.iter().filter_map(at).collect() }
    }
}

/// Succeeds if an operator could name these hosts.
pub(super) fn check_hosts(path: &'static str, hosts: &[String]) -> Result<(), PermissionForm> {
    HOSTS.check_form(path, &hosts.to_vec(), Side::Allowing)
}

/// Where a request goes, in its one spelling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpTarget {
    pub method: String,
    pub scheme: HttpScheme,
    pub host: HttpHost,
    pub port: u16,
    /// Without the query.
    pub path: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HttpHost {
    /// In small letters.
    Name(String),
    Address(IpAddr),
}

impl fmt::Display for HttpHost {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => out.write_str(name),
            Self::Address(IpAddr::V4(address)) => write!(out, "{address}"),
            Self::Address(IpAddr::V6(address)) => write!(out, "[{address}]"),
        }
    }
}

/// What no rule can allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    #[error("the method is none of capitals, or one that no request may have")]
    Method,
    #[error("the scheme is neither `https` nor `http`")]
    Scheme,
    #[error("a name or password stands before the host")]
    UserInfo,
    #[error("the host is no name, nor an address in its usual spelling")]
    Host,
    #[error("the port is none of 1 to 65535")]
    Port,
    #[error(
        "the path leads elsewhere: it has a step like `..`, however written, a control character or no `/` in front"
    )]
    Path,
}

/// What stands in a URL between `//` and the path.
pub(super) fn host_and_port(authority: &str) -> Result<(HttpHost, Option<u16>), TargetError> {
    if authority.contains('@') {
        return Err(TargetError::UserInfo);
    }
    let (host, port) = match authority.rsplit_once(':') {
        // An address of version 6 alone ends in its bracket.
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let number = |text: &str| {
        let number: u16 = text.parse().ok().filter(|number| *number != 0)?;
        (number.to_string() == text).then_some(number)
    };
    let port = port.map(|text| number(text).ok_or(TargetError::Port)).transpose()?;
    let host = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(six) => {
            HttpHost::Address(six.parse::<std::net::Ipv6Addr>().map_err(|_| TargetError::Host)?.into())
        }
        None => match host.parse::<std::net::Ipv4Addr>() {
            Ok(four) => HttpHost::Address(four.into()),
            Err(_) if is_dns_name(host) => HttpHost::Name(host.to_ascii_lowercase()),
            Err(_) => return Err(TargetError::Host),
        },
    };
    Ok((host, port))
}

impl HttpTarget {
    /// `authority`: `host` or `host:port`. `path`: as it goes over the wire, without the query.
    pub fn new(method: &str, scheme: &str, authority: &str, path: &str) -> Result<Self, TargetError> {
        if !is_method(method) || method.is_empty() || method.len() > 32 {
            return Err(TargetError::Method);
        }
        let scheme = match scheme {
            "https" => HttpScheme::Https,
            "http" => HttpScheme::Http,
            _ => return Err(TargetError::Scheme),
        };
        let (host, port) = host_and_port(authority)?;
        let port = port.unwrap_or_else(|| scheme.port());
        let path = if path.is_empty() { "/" } else { path };
        if !path.starts_with('/') || path.len() > TARGET_BYTES_MAX || steps_aside(path) {
            return Err(TargetError::Path);
        }
        Ok(Self { method: method.to_owned(), scheme, host, port, path: path.to_owned() })
    }

    /// The smallest rule that has it, as `policy.toml` writes it.
    pub fn rule(&self) -> String {
        let (scheme, host) = (self.scheme.as_str(), self.host_and_port());
        let Self { method, path, .. } = self;
        format!(
            r#"{{ scheme = "{scheme}", hosts = ["{host}"], methods = ["{method}"], paths = ["{path}"] }}"#
        )
    }

    /// As rules write it.
    pub fn host_and_port(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

impl fmt::Display for HttpTarget {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, scheme, host, port, path } = self;
        write!(out, "{method} {}://{host}:{port}{path}", scheme.as_str())
    }
}

#[cfg(test)]
mod tests;
