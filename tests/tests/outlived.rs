//! Components that were built before: each runs as on its day.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

use std::fs;

use orch_plugin::case::{self, Answers};
use orch_tests::root;

#[test]
fn components_of_the_past_do_what_they_did() {
    let past = root().join("tests/data/outlived");
    let mut played = 0;
    for entry in fs::read_dir(past).unwrap() {
        let folder = entry.unwrap().path();
        if !folder.is_dir() {
            continue;
        }
        let package = orch_host::package::read(&folder.join("package")).unwrap();
        let cases = case::read_all(&folder.join("cases"), Answers::Recorded).unwrap();
        for result in case::run::run(&package, &cases, None).unwrap() {
            assert_eq!(result.differences, [""; 0], "{}: {}", folder.display(), result.name);
            played += 1;
        }
    }
    assert!(played >= 2, "{played} cases");
}
