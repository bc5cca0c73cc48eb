//! Good packages of many shapes: roles, permissions, components, certificates, files, operators with and without a root.
//!
//! In -> out: a number -> a draft that is admitted; [`cases`], all of them and those at the last good second or size.
//! Invariant: both verifiers admit each.
//! Not here: what is done to them (`attacks/`).

use std::collections::BTreeMap;

use orch_trust::authority::Level;
use orch_trust::certificate::CheckStatus;
use orch_trust::delegation::{DelegationDocument, Purpose};
use orch_trust::digest::Sha256Digest;
use orch_trust::inputs::{AdvisoryDb, Inputs};
use orch_trust::permission::Permissions;
use orch_trust::release::{Release, Source};
use orch_trust::time::Day;
use serde_json::{Value, json};

use super::case::{Approved, Case, Denied, Operator, Party};
use super::draft::{
    CERTIFIER, Certify, DAY, Draft, JOB, Keys, NOW, OTHER_CERTIFIER, OTHER_PUBLISHER, PUBLISHER, checks,
    plugin,
};
use super::wasm::Wasm;
use super::world::{World, certifying_job, job};

const ROLES: [&[&str]; 10] = [
    &["executor"],
    &["planner"],
    &["reflector"],
    &["auditor"],
    &["verifier"],
    &["guard"],
    &["provider"],
    &["service"],
    &["executor", "verifier"],
    &["planner", "reflector", "auditor"],
];

/// What is asked for, and the imports that it opens.
const PERMISSIONS: [(&str, &[&str]); 33] = [
    (r#"{"log":{}}"#, &["orch:log/log@0.1.0"]),
    ("{}", &["orch:types/types@0.1.0"]),
    (r#"{"log":{},"settings":{}}"#, &["orch:log/log@0.1.0", "orch:settings/settings@0.1.0"]),
    (r#"{"kv":{"labels":["notes","a-1"],"bytes":4096}}"#, &["orch:kv/kv@0.1.0"]),
    (
        r#"{"tasks":{"read":true,"add":10,"kinds":["note"]}}"#,
        &["orch:tasks/tasks@0.1.0", "orch:types/types@0.1.0"],
    ),
    (r#"{"files":{"read":["src/**","**/*.md","a/*/b?.txt"]}}"#, &["orch:files/files@0.1.0"]),
    (
        r#"{"files":{"read":["**"],"write":["out/**"]},"git":{"read":["src/**"]},"log":{}}"#,
        &["orch:files/files@0.1.0", "orch:git/git@0.1.0"],
    ),
    (r#"{"process":{"programs":["sh","/usr/bin/git"],"env":["HOME"]}}"#, &["orch:process/process@0.1.0"]),
    (r#"{"process":{"programs":["*"]}}"#, &["orch:process/process@0.1.0"]),
    (r#"{"process":{"programs":["*"],"env":["*"]}}"#, &["orch:process/process@0.1.0"]),
    (
        r#"{"process":{"programs":[".venv/bin/pytest","tools/*","./run"],"env":["PATH@tools/x"]}}"#,
        &["orch:process/process@0.1.0"],
    ),
    (r#"{"http":[{"hosts":["api.acme.example:443"],"methods":["GET"],"paths":["/v1/"]}]}"#, &[]),
    (r#"{"notify":{"channels":["ops"]}}"#, &["orch:notify/notify@0.1.0", "orch:notify/shapes@0.1.0"]),
    (r#"{"llm":{"models":["small"],"tokens":800}}"#, &["orch:llm/llm@0.1.0", "orch:llm/shapes@0.1.0"]),
    (
        r#"{"embed":{"models":["vectors"],"bytes":800}}"#,
        &["orch:embed/embed@0.1.0", "orch:embed/shapes@0.1.0", "orch:llm/shapes@0.1.0"],
    ),
    (
        r#"{"retrieve":{"collections":["code"]}}"#,
        &["orch:retrieve/retrieve@0.1.0", "orch:retrieve/shapes@0.1.0"],
    ),
    (r#"{"vectors":{"read":["docs"]}}"#, &["orch:vectors/vectors@0.1.0"]),
    (r#"{"vectors":{"write":["code"],"bytes":800}}"#, &["orch:vectors/vectors@0.1.0"]),
    (r#"{"wasi":{"clocks":true}}"#, &["wasi:clocks/wall-clock@0.2.12", "wasi:io/poll@0.2.0"]),
    (r#"{"wasi":{"random":true}}"#, &["wasi:random/random@0.2.3"]),
    (
        r#"{"wasi":{"http_types":true}}"#,
        &["wasi:http/types@0.2.3", "wasi:io/streams@0.2.3", "wasi:io/error@0.2.3"],
    ),
    (
        r#"{"secrets":{"use":[{"name":"token","host":"api.acme.example:443"}]}}"#,
        &["orch:secrets/secrets@0.1.0"],
    ),
    (
        r#"{"findings":{},"metrics":{},"diff":{}}"#,
        &["orch:findings/findings@0.1.0", "orch:metrics/metrics@0.1.0", "orch:diff/diff@0.1.0"],
    ),
    (
        r#"{"metrics":{"read":["code.*","size"]}}"#,
        &["orch:metrics/metrics@0.1.2", "orch:metrics/metrics@0.1.1", "orch:metrics/metrics@0.1.0"],
    ),
    (
        r#"{"artifacts":{"types":["text/*","application/json"],"count":3,"bytes":1000}}"#,
        &["orch:artifacts/artifacts@0.1.0"],
    ),
    (r#"{"control":{"start":true,"read":true}}"#, &["orch:control/control@0.1.0"]),
    (
        "{}",
        &[
            "wasi:cli/environment@0.2.0",
            "wasi:sockets/tcp@0.2.3",
            "wasi:filesystem/types@0.2.12",
            "wasi:io/poll@0.2.6",
        ],
    ),
    (
        r#"{"log":{}}"#,
        &["wasi:random/insecure-seed@0.2.4", "wasi:cli/terminal-stdout@0.2.6", "orch:log/log@0.1.0"],
    ),
    (r#"{"control":{}}"#, &[]),
    (r#"{"http":[{"hosts":["*"],"methods":["POST"],"paths":["/hooks/"]}]}"#, &[]),
    (r#"{"http":[{"hosts":["*","b.acme.example:443"],"methods":["GET"],"paths":["/"]}]}"#, &[]),
    (r#"{"secrets":{"use":[{"name":"token","host":"*"}]}}"#, &["orch:secrets/secrets@0.1.0"]),
    (r#"{"log":null,"http":[{"hosts":["[::1]:80"],"methods":[],"paths":[]}]}"#, &[]),
];

const BROAD: &str = r#"{"log":{},"settings":{},"findings":{},"metrics":{"read":["*"]},"diff":{},"git":{"read":["**"]},"artifacts":{"types":["*"],"count":9,"bytes":1000000},"control":{"start":true,"stop":true,"read":true},"notify":{"channels":["*"]},"llm":{"models":["*"],"tokens":100000},"embed":{"models":["*"],"bytes":100000},"vectors":{"read":["*"],"write":["*"],"bytes":100000},"retrieve":{"collections":["*"]},"kv":{"labels":["*"],"bytes":1000000},
    "tasks":{"read":true,"add":100,"kinds":["*"]},"files":{"read":["**"],"write":["**"]},
    "process":{"programs":["sh","git","/usr/bin/git",".venv/bin/*","tools/*","./run"],"env":["HOME","LANG","PATH@tools/*"],"network":["*:443","*.b.example:443","127.0.0.1:5432","[::1]:5432"]},
    "http":[{"hosts":["*.acme.example:443","[::1]:80"],"methods":["GET","POST"],"paths":["/"]}],
    "secrets":{"use":[{"name":"token","host":"api.acme.example:443"}]},
    "wasi":{"clocks":true,"random":true,"http_types":true}}"#;

const MORE: [&str; 8] = [
    "",
    "(core module (table 3 funcref) (table 1 9 externref) (func))",
    "(core module (func $a) (start $a))",
    "(component (import \"orch:log/log@0.1.0\" (instance)) (import \"plain\" (func)) (core module (memory 1)))",
    "(@custom \"producers\" \"x\") (core module (@custom \"name\" \"\") (@custom \"target_features\" \"\"))",
    "(component (component (component (@custom \"component-name\" \"\"))))",
    "(core module (type (func (param i32))) (import \"env\" \"f\" (func (type 0))) (global i32 (i32.const 1)) (data \"x\"))",
    "(core module (func) (func) (func) (memory 0 0) (export \"m\" (memory 0)))",
];

pub const VERSIONS: [&str; 6] =
    ["1.2.3", "0.0.1", "10.20.30", "1.0.0-rc.1", "1.0.0-alpha.beta-2.7", "2.0.0-0"];

const CYCLONE: &str = r#"{"bomFormat":"CycloneDX","specVersion":"1.5","metadata":{"component":{"name":"me","version":"1.0.0"}},
    "components":[{"name":"serde","version":"1.0.200"},{"name":"left","version":"0.3.0","components":[{"name":"pad","version":"odd"},{"name":"bare"}]}]}"#;

pub fn permissions(text: &str) -> Permissions {
    serde_json::from_str(text).unwrap()
}

/// The package of that number with an operator's own files.
pub fn plain(number: usize) -> Draft {
    let keys = Keys((number % 23) as u8);
    let roles = ROLES[number % ROLES.len()];
    let (asked, imports) = PERMISSIONS[(number / 3) % PERMISSIONS.len()];
    let version = VERSIONS[(number / 5) % VERSIONS.len()];
    let export = |role: &&str| match *role {
        "service" => "wasi:http/incoming-handler@0.2.3".to_owned(),
        "provider" => "orch:notify/provide@0.1.0".to_owned(),
        role => format!("orch:{role}/{role}@0.1.0"),
    };
    let wasm = Wasm {
        imports: imports.iter().map(|name| (*name).to_owned()).collect(),
        exports: roles.iter().map(export).collect(),
        memories: vec![(1 + number as u32 % 5, number.is_multiple_of(2).then_some(64))],
        more: MORE[(number / 2) % MORE.len()].to_owned(),
    };
    let id = format!("acme/note-{}", number % 7);
    let api = ["^0.1", ">=0.1.0, <0.2.0", "*", "=0.1.0", "~0.1", "0.1.*", ">0.0.9"][number % 7];
    let mut manifest = json!({
        "schema": "urn:orch:plugin-manifest:v1", "id": id, "version": version,
        "name": format!("Note {number}"), "description": "Keeps „notes“", "license": "MIT", "roles": roles,
        "host": { "api": api },
        "limits": { "memoryMiB": 1 + number % 255, "busyMs": 500, "wallMs": 2000, "outputKiB": 256, "hostCalls": 100, "logKiB": number % 3 },
        "permissions": serde_json::from_str::<Value>(asked).unwrap(),
    });
    match roles.contains(&"executor") {
        true => manifest["kinds"] = json!(["note", "shell-2"]),
        // Nobody else writes.
        false => {
            let files = manifest["permissions"].get_mut("files").and_then(Value::as_object_mut);
            files.and_then(|files| files.remove("write"));
        }
    }
    if number.is_multiple_of(3) {
        manifest["repository"] = "https://git.example.org/acme/note?x=y#part".into();
        manifest["homepage"] = ["", "https://example.org"][number % 2].into();
        manifest["changelog"] = "https://example.org/[note]~changes".into();
        manifest["keywords"] = json!(["notes", "to-do"]);
    }
    if asked == "{}" {
        manifest.as_object_mut().unwrap().remove("permissions");
    }
    let mut documents: BTreeMap<&'static str, Vec<u8>> =
        [("sbom.cdx.json", CYCLONE.as_bytes().to_vec())].into();
    if number.is_multiple_of(3) {
        documents.insert("LICENSE", b"MIT".to_vec());
    }
    if number.is_multiple_of(4) {
        documents.insert("README.md", format!("# Note {number}\n").into_bytes());
    }
    let source = Source { uri: "git+https://git.example/acme".into(), commit: "0".repeat(40) };
    let release = Release {
        id: plugin(&id),
        version: semver::Version::parse(version).unwrap(),
        release_counter: 1 + number as u64,
        channel: ["stable", "beta", "ä \"quoted\"\\\u{7f}\n"][number % 3].into(),
        issued_at: NOW.plus(-3600),
        not_after: NOW.plus(30 * DAY),
        source: number.is_multiple_of(6).then_some(source),
    };
    let operator = Operator {
        publishers: vec![party(&keys, PUBLISHER, "acme", number.is_multiple_of(9))],
        certifiers: vec![
            party(&keys, CERTIFIER, "lab", false),
            party(&keys, OTHER_CERTIFIER, "institute", true),
        ],
        level: Level::Local,
        threshold: 1,
        independent: false,
        allow: permissions(BROAD),
        approval: Some(Approved { id: id.clone(), permissions: permissions(asked) }),
        deny: Denied::default(),
        lock: None,
    };
    let mut draft = Draft {
        keys,
        manifest,
        component: wasm.bytes(),
        documents,
        subjects: None,
        release,
        release_by: vec![PUBLISHER],
        certificates: vec![Certify::new(CERTIFIER)],
        delegations: Vec::new(),
        operator,
        world: None,
        bends: Vec::new(),
        files: Vec::new(),
        pinned: number % 13 == 1,
        now: NOW,
    };
    if number % 5 == 4 {
        draft.certificates.push(Certify::new(OTHER_CERTIFIER));
        draft.certificate(1, |certificate| {
            certificate.finished_at = NOW.plus(-5);
            certificate.signed_at = NOW.plus(-5);
            certificate.valid_until = NOW.plus(DAY);
            certificate.environment.target = "elsewhere".into();
        });
        draft.operator.threshold = 1 + number as u32 % 2;
        draft.operator.independent = number % 3 == 1;
    }
    if number % 7 == 2 {
        for place in 0..draft.certificates.len() {
            draft.certificate(place, |certificate| {
                let names = certificate.checks.iter_mut().find(|check| check.id == "names").unwrap();
                names.status = CheckStatus::Warn;
                names.findings = vec!["near: `a\\b`".into(), "looks like \u{1}".into()];
            });
        }
    }
    draft
}

fn party(keys: &Keys, seed: u8, owner: &str, bounded: bool) -> Party {
    Party {
        key: keys.base64(seed),
        owner: owner.into(),
        namespaces: vec!["acme/".into()],
        max_permissions: bounded.then(|| permissions(BROAD)),
        profile: Level::Certified,
        not_before: bounded.then_some(NOW.plus(-3600)),
        not_after: bounded.then_some(NOW),
    }
}

/// The same under a trust root.
pub fn rooted(number: usize) -> Draft {
    let mut draft = plain(number);
    draft.operator.publishers = Vec::new();
    draft.operator.certifiers = Vec::new();
    draft.world = Some(World::good(draft.keys, permissions(BROAD)));
    draft
}

/// The same with a release, or with every third number a certificate, by a key that a job made.
pub fn delegated(number: usize) -> Draft {
    let mut draft = rooted(number);
    let certifies = number % 3 == 2;
    let document = DelegationDocument {
        kind: "delegation/v1".into(),
        key: draft.keys.base64(JOB),
        purpose: if certifies { Purpose::Certificate } else { Purpose::Release },
        job: if certifies { certifying_job() } else { job() },
        commit: "c0ffee".into(),
        subject: Sha256Digest::of(b""),
        issued: NOW.plus(-600),
        expires: NOW.plus(300),
    };
    draft.delegations.push((JOB, document));
    match certifies {
        true => draft.certificates[0].by = JOB,
        false => {
            draft.release_by = vec![JOB];
            draft.release.issued_at = NOW.plus(-60);
        }
    }
    draft
}

/// What a certifier looked at beside the package.
fn inputs(commit: &str, date: &str) -> Inputs {
    Inputs {
        cargo_lock_sha256: Some(Sha256Digest::of(b"lock")),
        source_commit: Some(commit.to_owned()),
        advisory_db: Some(AdvisoryDb {
            sha256: Sha256Digest::of(b"database"),
            date: Day::parse(date).unwrap(),
            advisories: 1205,
            commit: Some("main".into()),
        }),
        known_ids_sha256: Some(Sha256Digest::of(b"acme/other\n")),
        previous_manifest_sha256: Some(Sha256Digest::of(b"manifest")),
        rustc: Some("1.95.0".into()),
    }
}

/// With a certificate of all checks; now is the 15th of January 2027, at eight in the morning.
pub fn fully_certified(number: usize) -> Draft {
    let mut draft = plain(number);
    draft.certificates.truncate(1);
    draft.operator.threshold = 1;
    draft.operator.level = Level::Certified;
    let commit = "c0ffee".repeat(6) + "cafe";
    draft.release.source =
        Some(Source { uri: "git+https://git.example/acme".into(), commit: commit.clone() });
    draft.certificate(0, move |certificate| {
        certificate.level = Level::Certified;
        certificate.inputs = Some(inputs(&commit, "2027-01-10"));
        let ids: Vec<String> = certificate.checks.iter().map(|check| check.id.clone()).collect();
        let more = checks(Level::Certified, &[], &certificate.certifier);
        certificate.checks.extend(more.into_iter().filter(|check| !ids.contains(&check.id)));
        certificate.valid_until = certificate.finished_at.plus(90 * DAY);
    });
    draft
}

/// Good packages.
pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |about: String, draft: Draft| cases.push(draft.build("good", about));
    for number in 0..96 {
        add(format!("plain {number}"), plain(number));
    }
    for number in 96..144 {
        add(format!("under a root {number}"), rooted(number));
    }
    for number in 144..160 {
        add(format!("by a job {number}"), delegated(number));
    }
    for number in 160..168 {
        add(format!("certified {number}"), fully_certified(number));
    }
    for (number, threshold) in [(170, 1), (171, 2), (172, 2)] {
        let mut draft = rooted(number);
        let keys = draft.keys;
        draft.world().root.namespaces[0].publisher = keys.role(threshold, &[PUBLISHER, OTHER_PUBLISHER]);
        draft.release_by = vec![OTHER_PUBLISHER];
        if threshold == 2 {
            draft.release_by.push(PUBLISHER);
        }
        add(format!("{threshold} publishers"), draft);
    }
    cases
}
