//! A plugin that is taken in by half: nothing of it stays.
//!
//! Not here: what is wrong with the bytes that come (`published.rs`).

use std::fs;

use super::{Scene, digest};

#[test]
fn what_cannot_be_finished_takes_back_the_lines_of_the_policy_too() {
    let scene = Scene::new();
    let package = scene.made("0.1.1", |_| {});
    scene.publish(&package, "note.orchpkg", 0);
    let file = scene.own.outside().join("note.orchpkg");
    let (file, yes) = (file.to_str().unwrap(), digest(&package));
    let add = ["add", file, "--write-policy", "--yes", &yes];
    let policy = || fs::read_to_string(scene.own.operator().join("policy.toml")).unwrap();
    let (before, lock) = (policy(), scene.own.path().join("orch.lock"));
    let unchanged = |said: &str| {
        assert_eq!(policy(), before, "{said}");
        assert!(!scene.kept().join("0.1.1").exists(), "{said}");
        assert!(!scene.own.operator().join("approvals/demo.executor-note.json").exists(), "{said}");
    };

    // What the workspace pins cannot be read; the lines are written by then.
    fs::create_dir(&lock).unwrap();
    unchanged(&scene.plugin(&add, 2));
    fs::remove_dir(&lock).unwrap();

    // The decision cannot be recorded, which comes last.
    let stream = scene.own.operator().join("journal");
    let kept = scene.own.outside().join("journal");
    fs::rename(&stream, &kept).unwrap_or_default();
    fs::write(&stream, "no folder").unwrap();
    let said = scene.plugin(&add, 5);
    unchanged(&said);
    assert!(!lock.exists(), "{said}");
    fs::remove_file(&stream).unwrap();
    fs::rename(&kept, &stream).unwrap_or_default();

    scene.plugin(&add, 0);
    assert!(policy().contains("[plugins.\"demo/executor-note\".allow]") && lock.exists());
}
