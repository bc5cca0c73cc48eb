//! The Python measurement against radon 6.0.1, value by value (`radon/expect.py` makes the expectations).

// A test file as a whole is a test, but clippy allows these only inside `#[test]` functions.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use reflector_complexity::block::BlockKind;
use reflector_complexity::python::measure_python;
use serde::Deserialize;

#[derive(Debug, Deserialize, PartialEq)]
struct Row {
    kind: String,
    name: String,
    line: u32,
    complexity: u32,
}

/// The measured files. A file of the folder that is missing here fails the test.
const FILES: [(&str, &str); 4] = [
    ("branches.py", include_str!("radon/branches.py")),
    ("definitions.py", include_str!("radon/definitions.py")),
    ("handlers.py", include_str!("radon/handlers.py")),
    ("loops.py", include_str!("radon/loops.py")),
];

fn expected() -> BTreeMap<String, Vec<Row>> {
    serde_json::from_str(include_str!("radon/expected.json")).unwrap()
}

#[test]
fn every_value_of_radon_is_ours() {
    let expected = expected();
    assert_eq!(expected.keys().collect::<Vec<_>>(), FILES.map(|(name, _)| name).iter().collect::<Vec<_>>());
    for (file, source) in FILES {
        let mut measured: Vec<Row> = measure_python(source)
            .unwrap()
            .into_iter()
            .filter(|block| !block.name.starts_with("with_local_class."))
            .map(|block| Row {
                kind: block.kind.to_string(),
                name: block.name,
                line: block.line,
                complexity: block.complexity,
            })
            .collect();
        measured.sort_by(|one, other| (one.line, &one.name).cmp(&(other.line, &other.name)));
        assert_eq!(measured, expected[file], "{file}");
    }
}

#[test]
fn at_least_fifty_functions_are_compared() {
    let functions = expected().values().flatten().filter(|row| row.kind != "class").count();
    assert!(functions >= 50, "only {functions}");
}

#[test]
fn classes_inside_functions_are_measured_though_radon_leaves_them_out() {
    let source = include_str!("radon/definitions.py");
    let local: Vec<_> = measure_python(source)
        .unwrap()
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
