//! An array of the fields, in their order, is no object: for every format in JSON, at every level.
#![cfg(feature = "engine")]
#![allow(clippy::indexing_slicing, reason = "what changes a text for a test is no test function")]

use orch_certify::check::GroupReport;
use orch_fuzz::TARGETS;
use orch_trust::certificate::Certificate;
use orch_trust::dsse::Statement;

/// Where each object of a text begins.
fn objects(text: &str) -> Vec<usize> {
    let mut found = Vec::new();
    let (mut inside, mut escaped) = (false, false);
    for (place, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => inside = !inside,
            b'{' if !inside => found.push(place),
            _ => {}
        }
    }
    found
}

/// The text with an array of its values in place of the object that begins there.
fn as_array(text: &str, start: usize) -> String {
    let mut changed = text[..start].to_owned();
    let (mut depth, mut inside, mut escaped, mut key) = (0, false, false, false);
    for (place, byte) in text.bytes().enumerate().skip(start) {
        let open = !inside;
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => inside = !inside,
            b'{' | b'[' if open => depth += 1,
            b'}' | b']' if open => depth -= 1,
            _ => {}
        }
        match byte {
            b'{' if open && place == start => (key, _) = (true, changed.push('[')),
            b'}' if open && depth == 0 => return changed + "]" + &text[place + 1..],
            b':' if open && depth == 1 => key = false,
            b',' if open && depth == 1 => (key, _) = (true, changed.push(',')),
            _ if !key => changed.push(char::from(byte)),
            _ => {}
        }
    }
    changed
}

#[test]
fn an_array_of_values_is_made_of_an_object() {
    let text = r#"{"a":{"b":[1,{"c":"}\":,{"}],"d":2},"e":null}"#;
    let found: Vec<String> = objects(text).into_iter().map(|start| as_array(text, start)).collect();
    let expected = [
        r#"[{"b":[1,{"c":"}\":,{"}],"d":2},null]"#,
        r#"{"a":[[1,{"c":"}\":,{"}],2],"e":null}"#,
        r#"{"a":{"b":[1,["}\":,{"]],"d":2},"e":null}"#,
    ];
    assert_eq!(found, expected);
}

/// Formats in which no object is free: each has its fields, or any keys, but never an array instead.
const FORMATS: [&str; 13] = [
    "manifest",
    "trust-root",
    "freshness",
    "revocations",
    "delegation",
    "release",
    "certificate",
    "sbom",
    "approval",
    "key-file",
    "check-report",
    "statement",
    "dependency-list",
];

#[test]
fn an_array_of_fields_is_refused_at_every_level_of_every_format() {
    for name in FORMATS {
        let target = TARGETS.iter().find(|target| target.name == name).unwrap();
        let mut changed = 0;
        for (example, bytes) in (target.valid)() {
            let Ok(text) = std::str::from_utf8(&bytes) else { continue };
            assert!(text.is_ascii(), "{example}");
            for start in objects(text) {
                let array = as_array(text, start);
                serde_json::from_str::<serde_json::Value>(&array).unwrap();
                assert!(!(target.run)(array.as_bytes()), "`{name}` takes {array}");
                changed += 1;
            }
        }
        println!("{name}: {changed}");
        assert!(changed > 0, "`{name}` has no example in JSON");
    }
}

/// Else the test above would say nothing: of these formats serde by itself takes many such arrays.
#[test]
fn the_arrays_are_what_serde_would_take() {
    let taken = |name: &str, takes: fn(&str) -> bool| {
        let (_, bytes) = (orch_fuzz::target(name).unwrap().valid)().remove(0);
        let text = String::from_utf8(bytes).unwrap();
        let arrays: Vec<String> = objects(&text).into_iter().map(|start| as_array(&text, start)).collect();
        arrays.iter().filter(|array| takes(array)).count()
    };
    let statements = taken("statement", |text| serde_json::from_str::<Statement<Certificate>>(text).is_ok());
    let reports = taken("check-report", |text| serde_json::from_str::<GroupReport>(text).is_ok());
    assert!(statements >= 20 && reports >= 5, "{statements}, {reports}");
}
