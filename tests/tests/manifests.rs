//! The typed reader of manifests and the schema take the same ones.
//!
//! In -> out: every manifest of the project, one made of the schema itself, and what becomes of them by changes ->
//! [`agreed`].
//! Invariant: bounds, fields and levels come out of the schema, so a new field is tried without a line here; the
//! generated ones are the same in each run.
//! Not here: packages with one defect (`packages/main.rs`), what is no JSON (`trust/src/strict_json.rs`).
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use orch_tests::manifest_readers::{Said, agreed};
use orch_tests::random::Random;
use orch_tests::root;
use orch_trust::manifest::schema;
use regex::Regex;
use serde_json::{Map, Value, json};

const GENERATED: usize = 10_000;
/// Longer texts and lists are not tried.
const LENGTH_MAX: u64 = 2_000;
/// Stands for the first key of its object, in a text that has it twice.
const TWICE: &str = "@twice";
/// Texts that stand for numbers that a [`Value`] does not hold as they are written.
const NUMBERS: [&str; 5] = ["1.0", "1e2", "-0", "18446744073709551616", "1e400"];

/// What every author's `plugin.json` becomes when it is packed.
fn packed(path: &PathBuf) -> Value {
    let mut value: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let file =
        |path: &str, role: &str| json!({ "path": path, "role": role, "size": 3, "sha256": "a".repeat(64) });
    value["integrity"] =
        json!({ "files": [file("component.wasm", "component"), file("sbom.cdx.json", "sbom")] });
    // For editors; `orch-plugin pack` leaves it out.
    value.as_object_mut().unwrap().remove("$schema");
    // Of a template, as `orch-plugin new` fills it in.
    let text = value.to_string().replace("{{id}}", "demo/new").replace("{{name}}", "new");
    serde_json::from_str(&text).unwrap()
}

fn authored() -> Vec<PathBuf> {
    let folders = ["plugins", "sdk/templates"].map(|folder| fs::read_dir(root().join(folder)).unwrap());
    let mut found: Vec<PathBuf> =
        folders.into_iter().flatten().map(|it| it.unwrap().path().join("plugin.json")).collect();
    found.retain(|path| path.is_file());
    found.sort();
    found
}

#[test]
fn the_readers_agree_on_every_manifest_of_the_project() {
    let authored = authored();
    assert!(authored.len() >= 13, "{authored:?}");
    for path in &authored {
        assert_eq!(agreed(packed(path).to_string().as_bytes()), Said::Taken, "{}", path.display());
        // An author's file has no digests yet.
        assert_eq!(agreed(&fs::read(path).unwrap()), Said::OtherShape, "{}", path.display());
    }
    let mut said = BTreeMap::<Said, usize>::new();
    for folder in ["manifest", "admission", "strict-json"] {
        for entry in fs::read_dir(root().join("fuzz/corpus").join(folder)).unwrap() {
            let bytes = fs::read(entry.unwrap().path()).unwrap();
            *said.entry(agreed(&bytes)).or_default() += 1;
        }
    }
    assert_eq!(said.len(), 4, "{said:?}");
}

/// A value that a part of the schema takes, with every field that it may have.
fn whole(schema: &Value, part: &Value) -> Value {
    if let Some(reference) = part["$ref"].as_str() {
        return whole(schema, schema.pointer(reference.trim_start_matches('#')).unwrap());
    }
    if let Some(first) = part["anyOf"].get(0).or(part["oneOf"].get(0)) {
        return whole(schema, first);
    }
    if let Some(only) = part.get("const").or(part["enum"].get(0)) {
        return only.clone();
    }
    // Of a list that may be absent both.
    match part["type"].as_str().or(part["type"][0].as_str()).unwrap() {
        "object" => {
            let fields = part.get("properties").and_then(Value::as_object).into_iter().flatten();
            fields.map(|(name, part)| (name.clone(), whole(schema, part))).collect()
        }
        "array" => {
            vec![whole(schema, &part["items"]); part["minItems"].as_u64().unwrap_or(1) as usize].into()
        }
        "integer" => part["minimum"].clone(),
        "boolean" => true.into(),
        "string" => {
            let form = Regex::new(part["pattern"].as_str().unwrap_or("")).unwrap();
            ["x", "demo/x", &"0".repeat(64)].into_iter().find(|text| form.is_match(text)).unwrap().into()
        }
        other => panic!("a field of type `{other}`"),
    }
}

/// Every number that a part of the schema bounds something with.
fn bounds(part: &Value, found: &mut BTreeSet<u64>) {
    const WORDS: [&str; 6] = ["minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems"];
    for (name, part) in part.as_object().into_iter().flatten() {
        found.extend(part.as_u64().filter(|_| WORDS.contains(&name.as_str())));
        bounds(part, found);
    }
    part.as_array().into_iter().flatten().for_each(|part| bounds(part, found));
}

/// What is put in the place of whatever is there.
fn others() -> Vec<Value> {
    let mut bounded = BTreeSet::from([0]);
    bounds(&schema(), &mut bounded);
    let around: BTreeSet<u64> =
        bounded.iter().flat_map(|bound| [bound.saturating_sub(1), *bound, bound + 1]).collect();
    let mut others: Vec<Value> = around.iter().map(|number| json!(number)).collect();
    for length in around.into_iter().filter(|length| *length <= LENGTH_MAX) {
        let length = length as usize;
        // A length is one of characters, not of bytes.
        others.extend(["x", "\u{1f980}"].map(|text| json!(text.repeat(length))));
        others.push(json!(vec!["planner"; length]));
    }
    others.extend(NUMBERS.map(|number| json!(format!("@{number}"))));
    others.extend([json!(null), json!(true), json!(-1), json!(0.5), json!(i64::MIN), json!(u64::MAX)]);
    others.extend([
        json!({}),
        json!([null]),
        json!([[]]),
        json!({ "x": 1 }),
        json!({ "planner": null }),
        json!([1, 2]),
    ]);
    let (digest, id) = ("0".repeat(64), "demo/x");
    others.extend(
        [format!("{digest}\n"), digest.to_uppercase().replace('0', "A"), format!("{digest}0"), digest]
            .map(Value::from),
    );
    others.extend(
        [format!("{id}\n"), format!("\n{id}"), id.to_uppercase(), format!("{id}/x"), id.to_owned()]
            .map(Value::from),
    );
    others.extend(
        ["orch/x", "d\u{e9}mo/x", "\0", "Planner", "planner ", "1.0.0", "../..", "*"].map(Value::from),
    );
    others.push((0..28).fold(json!("x"), |inner, _| json!([inner])));
    others.push((0..40).fold(json!("x"), |inner, _| json!({ "x": inner })));
    others
}

/// The pointers of a value and of all within it.
fn places(value: &Value) -> Vec<String> {
    let below: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(name, inner)| (name.clone(), inner)).collect(),
        Value::Array(entries) => {
            entries.iter().enumerate().map(|(at, inner)| (at.to_string(), inner)).collect()
        }
        _ => Vec::new(),
    };
    let below = below.into_iter().flat_map(|(name, inner)| {
        let name = name.replace('~', "~0").replace('/', "~1");
        places(inner).into_iter().map(move |rest| format!("/{name}{rest}"))
    });
    std::iter::once(String::new()).chain(below).collect()
}

/// The value without what is at that place, or with keys of its own there.
fn other_keys(value: &Value, place: &str) -> Vec<Value> {
    let mut changed = Vec::new();
    if let Some((parent, name)) = place.rsplit_once('/') {
        let mut without = value.clone();
        match without.pointer_mut(parent).unwrap() {
            Value::Object(fields) => drop(fields.remove(name)),
            Value::Array(entries) => drop(entries.remove(name.parse().unwrap())),
            _ => {}
        }
        changed.push(without);
    }
    if let Some(Value::Object(fields)) = value.pointer(place) {
        let first = fields.keys().next().cloned().unwrap_or_default();
        for key in ["extra", "", "$ref", "\u{e9}", TWICE, &first.to_uppercase(), &format!("{first} ")] {
            let mut with = value.clone();
            let there: &mut Map<String, Value> = with.pointer_mut(place).unwrap().as_object_mut().unwrap();
            there.insert(key.to_owned(), json!({}));
            changed.push(with);
        }
    }
    changed
}

fn replaced(value: &Value, place: &str, new: &Value) -> Value {
    let mut value = value.clone();
    *value.pointer_mut(place).unwrap() = new.clone();
    value
}

/// The text of a value, with what only a text can say.
fn written(value: &Value) -> String {
    let text = NUMBERS
        .iter()
        .fold(value.to_string(), |text, number| text.replace(&format!("\"@{number}\""), number));
    // Keys are in order, so the one that stands for another comes before it.
    let Some((before, after)) = text.split_once(&format!("\"{TWICE}\":{{}},")) else { return text };
    let Some((key, _)) = after.split_once(':') else { return text };
    format!("{before}{key}:{{}},{after}")
}

/// A manifest with every field, and those of the project.
fn seeds() -> Vec<Value> {
    let schema = schema();
    let mut full = whole(&schema, &schema);
    full["version"] = json!("1.0.0");
    full["host"]["api"] = json!(">=0.1.0");
    for field in ["repository", "homepage", "changelog"] {
        full[field] = json!("https://example.org/x");
    }
    std::iter::once(full).chain(authored().iter().map(packed)).collect()
}

/// Each kind of answer was heard often enough that the test says something.
#[track_caller]
fn is_telling(said: &BTreeMap<Said, usize>, least: usize) {
    let enough = |kind| said.get(&kind).is_some_and(|count| *count >= least);
    assert!(
        [Said::Unread, Said::OtherShape, Said::OtherMeaning, Said::Taken].into_iter().all(enough),
        "{said:?}"
    );
}

#[test]
fn the_readers_agree_after_each_change_of_each_place() {
    let (full, others) = (seeds().swap_remove(0), others());
    let mut said = BTreeMap::<Said, usize>::new();
    let mut ask = |value: &Value| *said.entry(agreed(written(value).as_bytes())).or_default() += 1;
    for place in places(&full) {
        others.iter().for_each(|new| ask(&replaced(&full, &place, new)));
        other_keys(&full, &place).iter().for_each(&mut ask);
    }
    assert!(said.values().sum::<usize>() > GENERATED, "{said:?}");
}

#[test]
fn the_readers_agree_after_some_changes_together() {
    let (seeds, others) = (seeds(), others());
    let mut said = BTreeMap::<Said, usize>::new();
    let mut random = Random(0x6d61_6e69_6665_7374);
    let mut choose = |length: usize| random.below(length as u64) as usize;
    for _ in 0..GENERATED {
        let mut value = seeds[choose(seeds.len())].clone();
        for _ in 0..=choose(3) {
            let places = places(&value);
            let place = &places[choose(places.len())];
            let changed = other_keys(&value, place);
            value = match choose(2) {
                0 if !changed.is_empty() => changed[choose(changed.len())].clone(),
                _ => replaced(&value, place, &others[choose(others.len())]),
            };
        }
        *said.entry(agreed(written(&value).as_bytes())).or_default() += 1;
    }
    is_telling(&said, 100);
}
