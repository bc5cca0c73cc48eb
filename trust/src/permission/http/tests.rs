//! Requests through rules: a table with what must happen, and random rules and URLs against a matcher that shares nothing
//! with the one that is used.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

use proptest::prelude::*;

use super::*;

fn rules(json: &str) -> HttpPermission {
    let read: HttpPermission = serde_json::from_str(json).unwrap();
    read.check_form(Side::Asking).unwrap();
    read
}

/// Two hosts, to be read and written by different rules; a folder of one; addresses that are written out.
const RULES: &str = r#"[
    {"hosts":["api.acme.example:443"],"methods":["GET","HEAD"],"paths":["/"]},
    {"hosts":["hooks.acme.example:443"],"methods":["POST"],"paths":["/services/"]},
    {"hosts":["*.cdn.example:8443"],"methods":["GET"],"paths":["/pub","/open/"]},
    {"scheme":"http","hosts":["127.0.0.1:8080","[::1]:8080"],"methods":["GET","POST"],"paths":["/v1/"]}
]"#;

#[derive(Debug, PartialEq)]
enum Happens {
    Allowed,
    /// No rule has it.
    Denied,
    Never(TargetError),
}
use Happens::{Allowed, Denied, Never};
use TargetError::{Host, Method, Path, Port, Scheme, UserInfo};

#[test]
fn each_request_of_this_table_ends_as_it_must() {
    let rules = rules(RULES);
    let table = [
        // What the rules are for.
        ("GET", "https", "api.acme.example", "/", Allowed),
        ("GET", "https", "api.acme.example:443", "/users/1", Allowed),
        ("HEAD", "https", "api.acme.example", "/users", Allowed),
        ("GET", "https", "API.Acme.Example", "/users", Allowed),
        ("GET", "https", "api.acme.example", "", Allowed),
        ("POST", "https", "hooks.acme.example", "/services/T0/B0", Allowed),
        ("GET", "https", "eu.cdn.example:8443", "/public/x", Allowed),
        ("GET", "https", "eu.cdn.example:8443", "/open/x", Allowed),
        ("GET", "http", "127.0.0.1:8080", "/v1/models", Allowed),
        ("POST", "http", "[::1]:8080", "/v1/chat", Allowed),
        ("GET", "http", "[0:0:0:0:0:0:0:1]:8080", "/v1/", Allowed),
        ("GET", "https", "api.acme.example", "/a..b/c", Allowed),
        ("GET", "https", "api.acme.example", "/a%20b", Allowed),
        ("GET", "https", "api.acme.example", "/a%zz", Allowed),
        ("GET", "https", "api.acme.example", "//x", Allowed),
        // One rule's method at another one's host.
        ("POST", "https", "api.acme.example", "/", Denied),
        ("GET", "https", "hooks.acme.example", "/services/x", Denied),
        ("PUT", "https", "api.acme.example", "/", Denied),
        ("DELETE", "http", "127.0.0.1:8080", "/v1/x", Denied),
        // Paths.
        ("POST", "https", "hooks.acme.example", "/services", Denied),
        ("POST", "https", "hooks.acme.example", "/", Denied),
        ("POST", "https", "hooks.acme.example", "/Services/x", Denied),
        ("POST", "https", "hooks.acme.example", "/%73ervices/x", Denied),
        ("POST", "https", "hooks.acme.example", "//services/x", Denied),
        ("GET", "https", "eu.cdn.example:8443", "/open", Denied),
        ("POST", "https", "hooks.acme.example", "/services/../admin", Never(Path)),
        ("POST", "https", "hooks.acme.example", "/services/./x", Never(Path)),
        ("POST", "https", "hooks.acme.example", "/services/..", Never(Path)),
        ("POST", "https", "hooks.acme.example", "/services/%2e%2e/admin", Never(Path)),
        ("POST", "https", "hooks.acme.example", "/services/%2E./admin", Never(Path)),
        ("POST", "https", "hooks.acme.example", "/services/%252e%252e/admin", Never(Path)),
        ("POST", "https", "hooks.acme.example", "/services/..%2fadmin", Never(Path)),
        ("POST", "https", "hooks.acme.example", "/services/..%5cadmin", Never(Path)),
        ("POST", "https", "hooks.acme.example", "/services/..\\admin", Never(Path)),
        ("POST", "https", "hooks.acme.example", "/services/..;/admin", Never(Path)),
        ("POST", "https", "hooks.acme.example", "/services/..;a=b/admin", Never(Path)),
        ("POST", "https", "hooks.acme.example", "/services/%0d%0aHost:x", Never(Path)),
        ("POST", "https", "hooks.acme.example", "/services/%00", Never(Path)),
        ("GET", "https", "api.acme.example", "https://evil.example/", Never(Path)),
        ("GET", "https", "api.acme.example", "*", Never(Path)),
        // Hosts.
        ("GET", "https", "acme.example", "/", Denied),
        ("GET", "https", "xapi.acme.example", "/", Denied),
        ("GET", "https", "api.acme.example.evil.example", "/", Denied),
        ("GET", "https", "cdn.example:8443", "/pub", Denied),
        ("GET", "https", "a.b.cdn.example:8443", "/pub", Denied),
        ("GET", "https", "api.acme.example.", "/", Never(Host)),
        ("GET", "https", "api.acme.example@evil.example", "/", Never(UserInfo)),
        ("GET", "https", "u:p@api.acme.example", "/", Never(UserInfo)),
        ("GET", "https", "", "/", Never(Host)),
        ("GET", "https", "api_acme.example", "/", Never(Host)),
        ("GET", "https", "\u{430}pi.acme.example", "/", Never(Host)),
        ("GET", "https", "api.acme.example%2eevil.example", "/", Never(Host)),
        ("GET", "https", "*.cdn.example:8443", "/pub", Never(Host)),
        // Other spellings of an address.
        ("GET", "http", "localhost:8080", "/v1/", Denied),
        ("GET", "http", "127.1:8080", "/v1/", Never(Host)),
        ("GET", "http", "2130706433:8080", "/v1/", Never(Host)),
        ("GET", "http", "0x7f000001:8080", "/v1/", Never(Host)),
        ("GET", "http", "0177.0.0.1:8080", "/v1/", Never(Host)),
        ("GET", "http", "127.0.0.0x1:8080", "/v1/", Never(Host)),
        ("GET", "http", "[::ffff:127.0.0.1]:8080", "/v1/", Denied),
        ("GET", "http", "[::1%25lo]:8080", "/v1/", Never(Host)),
        ("GET", "http", "[::1:8080", "/v1/", Never(Host)),
        ("GET", "http", "::1", "/v1/", Never(Host)),
        ("GET", "http", "169.254.169.254", "/latest/meta-data/", Denied),
        // Ports and schemes.
        ("GET", "https", "api.acme.example:8443", "/", Denied),
        ("GET", "http", "api.acme.example:443", "/", Denied),
        ("GET", "http", "api.acme.example", "/", Denied),
        ("GET", "https", "127.0.0.1:8080", "/v1/", Denied),
        ("GET", "https", "api.acme.example:0", "/", Never(Port)),
        ("GET", "https", "api.acme.example:00443", "/", Never(Port)),
        ("GET", "https", "api.acme.example:65979", "/", Never(Port)),
        ("GET", "https", "api.acme.example:", "/", Never(Port)),
        ("GET", "ftp", "api.acme.example", "/", Never(Scheme)),
        ("GET", "HTTPS", "api.acme.example", "/", Never(Scheme)),
        ("GET", "wss", "api.acme.example", "/", Never(Scheme)),
        // Methods.
        ("CONNECT", "https", "api.acme.example", "/", Never(Method)),
        ("TRACE", "https", "api.acme.example", "/", Never(Method)),
        ("get", "https", "api.acme.example", "/", Never(Method)),
        ("", "https", "api.acme.example", "/", Never(Method)),
        ("G T", "https", "api.acme.example", "/", Never(Method)),
    ];
    assert!(table.len() >= 60);
    for (method, scheme, authority, path, happens) in table {
        let seen = match HttpTarget::new(method, scheme, authority, path) {
            Ok(target) if rules.allows(&target) => Allowed,
            Ok(_) => Denied,
            Err(error) => Never(error),
        };
        assert_eq!(seen, happens, "{method} {scheme}://{authority}{path}");
    }
}

#[test]
fn a_path_is_not_decoded_without_end() {
    let deep = format!("/%{}2e", "25".repeat(3000));
    assert!(steps_aside(&deep));
    assert!(HttpTarget::new("GET", "https", "a.example", &format!("/{}", "a".repeat(9000))).is_err());
}

#[test]
fn one_rule_lies_in_one_rule_and_what_two_have_in_common_lies_in_both() {
    let wide = rules(RULES);
    let within = |json: &str| rules(json).check_within(&wide).map_err(|excess| excess.path);
    assert_eq!(within("[]"), Ok(()));
    assert_eq!(within(r#"[{"hosts":["api.acme.example:443"],"methods":["GET"],"paths":["/v1/"]}]"#), Ok(()));
    let both_hosts = r#"[{"hosts":["api.acme.example:443","hooks.acme.example:443"],"methods":["POST"],"paths":["/services/"]}]"#;
    assert_eq!(within(both_hosts), Err("http".to_owned()));
    let plain = r#"[{"scheme":"http","hosts":["api.acme.example:443"],"methods":["GET"],"paths":["/"]}]"#;
    assert_eq!(within(plain), Err("http".to_owned()));
    let mut narrowed = wide.clone();
    narrowed.narrow(&rules(both_hosts));
    let left = r#"[{"hosts":["hooks.acme.example:443"],"methods":["POST"],"paths":["/services/"]}]"#;
    assert_eq!(narrowed, rules(left));
}

/// The other matcher: all that a rule allows is written out as a pattern of the whole URL.
fn allows_by_pattern(permission: &HttpPermission, target: &HttpTarget) -> bool {
    let url = target.to_string();
    permission.rules.iter().any(|rule| {
        rule.methods.iter().any(|method| {
            rule.hosts.iter().any(|host| {
                rule.paths.iter().any(|path| {
                    let scheme = if rule.scheme == HttpScheme::Http { "http" } else { "https" };
                    let Some(rest) = url.strip_prefix(&format!("{method} {scheme}://")) else { return false };
                    let rest = match host.strip_prefix("*.") {
                        None => rest.strip_prefix(&host.to_lowercase()),
                        Some(parent) => rest
                            .split_once('.')
                            .filter(|(label, _)| !label.contains(['/', ':']))
                            .and_then(|(_, rest)| rest.strip_prefix(&parent.to_lowercase())),
                    };
                    rest.is_some_and(|rest| rest.starts_with('/') && rest.starts_with(path.as_str()))
                })
            })
        })
    })
}

fn one_of(words: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(prop::sample::select(words).prop_map(str::to_owned), 0..3)
}

const HOSTS_OF: &[&str] =
    &["a.example:443", "*.example:443", "A.b.example:443", "127.0.0.1:80", "[::1]:80", "x:1"];

fn any_rule() -> impl Strategy<Value = HttpRule> {
    let paths = one_of(&["/", "/v1", "/v1/", "/v1/a/", "/v2"]);
    let scheme = prop::sample::select(&[HttpScheme::Https, HttpScheme::Http][..]);
    (scheme, one_of(HOSTS_OF), one_of(&["GET", "POST"]), paths)
        .prop_map(|(scheme, hosts, methods, paths)| HttpRule { scheme, hosts, methods, paths })
}

fn any_rules() -> impl Strategy<Value = HttpPermission> {
    prop::collection::vec(any_rule(), 0..4).prop_map(|rules| HttpPermission { rules })
}

fn any_target() -> impl Strategy<Value = HttpTarget> {
    let authority = "(a|b|a\\.b|b\\.a)\\.example(:443|:80)?|127\\.0\\.0\\.1|\\[::1\\]:80|x:1";
    ("GET|POST|PUT", "https?", authority, "(/(v1|v2|a|\\.|%2e)){0,3}/?")
        .prop_filter_map("no target", |(method, scheme, authority, path)| {
            HttpTarget::new(&method, &scheme, &authority, &path).ok()
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn two_matchers_agree(rules in any_rules(), target in any_target()) {
        prop_assert_eq!(rules.allows(&target), allows_by_pattern(&rules, &target));
    }

    #[test]
    fn what_is_within_or_common_allows_no_more(one in any_rules(), other in any_rules(), target in any_target()) {
        if one.check_within(&other).is_ok() && one.allows(&target) {
            prop_assert!(other.allows(&target));
        }
        let mut common = one.clone();
        common.narrow(&other);
        prop_assert_eq!(common.allows(&target), one.allows(&target) && other.allows(&target));
    }
}
