//! Pages of reference, made of what the programs themselves go by.
//!
//! In -> out: schemas, interfaces, sources -> the texts of `docs/reference/*.md`.
//! Invariant: nothing is said here that is not in a schema, in `wit/` or in an error's own text.
//! Not here: comparing and writing them (`tests/references.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use orch_plugin::{authored, case};
use regex::Regex;
use serde_json::Value;

use crate::root;

/// Crates whose errors have codes.
const CRATES: [&str; 7] = ["trust", "signer", "task", "journal", "host", "certify", "sdk/plugin"];

/// File name -> text.
pub fn pages() -> BTreeMap<&'static str, String> {
    let manifest = schema(
        "`plugin.json`",
        "What a plugin says of itself and asks for; `orch-plugin pack` makes the manifest of it.",
        &authored::schema_for_editors(),
    );
    let cases = schema(
        "Case files",
        "`cases/*.json`, which `orch-plugin test` plays; `docs/authoring.md` tells how.",
        &serde_json::from_str(case::SCHEMA).unwrap(),
    );
    BTreeMap::from([
        ("manifest.md", manifest),
        ("cases.md", cases),
        ("interfaces.md", interfaces()),
        ("codes.md", codes()),
    ])
}

/// A page of a schema: the whole first, then each part that has a name.
fn schema(title: &str, about: &str, schema: &Value) -> String {
    let mut page = format!("# {title}\n\n{about}\n\n");
    rows(schema, &mut page);
    let parts = schema["$defs"].as_object();
    let mut used = BTreeSet::new();
    named(schema, schema, &mut used);
    for (name, part) in parts.into_iter().flatten().filter(|(name, _)| used.contains(*name)) {
        write!(page, "\n## {name}\n\n").unwrap();
        if let Some(about) = part["description"].as_str() {
            write!(page, "{}\n\n", cell(about)).unwrap();
        }
        rows(part, &mut page);
    }
    page.trim_end().to_owned() + "\n"
}

/// Names of the parts that something on the page leads to.
fn named(value: &Value, whole: &Value, used: &mut BTreeSet<String>) {
    match value {
        Value::Object(inner) => {
            for (key, value) in inner.iter().filter(|(key, _)| *key != "$defs") {
                named(value, whole, used);
                let name =
                    value.as_str().and_then(|text| text.strip_prefix("#/$defs/")).filter(|_| key == "$ref");
                if let Some(name) = name.filter(|name| used.insert((*name).to_owned())) {
                    named(&whole["$defs"][name], whole, used);
                }
            }
        }
        Value::Array(inner) => inner.iter().for_each(|value| named(value, whole, used)),
        _ => {}
    }
}

fn rows(schema: &Value, page: &mut String) {
    let mut found = Vec::new();
    keys(schema, "", &mut found);
    if found.is_empty() {
        writeln!(page, "{}", form(schema)).unwrap();
        return;
    }
    page.push_str("| key | form | what |\n|---|---|---|\n");
    for (key, form, about) in found {
        writeln!(page, "| `{key}` | {form} | {about} |").unwrap();
    }
}

/// Every key below, with its form; those that must be there say so.
fn keys(schema: &Value, before: &str, found: &mut Vec<(String, String, String)>) {
    for way in ["anyOf", "oneOf", "allOf"].iter().filter_map(|word| schema[*word].as_array()).flatten() {
        keys(way, before, found);
    }
    if schema["items"].is_object() {
        keys(&schema["items"], &format!("{before}[]"), found);
    }
    if schema["additionalProperties"].is_object() {
        keys(&schema["additionalProperties"], &format!("{before}.NAME"), found);
    }
    let required: BTreeSet<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (key, inner) in schema["properties"].as_object().into_iter().flatten() {
        let place = if before.is_empty() { key.clone() } else { format!("{before}.{key}") };
        let needed = if required.contains(&**key) { ", required" } else { "" };
        let about = inner["description"].as_str().map(cell).unwrap_or_default();
        found.push((place.clone(), format!("{}{needed}", form(inner)), about));
        keys(inner, &place, found);
    }
}

/// What a value may be, in words.
fn form(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.rsplit('/').next().unwrap_or_default();
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(one) = schema.get("const") {
        return format!("`{}`", cell(&one.to_string()));
    }
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<String> =
            words.iter().map(|word| format!("`{}`", word.as_str().unwrap_or("null"))).collect();
        return words.join(", ");
    }
    let ways = ["anyOf", "oneOf"].iter().filter_map(|word| schema[*word].as_array()).flatten();
    let ways: Vec<String> = ways.map(form).filter(|way| !way.is_empty()).collect();
    if !ways.is_empty() && schema["type"].is_null() {
        return ways.join(" or ");
    }
    let kind = match &schema["type"] {
        Value::String(word) => word.clone(),
        Value::Array(words) => words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ => return String::new(),
    };
    let bounds = ["minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "pattern"];
    let bounds = bounds.iter().filter_map(|word| Some(format!("{word} `{}`", bound(schema.get(*word)?))));
    let items = schema["items"].is_object().then(|| format!("of {}", form(&schema["items"])));
    let parts: Vec<String> = items.into_iter().filter(|items| items != "of ").chain(bounds).collect();
    if parts.is_empty() { kind } else { format!("{kind} {}", parts.join(", ")) }
}

fn bound(value: &Value) -> String {
    cell(value.as_str().map_or_else(|| value.to_string(), str::to_owned).as_str())
}

/// A text that stays in its cell.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// The interfaces that are ours: what each is for, and its text.
fn interfaces() -> String {
    let mut page = "# Interfaces\n\nWhat a plugin may import and what its role exports, as `wit/` has it. \
                    Each says which permission opens it and what its errors mean.\n"
        .to_owned();
    let mut folders: Vec<_> =
        fs::read_dir(root().join("wit/deps")).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    for folder in folders {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with("wasi-") {
            continue;
        }
        let file = folder.join(format!("{}.wit", name.split('@').next().unwrap()));
        let text = fs::read_to_string(&file).unwrap();
        let (package, body) = text.split_once(";\n").unwrap();
        let package = package.rsplit("package ").next().unwrap();
        write!(page, "\n## `{package}`\n\n```wit\n{}\n```\n", body.trim()).unwrap();
    }
    page
}

/// Codes of errors, with what each error says; `..` stands for what differs from time to time.
fn codes() -> String {
    let mut page = "# Codes of errors\n\nEach is stable. What `{..}` stands for differs from time to time; hints are shown with the error. \
                    `orch-certify explain CODE` says more of findings.\n\n| code | says | said by |\n|---|---|---|\n"
        .to_owned();
    let mut found: BTreeMap<String, BTreeMap<&str, String>> = BTreeMap::new();
    for of in CRATES {
        let mut sources = Vec::new();
        rust_files(&root().join(of).join("src"), &mut sources);
        for path in sources {
            let text = fs::read_to_string(&path).unwrap();
            for (code, says) in codes_of(text.split("mod tests {").next().unwrap()) {
                found.entry(code).or_default().entry(of).or_insert(says);
            }
        }
    }
    for (code, by) in &found {
        let crates: Vec<String> = by.keys().map(|of| format!("`{of}`")).collect();
        let says = by.values().find(|says| !says.is_empty()).map(String::as_str).unwrap_or_default();
        writeln!(page, "| `{code}` | {} | {} |", cell(says), crates.join(", ")).unwrap();
    }
    page
}

/// Code and text of each error in a source.
fn codes_of(text: &str) -> Vec<(String, String)> {
    let said =
        Regex::new(r##"#\[error\(\s*"((?:[^"\\]|\\.)*)"[^\]]*?\)\]\s*(?:///[^\n]*\n\s*)*(\w+)"##).unwrap();
    let says: BTreeMap<&str, &str> = said
        .captures_iter(text)
        .map(|found| (found.get(2).unwrap().as_str(), found.get(1).unwrap().as_str()))
        .collect();
    let arm = Regex::new(r#"Self::(\w+)[^=]*?=>\s*"([a-z0-9-]+)""#).unwrap();
    let row = Regex::new(r#"(?m)^\s+(\w+)(?: \{[^=]*\})? => "([a-z0-9-]+)", "((?:[^"\\]|\\.)*)""#).unwrap();
    let mut codes = Vec::new();
    for body in text.split("fn code(&self)").skip(1) {
        let body = body.split("\n    }\n").next().unwrap();
        codes.extend(arm.captures_iter(body).map(|found| {
            let says = says.get(&found[1]).copied().unwrap_or_default();
            (found[2].to_owned(), plain(says))
        }));
    }
    codes.extend(row.captures_iter(text).map(|found| (found[2].to_owned(), plain(&found[3]))));
    codes
}

/// A format string as prose.
fn plain(says: &str) -> String {
    let joined = Regex::new(r"\\\n\s*").unwrap().replace_all(says, "");
    Regex::new(r"\{[^}]*\}").unwrap().replace_all(&joined, "{..}").replace("\\\"", "\"")
}

fn rust_files(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        match path.is_dir() {
            true => rust_files(&path, found),
            false if path.extension().is_some_and(|it| it == "rs") => found.push(path),
            false => {}
        }
    }
}
