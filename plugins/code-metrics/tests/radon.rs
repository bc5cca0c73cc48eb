//! Every number of radon 6.0.1 about the files in `radon/sources/` (`radon/expect.py` writes them down).

// A test file as a whole is a test, but clippy allows these only inside `#[test]` functions.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "radon/compare.rs"]
mod compare;

use std::collections::BTreeMap;
use std::path::Path;

use code_metrics::block::BlockKind;
use code_metrics::{Language, measure, source};
use serde::Deserialize;

use compare::{Measured, Said, differences};

#[derive(Deserialize)]
struct Expected {
    files: BTreeMap<String, Said>,
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/radon")
}

/// Radon's answers with the files that they are about.
fn expected() -> Vec<(String, Measured, String)> {
    let expected: Expected =
        serde_json::from_slice(&std::fs::read(folder().join("expected.json")).unwrap()).unwrap();
    let here: Vec<_> = std::fs::read_dir(folder().join("sources")).unwrap().collect();
    assert_eq!(here.len(), expected.files.len());
    let with_source = |(name, said)| {
        let bytes = std::fs::read(folder().join("sources").join(&name)).unwrap();
        let said = match said {
            Said::Measured(said) => said,
            Said::Error { error } => panic!("radon could not measure {name}: {error}"),
        };
        (name, *said, source::text_of(bytes, Language::Python).unwrap())
    };
    expected.files.into_iter().map(with_source).collect()
}

#[test]
fn every_number_of_radon_is_ours() {
    let found: Vec<String> = expected()
        .iter()
        .flat_map(|(name, said, source)| {
            let (_, words) = differences(said, &measure(Language::Python, source).unwrap());
            words.into_iter().map(move |words| format!("{name}: {words}"))
        })
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_number_that_differs_is_seen() {
    let (name, said, source) = expected().into_iter().find(|(name, ..)| name == "operators.py").unwrap();
    let ours = measure(Language::Python, &source).unwrap();
    let mut changes = Vec::new();
    let mut changed = |change: fn(&mut code_metrics::FileMetrics)| {
        let mut ours = ours.clone();
        change(&mut ours);
        changes.push(differences(&said, &ours));
    };
    changed(|ours| ours.blocks[0].complexity += 1);
    changed(|ours| ours.raw.lloc += 1);
    changed(|ours| ours.complexity += 1);
    changed(|ours| ours.halstead.operands += 1);
    changed(|ours| ours.functions[0].1.distinct_operands += 1);
    changed(|ours| ours.maintainability += 1e-6);
    assert!(changes.iter().all(|(_, words)| !words.is_empty()), "{name}: {changes:?}");
    assert_eq!(changes[0].0, 1);
}

#[test]
fn at_least_fifty_functions_are_compared() {
    let functions: usize = expected()
        .iter()
        .map(|(_, said, _)| said.blocks.iter().filter(|block| block.0 != "class").count())
        .sum();
    assert!(functions >= 50, "only {functions}");
}

#[test]
fn classes_inside_functions_are_measured_though_radon_leaves_them_out() {
    let (_, _, source) = expected().into_iter().find(|(name, ..)| name == "definitions.py").unwrap();
    let local: Vec<_> = measure(Language::Python, &source)
        .unwrap()
        .blocks
        .into_iter()
        .filter(|block| block.name.starts_with("with_local_class."))
        .map(|block| (block.kind, block.name, block.complexity))
        .collect();
    assert_eq!(
        local,
        [
            (BlockKind::Class, "with_local_class.Local".to_owned(), 5),
            (BlockKind::Method, "with_local_class.Local.method".to_owned(), 3),
        ]
    );
}
