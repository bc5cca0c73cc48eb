//! The grammar: each field's form, what contains what, cutting down, taking away.

use serde_json::json;

use super::*;

#[track_caller]
fn check_form(json: &str, malformed: Option<&str>) {
    let permissions: Permissions = serde_json::from_str(json).unwrap();
    let found = permissions.check_form(Side::Bounding).err().map(|found| found.path);
    assert_eq!(found, malformed, "{json}");
}

#[test]
fn a_glob_stays_inside_the_workspace_and_has_one_spelling() {
    for good in ["**", "**/*.py", "src/a.rs", "a/*/b?.txt", ".github/**", "..a", "a..b"] {
        check_form(&format!(r#"{{"files":{{"read":["{good}"]}}}}"#), None);
        check_form(&format!(r#"{{"files":{{"write":["{good}"]}}}}"#), None);
    }
    let bad = [
        "", "../x", "/etc", "a/../b", "a/..", "./a", "a//b", "a/", "a**b", "***", "{a,../b}", "[a]",
        "a\\\\b", "a\\u0000", "a\\u001b",
    ];
    for bad in bad {
        check_form(&format!(r#"{{"files":{{"read":["{bad}"]}}}}"#), Some("files.read"));
        check_form(&format!(r#"{{"files":{{"write":["{bad}"]}}}}"#), Some("files.write"));
    }
    check_form(&format!(r#"{{"files":{{"read":["{}"]}}}}"#, "a".repeat(1024)), None);
    check_form(&format!(r#"{{"files":{{"read":["{}"]}}}}"#, "a".repeat(1025)), Some("files.read"));
    let entries = |count: usize| vec![r#""a""#; count].join(",");
    check_form(&format!(r#"{{"files":{{"read":[{}]}}}}"#, entries(64)), None);
    check_form(&format!(r#"{{"files":{{"read":[{}]}}}}"#, entries(65)), Some("files.read"));
}

#[test]
fn a_program_is_a_name_or_a_plain_path() {
    for good in [
        "sh",
        "python3.12",
        "g++",
        "/usr/bin/git",
        "*",
        "...",
        "bin/sh",
        ".venv/bin/pytest",
        ".venv/bin/*",
        "./run.sh",
        "./*",
    ] {
        check_form(&format!(r#"{{"process":{{"programs":["{good}"]}}}}"#), None);
    }
    for bad in [
        "..",
        ".",
        "-c",
        "/bin/../sh",
        "//sh",
        "/",
        "/bin/*",
        "py*",
        "s\\u0007h",
        "./bin/sh",
        "../sh",
        "a/../sh",
        "a/./sh",
        "a//sh",
        "a/",
        "./",
        "././sh",
        "*/sh",
        "a/*/sh",
        "a/**",
        "a/s*",
        "-a/sh",
        "./..",
        "./.",
    ] {
        check_form(&format!(r#"{{"process":{{"programs":["{bad}"]}}}}"#), Some("process.programs"));
    }
    for good in ["HOME", "*", "PATH@sh", "PATH@/bin/sh", "PATH@.venv/bin/*", "PATH@./run"] {
        check_form(&format!(r#"{{"process":{{"programs":["sh"],"env":["{good}"]}}}}"#), None);
    }
    for bad in ["A=B", "A*", "", "@sh", "A@", "A@*", "A@../sh", "*@sh", "A@sh@sh/", "A@s=h"] {
        check_form(&format!(r#"{{"process":{{"programs":[],"env":["{bad}"]}}}}"#), Some("process.env"));
    }
}

#[test]
fn a_host_has_one_spelling_and_a_port() {
    let json = |host: &str| format!(r#"{{"http":[{{"hosts":["{host}"],"methods":[],"paths":[]}}]}}"#);
    for good in ["a.example:443", "*.a.example:1", "127.0.0.1:65535", "[::1]:80", "localhost:80"] {
        check_form(&json(good), None);
    }
    for bad in [
        "a",
        "a:",
        "a:0",
        "a:+443",
        "a:0443",
        "a:65536",
        ":443",
        "*:443",
        "a.*.b:1",
        "a..b:1",
        "u@a:1",
        "a b:1",
        "[::01]:80",
        "-a:1",
        "http://a:1",
    ] {
        check_form(&json(bad), Some("http.hosts"));
    }
}

#[test]
fn paths_methods_names_and_secrets_are_plain() {
    let paths = |path: &str| format!(r#"{{"http":[{{"hosts":[],"methods":["GET"],"paths":["{path}"]}}]}}"#);
    for good in ["/", "/v1/", "/v1", "/~a/b.c"] {
        check_form(&paths(good), None);
    }
    for bad in ["v1", "/v1/../admin", "/v1/%2e%2e/admin", "/v1/./", "//evil", "/a?b", "/a#b", "/a b"] {
        check_form(&paths(bad), Some("http.paths"));
    }
    check_form(r#"{"http":[{"hosts":[],"methods":["get"],"paths":[]}]}"#, Some("http.methods"));
    check_form(r#"{"kv":{"labels":["a-1","b*","*"],"bytes":1}}"#, None);
    check_form(r#"{"kv":{"labels":["A"],"bytes":1}}"#, Some("kv.labels"));
    check_form(r#"{"kv":{"labels":["a*b"],"bytes":1}}"#, Some("kv.labels"));
    check_form(r#"{"tasks":{"kinds":["shell","*"]}}"#, None);
    check_form(r#"{"tasks":{"kinds":["sh*"]}}"#, Some("tasks.kinds"));
    check_form(r#"{"secrets":{"use":[{"name":"key","host":"a.example:443"}]}}"#, None);
    check_form(r#"{"secrets":{"use":[{"name":"Key","host":"a.example:443"}]}}"#, Some("secrets.use.name"));
    check_form(r#"{"secrets":{"use":[{"name":"key","host":"a\u001b"}]}}"#, Some("secrets.use.host"));
}

fn permissions(json: &str) -> Permissions {
    serde_json::from_str(json).unwrap()
}

#[track_caller]
fn check_within(inner: &str, outer: &str, excess: Option<&str>) {
    let found = permissions(inner).within(&permissions(outer)).err().map(|found| found.path);
    assert_eq!(found.as_deref(), excess, "{inner} within {outer}");
}

#[test]
fn nothing_goes_beyond_its_bound() {
    check_within("{}", "{}", None);
    check_within(r#"{"log":{}}"#, "{}", Some("log"));
    check_within(r#"{"log":{}}"#, r#"{"log":{}}"#, None);
    check_within(r#"{"kv":{"labels":["a"],"bytes":5}}"#, r#"{"kv":{"labels":["a*"],"bytes":5}}"#, None);
    check_within(
        r#"{"kv":{"labels":["b"],"bytes":5}}"#,
        r#"{"kv":{"labels":["a*"],"bytes":5}}"#,
        Some("kv.labels"),
    );
    check_within(
        r#"{"kv":{"labels":["a"],"bytes":6}}"#,
        r#"{"kv":{"labels":["a"],"bytes":5}}"#,
        Some("kv.bytes"),
    );
    check_within(
        r#"{"kv":{"labels":["a*"],"bytes":5}}"#,
        r#"{"kv":{"labels":["a"],"bytes":5}}"#,
        Some("kv.labels"),
    );
    check_within(r#"{"tasks":{"read":true}}"#, r#"{"tasks":{"add":3}}"#, Some("tasks.read"));
    check_within(
        r#"{"tasks":{"add":4,"kinds":["note"]}}"#,
        r#"{"tasks":{"add":3,"kinds":["*"]}}"#,
        Some("tasks.add"),
    );
    check_within(
        r#"{"tasks":{"add":3,"kinds":["shell"]}}"#,
        r#"{"tasks":{"add":3,"kinds":["note"]}}"#,
        Some("tasks.kinds"),
    );
    check_within(r#"{"files":{"read":["src/**/*.py"]}}"#, r#"{"files":{"read":["src/**"]}}"#, None);
    check_within(r#"{"files":{"read":["srcs/x"]}}"#, r#"{"files":{"read":["src/**"]}}"#, Some("files.read"));
    check_within(r#"{"files":{"write":["a"]}}"#, r#"{"files":{"read":["**"]}}"#, Some("files.write"));
    check_within(r#"{"files":{"read":["**/*.py"]}}"#, r#"{"files":{"read":["**"]}}"#, None);
    check_within(r#"{"files":{"read":["**"]}}"#, r#"{"files":{"read":["**/*.py"]}}"#, Some("files.read"));
    check_within(
        r#"{"process":{"programs":["sh"]}}"#,
        r#"{"process":{"programs":["python3"]}}"#,
        Some("process.programs"),
    );
    check_within(
        r#"{"process":{"programs":["sh"],"network":["a.b:443"]}}"#,
        r#"{"process":{"programs":["sh"]}}"#,
        Some("process.network"),
    );
    let network = |host: &str| format!(r#"{{"process":{{"programs":[],"network":["{host}"]}}}}"#);
    for (inner, outer, within) in [
        ("a.example.com:443", "a.example.com:443", true),
        ("A.example.com:443", "a.example.com:443", true),
        ("a.example.com:443", "*.example.com:443", true),
        ("a.b.example.com:443", "*.example.com:443", false),
        ("a.example.com:443", "*:443", true),
        ("*.example.com:443", "*:443", true),
        ("a.example.com:80", "*:443", false),
        ("127.0.0.1:443", "*:443", false),
        ("1.1.1.1:443", "*:443", false),
        ("[::1]:443", "*:443", false),
        ("*:443", "*.example.com:443", false),
        ("*:443", "*:443", true),
        ("*", "*:443", false),
        ("127.0.0.1:5432", "127.0.0.1:5432", true),
    ] {
        let excess = (!within).then_some("process.network");
        check_within(&network(inner), &network(outer), excess);
    }
    let http = |host: &str| format!(r#"{{"http":[{{"hosts":["{host}"],"methods":[],"paths":[]}}]}}"#);
    check_within(&http("api.example.com:443"), &http("*.example.com:443"), None);
    check_within(&http("a.b.example.com:443"), &http("*.example.com:443"), Some("http.hosts"));
    check_within(&http("example.com:443"), &http("*.example.com:443"), Some("http.hosts"));
    check_within(&http("API.EXAMPLE.COM:443"), &http("*.example.com:443"), None);
    check_within(r#"{"wasi":{"random":true}}"#, "{}", Some("wasi.random"));
}

#[track_caller]
fn check_narrowed(granted: &str, narrow: &str, left: &str) {
    let read = |json: &str| serde_json::from_str::<Permissions>(json).unwrap();
    assert_eq!(read(granted).narrowed(&read(narrow)), read(left), "{granted} narrowed by {narrow}");
}

#[test]
fn what_is_named_is_cut_down_and_the_rest_stays() {
    let files = r#"{"log":{},"files":{"read":["src/**","docs/**"],"write":["out/**"]}}"#;
    check_narrowed(files, "{}", files);
    check_narrowed(
        files,
        r#"{"files":{"read":["src/a/**"],"write":["**"]}}"#,
        r#"{"log":{},"files":{"read":["src/a/**"],"write":["out/**"]}}"#,
    );
    check_narrowed(files, r#"{"files":{"read":["etc/**"]}}"#, r#"{"log":{},"files":{"read":[],"write":[]}}"#);
    let process = r#"{"process":{"programs":["sh","git"],"env":["HOME"],"network":["a.b:443"]}}"#;
    check_narrowed(
        process,
        r#"{"process":{"programs":["git","rm"]}}"#,
        r#"{"process":{"programs":["git"]}}"#,
    );
    check_narrowed(process, r#"{"process":{"programs":["*"]}}"#, r#"{"process":{"programs":["sh","git"]}}"#);
    check_narrowed(r#"{"log":{}}"#, process, r#"{"log":{}}"#);
    check_narrowed(
        r#"{"http":[{"hosts":["a.b:1","c.b:1"],"methods":["GET","POST"],"paths":["/v1/"]}]}"#,
        r#"{"http":[{"hosts":["a.b:1","x.y:1"],"methods":["GET"],"paths":["/v1/read/","/v2/"]}]}"#,
        r#"{"http":[{"hosts":["a.b:1"],"methods":["GET"],"paths":["/v1/read/"]}]}"#,
    );
    check_narrowed(
        r#"{"wasi":{"random":true,"clocks":true}}"#,
        r#"{"wasi":{"random":true}}"#,
        r#"{"wasi":{"random":true}}"#,
    );
    check_narrowed(
        r#"{"tasks":{"read":true,"add":9,"kinds":["a","b"]},"kv":{"labels":["x","y1"],"bytes":9}}"#,
        r#"{"tasks":{"read":true,"add":3,"kinds":["a","c"]},"kv":{"labels":["y*"],"bytes":5}}"#,
        r#"{"tasks":{"read":true,"add":3,"kinds":["a"]},"kv":{"labels":["y1"],"bytes":5}}"#,
    );
    check_narrowed(
        r#"{"notify":{"channels":["a","b"]}}"#,
        r#"{"notify":{"channels":["b","c"]}}"#,
        r#"{"notify":{"channels":["b"]}}"#,
    );
    check_narrowed(
        r#"{"llm":{"models":["a","b"],"tokens":9}}"#,
        r#"{"llm":{"models":["*"],"tokens":5}}"#,
        r#"{"llm":{"models":["a","b"],"tokens":5}}"#,
    );
    check_narrowed(
        r#"{"embed":{"models":["a","b"],"bytes":9}}"#,
        r#"{"embed":{"models":["b","c"],"bytes":5}}"#,
        r#"{"embed":{"models":["b"],"bytes":5}}"#,
    );
    check_narrowed(
        r#"{"retrieve":{"collections":["a","b"]}}"#,
        r#"{"retrieve":{"collections":["b","c"]}}"#,
        r#"{"retrieve":{"collections":["b"]}}"#,
    );
    check_narrowed(
        r#"{"vectors":{"read":["a","b"],"write":["c"],"bytes":9}}"#,
        r#"{"vectors":{"read":["*"],"write":["b"],"bytes":5}}"#,
        r#"{"vectors":{"read":["a","b"],"write":[],"bytes":5}}"#,
    );
    check_narrowed(
        r#"{"secrets":{"use":[{"name":"a","host":"h:1"},{"name":"b","host":"h:1"}]}}"#,
        r#"{"secrets":{"use":[{"name":"a","host":"h:1"},{"name":"b","host":"other:1"}]}}"#,
        r#"{"secrets":{"use":[{"name":"a","host":"h:1"}]}}"#,
    );
}

#[test]
fn a_folder_of_the_workspace_covers_its_programs_and_a_program_its_variables() {
    let programs = |program: &str| format!(r#"{{"process":{{"programs":["{program}"]}}}}"#);
    for (inner, outer, excess) in [
        (".venv/bin/pytest", ".venv/bin/*", None),
        (".venv/bin/*", ".venv/bin/*", None),
        (".venv/bin/a/pytest", ".venv/bin/*", Some("process.programs")),
        (".venv/bin/*", ".venv/bin/pytest", Some("process.programs")),
        ("pytest", "./*", Some("process.programs")),
        ("./pytest", "./*", None),
        ("a/pytest", "./*", Some("process.programs")),
        ("/a/pytest", "a/*", Some("process.programs")),
        ("a/b", "*", None),
    ] {
        check_within(&programs(inner), &programs(outer), excess);
    }
    let env = |entry: &str| format!(r#"{{"process":{{"programs":[],"env":["{entry}"]}}}}"#);
    for (inner, outer, excess) in [
        ("A@sh", "A@sh", None),
        ("A@sh", "*", None),
        ("A@x/y", "A@x/*", None),
        ("A@sh", "A", Some("process.env")),
        ("A", "A@sh", Some("process.env")),
        ("A@sh", "B@sh", Some("process.env")),
    ] {
        check_within(&env(inner), &env(outer), excess);
    }
}

#[test]
fn each_permission_and_each_of_its_fields_is_taken_away_once() {
    let asked = permissions(
        r#"{"log":{},"kv":{"labels":["a"],"bytes":7},"files":{"read":["a"]},"wasi":{"clocks":true}}"#,
    );
    let less = asked.less();
    let names: Vec<_> = less.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["log", "kv", "kv.labels", "kv.bytes", "files", "files.read", "wasi", "wasi.clocks"]);
    for (name, less) in &less {
        assert!(less != &asked && less.within(&asked).is_ok(), "{name}");
    }
    assert_eq!(Permissions::default().less(), []);
}

#[test]
fn star_is_for_one_side_each() {
    let on = |json: &str, side| permissions(json).check_form(side).err().map(|found| found.path);
    let (kv, programs) = (r#"{"kv":{"labels":["a*"],"bytes":1}}"#, r#"{"process":{"programs":["*"]}}"#);
    assert_eq!(on(kv, Side::Asking), Some("kv.labels"));
    assert_eq!((on(kv, Side::Allowing), on(kv, Side::Bounding)), (None, None));
    assert_eq!(on(programs, Side::Allowing), Some("process.programs"));
    assert_eq!((on(programs, Side::Asking), on(programs, Side::Bounding)), (None, None));
    let env = r#"{"process":{"programs":[],"env":["*"]}}"#;
    assert_eq!((on(env, Side::Allowing), on(env, Side::Asking)), (Some("process.env"), None));
    let network = r#"{"process":{"programs":[],"network":["*"]}}"#;
    assert_eq!((on(network, Side::Allowing), on(network, Side::Asking)), (Some("process.network"), None));
    let any_name = r#"{"process":{"programs":[],"network":["*:443"]}}"#;
    assert_eq!((on(any_name, Side::Allowing), on(any_name, Side::Asking)), (None, None));
    let folder = r#"{"process":{"programs":["bin/*"],"env":["A@bin/*"]}}"#;
    assert_eq!((on(folder, Side::Allowing), on(folder, Side::Asking)), (None, None));
    let hosts = r#"{"http":[{"hosts":["*"],"methods":["GET"],"paths":["/"]}]}"#;
    assert_eq!((on(hosts, Side::Allowing), on(hosts, Side::Asking)), (Some("http.hosts"), None));
    let secret = r#"{"secrets":{"use":[{"name":"a","host":"*"}]}}"#;
    assert_eq!((on(secret, Side::Allowing), on(secret, Side::Asking)), (Some("secrets.use.host"), None));
}

#[test]
fn the_network_of_programs_is_what_the_operator_says() {
    let asked = permissions(r#"{"process":{"programs":["sh"],"network":["*"]}}"#);
    let named = |operators: &str, maximum: Option<&str>| {
        let named = asked.named(&permissions(operators), maximum.map(permissions).as_ref());
        named.process.unwrap().network
    };
    let with = r#"{"process":{"programs":["sh"],"network":["a.b:443","127.0.0.1:5432"]}}"#;
    let without = r#"{"process":{"programs":["sh"]}}"#;
    let some = r#"{"process":{"programs":["sh"],"network":["*:443"]}}"#;
    assert_eq!(named(with, None), ["127.0.0.1:5432", "a.b:443"]);
    assert_eq!(named(with, Some(with)), ["127.0.0.1:5432", "a.b:443"]);
    assert_eq!(named(with, Some(some)), ["a.b:443"]);
    for none in [named(without, None), named(with, Some(without)), named(without, Some(with))] {
        assert_eq!(none, Vec::<String>::new());
    }
    // Whoever does not ask gets none.
    let unasked = permissions(without).named(&permissions(with), None);
    assert_eq!(unasked.process.unwrap().network, Vec::<String>::new());
}

#[test]
fn hosts_that_the_operator_names_are_those_of_a_rule_that_has_the_rest() {
    let asked = permissions(
        r#"{"http":[{"hosts":["*"],"methods":["POST"],"paths":["/hooks/"]}],"secrets":{"use":[{"name":"a","host":"*"}]}}"#,
    );
    let lines = |operators: &str, maximum: Option<&str>| {
        asked.named(&permissions(operators), maximum.map(permissions).as_ref()).lines()
    };
    let operators = r#"{"http":[
        {"hosts":["a.example:443"],"methods":["GET","POST"],"paths":["/"]},
        {"hosts":["b.example:443","c.example:443"],"methods":["POST"],"paths":["/hooks/"]},
        {"hosts":["get.example:443"],"methods":["GET"],"paths":["/"]},
        {"hosts":["below.example:443"],"methods":["POST"],"paths":["/hooks/x/"]},
        {"scheme":"http","hosts":["127.0.0.1:80"],"methods":["POST"],"paths":["/"]}
        ],"secrets":{"use":[{"name":"a","host":"a.example:443"},{"name":"b","host":"b.example:443"}]}}"#;
    assert_eq!(
        lines(operators, None),
        [
            "http: POST https://a.example:443 below /hooks/",
            "http: POST https://b.example:443, https://c.example:443 below /hooks/",
            "secrets: use a for a.example:443"
        ]
    );
    let maximum = r#"{"http":[{"hosts":["c.example:443"],"methods":["POST"],"paths":["/"]}],"secrets":{"use":[{"name":"a","host":"*"}]}}"#;
    assert_eq!(
        lines(operators, Some(maximum)),
        ["http: POST https://c.example:443 below /hooks/", "secrets: use a for a.example:443"]
    );
    // Nobody named one: it stays, and is more than anybody allows.
    let none =
        r#"{"http":[{"hosts":["a.example:443"],"methods":["GET"],"paths":["/"]}],"secrets":{"use":[]}}"#;
    assert_eq!(lines(none, None), ["http: POST https://* below /hooks/", "secrets: use a for *"]);
    assert!(asked.named(&permissions(none), None).within(&permissions(none)).is_err());
    assert!(asked.named(&permissions(operators), None).within(&permissions(operators)).is_ok());
}

#[test]
fn every_domain_says_what_it_allows_and_whether_that_changes_anything() {
    let all = r#"{"log":{},"settings":{},"kv":{"labels":["a"],"bytes":7},"tasks":{"read":true,"add":1,"kinds":["a"]},
        "files":{"read":["a"],"write":["b"]},"diff":{},"git":{"read":["a"]},"process":{"programs":["sh"],"env":["HOME"],"network":["a.b:443"]},
        "findings":{},"metrics":{"read":["a.*"]},"artifacts":{"types":["text/*"],"count":1,"bytes":1},
        "control":{"start":true,"stop":true,"read":true},"notify":{"channels":["ops"]},"llm":{"models":["a"],"tokens":1},
        "embed":{"models":["a"],"bytes":1},"vectors":{"read":["a"],"write":["b"],"bytes":1},
        "retrieve":{"collections":["a"]},"http":[{"hosts":["a.b:1"],"methods":["GET"],"paths":["/"]}],
        "secrets":{"use":[{"name":"a","host":"h:1"}]},"wasi":{"clocks":true,"random":true,"http_types":true}}"#;
    let lines = permissions(all).lines();
    for domain in DomainName::ALL {
        assert!(lines.iter().any(|line| line.starts_with(domain.as_str())), "{}", domain.as_str());
    }
    let changing: Vec<_> =
        permissions(all).less().into_iter().filter(|(name, _)| !name.contains('.')).collect();
    assert_eq!(changing.len(), DomainName::ALL.len());
    let alone = |json: &str| permissions(json).effect();
    assert_eq!(alone(r#"{"files":{"read":["a"]}}"#), Effect::None);
    assert_eq!(alone(r#"{"files":{"write":["a"]}}"#), Effect::Changing);
    assert_eq!(alone(r#"{"process":{"programs":[]}}"#), Effect::Changing);
    assert_eq!(alone(r#"{"notify":{"channels":["ops"]}}"#), Effect::Changing);
    assert_eq!(alone(r#"{"llm":{"models":["a"],"tokens":7}}"#), Effect::Spending);
    assert_eq!(alone(r#"{"embed":{"models":["a"],"bytes":7}}"#), Effect::Spending);
    assert_eq!(alone(r#"{"retrieve":{"collections":["a"]}}"#), Effect::Spending);
    assert_eq!(alone(r#"{"vectors":{"write":["a"],"bytes":7}}"#), Effect::None);
    assert_eq!(alone(r#"{"kv":{"labels":["a"],"bytes":7}}"#), Effect::None);
}

#[test]
fn hosts_that_are_named_once_leave_methods_paths_and_other_hosts_secrets_as_they_are() {
    let asked: Permissions = serde_json::from_value(json!({
        "http": [
            { "hosts": ["*"], "methods": ["GET"], "paths": ["/v1/"] },
            { "hosts": ["*.example.com:443", "b.example:443"], "methods": ["POST"], "paths": ["/"] },
            { "hosts": ["c.example:443"], "methods": ["PUT"], "paths": ["/"] },
        ],
        "secrets": { "use": [{ "name": "a", "host": "*" }, { "name": "b", "host": "c.example:443" }] },
        "log": {},
    }))
    .unwrap();
    let named = asked.at_hosts(&["a.example.com:443".to_owned()], "here").unwrap();
    assert_eq!(
        serde_json::to_value(&named).unwrap(),
        json!({
            "http": [
                { "scheme": "https", "hosts": ["a.example.com:443"], "methods": ["GET"], "paths": ["/v1/"] },
                { "scheme": "https", "hosts": ["a.example.com:443"], "methods": ["POST"], "paths": ["/"] },
            ],
            "secrets": { "use": [{ "name": "a", "host": "a.example.com:443" }, { "name": "b", "host": "c.example:443" }] },
            "log": {},
        })
    );
    named.within(&asked).unwrap();
    for wrong in ["*", "a.example", "https://a.example:443", "0x7f.1:80"] {
        assert_eq!(asked.at_hosts(&[wrong.to_owned()], "here").unwrap_err().path, "here", "{wrong}");
    }
}
