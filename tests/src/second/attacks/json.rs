//! J: JSON that readers read differently, and manifests that are not of their schema.

use serde_json::{Value, json};

use super::{Cases, PLACES, good_with};
use crate::second::draft::{Bend, Place};
use crate::second::good::plain;

pub(super) fn add(cases: &mut Cases) {
    keys(cases);
    depth_and_numbers(cases);
    bytes(cases);
    schema(cases);
}

fn keys(cases: &mut Cases) {
    for (number, with) in [
        "{\"id\":\"acme/other\",",
        "{\"\\u0069d\":\"acme/other\",",
        "{\"i\\u0064\":1,",
        "{\"limits\":{},",
        "{\"permissions\":{},",
        "{\"roles\":[],",
        "{\"\\u0072oles\":[\"planner\"],",
        "{\"x\":1,\"x\":2,",
    ]
    .into_iter()
    .enumerate()
    {
        cases.add("J1", format!("a manifest with {with}, {number}"), plain, |draft| {
            // Some of the good ones ask for nothing.
            if draft.manifest.get("permissions").is_none() {
                draft.manifest["permissions"] = json!({});
            }
            draft.said(Place::Manifest, move |text| text.replacen('{', with, 1));
        });
    }
    for place in PLACES {
        cases.add("J1", format!("`_type` twice at {place:?}"), good_with(place), |draft| {
            draft.said(place, |text| text.replacen("{\"_type\"", "{\"\\u005ftype\":\"x\",\"_type\"", 1));
        });
        cases.add("J1", format!("`payload` twice in the envelope at {place:?}"), good_with(place), |draft| {
            draft.file(place, |bytes| {
                String::from_utf8(bytes)
                    .unwrap()
                    .replacen("\"payload\"", "\"payload\":\"\",\"payload\"", 1)
                    .into_bytes()
            });
        });
        cases.add("J2", format!("the payload at {place:?} goes too deep"), good_with(place), |draft| {
            draft.said(place, |text| {
                text.replacen('{', &format!("{{\"x\":{}{},", "[".repeat(40), "]".repeat(40)), 1)
            });
        });
    }
    cases.near("a key of a manifest is escaped", plain, |draft| {
        draft.said(Place::Manifest, |text| text.replacen("\"schema\"", "\"sch\\u0065ma\"", 1));
    });
}

fn depth_and_numbers(cases: &mut Cases) {
    for (number, levels) in [32, 33, 40, 100, 127, 128, 129, 5000].into_iter().enumerate() {
        cases.add("J2", format!("a manifest nested {levels} deep, {number}"), plain, |draft| {
            draft.said(Place::Manifest, move |text| {
                let (open, close) = if levels % 2 == 0 { ("[", "]") } else { ("{\"a\":", "}") };
                let inner = if levels % 2 == 0 { "" } else { "1" };
                text.replacen(
                    '{',
                    &format!("{{\"x\":{}{inner}{},", open.repeat(levels), close.repeat(levels)),
                    1,
                )
            });
        });
    }
    for number in [
        "1e400",
        "-0",
        "64.0",
        "6.4e1",
        "1E2",
        "18446744073709551616",
        "-9223372036854775809",
        "-1",
        "0x40",
        "+64",
        "064",
        "NaN",
        "Infinity",
        "64.",
        ".5",
        "1e-1",
        "\"64\"",
        "true",
        "null",
    ] {
        cases.add("J3", format!("a limit of {number}"), plain, |draft| {
            draft.said(Place::Manifest, move |text| with_number(&text, "memoryMiB", number));
        });
    }
    for (place, field) in [
        (Place::Release, "releaseCounter"),
        (Place::Certificate(0), "sizeBytes"),
        (Place::Freshness, "version"),
        (Place::Revocations, "version"),
        (Place::Root(0), "threshold"),
    ] {
        for number in ["1.0", "-0", "1e0", "9007199254740993.0", "18446744073709551616"] {
            cases.add("J3", format!("`{field}` at {place:?} is {number}"), good_with(place), |draft| {
                draft.said(place, move |text| with_number(&text, field, number));
            });
        }
    }
    cases.near("a counter that doubles do not have", plain, |draft| {
        draft.release.release_counter = (1 << 53) + 1
    });
}

/// The text with another number in that field.
fn with_number(text: &str, field: &str, number: &str) -> String {
    let at = text.find(&format!("\"{field}\":")).unwrap() + field.len() + 3;
    let end = at + text[at..].find([',', '}']).unwrap();
    format!("{}{number}{}", &text[..at], &text[end..])
}

fn bytes(cases: &mut Cases) {
    type Change = fn(Vec<u8>) -> Vec<u8>;
    let changes: [(&str, Change); 9] = [
        ("a byte order mark", |bytes| [b"\xef\xbb\xbf", &bytes[..]].concat()),
        ("UTF-16, low byte first", |bytes| utf16(&bytes, u16::to_le_bytes)),
        ("UTF-16, high byte first", |bytes| [vec![0xfe, 0xff], utf16(&bytes, u16::to_be_bytes)].concat()),
        ("half a character", |bytes| replaced(bytes, "\"MIT\"", "\"\\ud800\"")),
        ("the second half of a character", |bytes| replaced(bytes, "\"MIT\"", "\"\\udc00\\ud800\"")),
        ("a byte that is no UTF-8", |mut bytes| {
            let at = bytes.iter().position(|byte| *byte == b'M').unwrap();
            bytes[at] = 0xff;
            bytes
        }),
        ("a control character in a text", |bytes| replaced(bytes, "\"MIT\"", "\"M\u{1}T\"")),
        ("something behind the end", |bytes| [&bytes[..], b"{}"].concat()),
        ("a comment", |bytes| replaced(bytes, "{", "{/* */")),
    ];
    for (about, change) in changes {
        cases.add("J4", format!("a manifest with {about}"), plain, |draft| {
            draft.bend(Place::Manifest, Bend::Raw(Box::new(change)));
        });
    }
    for place in PLACES {
        cases.add(
            "J4",
            format!("a byte order mark before the payload at {place:?}"),
            good_with(place),
            |draft| {
                draft.bend(place, Bend::Raw(Box::new(|bytes| [b"\xef\xbb\xbf", &bytes[..]].concat())));
            },
        );
    }
    cases.near("a whole character, escaped in halves", plain, |draft| {
        draft.bend(
            Place::Manifest,
            Bend::Raw(Box::new(|bytes| replaced(bytes, "\"MIT\"", "\"\\ud83d\\ude00\""))),
        );
    });
}

fn utf16(bytes: &[u8], order: fn(u16) -> [u8; 2]) -> Vec<u8> {
    std::str::from_utf8(bytes).unwrap().encode_utf16().flat_map(order).collect()
}

fn replaced(bytes: Vec<u8>, find: &str, with: &str) -> Vec<u8> {
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.contains(find), "{find}");
    text.replacen(find, with, 1).into_bytes()
}

fn schema(cases: &mut Cases) {
    for (pointer, name) in [
        ("", "extra"),
        ("/limits", "cpu"),
        ("/host", "os"),
        ("/permissions", "shell"),
        ("", "Id"),
        ("/limits", "memoryMib"),
        ("", "signature"),
    ] {
        cases.add("J5", format!("`{pointer}/{name}` in a manifest"), plain, |draft| {
            if draft.manifest.get("permissions").is_none() {
                draft.manifest["permissions"] = json!({});
            }
            draft.manifest.pointer_mut(pointer).unwrap()[name] = json!({});
        });
    }
    for field in ["schema", "id", "version", "name", "description", "license", "roles", "host", "limits"] {
        cases.add("J5", format!("a manifest without `{field}`"), plain, |draft| {
            drop(draft.manifest.as_object_mut().unwrap().remove(field))
        });
    }
    for (field, value) in [
        ("$schema", json!("http://evil.example/schema.json")),
        ("$ref", json!("http://evil.example/schema.json")),
        ("$ref", json!("file:///etc/passwd")),
        ("schema", json!("http://evil.example/manifest")),
        ("schema", json!("file:///etc/passwd")),
        ("schema", json!({"$ref": "http://evil.example"})),
        ("limits", json!({"$ref": "file:///etc/passwd"})),
        ("host", json!({"$ref": "#/$defs/HostRange"})),
        ("schema", json!("urn:orch:plugin-manifest:v2")),
        ("$id", json!("urn:orch:plugin-manifest:v1")),
        ("$defs", json!({})),
        ("schema", json!("urn:orch:plugin-manifest:v1#")),
    ] {
        cases.add("J6", format!("`{field}` is {value}"), plain, |draft| draft.manifest[field] = value);
    }
    let long: [(&str, String); 18] = [
        ("id", format!("{}/x", "a-".repeat(50_000))),
        ("id", "a".repeat(100_000)),
        ("id", format!("acme/{}!", "a".repeat(64))),
        ("id", "/".repeat(50_000)),
        ("version", format!("1.0.0-{}!", "a.".repeat(40_000))),
        ("version", "1".repeat(100_000)),
        ("name", "n".repeat(101)),
        ("description", "d".repeat(1001)),
        ("license", "l".repeat(201)),
        ("license", String::new()),
        ("name", "\u{1f600}".repeat(101)),
        ("schema", "urn:".repeat(30_000)),
        ("repository", format!("https://{}", "x".repeat(493))),
        ("homepage", "http://example.org/".to_owned()),
        ("changelog", "https://me:word@example.org/".to_owned()),
        ("homepage", "https:///x".to_owned()),
        ("repository", "https://example.org/<x>".to_owned()),
        ("changelog", "javascript:alert(1)".to_owned()),
    ];
    for (field, text) in long {
        cases.add("J7", format!("`{field}` of {} bytes", text.len()), plain, |draft| {
            draft.manifest[field] = json!(text)
        });
    }
    cases.near("a name of a hundred wide characters", plain, |draft| {
        draft.manifest["name"] = json!("\u{1f600}".repeat(100))
    });
    values(cases);
}

/// Values of a manifest that are beside what they may be.
fn values(cases: &mut Cases) {
    let list = |entry: &str, count: usize| Value::from(vec![entry; count]);
    let wrong = [
        ("/roles", json!(["executor", "executor"])),
        ("/roles", json!([])),
        ("/roles", json!(["notifier"])),
        ("/roles", json!(["provider", "executor"])),
        ("/roles", json!(["executor", "provider"])),
        ("/kinds", json!(["Note"])),
        ("/kinds", list("a", 65)),
        ("/host/api", json!(">=0.2.0")),
        ("/host/api", json!("")),
        ("/host/api", json!("^0.1 ^0.2")),
        ("/host/api", json!("0.1.x.y")),
        ("/host/api", json!("<0.1.0")),
        ("/host/api", json!("~1.2")),
        ("/host/api", json!("0.*.0")),
        ("/host/api", json!("*.1")),
        ("/limits/memoryMiB", json!(0)),
        ("/limits/memoryMiB", json!(257)),
        ("/permissions", json!(null)),
        ("/permissions", json!([])),
        ("/permissions", json!({"files": {"read": ["../x"]}})),
        ("/permissions", json!({"files": {"read": ["/etc/**"]}})),
        ("/permissions", json!({"files": {"write": ["a/./b"]}})),
        ("/permissions", json!({"files": {"read": ["a**b"]}})),
        ("/permissions", json!({"files": {"read": ["a\u{7f}"]}})),
        ("/permissions", json!({"files": {"read": list("a", 65)}})),
        ("/permissions", json!({"files": {"read": null}})),
        ("/permissions", json!({"kv": {"labels": ["a*"], "bytes": 1}})),
        ("/permissions", json!({"kv": {"labels": ["a"]}})),
        ("/permissions", json!({"tasks": {"kinds": ["*"]}})),
        ("/permissions", json!({"notify": {"channels": ["*"]}})),
        ("/permissions", json!({"notify": {"channels": ["Ops"]}})),
        ("/permissions", json!({"notify": {}})),
        ("/permissions", json!({"llm": {"models": ["*"], "tokens": 1}})),
        ("/permissions", json!({"llm": {"models": ["Large"], "tokens": 1}})),
        ("/permissions", json!({"llm": {"models": ["a"], "tokens": 4294967296u64}})),
        ("/permissions", json!({"llm": {"models": ["a"]}})),
        ("/permissions", json!({"embed": {"models": ["*"], "bytes": 1}})),
        ("/permissions", json!({"embed": {"models": ["a"], "bytes": 4294967296u64}})),
        ("/permissions", json!({"embed": {"models": ["a"]}})),
        ("/permissions", json!({"retrieve": {"collections": ["*"]}})),
        ("/permissions", json!({"retrieve": {}})),
        ("/permissions", json!({"vectors": {"read": ["*"]}})),
        ("/permissions", json!({"vectors": {"write": ["Code"]}})),
        ("/permissions", json!({"vectors": {"bytes": -1}})),
        ("/permissions", json!({"process": {"programs": ["./bin/sh"]}})),
        ("/permissions", json!({"process": {"programs": ["bin/../sh"]}})),
        ("/permissions", json!({"process": {"programs": ["*/sh"]}})),
        ("/permissions", json!({"process": {"programs": [], "env": ["A@"]}})),
        ("/permissions", json!({"process": {"programs": [], "env": ["A@*"]}})),
        ("/permissions", json!({"process": {"programs": ["-c"]}})),
        ("/permissions", json!({"process": {"programs": [], "env": ["A=B"]}})),
        ("/permissions", json!({"http": [{"hosts": ["a.example"], "methods": [], "paths": []}]})),
        ("/permissions", json!({"http": [{"hosts": ["a.example:0443"], "methods": [], "paths": []}]})),
        ("/permissions", json!({"http": [{"hosts": ["[::01]:80"], "methods": [], "paths": []}]})),
        ("/permissions", json!({"http": [{"hosts": [], "methods": ["get"], "paths": []}]})),
        ("/permissions", json!({"http": [{"hosts": [], "methods": [], "paths": ["/v1/../admin"]}]})),
        ("/permissions", json!({"http": [{"hosts": [], "methods": [], "paths": ["/%2e%2e"]}]})),
        ("/permissions", json!({"secrets": {"use": [{"name": "Key", "host": "a.example:443"}]}})),
        ("/permissions", json!({"log": {"level": 1}})),
    ];
    for (number, (pointer, value)) in wrong.into_iter().enumerate() {
        cases.add("J5", format!("`{pointer}` is {value}, {number}"), plain, |draft| {
            let (folder, field) = pointer.rsplit_once('/').unwrap();
            draft.manifest.pointer_mut(folder).unwrap()[field] = value;
        });
    }
}
