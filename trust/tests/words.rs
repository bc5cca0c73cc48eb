//! Words and texts that people, reports and formats share, and limits by their numbers.

#![allow(
    clippy::unwrap_used,
    reason = "what makes a value for a test is no test function, so clippy.toml does not let it"
)]

use std::collections::BTreeSet;

use orch_trust::authority::Level;
use orch_trust::certificate::CheckStatus;
use orch_trust::digest::Sha256Digest;
use orch_trust::evidence::Trust;
use orch_trust::interfaces::{Import, ImportRule, import_rule};
use orch_trust::key::{KeyId, PublicKey, SecretKey};
use orch_trust::manifest::{MANIFEST_BYTES_MAX, Role};
use orch_trust::name::{PluginId, PluginIdText};
use orch_trust::package::bytes_max;
use orch_trust::permission::{Effect, Permissions};
use orch_trust::time::UnixSeconds;

fn permissions(json: &str) -> Permissions {
    serde_json::from_str(json).unwrap()
}

#[test]
fn words_in_texts_are_those_of_the_formats() {
    use CheckStatus::{Error, Fail, Pass, Skipped, Warn};
    for status in [Pass, Warn, Fail, Error, Skipped] {
        assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
    }
    for role in Role::ALL {
        assert_eq!(serde_json::to_value(role).unwrap(), role.as_str());
        assert_eq!(Role::from_word(role.as_str()), Some(role));
    }
    assert_eq!(Role::from_word("Planner"), None);
    let trust =
        [Trust::Certified, Trust::CertifiedLocal, Trust::Development, Trust::Unsigned, Trust::Candidate];
    let words = ["certified", "certified (local)", "development", "unsigned", "candidate"];
    assert_eq!(trust.map(Trust::as_str), words);
    for level in [Level::Development, Level::Local, Level::Certified] {
        assert_eq!(serde_json::to_value(level).unwrap(), level.as_str());
    }
}

#[test]
fn each_import_is_opened_by_its_own_permission_and_no_other() {
    let plain = |name: &str| permissions(&format!(r#"{{"{name}":{{}}}}"#));
    let wasi = |field: &str| permissions(&format!(r#"{{"wasi":{{"{field}":true}}}}"#));
    let clocks = ["wasi:clocks/monotonic-clock@0.2.6", "wasi:clocks/wall-clock@0.2.6"];
    let types = ["wasi:http/types@0.2.6"];
    let sends = ["wasi:http/outgoing-handler@0.2.6"];
    // The permission, and everything that it opens.
    let table: [(Permissions, Vec<&str>); 16] = [
        (plain("log"), vec!["orch:log/log@0.1.0"]),
        (plain("settings"), vec!["orch:settings/settings@0.1.0"]),
        (plain("findings"), vec!["orch:findings/findings@0.1.0"]),
        (plain("metrics"), vec!["orch:metrics/metrics@0.1.0"]),
        (plain("diff"), vec!["orch:diff/diff@0.1.0"]),
        (plain("git"), vec!["orch:git/git@0.1.0"]),
        (permissions(r#"{"kv":{"labels":[],"bytes":0}}"#), vec!["orch:kv/kv@0.1.0"]),
        (plain("tasks"), vec!["orch:tasks/tasks@0.1.0"]),
        (plain("files"), vec!["orch:files/files@0.1.0"]),
        (permissions(r#"{"process":{"programs":[]}}"#), vec!["orch:process/process@0.1.0"]),
        (permissions(r#"{"http":[]}"#), vec![]),
        (
            permissions(r#"{"http":[{"hosts":[],"methods":[],"paths":[]}]}"#),
            [&sends[..], &types, &clocks[..1]].concat(),
        ),
        (permissions(r#"{"secrets":{"use":[]}}"#), vec![]),
        (wasi("clocks"), clocks.to_vec()),
        (wasi("random"), vec!["wasi:random/random@0.2.6"]),
        (wasi("http_types"), [&types[..], &clocks].concat()),
    ];
    let imports: BTreeSet<&str> = table.iter().flat_map(|(_, opened)| opened.iter().copied()).collect();
    assert_eq!(imports.len(), 15);
    for (permissions, opened) in &table {
        for import in &imports {
            let is_open = permissions.open(Import(import));
            assert_eq!(is_open, opened.contains(import), "{import} by {permissions:?}");
        }
    }
    // What it needs is the place in the grammar.
    for import in imports {
        let ImportRule::Needs(need) = import_rule(import) else { panic!("{import}") };
        let (field, inner) = need.permission.split_once('.').unwrap_or((need.permission, ""));
        assert_eq!(field, need.domain.as_str());
        let written = serde_json::to_value(permissions(
            r#"{"log":{},"settings":{},"findings":{},"metrics":{},"diff":{},"git":{},"kv":{"labels":[],"bytes":0},"tasks":{},"files":{},
                "process":{"programs":[]},"http":[],"wasi":{"clocks":true,"random":true,"http_types":true}}"#,
        ));
        let found = written.unwrap().get(field).cloned().unwrap();
        assert!(inner.is_empty() || found.get(inner).is_some(), "{need:?}");
    }
}

#[test]
fn permissions_are_told_to_people_line_by_line() {
    let lines = |json: &str| permissions(json).lines();
    assert_eq!(lines("{}"), Vec::<String>::new());
    assert_eq!(
        lines(r#"{"log":{},"settings":{},"findings":{},"metrics":{},"kv":{"labels":["a","b"],"bytes":9}}"#),
        [
            "log: write lines into the host's log",
            "settings: read its settings",
            "kv: keep up to 9 bytes under a, b",
            "findings: report findings",
            "metrics: record measured values"
        ]
    );
    assert_eq!(
        lines(r#"{"tasks":{"read":true,"add":1,"kinds":["note"]}}"#),
        ["tasks: read the run's tasks", "tasks: ask for up to 1 tasks a call of kind note"]
    );
    assert_eq!(lines(r#"{"tasks":{}}"#), Vec::<String>::new());
    assert_eq!(
        lines(r#"{"files":{"read":["a"],"write":["b","c"]}}"#),
        ["files: read a", "files: WRITE b, c"]
    );
    assert_eq!(lines(r#"{"files":{"read":["a"]}}"#), ["files: read a"]);
    assert_eq!(lines(r#"{"files":{"write":["a"]}}"#), ["files: WRITE a"]);
    assert_eq!(
        lines(r#"{"process":{"programs":["sh"],"env":["HOME"],"network":["a.b:443","127.0.0.1:1"]}}"#),
        ["process: RUN sh", "process: hand on HOME", "process: REACH a.b:443, 127.0.0.1:1"]
    );
    assert_eq!(lines(r#"{"process":{"programs":["sh"]}}"#), ["process: RUN sh"]);
    assert_eq!(
        lines(
            r#"{"http":[{"hosts":["a:1"],"methods":["GET"],"paths":["/"]}],"secrets":{"use":[{"name":"n","host":"a:1"}]}}"#
        ),
        ["http: GET https://a:1 below /", "secrets: use n for a:1"]
    );
    assert_eq!(
        lines(r#"{"llm":{"models":["small","large"],"tokens":800}}"#),
        ["llm: ask small, large, at most 800 tokens an answer"]
    );
    assert_eq!(
        lines(r#"{"embed":{"models":["vectors"],"bytes":800}}"#),
        ["embed: ask vectors for vectors, at most 800 bytes of text a question"]
    );
    assert_eq!(lines(r#"{"retrieve":{"collections":["code"]}}"#), ["retrieve: find passages in code"]);
    assert_eq!(
        lines(r#"{"vectors":{"read":["docs"],"write":["code"],"bytes":800}}"#),
        ["vectors: read docs", "vectors: write code, at most 800 bytes a call"]
    );
    assert_eq!(
        lines(r#"{"wasi":{"clocks":true,"random":true,"http_types":true}}"#),
        ["wasi: read the clocks", "wasi: random numbers", "wasi: answer HTTP requests"]
    );
}

#[test]
fn only_what_reaches_beyond_the_store_is_an_effect() {
    for (json, effectful) in [
        ("{}", false),
        (r#"{"log":{},"kv":{"labels":[],"bytes":1},"tasks":{"add":9}}"#, false),
        (r#"{"files":{"read":["**"]}}"#, false),
        (r#"{"files":{"write":["a"]}}"#, true),
        (r#"{"process":{"programs":[]}}"#, true),
        (r#"{"http":[]}"#, false),
        (r#"{"http":[{"hosts":[],"methods":[],"paths":[]}]}"#, true),
        (r#"{"secrets":{"use":[]}}"#, false),
        (r#"{"llm":{"models":["a"],"tokens":1}}"#, false),
        (r#"{"embed":{"models":["a"],"bytes":1}}"#, false),
        (r#"{"vectors":{"write":["a"],"bytes":1}}"#, false),
        (r#"{"retrieve":{"collections":["a"]}}"#, false),
    ] {
        assert_eq!(permissions(json).effect() == Effect::Changing, effectful, "{json}");
    }
}

#[test]
fn files_of_a_package_have_these_limits_and_names() {
    let certificate = "certificates/0123456789abcdef.dsse.json";
    for (name, limit) in [
        ("component.wasm", 67_108_864),
        ("sbom.cdx.json", 4_194_304),
        ("manifest.json", 262_144),
        ("release.dsse.json", 1_048_576),
        ("LICENSE", 1_048_576),
        ("README.md", 1_048_576),
        (certificate, 1_048_576),
    ] {
        assert_eq!(bytes_max(name), Some(limit), "{name}");
    }
    assert_eq!(MANIFEST_BYTES_MAX, 262_144);
    for name in [
        "certificates/0123456789abcde.dsse.json",
        "certificates/0123456789abcdef0.dsse.json",
        "certificates/0123456789abcdeg.dsse.json",
        "certificates/0123456789ABCDEF.dsse.json",
        "certificates/0123456789abcdef.json",
        "0123456789abcdef.dsse.json",
        "certificates/",
        "License",
        "component.wasm/",
        "",
    ] {
        assert_eq!(bytes_max(name), None, "{name}");
    }
}

#[test]
fn ids_digests_and_times_are_written_as_they_are_read() {
    let part = "a".repeat(64);
    let id = PluginId::parse(&format!("{part}/{part}")).unwrap();
    assert_eq!((id.namespace(), id.name(), id.to_string()), (&*part, &*part, format!("{part}/{part}")));
    assert_eq!(String::from(id.clone()), id.as_str());
    assert_eq!(
        PluginId::try_from("orch/x".to_owned()),
        Err(PluginIdText::Reserved { found: "orch/x".into() })
    );
    for long in [format!("{part}a/x"), format!("x/{part}a")] {
        assert!(matches!(PluginId::parse(&long), Err(PluginIdText::Form { .. })), "{long}");
    }
    let digest = Sha256Digest::of(b"abc");
    let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!((digest.to_string(), format!("{digest:?}")), (text.to_owned(), text.to_owned()));
    assert_eq!((digest.as_bytes()[0], digest.as_bytes()[31]), (0xba, 0xad));
    for wrong in [&text[..62], &text.to_uppercase(), &format!("{text}00"), &text.replace('b', "g"), ""] {
        assert!(Sha256Digest::parse(wrong).is_err() && KeyId::parse(wrong).is_none(), "{wrong}");
    }
    let time = UnixSeconds(1_800_000_000);
    assert_eq!(
        (time.to_string(), String::from(time)),
        ("2027-01-15T08:00:00Z".into(), "2027-01-15T08:00:00Z".into())
    );
    assert!(UnixSeconds(i64::MAX).to_string().starts_with("9999-12-"), "{}", UnixSeconds(i64::MAX));
    assert!(UnixSeconds(i64::MIN).to_string().starts_with("-9999-01-"), "{}", UnixSeconds(i64::MIN));
    assert_eq!(
        (time.plus(-1), UnixSeconds(i64::MAX).plus(1)),
        (UnixSeconds(1_799_999_999), UnixSeconds(i64::MAX))
    );
}

#[test]
fn a_secret_key_shows_its_public_half_and_nothing_else() {
    let key = SecretKey::from_seed(&[5; 32]);
    let public = key.public().to_base64();
    assert_eq!(format!("{:?}", key.public()), format!("PublicKey({public})"));
    assert_eq!(format!("{key:?}"), format!("SecretKey of PublicKey({public})"));
    assert_eq!(PublicKey::from_base64(&public).unwrap(), key.public());
    assert_eq!(key.public().id().short(), key.public().id().to_string()[..16]);
    assert_eq!(
        key.public().id().to_string(),
        Sha256Digest::of(&orch_trust::key::base64_decode(&public).unwrap()).to_string()
    );
}
