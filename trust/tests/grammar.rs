//! The permission grammar at its edges: the last entry that fits and the first that does not.

#![allow(
    clippy::unwrap_used,
    reason = "what makes a permission for a test is no test function, so clippy.toml does not let it"
)]

use orch_trust::permission::{Permissions, Side};

fn permissions(json: &str) -> Permissions {
    serde_json::from_str(json).unwrap()
}

#[track_caller]
fn form(json: &str, malformed: Option<&str>) {
    let found = permissions(json).check_form(Side::Bounding).err().map(|found| found.path);
    assert_eq!(found, malformed, "{json}");
}

#[track_caller]
fn within(inner: &str, outer: &str, excess: Option<&str>) {
    let found = permissions(inner).within(&permissions(outer)).err().map(|found| found.path);
    assert_eq!(found.as_deref(), excess, "{inner} within {outer}");
}

fn http(host: &str, path: &str) -> String {
    format!(r#"{{"http":[{{"hosts":["{host}"],"methods":["GET"],"paths":["{path}"]}}]}}"#)
}

#[test]
fn names_hosts_and_labels_end_at_their_limits() {
    let label = |name: &str| format!(r#"{{"kv":{{"labels":["{name}"],"bytes":1}}}}"#);
    form(&label(&"a".repeat(64)), None);
    form(&label(&"a".repeat(65)), Some("kv.labels"));
    form(&label(&format!("{}*", "a".repeat(64))), None);
    for wrong in ["", "a_b", "a.b", "**", "a b"] {
        form(&label(wrong), Some("kv.labels"));
    }
    let host = |host: &str| http(&format!("{host}:1"), "/");
    form(&host(&"a".repeat(63)), None);
    form(&host(&"a".repeat(64)), Some("http.hosts"));
    let labels = |last: usize| format!("{0}.{0}.{0}.{1}", "a".repeat(63), "b".repeat(last));
    form(&host(&labels(61)), None);
    form(&host(&labels(62)), Some("http.hosts"));
    for wrong in ["a-", "-a", "a_b", "[::1", "::1]", "[1.2.3.4]", "a.", ".a", "*.", "**.a"] {
        form(&host(wrong), Some("http.hosts"));
    }
    form(&host("a-b.c-d"), None);
}

#[test]
fn every_list_is_looked_at() {
    let secrets =
        |name: &str, host: &str| format!(r#"{{"secrets":{{"use":[{{"name":"{name}","host":"{host}"}}]}}}}"#);
    form(&secrets("a", "a:1"), None);
    form(&secrets("", "a:1"), Some("secrets.use.name"));
    form(&secrets("a", "a:0"), Some("secrets.use.host"));
    form(r#"{"http":[{"hosts":[],"methods":["G-T"],"paths":[]}]}"#, Some("http.methods"));
    form(r#"{"http":[{"hosts":[],"methods":[""],"paths":[]}]}"#, Some("http.methods"));
    for path in
        ["/a%20", "/a?b", "/a#b", r"/a\\b", "/a*", "/a\\\"b", "/a/../b", "/a/.", "a", "", "/a//b", "/\u{e9}"]
    {
        form(&http("a:1", path), Some("http.paths"));
    }
    form(&http("a:1", "/a.b/..c/d.."), None);
    form(r#"{"process":{"programs":[],"env":["A\u0000"]}}"#, Some("process.env"));
    form(r#"{"process":{"programs":["/a/*"]}}"#, Some("process.programs"));
    form(r#"{"process":{"programs":["/a/b"]}}"#, None);
    form(r#"{"tasks":{"kinds":["A"]}}"#, Some("tasks.kinds"));
}

#[test]
fn a_malformed_entry_is_named() {
    let error =
        permissions(r#"{"files":{"read":["ok","../\u001b"]}}"#).check_form(Side::Bounding).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`files.read` has `../\\u{1b}`, expected a glob inside the workspace, of names, `*`, `?` and `**`"
    );
}

#[test]
fn each_field_has_a_bound_of_its_own() {
    for plain in ["log", "settings", "findings", "metrics"] {
        let one = format!(r#"{{"{plain}":{{}}}}"#);
        within(&one, "{}", Some(plain));
        within(&one, &one, None);
        within("{}", &one, None);
    }
    for (field, json) in [
        ("kv", r#"{"kv":{"labels":[],"bytes":0}}"#),
        ("tasks", r#"{"tasks":{}}"#),
        ("files", r#"{"files":{}}"#),
        ("process", r#"{"process":{"programs":[]}}"#),
        ("http", r#"{"http":[{"hosts":[],"methods":[],"paths":[]}]}"#),
        ("secrets", r#"{"secrets":{"use":[]}}"#),
    ] {
        within(json, "{}", Some(field));
        within(json, json, None);
    }
    for field in ["clocks", "random", "http_types"] {
        let one = format!(r#"{{"wasi":{{"{field}":true}}}}"#);
        within(&one, "{}", Some(&format!("wasi.{field}")));
        within(&one, r#"{"wasi":{}}"#, Some(&format!("wasi.{field}")));
        within(&one, &one, None);
    }
    let process = |env: &str| format!(r#"{{"process":{{"programs":[],"env":[{env}]}}}}"#);
    within(&process(r#""A""#), &process(r#""B""#), Some("process.env"));
    within(&process(r#""A""#), &process(r#""B","A""#), None);
    let secret =
        |name: &str, host: &str| format!(r#"{{"secrets":{{"use":[{{"name":"{name}","host":"{host}"}}]}}}}"#);
    within(&secret("a", "h:1"), &secret("a", "h:1"), None);
    within(&secret("a", "h:1"), &secret("b", "h:1"), Some("secrets.use"));
    within(&secret("a", "h:1"), &secret("a", "h:2"), Some("secrets.use"));
    let add = |count: u32| format!(r#"{{"tasks":{{"add":{count}}}}}"#);
    within(&add(3), &add(3), None);
    within(&add(4), &add(3), Some("tasks.add"));
    let methods = |method: &str| format!(r#"{{"http":[{{"hosts":[],"methods":["{method}"],"paths":[]}}]}}"#);
    within(&methods("GET"), &methods("POST"), Some("http.methods"));
}

#[test]
fn what_covers_what_is_plain_from_the_text() {
    let glob = |glob: &str| format!(r#"{{"files":{{"read":["{glob}"]}}}}"#);
    for (inner, outer, excess) in [
        ("a", "**", None),
        ("src/a", "src/**", None),
        ("src", "src/**", Some("files.read")),
        ("a/src/x", "*/src/**", Some("files.read")),
        ("*/src/**", "*/src/**", None),
        ("s?c/x", "s?c/**", Some("files.read")),
        ("src/x", "src/*", Some("files.read")),
        ("src/**", "src", Some("files.read")),
        ("src/**/x", "src/**/y", Some("files.read")),
    ] {
        within(&glob(inner), &glob(outer), excess);
    }
    for (inner, outer, excess) in [
        ("a.b:1", "a.b:1", None),
        ("A.b:1", "a.B:1", None),
        ("a.b:1", "*.b:1", None),
        ("a.b:2", "*.b:1", Some("http.hosts")),
        ("*.b:1", "*.b:1", None),
        ("*.b:1", "a.b:1", Some("http.hosts")),
        ("a.b.c:1", "*.c:1", Some("http.hosts")),
    ] {
        within(&http(inner, "/"), &http(outer, "/"), excess);
    }
    for (inner, outer, excess) in
        [("/v1/a", "/v1/", None), ("/v1", "/v1/", Some("http.paths")), ("/v2/", "/v1/", Some("http.paths"))]
    {
        within(&http("a:1", inner), &http("a:1", outer), excess);
    }
    let label = |label: &str| format!(r#"{{"kv":{{"labels":["{label}"],"bytes":1}}}}"#);
    for (inner, outer, excess) in [
        ("a", "*", None),
        ("*", "*", None),
        ("ab", "a*", None),
        ("a", "a*", None),
        ("b", "a*", Some("kv.labels")),
    ] {
        within(&label(inner), &label(outer), excess);
    }
    let excess = permissions(&label("b")).within(&permissions(&label("a*"))).unwrap_err();
    assert_eq!(excess.to_string(), "`kv.labels = b` goes beyond `[a*]`");
    let excess = permissions(r#"{"kv":{"labels":["b"],"bytes":1}}"#).within(&permissions("{}")).unwrap_err();
    assert_eq!(excess.to_string(), "`kv = [b]` goes beyond `nothing`");
}

#[test]
fn what_is_left_has_both_sides_in_each_field() {
    let left = |one: &str, other: &str| permissions(one).narrowed(&permissions(other));
    let wasi = |fields: &str| format!(r#"{{"wasi":{{{fields}}}}}"#);
    for field in ["clocks", "random", "http_types"] {
        let (yes, no) = (wasi(&format!(r#""{field}":true"#)), wasi(""));
        assert_eq!(left(&yes, &no), permissions(&no), "{field}");
        assert_eq!(left(&no, &yes), permissions(&no), "{field}");
        assert_eq!(left(&yes, &yes), permissions(&yes), "{field}");
    }
    let flag = |read: bool| format!(r#"{{"tasks":{{"read":{read}}}}}"#);
    assert_eq!(left(&flag(true), &flag(false)), permissions(&flag(false)));
    assert_eq!(left(&flag(false), &flag(true)), permissions(&flag(false)));
    let network = |hosts: &str| format!(r#"{{"process":{{"programs":[],"network":[{hosts}]}}}}"#);
    let (wide, one) = (network(r#""*:443","a.b:80""#), network(r#""c.d:443","10.0.0.1:443""#));
    assert_eq!(left(&wide, &one), permissions(&network(r#""c.d:443""#)));
    assert_eq!(left(&one, &wide), permissions(&network(r#""c.d:443""#)));
    // The same entry on both sides is there once.
    let label = r#"{"kv":{"labels":["a"],"bytes":1}}"#;
    assert_eq!(left(label, label), permissions(label));
}
