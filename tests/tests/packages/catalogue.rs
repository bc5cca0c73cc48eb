//! The catalogue of attacks against the folders and the sources: every id is shown, every name is there.
//!
//! In -> out: recipes, test functions of all crates -> `docs/attacks.md`. `BLESS=1` writes it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use orch_tests::catalogue::{ATTACKS, ELSEWHERE, NOT_YET, table};
use orch_tests::defect::{Recipe, folders};
use orch_tests::root;

/// Folders by the id that they show.
fn shown() -> BTreeMap<String, Vec<String>> {
    let mut shown = BTreeMap::<String, Vec<String>>::new();
    for folder in folders() {
        for id in Recipe::read(&folder).unwrap().attacks {
            shown.entry(id).or_default().push(folder.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    shown
}

/// Names of the functions with a test's attribute in the sources of every crate.
pub(crate) fn tests_of_the_sources() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for folder in [
        "trust",
        "signer",
        "host",
        "certify",
        "journal",
        "task",
        "supervisor",
        "vectors",
        "sdk",
        "plugins",
        "fuzz",
        "xtask",
        "tests",
    ] {
        collect(&root().join(folder), &mut found);
    }
    found
}

/// The tests below that folder: whole files of tests, and what stands in `mod tests` of others.
pub(crate) fn text_of_the_tests(folder: &str) -> String {
    let mut text = String::new();
    add_text(&root().join(folder), &mut text);
    text
}

fn add_text(folder: &Path, all: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            add_text(&path, all);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let is_test = path.components().any(|part| part.as_os_str() == "tests");
            let inner = text.split_once("mod tests {").map_or("", |(_, inner)| inner);
            all.push_str(if is_test { &text } else { inner });
        }
    }
}

fn collect(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            for attribute in ["#[test]", "#[tokio::test"] {
                for rest in text.split(attribute).skip(1) {
                    let name = rest.split_once("fn ").and_then(|(_, rest)| rest.split_once('('));
                    found.extend(name.map(|(name, _)| name.to_owned()));
                }
            }
        }
    }
}

#[test]
fn every_attack_is_shown_or_excused() {
    let shown = shown();
    let ids: BTreeSet<&str> = ATTACKS.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids.len(), ATTACKS.len(), "an id is there twice");
    let unknown: Vec<_> = shown.keys().filter(|id| !ids.contains(id.as_str())).collect();
    assert!(unknown.is_empty(), "recipes name {unknown:?}, which the catalogue does not have");
    let elsewhere: BTreeSet<&str> = ELSEWHERE.iter().map(|(id, _)| *id).collect();
    let excused: BTreeSet<&str> = NOT_YET.iter().map(|(id, _)| *id).collect();
    for id in elsewhere.iter().chain(&excused) {
        assert!(ids.contains(id), "{id}");
    }
    for id in ids {
        let is_shown = shown.contains_key(id) || elsewhere.contains(id);
        assert!(is_shown != excused.contains(id), "{id}: shown {is_shown}, and excused when it is not");
    }
}

#[test]
fn every_test_that_the_catalogue_names_is_there() {
    let tests = tests_of_the_sources();
    assert!(tests.len() > 300, "{}", tests.len());
    let named = ELSEWHERE.iter().flat_map(|(_, tests)| *tests);
    let missing: Vec<_> = named.filter(|name| !tests.contains(**name)).collect();
    assert!(missing.is_empty(), "{missing:?} are no tests");
}

#[test]
fn the_table_of_attacks_is_current() {
    let shown = shown();
    let expected = table(|id| shown.get(id).cloned().unwrap_or_default());
    let path = root().join("docs/attacks.md");
    if std::env::var_os("BLESS").is_some() {
        return std::fs::write(path, expected).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    let differs = found.lines().zip(expected.lines()).find(|(found, expected)| found != expected);
    assert!(found == expected, "run with BLESS=1 to write it; first difference: {differs:?}");
}
